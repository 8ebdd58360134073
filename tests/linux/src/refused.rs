//! Programs for a kernel that refuses memory by lot: each case again and again, and nothing is lost.

use crate::objects::Objects;
use crate::process::wait_for_any_of;
use crate::scratch::Scratch;
use crate::{Errno, check, fail, is_braid};

const ROUNDS: usize = 25;

pub type Case = (&'static str, fn(&Scratch));

/// Says what went well.
pub fn all(name: &str, cases: &[Case]) {
    let scratch = Scratch::new(name);
    for (what, case) in cases {
        // A round may fill what the kernel keeps for the next ones; a leak grows with each.
        let leaks = (0..4).all(|_| {
            let before = Objects::settled_but_pages();
            (0..ROUNDS).for_each(|_| case(&scratch));
            // What a killed shell leaves behind comes to this program, which is the first.
            while wait_for_any_of(-1, 0).is_ok() {}
            is_braid() && !before.are_all_there_is()
        });
        check(what, !leaks);
    }
}

/// What was asked for, unless there was no memory.
#[track_caller]
pub fn granted<T>(what: &str, answer: Result<T, Errno>) -> Option<T> {
    match answer {
        Ok(value) => Some(value),
        Err(libc::ENOMEM | libc::EAGAIN | libc::ENOBUFS | libc::ENOSPC | libc::ENFILE | libc::ENOLCK) => None,
        Err(errno) => fail(&format!("{what}: errno {errno}")),
    }
}
