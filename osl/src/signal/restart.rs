//! What becomes of a call that a signal interrupted: an error, or once more.
//!
//! Invariant: a program never sees the numbers from 512 on; each is settled here, once, before the program goes on.

use abi::Errno;
use abi::constant::__NR_restart_syscall;
use libkernel::thread::registers::UserRegisters;

/// What an interrupted call answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupted {
    Restart,
    AlwaysRestart,
    RestartWithoutHandler,
    GoOn,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Repeat,
    GoOn,
    Fail,
}

fn interrupted(result: i64) -> Option<Interrupted> {
    let is = |errno: Errno| result == errno.as_result();
    if is(Errno::ERESTARTSYS) {
        Some(Interrupted::Restart)
    } else if is(Errno::ERESTARTNOINTR) {
        Some(Interrupted::AlwaysRestart)
    } else if is(Errno::ERESTARTNOHAND) {
        Some(Interrupted::RestartWithoutHandler)
    } else if is(Errno::ERESTART_RESTARTBLOCK) {
        Some(Interrupted::GoOn)
    } else {
        None
    }
}

/// `handler`: whether one is about to run, and if so whether it asked for restarts.
fn verdict(what: Interrupted, handler: Option<bool>) -> Verdict {
    match (what, handler) {
        (Interrupted::AlwaysRestart, _) | (Interrupted::Restart, None | Some(true)) => Verdict::Repeat,
        (Interrupted::RestartWithoutHandler, None) => Verdict::Repeat,
        (Interrupted::GoOn, None) => Verdict::GoOn,
        _ => Verdict::Fail,
    }
}

/// Settles the call that the registers stand at, if there is one and it was interrupted.
pub fn settle(registers: &mut UserRegisters, handler: Option<bool>) {
    if !registers.is_system_call() {
        return;
    }
    let Some(what) = interrupted(registers.result()) else {
        return;
    };
    match verdict(what, handler) {
        Verdict::Repeat => registers.repeat_system_call(),
        Verdict::GoOn => registers.repeat_system_call_as(u64::from(__NR_restart_syscall)),
        Verdict::Fail => {
            registers.set_result(Errno::EINTR.as_result());
            registers.forget_system_call();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_repeated_unless_a_handler_did_not_ask_for_it() {
        assert_eq!(verdict(Interrupted::Restart, None), Verdict::Repeat);
        assert_eq!(verdict(Interrupted::Restart, Some(true)), Verdict::Repeat);
        assert_eq!(verdict(Interrupted::Restart, Some(false)), Verdict::Fail);
    }

    #[test]
    fn a_pause_fails_after_any_handler() {
        assert_eq!(verdict(Interrupted::RestartWithoutHandler, Some(true)), Verdict::Fail);
        assert_eq!(verdict(Interrupted::RestartWithoutHandler, None), Verdict::Repeat);
    }

    #[test]
    fn a_sleep_goes_on_only_without_a_handler() {
        assert_eq!(verdict(Interrupted::GoOn, None), Verdict::GoOn);
        assert_eq!(verdict(Interrupted::GoOn, Some(true)), Verdict::Fail);
    }

    #[test]
    fn other_results_are_left_alone() {
        assert_eq!(interrupted(0), None);
        assert_eq!(interrupted(Errno::EINTR.as_result()), None);
        assert_eq!(interrupted(-512), Some(Interrupted::Restart));
    }
}
