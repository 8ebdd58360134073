//! schedule(): the one place where a CPU changes threads.
//!
//! Invariant: interrupts are off, no guard is alive, and the thread that leaves becomes visible to others (queued,
//! or found asleep) only in `arrive`, which runs on the stack of the thread that comes, after the switch has saved
//! everything of the one that left.
//!
//! ```text
//!   leaves:  schedule -> choose -> load_state -> context::switch ~~~~~~~~~~~~~~~~~~~~~~~~~~~> arrive -> goes on
//!   comes:                                        ~~~~> arrive: put the one that left back,
//!                                                       or let it sleep, or bury it -> goes on
//! ```

use super::queues::{CPUS, IDLE, time_slice};
use super::run_queue::{Afterwards, Choice, Departure};
use super::{balance, disturb, load, place};
use crate::alarm::{self, Slot};
use crate::clock;
use crate::memory::{Translation, kernel_map};
use crate::thread::thread::{Private, Seat};
use crate::thread::{Thread, accounting, current, user};
use alloc::sync::Arc;
use core::ptr::NonNull;
use machine::context::{self, Context};
use sync::twin::{self, Twin};
use sync::{CpuId, CpuLocal, IrqOff, TaskContext, cpu, might_sleep};

/// Who has just left this CPU, for whoever comes.
struct Left {
    thread: Option<Arc<Thread>>,
    afterwards: Afterwards,
}

sync::shared_per_cpu! {
    static LEFT: CpuLocal<Option<Left>> = None;
}

/// Gives the CPU to whoever has the best right to it. Entered and left with interrupts off and no guard alive;
/// comes back when the calling thread runs again.
pub(super) fn schedule(departure: Departure) {
    debug_assert!(!cpu::interrupts_are_on() && cpu::preemption_allowed(), "threads change under a guard");
    balance::steal_for_nothing();
    let mut irq = IrqOff::new();
    cpu::clear_need_reschedule();
    let here = cpu::current();
    let now = clock::now();
    let (choice, slice_end) = CPUS.of(here).with(&irq, |queue| (queue.choose(departure, here, now), queue.slice_end(now)));
    alarm::set(Slot::Slice, slice_end, &mut irq);
    load::sample(now);
    if let Choice::Change { leaving, next, afterwards } = choice {
        change(here, leaving, next, afterwards, irq);
    }
}

fn idle_thread(here: CpuId) -> &'static Arc<Thread> {
    CPUS.of(here).idle_thread.expect_set("a CPU's idle thread, before it changes threads")
}

#[allow(unsafe_code)]
fn change(here: CpuId, leaving: Option<Arc<Thread>>, next: Option<Arc<Thread>>, afterwards: Afterwards, mut irq: IrqOff) {
    let from = Arc::as_ptr(leaving.as_ref().unwrap_or_else(|| idle_thread(here)));
    if leaving.is_none() {
        IDLE.remove(here);
        accounting::begin_samples(&mut irq);
        disturb::begin();
    }
    let to = next.unwrap_or_else(|| Arc::clone(idle_thread(here)));
    count(here, leaving.as_deref(), afterwards);
    LEFT.with_mut(&mut irq, |left| *left = Some(Left { thread: leaving, afterwards }));
    // SAFETY: `from` runs on this CPU, and lives at least until `arrive` on the other side takes it from `LEFT`.
    let (from_context, to_context) = unsafe { load_state(&*from, &to, &mut irq) };
    // The queue's `current` (or the idle thread's owner) keeps it alive from here on.
    drop(to);
    drop(irq);
    if twin::is(Twin::QueuedBeforeSaved) && afterwards == Afterwards::Asleep {
        arrive();
    }
    // SAFETY: interrupts are off; `from` is what runs, `to` was chosen by this CPU alone and its context was saved
    // by the switch that it left with (or made with it); both contexts outlive the switch.
    unsafe { context::switch(from_context, to_context) };
    arrive();
}

fn count(here: CpuId, leaving: Option<&Thread>, afterwards: Afterwards) {
    CPUS.of(here).switches.increment();
    let Some(leaving) = leaving else { return };
    let account = &leaving.account;
    let wanted = matches!(afterwards, Afterwards::Asleep | Afterwards::Bury);
    let counter = if wanted { &account.voluntary_switches } else { &account.involuntary_switches };
    counter.increment();
}

/// Saves what this CPU holds of `from` beside its stack, and loads the same of `to`.
///
/// # Safety
/// This CPU runs `from`, and has chosen `to`, with interrupts off.
#[allow(unsafe_code)]
unsafe fn load_state(from: &Thread, to: &Arc<Thread>, irq: &mut IrqOff) -> (*mut Context, *const Context) {
    accounting::switch(from, to, irq);
    let (from_private, to_private) = (from.private.pointer(), to.private.pointer());
    // SAFETY: the caller's CPU is the one that owns both (see `Owned`), and they are two threads.
    let (leaves, comes) = unsafe { (&mut *from_private, &mut *to_private) };
    if let Some(extended) = &mut leaves.extended {
        extended.save();
    }
    if leaves.tells_absence {
        from.mark_away();
    }
    leaves.sleep_held = cpu::exchange_sleep_held(comes.sleep_held);
    change_memory(leaves, comes, irq);
    machine::cpu::set_thread(current::pointer_of(to).as_ptr());
    if let Some(stack) = &comes.stack {
        machine::cpu::set_kernel_stack(stack.top());
    }
    if let Some(extended) = &mut comes.extended {
        extended.restore();
        machine::cpu::set_fs_base(comes.fs_base);
        machine::cpu::set_user_gs_base(comes.gs_base);
    }
    // SAFETY: places inside the two, as before.
    unsafe { (&raw mut (*from_private).context, &raw const (*to_private).context) }
}

fn change_memory(leaves: &Private, comes: &Private, irq: &IrqOff) {
    let old = leaves.memory.as_ref().map(|memory| memory.translation());
    let new = comes.memory.as_ref().map(|memory| memory.translation());
    let same = |one: &Translation, other: &Translation| core::ptr::eq(one, other);
    match (old, new) {
        (None, None) => {}
        (Some(old), Some(new)) if same(old, new) => {}
        (old, new) => {
            match new {
                Some(new) => new.enter(irq),
                None => kernel_map::load(),
            }
            if let Some(old) = old {
                old.leave(irq);
            }
        }
    }
}

/// The first thing that a thread does when it has come: settles the one that left. Interrupts are off.
fn arrive() {
    let mut irq = IrqOff::new();
    let Some(left) = LEFT.with_mut(&mut irq, Option::take) else { return };
    let Some(thread) = left.thread else { return };
    match left.afterwards {
        Afterwards::PutBack { first } => {
            let _queued = thread.park.switched_out(false);
            put_back(thread, first, &mut irq);
        }
        Afterwards::FindCpu => {
            thread.set_seat(Seat::Nowhere);
            place::queue(thread);
        }
        Afterwards::Asleep => {
            thread.set_seat(Seat::Nowhere);
            // From here on a waker may have it, unless one came before: then it is ours to queue.
            if thread.park.switched_out(true) {
                place::queue(thread);
            }
        }
        Afterwards::Bury => bury(thread),
    }
}

fn put_back(thread: Arc<Thread>, first: bool, irq: &mut IrqOff) {
    let here = cpu::current();
    let moved = CPUS.of(here).with(irq, |queue| {
        // Asked under the lock: `set_affinity` takes it after its change, and finds the thread queued or changed.
        if place::usable(&thread).contains(here) {
            queue.put_back(thread, first);
            return None;
        }
        queue.count_out(&thread);
        thread.set_seat(Seat::Nowhere);
        Some(thread)
    });
    match moved {
        Some(thread) => place::queue(thread),
        None => time_slice(irq),
    }
}

/// A dead thread has left its stack: the stack goes back, and the thread no longer holds itself.
#[allow(unsafe_code)]
fn bury(thread: Arc<Thread>) {
    thread.set_seat(Seat::Buried);
    // SAFETY: the thread has left this CPU for ever, and no other will have it.
    let itself = unsafe {
        thread.private.with(|private| {
            private.stack = None;
            private.extended = None;
            private.itself.take()
        })
    };
    drop(itself);
}

/// Where a new thread's life begins: on its own stack, interrupts off.
#[allow(unsafe_code)]
pub(super) extern "C-unwind" fn begin(_: usize) -> ! {
    arrive();
    let Some(pointer) = NonNull::new(machine::cpu::thread().cast_mut()) else { panic!("a thread began on a CPU that runs none") };
    // SAFETY: the thread's one context for all that it does outside entries from ring 3.
    let mut cx = unsafe { TaskContext::enter(pointer) };
    // SAFETY: the thread itself, interrupts off.
    let entry = unsafe { current::of(&cx).private.with(|private| private.entry.take()) };
    cpu::enable_interrupts();
    if let Some(entry) = entry {
        entry(&mut cx);
    }
    exit(&mut cx)
}

/// The thread ends. What its callers still own is never dropped.
pub fn exit(cx: &mut TaskContext) -> ! {
    might_sleep();
    assert!(cpu::sleep_held() == 0, "a thread ends holding {}", sync::order::Names(cpu::sleep_held()));
    user::set_memory(cx, None);
    cpu::disable_interrupts();
    schedule(Departure::Dead);
    panic!("a dead thread was run again")
}

/// Lets others go first.
pub fn yield_now(_: &mut TaskContext) {
    might_sleep();
    cpu::disable_interrupts();
    schedule(Departure::Yielding);
    cpu::enable_interrupts();
}

/// Sleeps until woken, unless a wake has come since the thread prepared. Only `wait` calls this, after `prepare`.
pub(crate) fn sleep(cx: &mut TaskContext) {
    might_sleep();
    disturb::remember(current::of(cx));
    cpu::disable_interrupts();
    schedule(Departure::Asleep);
    cpu::enable_interrupts();
}
