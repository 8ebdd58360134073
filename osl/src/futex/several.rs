//! Waiting for one of several words.
//!
//! Invariant: the words are entered in their order, and left again all; whichever wake hit one of them is answered for, however the
//! wait ended.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::KernelError;
use libkernel::wait::WaitQueue;
use sync::TaskContext;
use sync::twin::{self, Twin};

use super::table::Word;
use super::until::Until;
use super::wait::{Wish, enter, leave};
use super::waiter::Waiter;

/// As many as a call may name.
pub const MOST: usize = 128;

/// Sleeps while all words have their values; answers which was woken (the last, if several were).
pub fn wait(cx: &mut TaskContext, wishes: &[Wish], until: Until) -> Result<usize, Errno> {
    let words = wishes.iter().map(|wish| Word::at(cx, wish.address, wish.is_private)).collect::<Result<Vec<_>, _>>()?;
    let mut waiters = Vec::with_capacity(wishes.len());
    let mut failed = Ok(());
    for (word, wish) in words.iter().zip(wishes) {
        let waiter = Waiter::new();
        failed = enter(cx, word, *wish, &waiter);
        if failed.is_err() {
            break;
        }
        waiters.push(waiter);
    }
    let slept = match failed {
        Ok(()) => sleep(cx, &waiters, until),
        Err(error) => Err(error),
    };
    let mut woken = None;
    for (index, waiter) in waiters.iter().enumerate() {
        if !leave(cx, waiter) {
            woken = Some(index);
            if twin::is(Twin::OthersLeftEntered) {
                break;
            }
        }
    }
    match (woken, slept) {
        (Some(index), _) => Ok(index),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(Errno::EAGAIN),
    }
}

fn sleep(cx: &mut TaskContext, waiters: &[Arc<Waiter>], until: Until) -> Result<(), Errno> {
    let queues: Vec<&WaitQueue> = waiters.iter().map(|waiter| &waiter.queue).collect();
    until.sleep(cx, &queues, || waiters.iter().any(|waiter| waiter.is_woken())).map_err(|error| match error {
        KernelError::TimedOut => Errno::ETIMEDOUT,
        _ => Errno::ERESTARTSYS,
    })
}
