//! Seam 1: who am I, interrupts off and on, and the few words that every CPU keeps for its locks.
//!
//! Invariant: the words of `Local` are touched only by the CPU that owns them, each with one
//! instruction, so that being preempted between two accesses cannot reach another CPU's word.

use core::cell::Cell;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

#[cfg(target_os = "none")]
mod bare;
#[cfg(not(target_os = "none"))]
pub mod host;
mod set;

#[cfg(target_os = "none")]
use bare as here;
#[cfg(not(target_os = "none"))]
use host as here;

pub use here::{disable_interrupts, enable_interrupts, interrupts_are_on, relax};
pub use set::{CpuId, CpuSet, MAXIMUM_CPUS};

/// What the locks know about one CPU. GS points at it, and `machine` continues its own block behind it.
#[repr(C, align(64))]
pub struct Local {
    this: Cell<usize>,
    cpu: Cell<u32>,
    preempt: Cell<u32>,
    handler: Cell<u32>,
    irq_depth: Cell<u32>,
    irq_was_on: Cell<u32>,
    need_reschedule: Cell<u32>,
    spin_held: Cell<u64>,
    sleep_held: Cell<u64>,
    reserved: [Cell<u64>; 2],
}

// SAFETY: only the owning CPU touches the words (through GS); see this file's invariant.
unsafe impl Sync for Local {}

impl Local {
    pub const fn new(cpu: CpuId) -> Self {
        Local {
            this: Cell::new(0),
            cpu: Cell::new(cpu.index() as u32),
            preempt: Cell::new(0),
            handler: Cell::new(0),
            irq_depth: Cell::new(0),
            irq_was_on: Cell::new(0),
            need_reschedule: Cell::new(0),
            spin_held: Cell::new(0),
            sleep_held: Cell::new(0),
            reserved: [const { Cell::new(0) }; 2],
        }
    }

    /// Writes the block's own address into its first word, so that `gs:[0]` is a pointer to it.
    /// Called by the boot code before GS points here.
    pub fn anchor(&self) {
        self.this.set(core::ptr::from_ref(self) as usize);
    }
}

const _: () = {
    assert!(core::mem::size_of::<Local>() == 64);
    assert!(core::mem::offset_of!(Local, this) == 0);
    assert!(core::mem::offset_of!(Local, cpu) == 8);
    assert!(core::mem::offset_of!(Local, preempt) == 12);
    assert!(core::mem::offset_of!(Local, handler) == 16);
    assert!(core::mem::offset_of!(Local, irq_depth) == 20);
    assert!(core::mem::offset_of!(Local, irq_was_on) == 24);
    assert!(core::mem::offset_of!(Local, need_reschedule) == 28);
    assert!(core::mem::offset_of!(Local, spin_held) == 32);
    assert!(core::mem::offset_of!(Local, sleep_held) == 40);
    assert!(core::mem::offset_of!(Local, reserved) == 48);
};

/// The CPU that runs this. Only meaningful while the caller cannot be moved (some guard is alive).
#[inline]
pub fn current() -> CpuId {
    CpuId::new(here::cpu() as usize)
}

/// Is this CPU in an interrupt handler (an `IrqContext` is alive)?
#[inline]
pub fn in_handler() -> bool {
    here::handler() != 0
}

#[inline]
pub fn need_reschedule() -> bool {
    here::need_reschedule() != 0
}

#[inline]
pub fn set_need_reschedule() {
    here::write_need_reschedule(1);
}

#[inline]
pub fn clear_need_reschedule() {
    here::write_need_reschedule(0);
}

/// No guard and no handler is alive here. (All three are zero together for a thread that may be
/// moved, so being moved between the reads does no harm.)
#[inline]
pub fn preemption_allowed() -> bool {
    here::preempt() == 0 && here::irq_depth() == 0 && here::handler() == 0
}

/// How many `IrqOff` (Irq-class guards included) are alive on this CPU.
#[inline]
pub fn interrupts_off_depth() -> u32 {
    here::irq_depth()
}

/// How many `PreemptOff` (Task-class guards included) are alive on this CPU.
#[inline]
pub fn preemption_off_depth() -> u32 {
    here::preempt()
}

/// Ranks of the spin locks that this CPU holds, one bit each.
#[inline]
pub fn spin_held() -> u64 {
    here::spin_held()
}

/// Ranks of the sleeping locks that the thread on this CPU holds, one bit each.
#[inline]
pub fn sleep_held() -> u64 {
    here::sleep_held()
}

/// Gives this CPU the ranks of the thread that comes, and returns those of the thread that goes.
pub fn exchange_sleep_held(new: u64) -> u64 {
    here::exchange_sleep_held(new)
}

/// The same for "will interrupts be on after the last `IrqOff`", which belongs to the thread too:
/// one that was preempted comes back with `false`, one that went to sleep with `true`.
pub fn exchange_interrupts_were_on(new: bool) -> bool {
    here::exchange_irq_was_on(u32::from(new)) != 0
}

static ONLINE: AtomicU64 = AtomicU64::new(0);

pub fn set_online(cpu: CpuId) {
    ONLINE.fetch_or(CpuSet::single(cpu).bits(), Ordering::SeqCst);
}

pub fn online() -> CpuSet {
    CpuSet::from_bits(ONLINE.load(Ordering::Acquire))
}

static PREEMPTION_POINT: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sets what a guard's `Drop` calls when the last guard goes, a reschedule is wanted and interrupts
/// are on. The hook must clear the wish, and should end its own `IrqOff` with `end_quietly`.
pub fn set_preemption_point(hook: fn()) {
    PREEMPTION_POINT.store(hook as *mut (), Ordering::Release);
}

/// The last guard may just have gone: change threads here if that is wanted and allowed.
#[inline]
pub(crate) fn preemption_point() {
    if need_reschedule() {
        preempt_here();
    }
}

#[cold]
#[inline(never)]
fn preempt_here() {
    let hook = PREEMPTION_POINT.load(Ordering::Acquire);
    if hook.is_null() {
        return;
    }
    // SAFETY: the only non-null values stored are `fn()` pointers (`set_preemption_point`).
    let hook: fn() = unsafe { core::mem::transmute::<*mut (), fn()>(hook) };
    while need_reschedule() && preemption_allowed() && interrupts_are_on() {
        hook();
    }
}

/// Interrupts off, counted: guards may be dropped in any order, only the last brings them back.
#[inline]
pub(crate) fn push_interrupts_off() {
    let were_on = interrupts_are_on();
    disable_interrupts();
    if here::irq_depth() == 0 {
        here::write_irq_was_on(u32::from(were_on));
    }
    here::increment_irq_depth();
}

/// Returns whether interrupts came back on.
#[inline]
pub(crate) fn pop_interrupts_off() -> bool {
    debug_assert!(!interrupts_are_on(), "interrupts were switched on under an IrqOff");
    debug_assert!(here::irq_depth() != 0, "an IrqOff ended that this CPU did not begin");
    // Read before the count drops to zero: the word belongs to this nesting only until then.
    let were_on = here::irq_was_on() != 0;
    let back = here::decrement_irq_depth() && were_on;
    if back {
        enable_interrupts();
    }
    back
}

pub(crate) use here::{
    add_sleep_held, add_spin_held, decrement_handler, decrement_preempt, increment_handler, increment_preempt, remove_sleep_held,
    remove_spin_held,
};

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests;
