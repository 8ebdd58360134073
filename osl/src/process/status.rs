//! How a process ended or paused, and the word that `wait4` writes for it.
//!
//! Invariant: the encodings are those of `man 2 wait`; `siginfo`'s code and status say the same as the word.

use abi::signal::code;

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It called exit with this (only the low byte counts).
    Exited(u8),
    /// A signal ended it; whether Linux would have written a core file.
    Killed { signal: u32, dumped: bool },
}

/// Set in the word beside the signal when a core file would have been written.
const DUMPED: u32 = 0x80;
/// The low byte of the word of a stopped process.
const STOPPED: u32 = 0x7f;
/// The word of a continued process.
const CONTINUED: u32 = 0xffff;

impl ExitStatus {
    /// What `wait4` writes.
    pub fn word(self) -> u32 {
        match self {
            Self::Exited(code) => u32::from(code) << 8,
            Self::Killed { signal, dumped } => signal | if dumped { DUMPED } else { 0 },
        }
    }

    /// `si_code` and `si_status` of the child signal.
    pub fn code_and_status(self) -> (i32, i32) {
        match self {
            Self::Exited(status) => (code::CLD_EXITED, i32::from(status)),
            Self::Killed { signal, dumped: true } => (code::CLD_DUMPED, signal.cast_signed()),
            Self::Killed { signal, dumped: false } => (code::CLD_KILLED, signal.cast_signed()),
        }
    }

    /// What a shell calls the status: the code, or 128 and the signal.
    pub fn shell_code(self) -> u32 {
        match self {
            Self::Exited(code) => u32::from(code),
            Self::Killed { signal, .. } => 128 + signal,
        }
    }
}

/// The word of a process that this signal stopped.
pub fn stopped_word(signal: u32) -> u32 {
    (signal << 8) | STOPPED
}

/// The word of a process that was continued.
pub fn continued_word() -> u32 {
    CONTINUED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_stands_in_the_second_byte() {
        assert_eq!(ExitStatus::Exited(7).word(), 0x0700);
        assert_eq!(ExitStatus::Exited(255).word(), 0xff00);
    }

    #[test]
    fn a_killing_signal_stands_in_the_low_bits_and_a_dump_in_bit_seven() {
        assert_eq!(ExitStatus::Killed { signal: 9, dumped: false }.word(), 9);
        assert_eq!(ExitStatus::Killed { signal: 11, dumped: true }.word(), 0x8b);
    }

    #[test]
    fn a_stopped_word_is_told_from_an_exit_and_from_a_kill() {
        assert_eq!(stopped_word(19), 0x137f);
        assert_eq!(stopped_word(19) & 0xff, 0x7f);
        assert_eq!(continued_word(), 0xffff);
    }

    #[test]
    fn the_shell_adds_a_hundred_and_twenty_eight_to_a_signal() {
        assert_eq!(ExitStatus::Killed { signal: 15, dumped: false }.shell_code(), 143);
        assert_eq!(ExitStatus::Exited(3).shell_code(), 3);
    }

    #[test]
    fn the_information_says_the_same_as_the_word() {
        assert_eq!(ExitStatus::Exited(4).code_and_status(), (code::CLD_EXITED, 4));
        assert_eq!(ExitStatus::Killed { signal: 6, dumped: true }.code_and_status(), (code::CLD_DUMPED, 6));
    }
}
