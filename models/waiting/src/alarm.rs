//! The CPUs' timers, played: an actor is the interrupt, and comes when something is due.
//!
//! Invariant: the interrupt comes once for each time that the alarm was set to, at that time or later.

use crate::clock;
use crate::explore::{Condvar, Mutex};
use sync::{IrqContext, IrqOff, PerCpu, cpu};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    Slice = 0,
    Timers = 1,
}

/// Due when, and does the machine stop?
#[derive(Default)]
struct Due(Mutex<(Option<u64>, bool)>, Condvar);

sync::shared_per_cpu! {
    static DUE: PerCpu<Due> = Due::default();
}

std::thread_local! {
    static CALLED: std::cell::Cell<Option<fn(&IrqContext)>> = const { std::cell::Cell::new(None) };
}

pub fn set_called(slot: Slot, called: fn(&IrqContext)) {
    assert_eq!(slot, Slot::Timers, "nobody else is played");
    CALLED.set(Some(called));
}

pub fn set(_: Slot, at: Option<u64>, _: &mut IrqOff) {
    let due = DUE.of(cpu::current());
    due.0.lock().unwrap().0 = at;
    due.1.notify_one();
}

/// Plays the timer of the CPU that this actor plays too: comes when it is due, until `stop`.
pub fn play() {
    let due = DUE.of(cpu::current());
    loop {
        let mut state = due.0.lock().unwrap();
        while state.0.is_none() && !state.1 {
            state = due.1.wait(state).unwrap();
        }
        let Some(at) = state.0.take() else { return };
        drop(state);
        clock::set(clock::now().max(at));
        crate::actor::in_handler(CALLED.get().unwrap());
    }
}

/// The machine stops: the timer of this CPU comes no more.
pub fn stop(cpu: sync::CpuId) {
    let due = DUE.of(cpu);
    due.0.lock().unwrap().1 = true;
    due.1.notify_one();
}
