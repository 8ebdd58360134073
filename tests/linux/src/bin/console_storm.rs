//! Copies standard input to standard output while threads on every CPU wake, move and preempt each other.
//!
//! Every CPU takes the scheduler lock of the others all the time; whatever comes in meanwhile goes out unchanged.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use linux_tests::process::{read, write};
use linux_tests::soak::Random;
use linux_tests::{allowed_cpus, call, done, fail, must, pin_to, sleep_ms};

static IS_OVER: AtomicBool = AtomicBool::new(false);
/// One ball for each pair of CPUs next to each other; odd for the second's turn.
static BALLS: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

fn main() {
    let cpus = allowed_cpus();
    std::thread::scope(|scope| {
        for (index, &cpu) in cpus.iter().take(BALLS.len()).enumerate() {
            let (next, all) = (cpus[(index + 1) % cpus.len()], &cpus);
            scope.spawn(move || plays(&BALLS[index], cpu, 0));
            scope.spawn(move || plays(&BALLS[index], next, 1));
            scope.spawn(move || wanders(all, index as u64));
        }
        copy();
        sleep_ms(100);
        IS_OVER.store(true, Ordering::SeqCst);
        while BALLS.iter().any(|ball| wake(ball) > 0) {}
    });
}

fn wake(ball: &AtomicU32) -> usize {
    done("FUTEX_WAKE", call!(SYS_futex, ball.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX))
}

/// Sleeps until the other has played, plays, wakes the other on its CPU.
fn plays(ball: &AtomicU32, cpu: usize, side: u32) {
    done("sched_setaffinity", pin_to(cpu));
    while !IS_OVER.load(Ordering::SeqCst) {
        let seen = ball.load(Ordering::SeqCst);
        if seen % 2 == side {
            ball.fetch_add(1, Ordering::SeqCst);
            wake(ball);
        } else {
            // With an end, for the last one.
            let time = libc::timespec { tv_sec: 0, tv_nsec: 50_000_000 };
            let _woken_or_too_late = call!(SYS_futex, ball.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, seen, &raw const time);
        }
    }
}

/// Goes from CPU to CPU.
fn wanders(cpus: &[usize], seed: u64) {
    let mut random = Random::new(seed);
    while !IS_OVER.load(Ordering::SeqCst) {
        done("sched_setaffinity", pin_to(cpus[random.below(cpus.len())]));
        random.dawdle();
    }
}

fn copy() {
    let mut buffer = [0; 4096];
    loop {
        let count = match read(0, &mut buffer) {
            Ok(0) => return,
            Ok(count) => count,
            Err(libc::EINTR) => continue,
            Err(errno) => fail(&format!("reading: errno {errno}")),
        };
        let mut left = &buffer[..count];
        while !left.is_empty() {
            let written = done("write", write(1, left));
            must("something is written", written > 0);
            left = &left[written..];
        }
    }
}
