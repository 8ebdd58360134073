//! Disturbances of the scheduler, in kernels that are built to be shaken: see `sync::chaos`.
//!
//! Invariant: a CPU only does what might happen to it anyway: an interrupt at any moment, a wake for nothing, a knock that
//! comes late, a thread that is put on another CPU. In other kernels nothing of this is ever called.
//!
//! What is done for nothing also repairs what was forgotten: a lost wake is not seen where everybody is woken at random. So
//! odd seeds wake nobody, and seeds with the second bit leave halted CPUs alone.

use super::{place, preempt};
use crate::alarm::{self, Slot};
use crate::clock;
use crate::thread::Thread;
use alloc::sync::{Arc, Weak};
use sync::{CpuLocal, IrqContext, IrqOff, MAXIMUM_CPUS, chaos};

/// How many of those that went to sleep here a CPU remembers.
const REMEMBERED: usize = 16;
const SHORTEST_PAUSE_NS: u64 = 100_000;
/// Pauses are the shortest one times a power of two up to this, and up to twice that.
const LONGEST_EXPONENT: u64 = 7;
const LONGEST_POSTPONEMENT_NS: u64 = 200_000;
const STALL_MICROSECONDS: u64 = 5_000;
/// Bits of the seed.
const NOBODY_WOKEN: u64 = 1;
const HALTED_REST: u64 = 2;

/// One CPU's own.
struct Troubles {
    sleepers: [Option<Weak<Thread>>; REMEMBERED],
    knock_is_postponed: bool,
}

static TROUBLES: CpuLocal<Troubles> =
    CpuLocal::new([const { Troubles { sleepers: [const { None }; REMEMBERED], knock_is_postponed: false } }; MAXIMUM_CPUS]);

/// Called once, at boot.
pub(super) fn initialise() {
    if chaos::is_on() {
        alarm::set_called(Slot::Disturbance, strike);
    }
}

/// Is this one of the seeds that do a thing for nothing?
fn seed_lacks(bit: u64) -> bool {
    chaos::seed().is_some_and(|seed| seed & bit == 0)
}

/// A CPU is about to halt.
pub(super) fn rest() {
    if chaos::is_on() && !seed_lacks(HALTED_REST) {
        let mut irq = IrqOff::new();
        // A knock that is still to be answered is the one thing that it waits for.
        if !TROUBLES.with_mut(&mut irq, |troubles| troubles.knock_is_postponed) {
            alarm::set(Slot::Disturbance, None, &mut irq);
        }
        irq.end_quietly();
    }
}

/// A CPU that was halted, or has not begun, begins.
pub(super) fn begin() {
    if chaos::is_on() {
        let mut irq = IrqOff::new();
        if alarm::due(Slot::Disturbance, &irq).is_none() {
            strike_again(&mut irq);
        }
        irq.end_quietly();
    }
}

fn strike_again(irq: &mut IrqOff) {
    let pause = (SHORTEST_PAUSE_NS << chaos::below(LONGEST_EXPONENT + 1)) * (256 + chaos::below(256)) / 256;
    alarm::set(Slot::Disturbance, Some(clock::now() + pause), irq);
}

/// A thread of this CPU goes to sleep: it may be woken for nothing.
pub(super) fn remember(thread: &Arc<Thread>) {
    if chaos::is_on() {
        let mut irq = IrqOff::new();
        let place = chaos::below(REMEMBERED as u64) as usize;
        let forgotten = TROUBLES.with_mut(&mut irq, |troubles| troubles.sleepers[place].replace(Arc::downgrade(thread)));
        drop(irq);
        drop(forgotten);
    }
}

/// A knock came. True: it comes later.
pub(super) fn postpones_knock(irq: &mut IrqOff) -> bool {
    if !chaos::one_in(8) {
        return false;
    }
    TROUBLES.with_mut(irq, |troubles| troubles.knock_is_postponed = true);
    alarm::set(Slot::Disturbance, Some(clock::now() + chaos::below(LONGEST_POSTPONEMENT_NS)), irq);
    true
}

/// This CPU's time for trouble.
fn strike(context: &IrqContext) {
    let mut irq = IrqOff::new();
    if TROUBLES.with_mut(&mut irq, |troubles| core::mem::take(&mut troubles.knock_is_postponed)) {
        preempt::answer_knock(&mut irq);
    }
    if seed_lacks(NOBODY_WOKEN) {
        wake_someone(&mut irq);
    }
    if chaos::one_in(256) {
        chaos::spin_microseconds(STALL_MICROSECONDS);
    }
    if chaos::one_in(4) {
        preempt::slice_is_over(context);
    }
    strike_again(&mut irq);
}

fn wake_someone(irq: &mut IrqOff) {
    let place = chaos::below(REMEMBERED as u64) as usize;
    let sleeper = TROUBLES.with_mut(irq, |troubles| troubles.sleepers[place].as_ref().and_then(Weak::upgrade));
    if let Some(sleeper) = sleeper {
        place::wake(&sleeper);
    }
}
