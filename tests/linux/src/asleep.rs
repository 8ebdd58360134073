//! A child that sleeps in a call: seen from outside.

use crate::process::{Ended, Pid, wait_for_any_of};
use crate::{fail, sleep_ms};

/// The letter of its state in /proc, `None` when it is gone.
pub fn state_of(pid: Pid) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}

/// Returns when it was found asleep several times in a row.
#[track_caller]
pub fn wait_until_asleep(pid: Pid) {
    let mut seen = 0;
    for _ in 0..5000 {
        seen = if state_of(pid) == Some('S') { seen + 1 } else { 0 };
        if seen == 4 {
            return;
        }
        sleep_ms(1);
    }
    fail(&format!("a child that should sleep is {:?}", state_of(pid)));
}

/// What becomes of it within five seconds.
#[track_caller]
pub fn ends_promptly(pid: Pid, options: i32) -> Ended {
    for _ in 0..5000 {
        match wait_for_any_of(pid, options | libc::WNOHANG) {
            Ok(Some((_, ended))) => return ended,
            Ok(None) => sleep_ms(1),
            Err(error) => fail(&format!("waiting for a child: {error}")),
        }
    }
    fail("a child that should have ended did not")
}
