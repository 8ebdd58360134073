//! What Linux calls the kernel's own errors.
//!
//! Invariant: this is the only place where a `KernelError` becomes an `Errno`.

use abi::Errno;
use libkernel::error::KernelError;

/// The error number that a program sees for an error from below.
pub fn errno(error: KernelError) -> Errno {
    match error {
        KernelError::NoMemory => Errno::ENOMEM,
        KernelError::BadAddress => Errno::EFAULT,
        KernelError::Invalid => Errno::EINVAL,
        KernelError::NotFound => Errno::ENOENT,
        KernelError::Interrupted => Errno::EINTR,
        KernelError::TimedOut => Errno::ETIMEDOUT,
        KernelError::Busy => Errno::EBUSY,
        KernelError::Denied => Errno::EACCES,
        KernelError::Forbidden => Errno::EPERM,
        KernelError::TooLarge => Errno::E2BIG,
        KernelError::Exists => Errno::EEXIST,
        KernelError::WouldBlock => Errno::EAGAIN,
        KernelError::Unsupported => Errno::EOPNOTSUPP,
        KernelError::Gone => Errno::EPIPE,
        KernelError::DeviceFailed => Errno::EIO,
    }
}

/// The same for a wait that goes on by itself when the signal that cut it short has no handler, or one with `SA_RESTART`.
pub fn restarting(error: KernelError) -> Errno {
    if error == KernelError::Interrupted { Errno::ERESTARTSYS } else { errno(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_address_is_efault_and_an_interrupted_wait_is_eintr() {
        assert_eq!(errno(KernelError::BadAddress), Errno::EFAULT);
        assert_eq!(errno(KernelError::Interrupted), Errno::EINTR);
    }
}
