//! Seam 3 in tests: a kernel thread is an OS thread, parked and unparked, carrying its CPU as a baton.
//!
//! Invariant: of all threads that share a CPU exactly one is not waiting for the baton. A thread that is never gone
//! on with stays parked until the test process ends.

use std::boxed::Box;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use sync::cpu::host::{self, Baton};

/// Where a parked thread waits for a CPU.
#[derive(Default)]
struct Seat {
    /// `Baton` is moved between threads, never shared.
    arrived: Mutex<Option<Carried>>,
    came: Condvar,
}

struct Carried(Box<Baton>);

// SAFETY: the giver has let go of the baton before it lies in a seat, and the taker is the only one to take it.
unsafe impl Send for Carried {}

impl Seat {
    fn give(&self, baton: Box<Baton>) {
        *self.arrived.lock().unwrap_or_else(PoisonError::into_inner) = Some(Carried(baton));
        self.came.notify_one();
    }

    fn wait(&self) -> Box<Baton> {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match arrived.take() {
                Some(Carried(baton)) => return baton,
                None => arrived = self.came.wait(arrived).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// A kernel thread that does not run, as the seat that its OS thread waits in.
pub struct Context {
    seat: Option<Arc<Seat>>,
}

impl core::fmt::Debug for Context {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Context")
    }
}

impl Context {
    /// For a thread that runs already: filled by the switch that leaves it.
    pub const fn empty() -> Self {
        Context { seat: None }
    }

    /// A thread that will begin with `entry(argument)`, interrupts off. The stack is the OS thread's own.
    ///
    /// # Safety
    /// As on the machine: `argument` is whatever `entry` needs.
    pub unsafe fn new(_stack_top: u64, entry: extern "C-unwind" fn(usize) -> !, argument: usize) -> Self {
        let seat = Arc::new(Seat::default());
        let own = seat.clone();
        std::thread::spawn(move || {
            host::adopt(own.wait());
            entry(argument)
        });
        Context { seat: Some(seat) }
    }
}

/// Hands this CPU to `to`'s OS thread and waits until somebody hands one back.
///
/// # Safety
/// As on the machine: `to` is at rest, nobody else goes on with it, and `from` is where the caller will be looked for.
pub unsafe fn switch(from: *mut Context, to: *const Context) {
    let own = Arc::new(Seat::default());
    // SAFETY: the caller's promise; `to` was left or never begun, so nobody writes it now.
    let to = unsafe {
        (*from).seat = Some(own.clone());
        (*to).seat.clone()
    };
    let Some(to) = to else { panic!("a switch to a context that was never left") };
    to.give(host::hand_over());
    host::adopt(own.wait());
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync::Published;

    struct Pair {
        main: Context,
        other: Context,
        cpu_seen: Published<usize>,
    }

    extern "C-unwind" fn other_thread(pair: usize) -> ! {
        let pair = pair as *mut Pair;
        // SAFETY: the test keeps the pair alive until the process ends, and one of the two threads runs at a time.
        unsafe {
            loop {
                (*pair).cpu_seen.store(sync::cpu::current().index() + 1);
                switch(&raw mut (*pair).other, &raw const (*pair).main);
            }
        }
    }

    #[test]
    fn the_cpu_goes_to_the_other_thread_and_comes_back() {
        let pair = Box::leak(Box::new(Pair { main: Context::empty(), other: Context::empty(), cpu_seen: Published::<usize>::new(0) }));
        let cpu = sync::cpu::current().index();
        let pair = &raw mut *pair;
        // SAFETY: as above.
        unsafe {
            (*pair).other = Context::new(0, other_thread, pair as usize);
            for _ in 0..3 {
                (*pair).cpu_seen.store(0);
                switch(&raw mut (*pair).main, &raw const (*pair).other);
                assert_eq!((*pair).cpu_seen.load(), cpu + 1);
                assert_eq!(sync::cpu::current().index(), cpu);
            }
        }
    }
}
