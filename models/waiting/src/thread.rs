//! A played kernel thread.
//!
//! Invariant: it runs on, out of `pause`, once for each `resume`; the park word says who may call that.

#[path = "../../../libkernel/src/thread/waiting.rs"]
pub mod waiting;

#[path = "../../../libkernel/src/thread/scheduling.rs"]
pub mod scheduling;

use crate::explore::{Condvar, Mutex};
use scheduling::Standing;
use std::sync::Arc;
use sync::{Flag, Park, TaskContext};
use waiting::WaitRecord;

pub use scheduling::Scheduling;

pub struct Thread {
    pub park: Park,
    pub(crate) waits: WaitRecord,
    pub(crate) standing: Standing,
    interrupted: Flag,
    queued: Mutex<bool>,
    scheduler: Condvar,
}

impl Thread {
    pub fn new() -> Arc<Thread> {
        Arc::new(Thread {
            park: Park::new(),
            waits: WaitRecord::new(),
            standing: Standing::new(Scheduling::NORMAL),
            interrupted: Flag::new(false),
            queued: Mutex::new(false),
            scheduler: Condvar::new(),
        })
    }

    pub fn effective_scheduling(&self) -> Scheduling {
        self.standing.effective()
    }

    pub fn is_interrupted(&self) -> bool {
        self.interrupted.is_set()
    }

    pub fn clear_interrupted(&self, _: &TaskContext) -> bool {
        self.interrupted.take()
    }

    /// As the kernel's: the reason first, the wake then.
    pub fn interrupt(self: &Arc<Self>) {
        self.interrupted.set();
        crate::sched::wake(self);
    }

    /// Somebody queues it: it will run again.
    pub(crate) fn resume(&self) {
        let mut queued = self.queued.lock().unwrap();
        assert!(!*queued, "a thread is on two queues");
        *queued = true;
        drop(queued);
        self.scheduler.notify_one();
    }

    /// It is off its CPU until somebody queues it.
    pub(crate) fn pause(&self) {
        let mut queued = self.queued.lock().unwrap();
        while !*queued {
            queued = self.scheduler.wait(queued).unwrap();
        }
        *queued = false;
    }
}

pub mod registers {
    /// As the machine's.
    pub const USER_END: u64 = 0x7fff_ffff_f000;
}

pub mod stack {
    /// A thread's stack is that of the checker's thread.
    pub fn trim(_: &mut sync::TaskContext) {}
}

pub mod current {
    use super::*;

    std::thread_local! {
        /// Who was preempted last asks the CPU who it is; actors tell it.
        pub(crate) static ON_BOOT_CPU: std::cell::RefCell<Option<Arc<Thread>>> = const { std::cell::RefCell::new(None) };
    }

    /// The boot CPU takes its thread off, and puts it back.
    pub fn preempt_here() {
        let thread = ON_BOOT_CPU.with_borrow(Option::clone);
        if let Some(thread) = thread
            && !thread.park.switched_out(false)
        {
            thread.pause();
        }
    }

    /// The thread behind a context that an `Actor` has made.
    pub fn of(cx: &TaskContext) -> &Arc<Thread> {
        // SAFETY: actors enter with a pointer to their own `Arc`, which outlives the context.
        unsafe { cx.thread_pointer().cast::<Arc<Thread>>().as_ref() }
    }
}
