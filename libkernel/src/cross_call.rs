//! Run this on those CPUs, and wait until all have.
//!
//! Invariant: whoever waits has interrupts on and no spin lock, so it serves the others' calls meanwhile; two CPUs
//! that call each other at once both come through.

use alloc::sync::Arc;
use machine::apic::ipi;
use sync::{CpuMask, CpuSet, IrqContext, IrqOff, MAXIMUM_CPUS, Mailbox, PerCpu, PreemptOff, TaskContext, cpu, might_sleep};

/// What is run, in each CPU's interrupt handler.
pub trait Call: Send + Sync {
    fn run(&self);
}

impl<F: Fn() + Send + Sync> Call for F {
    fn run(&self) {
        self();
    }
}

struct Request {
    call: Arc<dyn Call>,
    /// Those that have not run it yet.
    waiting: CpuMask,
}

const BOX_SIZE: usize = 64;

static BOXES: PerCpu<Mailbox<Arc<Request>, BOX_SIZE>> = PerCpu::new([const { Mailbox::new() }; MAXIMUM_CPUS]);

/// Runs `call` once on each online CPU of `cpus`, this one too if it is among them, with interrupts off.
/// Returns when all have run it.
#[track_caller]
pub fn on(cpus: CpuSet, call: Arc<dyn Call>, _: &mut TaskContext) {
    might_sleep();
    let here_too;
    let request = {
        let stay = PreemptOff::new();
        let here = cpu::current();
        let others = cpus.intersect(cpu::online()).without(here);
        here_too = cpus.contains(here);
        let request = (!others.is_empty()).then(|| send(others, Arc::clone(&call)));
        if here_too {
            let irq = IrqOff::new();
            call.run();
            drop(irq);
        }
        drop(stay);
        request
    };
    if let Some(request) = request {
        while !request.waiting.load().is_empty() {
            cpu::relax();
        }
    }
}

fn send(others: CpuSet, call: Arc<dyn Call>) -> Arc<Request> {
    let request = Arc::new(Request { call, waiting: CpuMask::new(others) });
    for other in others {
        let mut letter = Arc::clone(&request);
        while let Err(back) = BOXES.of(other).push(letter) {
            // Full of requests of others, who wait as we do: their CPU empties it.
            letter = back;
            ipi::call(other);
            cpu::relax();
        }
        ipi::call(other);
    }
    request
}

/// Another CPU called: does what it asks.
pub fn called(_: &IrqContext) {
    serve();
}

fn serve() {
    let here = cpu::current();
    while let Some(request) = BOXES.of(here).pop() {
        request.call.run();
        request.waiting.remove(here);
    }
}
