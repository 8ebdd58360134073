//! Each CPU's one timer, shared by those who need to be called at a time.
//!
//! Invariant: a CPU's timer is armed for no later than the earliest of its slots; only the CPU itself changes its
//! slots, with interrupts off. It may be armed too early: most deadlines are replaced before they come, and one
//! interrupt that finds nothing due costs less than setting the timer anew each time.

use crate::clock;
use machine::apic::{local, timer};
use sync::{CpuLocal, IrqContext, IrqOff, MAXIMUM_CPUS, Once};

/// Who may be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The running thread's time slice ends.
    Slice = 0,
    /// The earliest timer of this CPU is due.
    Timers = 1,
    /// Time for trouble, in kernels that are built to be shaken.
    Disturbance = 2,
    /// What runs is to be charged to the program or to the kernel.
    Sample = 3,
}

const SLOTS: usize = 4;
const NEVER: u64 = u64::MAX;

#[derive(Clone, Copy)]
struct Due {
    slots: [u64; SLOTS],
    armed: u64,
}

impl Due {
    const NOTHING: Due = Due { slots: [NEVER; SLOTS], armed: NEVER };

    fn earliest(&self) -> u64 {
        self.slots.iter().copied().fold(NEVER, u64::min)
    }

    /// Empties the slots that are due at `now`; which were they?
    fn take_due(&mut self, now: u64) -> [bool; SLOTS] {
        self.slots.each_mut().map(|slot| {
            let due = *slot <= now;
            if due {
                *slot = NEVER;
            }
            due
        })
    }
}

static DUE: CpuLocal<Due> = CpuLocal::new([Due::NOTHING; MAXIMUM_CPUS]);
static CALLED: [Once<fn(&IrqContext)>; SLOTS] = [const { Once::new() }; SLOTS];

/// Who is called when `slot` is due. Set once, at boot.
pub fn set_called(slot: Slot, called: fn(&IrqContext)) {
    assert!(CALLED[slot as usize].set(called).is_ok(), "an alarm slot has two owners");
}

/// Calls `slot`'s owner on this CPU at `at` (nanoseconds since boot), or never. Replaces what was set before.
pub fn set(slot: Slot, at: Option<u64>, irq: &mut IrqOff) {
    DUE.with_mut(irq, |due| {
        due.slots[slot as usize] = at.unwrap_or(NEVER);
        rearm(due);
    });
}

/// Calls `slot`'s owner on this CPU at `at`, unless it is to be called before.
pub fn bring_forward(slot: Slot, at: u64, irq: &mut IrqOff) {
    DUE.with_mut(irq, |due| {
        if at < due.slots[slot as usize] {
            due.slots[slot as usize] = at;
            rearm(due);
        }
    });
}

/// When `slot` is due on this CPU.
pub fn due(slot: Slot, irq: &IrqOff) -> Option<u64> {
    let at = DUE.get(irq).slots[slot as usize];
    (at != NEVER).then_some(at)
}

fn rearm(due: &mut Due) {
    let earliest = due.earliest();
    if earliest >= due.armed || !local::is_initialised() {
        return;
    }
    due.armed = earliest;
    timer::arm_at(clock::ticks_at(earliest));
}

/// This CPU's timer went off: calls those that are due.
pub fn interrupt(context: &IrqContext) {
    let mut irq = IrqOff::new();
    let now = clock::now();
    let due = DUE.with_mut(&mut irq, |due| {
        due.armed = NEVER;
        due.take_due(now)
    });
    for (called, _) in CALLED.iter().zip(due).filter(|(_, due)| *due) {
        if let Some(called) = called.get() {
            called(context);
        }
    }
    DUE.with_mut(&mut irq, rearm);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_is_armed_for_the_earliest_slot() {
        let mut due = Due::NOTHING;
        assert_eq!(due.earliest(), NEVER);
        due.slots = [30, 20, NEVER, NEVER];
        assert_eq!(due.earliest(), 20);
        assert_eq!(due.take_due(20), [false, true, false, false]);
        assert_eq!(due.earliest(), 30);
    }
}
