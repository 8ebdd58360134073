//! restart_syscall: go on with a call that a signal without a handler cut in two.
//!
//! Invariant: what is left of a call is taken once; a program that calls this by itself gets `EINTR`.

use abi::Errno;

use super::answer::give;
use super::{Caller, futex, poll, time};
use crate::process::Restart;

pub fn restart_syscall(caller: &mut Caller<'_>) -> Result<u64, Errno> {
    let rest = caller.task.restart.lock(caller.cx).take();
    match rest {
        Some(Restart::Sleep { deadline, remaining, .. }) => give(time::resume_sleep(caller, deadline, remaining)),
        Some(Restart::Futex(wish, until)) => futex::wait(caller, wish, until),
        Some(Restart::Poll { descriptors, count, deadline }) => give(poll::resume(caller, descriptors, count, deadline)),
        None => Err(Errno::EINTR),
    }
}
