//! membarrier: what must be registered first, who inherits it, and a barrier that pairs with none.

use linux_tests::{call, check, equal, must, process};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};

const GLOBAL: usize = 1;
const GLOBAL_EXPEDITED: usize = 1 << 1;
const REGISTER_GLOBAL: usize = 1 << 2;
const PRIVATE: usize = 1 << 3;
const REGISTER_PRIVATE: usize = 1 << 4;
const CORE: usize = 1 << 5;
const REGISTER_CORE: usize = 1 << 6;
const REGISTRATIONS: usize = 1 << 9;

fn barrier(command: usize, flags: usize) -> Result<usize, i32> {
    call!(SYS_membarrier, command, flags, 0)
}

fn main() {
    let served = barrier(0, 0).unwrap_or(0);
    let wanted = GLOBAL | GLOBAL_EXPEDITED | REGISTER_GLOBAL | PRIVATE | REGISTER_PRIVATE | CORE | REGISTER_CORE | REGISTRATIONS;
    equal("every kind but the one for rseq is served", served & wanted, wanted);
    refused();
    registered();
    pairs_with_nothing();
}

fn refused() {
    equal("an unknown command", barrier(1 << 20, 0), Err(libc::EINVAL));
    equal("two commands at once", barrier(GLOBAL | PRIVATE, 0), Err(libc::EINVAL));
    equal("flags with a query", barrier(0, 2), Err(libc::EINVAL));
    equal("a CPU with a command that knows none", barrier(PRIVATE, 1), Err(libc::EINVAL));
    equal("private, not registered", barrier(PRIVATE, 0), Err(libc::EPERM));
    equal("core, not registered", barrier(CORE, 0), Err(libc::EPERM));
    equal("nothing is registered", barrier(REGISTRATIONS, 0), Ok(0));
    equal("global needs no registration", barrier(GLOBAL, 0), Ok(0));
    equal("global expedited neither", barrier(GLOBAL_EXPEDITED, 0), Ok(0));
}

fn registered() {
    equal("registers for cores", barrier(REGISTER_CORE, 0), Ok(0));
    equal("core, registered", barrier(CORE, 0), Ok(0));
    equal("private, registered for cores only", barrier(PRIVATE, 0), Err(libc::EPERM));
    equal("registers for private", barrier(REGISTER_PRIVATE, 0), Ok(0));
    equal("again", barrier(REGISTER_PRIVATE, 0), Ok(0));
    equal("private, registered", barrier(PRIVATE, 0), Ok(0));
    equal("registers for global", barrier(REGISTER_GLOBAL, 0), Ok(0));
    equal("what is registered", barrier(REGISTRATIONS, 0), Ok(REGISTER_CORE | REGISTER_PRIVATE | REGISTER_GLOBAL));
    process::child_must_succeed("a child inherits it", || {
        must("private in a child", barrier(PRIVATE, 0) == Ok(0));
    });
}

/// The reader only keeps the compiler from moving things; the writer's barrier stands for both.
fn pairs_with_nothing() {
    static MINE: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    static STOP: AtomicBool = AtomicBool::new(false);
    static SEEN: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    let reader = std::thread::spawn(|| {
        let mut round = 0;
        while !STOP.load(Ordering::Relaxed) {
            round += 1;
            MINE[0].store(round, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            SEEN[0].store(MINE[1].load(Ordering::Relaxed), Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            SEEN[1].store(round, Ordering::Release);
        }
    });
    let mut right = true;
    for round in 1..=300 {
        MINE[1].store(round, Ordering::Relaxed);
        right &= barrier(PRIVATE, 0) == Ok(0);
        let theirs = MINE[0].load(Ordering::Relaxed);
        // A round that began behind the barrier must have seen what stands before it.
        let until = std::time::Instant::now();
        while SEEN[1].load(Ordering::Acquire) <= theirs + 1 && until.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        right &= SEEN[0].load(Ordering::Relaxed) >= round;
    }
    STOP.store(true, Ordering::Relaxed);
    reader.join().unwrap_or(());
    check("a barrier is passed by threads that make none", right);
}
