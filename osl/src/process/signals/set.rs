//! Sets of signals.
//!
//! Invariant: signal n is bit n - 1, for n from 1 to 64, as in every mask that a program passes.

use abi::signal::*;

/// A set of signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// The two that cannot be blocked, caught or ignored.
    pub const UNSTOPPABLE: Self = Self::single(SIGKILL).with(SIGSTOP);
    /// Those whose default is to stop the process.
    pub const STOPPING: Self = Self::single(SIGSTOP).with(SIGTSTP).with(SIGTTIN).with(SIGTTOU);
    /// Those that an instruction of the thread itself brings about: delivered first.
    pub const SYNCHRONOUS: Self = Self::single(SIGSEGV).with(SIGBUS).with(SIGILL).with(SIGTRAP).with(SIGFPE).with(SIGSYS);

    /// From a program's mask.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As a program's mask.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// One signal; a number that is no signal gives the empty set.
    pub const fn single(signal: u32) -> Self {
        if signal == 0 || signal > SIGNAL_COUNT { Self::EMPTY } else { Self(1 << (signal - 1)) }
    }

    /// With one more.
    pub const fn with(self, signal: u32) -> Self {
        Self(self.0 | Self::single(signal).0)
    }

    /// With one less.
    pub const fn without(self, signal: u32) -> Self {
        Self(self.0 & !Self::single(signal).0)
    }

    /// Those in either.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those in this one and not in the other.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the signal is in it.
    pub const fn contains(self, signal: u32) -> bool {
        self.0 & Self::single(signal).0 != 0
    }

    /// Whether no signal is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lowest signal in it.
    pub const fn first(self) -> Option<u32> {
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() + 1) }
    }

    /// The one to deliver next: those of the thread's own doing first, then the lowest.
    pub const fn next(self) -> Option<u32> {
        match self.intersection(Self::SYNCHRONOUS).first() {
            Some(signal) => Some(signal),
            None => self.first(),
        }
    }

    /// A mask as a thread may have it: without the two that cannot be blocked.
    pub const fn blockable(self) -> Self {
        self.minus(Self::UNSTOPPABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signal_one_is_bit_zero_and_signal_sixty_four_is_the_last() {
        assert_eq!(SignalSet::single(SIGHUP).bits(), 1);
        assert_eq!(SignalSet::single(64).bits(), 1 << 63);
        assert_eq!(SignalSet::single(0), SignalSet::EMPTY);
        assert_eq!(SignalSet::single(65), SignalSet::EMPTY);
    }

    #[test]
    fn kill_and_stop_cannot_be_blocked() {
        let mask = SignalSet::from_bits(u64::MAX).blockable();
        assert!(!mask.contains(SIGKILL) && !mask.contains(SIGSTOP) && mask.contains(SIGTERM));
    }

    #[test]
    fn a_fault_goes_before_a_lower_signal() {
        let set = SignalSet::EMPTY.with(SIGHUP).with(SIGSEGV);
        assert_eq!(set.next(), Some(SIGSEGV));
        assert_eq!(set.without(SIGSEGV).next(), Some(SIGHUP));
        assert_eq!(SignalSet::EMPTY.next(), None);
    }
}
