//! Who plays: a CPU with a kernel thread on it, or an interrupt on a CPU.

use crate::explore::{JoinHandle, spawn};
use crate::thread::{Thread, current};
use std::ptr::NonNull;
use std::sync::Arc;
use sync::{CpuId, IrqContext, TaskContext, cpu};

/// One that will run as a kernel thread.
#[derive(Clone)]
pub struct Actor {
    pub thread: Arc<Thread>,
    cpu: CpuId,
}

impl Actor {
    pub fn new(cpu: usize) -> Actor {
        Actor { thread: Thread::new(), cpu: CpuId::new(cpu) }
    }

    /// Plays here.
    pub fn play<R>(self, part: impl FnOnce(&mut TaskContext) -> R) -> R {
        cpu::host::play(self.cpu);
        if self.cpu == CpuId::BOOT {
            current::ON_BOOT_CPU.set(Some(self.thread.clone()));
        }
        // SAFETY: the one context of this thread, behind which stands the actor's own reference.
        let mut cx = unsafe { TaskContext::enter(NonNull::from(&self.thread).cast()) };
        part(&mut cx)
    }

    /// Plays beside the others.
    pub fn start<R: Send + 'static>(self, part: impl FnOnce(&mut TaskContext) -> R + Send + 'static) -> JoinHandle<R> {
        spawn(move || self.play(part))
    }
}

/// Runs what an interrupt's handler would, on the CPU that is played here.
pub fn in_handler<R>(part: impl FnOnce(&IrqContext) -> R) -> R {
    cpu::disable_interrupts();
    // SAFETY: interrupts are off, and it goes before they come back.
    let context = unsafe { IrqContext::enter() };
    let result = part(&context);
    drop(context);
    cpu::enable_interrupts();
    result
}

/// Plays an interrupt's handler on a CPU, beside the others.
pub fn handler<R: Send + 'static>(cpu: usize, part: impl FnOnce(&IrqContext) -> R + Send + 'static) -> JoinHandle<R> {
    spawn(move || {
        cpu::host::play(CpuId::new(cpu));
        in_handler(part)
    })
}
