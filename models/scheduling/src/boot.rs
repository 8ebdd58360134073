//! The played machine is switched on and off.
//!
//! Invariant: once it is off, every thread that waits for a CPU or an interrupt unwinds out of the kernel.

use crate::context::{Carried, Seat};
use crate::explore::{JoinHandle, spawn as play};
use crate::sched::{Spawn, idle, spawn};
use crate::thread::current;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use sync::cpu::host;
use sync::{CpuId, TaskContext};

/// What unwinds.
struct Off;

// One model's threads all run on one OS thread; this is not what is explored.
std::thread_local! {
    static SEATS: RefCell<Vec<Arc<Seat>>> = const { RefCell::new(Vec::new()) };
    static PLAYED: RefCell<Vec<JoinHandle<()>>> = const { RefCell::new(Vec::new()) };
    static UNFINISHED: Cell<usize> = const { Cell::new(0) };
    static IS_OFF: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn is_off() -> bool {
    IS_OFF.get()
}

/// Out of the kernel.
pub(crate) fn go() -> ! {
    resume_unwind(Box::new(Off))
}

pub(crate) fn until_off(play: impl FnOnce()) {
    if let Err(reason) = catch_unwind(AssertUnwindSafe(play))
        && !reason.is::<Off>()
    {
        resume_unwind(reason);
    }
}

pub(crate) fn seat() -> Arc<Seat> {
    let seat = Arc::new(Seat::default());
    SEATS.with_borrow_mut(|seats| seats.push(seat.clone()));
    seat
}

pub(crate) fn played(handle: JoinHandle<()>) {
    PLAYED.with_borrow_mut(|played| played.push(handle));
}

pub type Part = Box<dyn FnOnce(&mut TaskContext) + Send>;

/// Switches on a machine of so many CPUs, runs these threads on it to their ends, and switches it off.
pub fn run(cpus: usize, parts: Vec<Part>) {
    SEATS.with_borrow_mut(Vec::clear);
    PLAYED.with_borrow_mut(Vec::clear);
    UNFINISHED.set(parts.len());
    IS_OFF.set(false);
    for number in (0..cpus).rev() {
        let here = CpuId::new(number);
        host::play(here);
        idle::initialise_cpu(here);
        if number != 0 {
            let baton = Carried(host::hand_over());
            played(play(move || {
                let Carried(baton) = { baton };
                until_off(|| {
                    host::adopt(baton);
                    idle::start_idle(here)
                });
            }));
        }
    }
    until_off(|| {
        let mut cx = current::enter();
        for part in parts {
            let entry = Box::new(move |cx: &mut TaskContext| {
                part(cx);
                finish();
            });
            assert!(spawn::spawn(&mut cx, Spawn::kernel("part", entry)).is_ok());
        }
        idle::start_idle(CpuId::BOOT)
    });
    for played in PLAYED.take() {
        played.join().unwrap();
    }
    SEATS.with_borrow_mut(Vec::clear);
}

/// One part has come to its end; with the last one the machine goes off.
fn finish() {
    UNFINISHED.set(UNFINISHED.get() - 1);
    if UNFINISHED.get() != 0 {
        return;
    }
    IS_OFF.set(true);
    for seat in SEATS.with_borrow(Vec::clone) {
        seat.hear_of_the_end();
    }
    for cpu in sync::cpu::online() {
        crate::apic::ipi::knock(cpu);
    }
}
