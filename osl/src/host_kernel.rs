//! For host tests: one OS thread that plays the boot CPU, and runs what needs the context of a thread.
//!
//! Invariant: work runs one piece after the other, and must not sleep: there is nobody to wake it.

use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;

use libkernel::{sched, thread as kernel_thread};
use sync::{CpuId, TaskContext, cpu};

type Work = Box<dyn FnOnce(&mut TaskContext) + Send>;

fn worker() -> Sender<Work> {
    let (sender, receiver) = channel::<Work>();
    thread::spawn(move || {
        cpu::host::play(CpuId::BOOT);
        sched::initialise_cpu(CpuId::BOOT);
        let mut cx = kernel_thread::current::enter();
        receiver.iter().for_each(|work| work(&mut cx));
    });
    sender
}

/// Runs `work` with a context and gives its answer; its panic is the test's.
pub fn run<R: Send + 'static>(work: impl FnOnce(&mut TaskContext) -> R + Send + 'static) -> R {
    static WORKER: OnceLock<Mutex<Sender<Work>>> = OnceLock::new();
    let (sender, receiver) = channel();
    let work: Work = Box::new(move |cx| {
        let answer = catch_unwind(AssertUnwindSafe(|| work(cx)));
        sender.send(answer).expect("the test waits for the answer");
    });
    let worker = WORKER.get_or_init(|| Mutex::new(worker()));
    worker.lock().expect("no test panics while it sends").send(work).expect("the worker lives");
    match receiver.recv().expect("the work ends") {
        Ok(answer) => answer,
        Err(panic) => resume_unwind(panic),
    }
}
