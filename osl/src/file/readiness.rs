//! What a file is ready for.
//!
//! Invariant: a file whose readiness grows wakes its queues afterwards.

use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM};

bitflags::bitflags! {
    /// What would not wait now, in the bits of `poll(2)`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Readiness: u16 {
        /// There is something to read, or the end was reached.
        const READ = POLLIN | POLLRDNORM;
        /// There is room to write.
        const WRITE = POLLOUT | POLLWRNORM;
        /// Something exceptional.
        const PRIORITY = POLLPRI;
        /// Writing fails.
        const ERROR = POLLERR;
        /// The other end is gone.
        const HANG_UP = POLLHUP;
        /// The other end writes no more.
        const READ_HANG_UP = POLLRDHUP;
    }
}

impl Readiness {
    /// Ready for reading and for writing, always.
    pub const BOTH: Self = Self::READ.union(Self::WRITE);

    /// What of this answers a `poll` for `wanted`: errors and hang-ups always do.
    pub fn answer(self, wanted: u16) -> u16 {
        self.bits() & (wanted | POLLERR | POLLHUP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hang_up_is_told_even_when_nobody_asked() {
        let ready = Readiness::HANG_UP | Readiness::READ;
        assert_eq!(ready.answer(POLLOUT), POLLHUP);
        assert_eq!(ready.answer(POLLIN), POLLIN | POLLHUP);
    }
}
