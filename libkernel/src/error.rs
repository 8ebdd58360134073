//! What can go wrong in the kernel, in the kernel's own words.
//!
//! Invariant: everything that a program, a disk or a network can cause is one of these values, never a panic.

use core::fmt;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KernelError {
    /// Memory, stacks or table space ran out.
    NoMemory,
    /// An address that is not the program's, or not mapped so.
    BadAddress,
    /// A number that makes no sense here.
    Invalid,
    NotFound,
    /// The sleeper was called out before what it waited for happened.
    Interrupted,
    TimedOut,
    Busy,
    Denied,
    /// Kept from all programs, whatever they may do otherwise.
    Forbidden,
    TooLarge,
    Exists,
    WouldBlock,
    Unsupported,
    /// Whoever was at the other end has left.
    Gone,
    /// A device did not do what it was asked for, or what it keeps makes no sense.
    DeviceFailed,
}

impl KernelError {
    /// In words, for the log.
    pub const fn text(self) -> &'static str {
        match self {
            KernelError::NoMemory => "out of memory",
            KernelError::BadAddress => "bad address",
            KernelError::Invalid => "invalid value",
            KernelError::NotFound => "not found",
            KernelError::Interrupted => "interrupted",
            KernelError::TimedOut => "timed out",
            KernelError::Busy => "busy",
            KernelError::Denied => "not permitted",
            KernelError::Forbidden => "kept from all programs",
            KernelError::TooLarge => "too large",
            KernelError::Exists => "exists already",
            KernelError::WouldBlock => "would have to wait",
            KernelError::Unsupported => "not supported",
            KernelError::Gone => "the other end is gone",
            KernelError::DeviceFailed => "the device failed",
        }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

pub type Result<T> = core::result::Result<T, KernelError>;
