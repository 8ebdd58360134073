//! Running a scenario in every way, or in many.
//!
//! Invariant: a broken twin's failure begins with the twin's name, so no test passes because of another failure.

#[cfg(loom)]
pub use loom::{
    sync::{Condvar, Mutex, atomic},
    thread::{JoinHandle, spawn},
};
#[cfg(shuttle)]
pub use shuttle::{
    sync::{Condvar, Mutex, atomic},
    thread::{JoinHandle, spawn},
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;
use sync::twin::{self, Twin};

/// Counts in a way that shows when two do it at once.
#[derive(Default)]
pub struct Tally(Cell);

#[cfg(loom)]
type Cell = loom::cell::UnsafeCell<u32>;
#[cfg(shuttle)]
type Cell = atomic::AtomicU32;

// SAFETY: loom watches the cell, and ends the model when two are at it.
#[cfg(loom)]
unsafe impl Sync for Tally {}

impl Tally {
    #[cfg(loom)]
    pub fn add(&self) {
        // SAFETY: as above.
        self.0.with_mut(|count| unsafe { *count += 1 });
    }

    #[cfg(loom)]
    pub fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|count| unsafe { *count })
    }

    #[cfg(shuttle)]
    pub fn add(&self) {
        let before = self.0.load(atomic::Ordering::SeqCst);
        self.0.store(before + 1, atomic::Ordering::SeqCst);
    }

    #[cfg(shuttle)]
    pub fn get(&self) -> u32 {
        self.0.load(atomic::Ordering::SeqCst)
    }
}

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// Every execution.
    All,
    /// Every execution in which threads are taken off their CPU so many times at most.
    Preemptions(usize),
}

#[cfg(loom)]
pub const EXPLORER: &str = "loom";
#[cfg(shuttle)]
pub const EXPLORER: &str = "shuttle";

/// Explores a scenario of the kernel as it is.
pub fn holds(extent: Extent, scenario: impl Fn() + Send + Sync + 'static) {
    explore(None, extent, scenario);
}

/// Explores it with one mistake in it; what is found is said with the twin's name.
pub fn fails(broken: Twin, extent: Extent, scenario: impl Fn() + Send + Sync + 'static) {
    explore(Some(broken), extent, scenario);
}

fn explore(broken: Option<Twin>, extent: Extent, scenario: impl Fn() + Send + Sync + 'static) {
    let executions = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = executions.clone();
    let began = Instant::now();
    let run = move || {
        counted.fetch_add(1, Relaxed);
        crate::clock::set(0);
        scenario();
    };
    twin::make(broken);
    let found = catch_unwind(AssertUnwindSafe(|| check(extent, broken.is_some(), run)));
    twin::make(None);
    twin::interrupt_with(None);
    let verdict = VERDICT.take();
    let (name, passed) = (std::thread::current().name().unwrap_or("?").to_owned(), began.elapsed().as_millis());
    let count = executions.load(Relaxed);
    println!("model: {EXPLORER} {name}: {extent:?}, {count} executions, {passed} ms");
    match (found, broken) {
        (Ok(()), _) => {}
        (Err(found), None) => {
            println!("verdict: {}", verdict.unwrap_or("none but the panic's"));
            resume_unwind(found)
        }
        (Err(found), Some(broken)) => panic!("{broken:?}: {}", verdict.unwrap_or(text(&*found))),
    }
}

std::thread_local! {
    static VERDICT: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

sync::shared_static! {
    static NEVER: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());
}

/// Something is wrong. The thread stands still, so that all come to rest: a panic here would unwind the others in the
/// middle of what they do, where their locks cannot be given back.
pub fn stop(verdict: &'static str) -> ! {
    VERDICT.set(Some(verdict));
    let mut held = NEVER.0.lock().unwrap();
    loop {
        held = NEVER.1.wait(held).unwrap();
    }
}

fn text(found: &(dyn std::any::Any + Send)) -> &str {
    let text = found.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| found.downcast_ref::<&str>().copied()).unwrap_or("something that is no text")
}

#[cfg(loom)]
fn check(extent: Extent, _: bool, run: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.max_branches = 100_000;
    model.preemption_bound = match extent {
        Extent::All => None,
        Extent::Preemptions(most) => Some(most),
    };
    model.check(run);
}

/// Schedules by lot, half of them, and by priorities that change a few times. A twin gets the same ones each time, and more of them: it
/// must not pass by bad luck.
#[cfg(shuttle)]
fn check(_: Extent, is_broken: bool, run: impl Fn() + Send + Sync + 'static) {
    use shuttle::Runner;
    use shuttle::scheduler::{PctScheduler, RandomScheduler};
    const SCHEDULES: usize = 2_000;
    const OF_TWINS: usize = 20_000;
    const SEED: u64 = 1;
    const CHANGES: usize = 3;
    let run = std::sync::Arc::new(run);
    let same = run.clone();
    let (lots, priorities) = if is_broken {
        (RandomScheduler::new_from_seed(SEED, OF_TWINS), PctScheduler::new_from_seed(SEED, CHANGES, OF_TWINS))
    } else {
        (RandomScheduler::new(SCHEDULES), PctScheduler::new(CHANGES, SCHEDULES))
    };
    Runner::new(lots, Default::default()).run(move || same());
    Runner::new(priorities, Default::default()).run(move || run());
}
