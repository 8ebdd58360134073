//! From one kernel thread to another: the baton goes to the checker's thread that plays the other.
//!
//! Invariant: of all threads that share a CPU exactly one is not waiting for the baton. A context has a seat from when it is left until
//! somebody goes on with it: whoever finds none has found a thread that was not saved.

use crate::boot;
use crate::explore::{Condvar, Mutex, spawn, stop};
use std::sync::Arc;
use sync::cpu::host::{self, Baton};

/// Where a thread waits for a CPU.
#[derive(Default)]
pub(crate) struct Seat {
    arrived: Mutex<Option<Carried>>,
    came: Condvar,
}

pub(crate) struct Carried(pub(crate) Box<Baton>);

// SAFETY: the giver has let go of the baton before it lies in a seat, and the taker is the only one to take it.
unsafe impl Send for Carried {}

impl Seat {
    fn give(&self, baton: Box<Baton>) {
        let before = self.arrived.lock().unwrap().replace(Carried(baton));
        if before.is_some() {
            stop("a thread runs on two CPUs");
        }
        self.came.notify_one();
    }

    fn wait(&self) -> Box<Baton> {
        let mut arrived = self.arrived.lock().unwrap();
        loop {
            match arrived.take() {
                Some(Carried(baton)) => return baton,
                None if boot::is_off() => {
                    drop(arrived);
                    boot::go()
                }
                None => arrived = self.came.wait(arrived).unwrap(),
            }
        }
    }

    pub(crate) fn hear_of_the_end(&self) {
        drop(self.arrived.lock().unwrap());
        self.came.notify_one();
    }
}

pub struct Context {
    seat: Option<Arc<Seat>>,
}

impl Context {
    pub const fn empty() -> Self {
        Context { seat: None }
    }

    /// # Safety
    /// As on the machine.
    pub unsafe fn new(_: u64, entry: extern "C-unwind" fn(usize) -> !, argument: usize) -> Self {
        let seat = boot::seat();
        let own = seat.clone();
        boot::played(spawn(move || {
            boot::until_off(|| {
                host::adopt(own.wait());
                entry(argument)
            })
        }));
        Context { seat: Some(seat) }
    }
}

/// # Safety
/// As on the machine.
pub unsafe fn switch(from: *mut Context, to: *const Context) {
    let own = boot::seat();
    // Saving takes its time: others may come in between.
    drop(own.arrived.lock().unwrap());
    // SAFETY: the caller's promise. What is gone on with is not saved any more.
    let to = unsafe {
        (*from).seat = Some(own.clone());
        (*to.cast_mut()).seat.take()
    };
    let Some(to) = to else { stop("a thread runs on before its context was saved") };
    to.give(host::hand_over());
    host::adopt(own.wait());
}
