//! Futex storms: waits that end by wake, requeue, time or signal; every wake that was counted ended exactly one wait.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use linux_tests::memory::{PAGE, map, unmap};
use linux_tests::process::{Ended, fork, my_pid, wait};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, fail, must_equal, signal};

const PRIVATE: i32 = libc::FUTEX_PRIVATE_FLAG;

fn main() {
    signal::handle(libc::SIGUSR1, nothing, 0);
    soak("every wake ended one wait, and every waiter came through", |random| match random.below(4) {
        0 => bells(random),
        1 => counted(random),
        2 => between_processes(random),
        _ => bits(random),
    });
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn operate(word: &AtomicU32, operation: i32, value: u32, fourth: usize, other: Option<&AtomicU32>, last: u32) -> Result<usize, i32> {
    let other = other.map_or(0, |other| other.as_ptr() as usize);
    call!(SYS_futex, word.as_ptr(), operation, value, fourth, other, last)
}

fn wake(word: &AtomicU32, kind: i32, count: u32) -> usize {
    done("FUTEX_WAKE", operate(word, libc::FUTEX_WAKE | kind, count, 0, None, 0))
}

/// Waits while the word is `value`; true when it was woken.
fn wait_while(word: &AtomicU32, kind: i32, value: u32, nanoseconds: Option<u64>) -> bool {
    let time = nanoseconds.map(|time| libc::timespec { tv_sec: 0, tv_nsec: time as i64 });
    let time = time.as_ref().map_or(0, |time| std::ptr::from_ref(time) as usize);
    match operate(word, libc::FUTEX_WAIT | kind, value, time, None, 0) {
        Ok(_) => true,
        Err(libc::EAGAIN | libc::EINTR | libc::ETIMEDOUT) => false,
        Err(errno) => fail(&format!("FUTEX_WAIT: errno {errno}")),
    }
}

/// One takes of `tokens`, waiting for them on the word itself.
fn take_token(tokens: &AtomicU32, kind: i32) {
    loop {
        let seen = tokens.load(Ordering::SeqCst);
        if seen == 0 {
            wait_while(tokens, kind, 0, None);
        } else if tokens.compare_exchange(seen, seen - 1, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return;
        }
    }
}

fn give_tokens(tokens: &AtomicU32, kind: i32, count: u32) {
    tokens.fetch_add(count, Ordering::SeqCst);
    wake(tokens, kind, count);
}

/// Waiters on a bell are requeued to a second word, where tokens let them through.
fn bells(random: &mut Random) {
    ring_bells(random, PRIVATE, &AtomicU32::new(0), &AtomicU32::new(0));
}

fn ring_bells(random: &mut Random, kind: i32, bell: &AtomicU32, tokens: &AtomicU32) {
    let (waiters, turns) = (1 + random.below(8) as u32, 1 + random.below(10) as u32);
    let arrived = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..waiters {
            let mut own = random.fork();
            let arrived = &arrived;
            scope.spawn(move || {
                for turn in 0..turns {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    while bell.load(Ordering::SeqCst) == turn {
                        wait_while(bell, kind, turn, None);
                    }
                    take_token(tokens, kind);
                    own.dawdle();
                }
            });
        }
        for turn in 0..turns {
            while arrived.load(Ordering::SeqCst) != waiters * (turn + 1) {
                std::thread::yield_now();
            }
            random.dawdle();
            bell.fetch_add(1, Ordering::SeqCst);
            // Some are woken, the others go over to the tokens; whoever came too late sees the bell.
            let woken = random.below(3) as u32;
            let operation = libc::FUTEX_CMP_REQUEUE | kind;
            done("FUTEX_CMP_REQUEUE", operate(bell, operation, woken, i32::MAX as usize, Some(tokens), turn + 1));
            random.dawdle();
            give_tokens(tokens, kind, waiters);
            // Whoever was requeued but not woken must be: there are tokens for all.
            wake(tokens, kind, i32::MAX as u32);
            sign_of_life();
        }
    });
    must_equal("tokens left", tokens.load(Ordering::SeqCst), 0);
}

/// Waits that also end by time and by signal: as many were woken as wakes were counted.
fn counted(random: &mut Random) {
    let words: Vec<AtomicU32> = (0..2).map(|_| AtomicU32::new(0)).collect();
    let (ended, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (waiters, strokes) = (1 + random.below(6), 50 + random.below(200));
    let running = AtomicU32::new(waiters as u32);
    let threads: Vec<AtomicUsize> = (0..waiters).map(|_| AtomicUsize::new(0)).collect();
    let mut counted = 0;
    std::thread::scope(|scope| {
        for thread in &threads {
            let mut own = random.fork();
            let (words, ended, is_over, running) = (&words, &ended, &is_over, &running);
            scope.spawn(move || {
                thread.store(done("gettid", call!(SYS_gettid)), Ordering::SeqCst);
                while !is_over.load(Ordering::SeqCst) {
                    let time = (own.below(3) != 0).then(|| own.number() % 400_000);
                    if wait_while(&words[own.below(2)], PRIVATE, 0, time) {
                        ended.fetch_add(1, Ordering::SeqCst);
                    }
                }
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        while threads.iter().any(|thread| thread.load(Ordering::SeqCst) == 0) {
            std::thread::yield_now();
        }
        for _ in 0..strokes {
            let word = random.below(2);
            match random.below(4) {
                0 => {
                    let thread = threads[random.below(waiters)].load(Ordering::SeqCst);
                    done("tgkill", call!(SYS_tgkill, my_pid(), thread, libc::SIGUSR1));
                }
                1 => {
                    // None is woken, so that the answer counts no wake.
                    let (from, to) = (&words[word], &words[1 - word]);
                    let operation = libc::FUTEX_CMP_REQUEUE | PRIVATE;
                    done("requeue", operate(from, operation, 0, 1 + random.below(3), Some(to), 0));
                }
                _ => counted += wake(&words[word], PRIVATE, 1 + random.below(3) as u32) as u64,
            }
            sign_of_life();
            random.dawdle();
        }
        is_over.store(true, Ordering::SeqCst);
        while running.load(Ordering::SeqCst) != 0 {
            words.iter().for_each(|word| counted += wake(word, PRIVATE, i32::MAX as u32) as u64);
            std::thread::yield_now();
        }
    });
    must_equal("waits ended by a wake", ended.load(Ordering::SeqCst), counted);
}

/// The same bells on shared memory, with waiters in other processes.
fn between_processes(random: &mut Random) {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let at = done("mmap", map(0, PAGE, libc::PROT_READ | libc::PROT_WRITE, shared, -1, 0));
    // SAFETY: the page is ours, zero, and mapped until the end of this function; children have it too.
    let words = unsafe { std::slice::from_raw_parts(at as *const AtomicU32, 3) };
    let (tokens, taken) = (&words[0], &words[1]);
    let (children, each) = (1 + random.below(4), 1 + random.below(30) as u32);
    let pids: Vec<_> = (0..children)
        .map(|_| {
            fork(|| {
                for _ in 0..each {
                    take_token(tokens, 0);
                    taken.fetch_add(1, Ordering::SeqCst);
                    wake(taken, 0, 1);
                }
                0
            })
        })
        .collect();
    let all = children as u32 * each;
    let mut given = 0;
    while given < all {
        let some = (1 + random.below(4) as u32).min(all - given);
        give_tokens(tokens, 0, some);
        given += some;
        random.dawdle();
        sign_of_life();
    }
    loop {
        let seen = taken.load(Ordering::SeqCst);
        if seen == all {
            break;
        }
        wait_while(taken, 0, seen, None);
    }
    pids.into_iter().for_each(|pid| must_equal("a child", wait(pid), Ended::Exited(0)));
    done("munmap", unmap(at, PAGE));
}

/// A wake for some bits ends the waits for those and no others.
fn bits(random: &mut Random) {
    let word = AtomicU32::new(0);
    let (even, odd) = (1 + random.below(4) as u32, 1 + random.below(4) as u32);
    let ended = [AtomicU32::new(0), AtomicU32::new(0)];
    std::thread::scope(|scope| {
        for number in 0..even + odd {
            let side = usize::from(number >= even);
            let (word, ended) = (&word, &ended);
            scope.spawn(move || {
                loop {
                    match operate(word, libc::FUTEX_WAIT_BITSET | PRIVATE, 0, 0, None, 1 << side) {
                        Ok(_) => break,
                        Err(libc::EINTR) => {}
                        Err(errno) => fail(&format!("FUTEX_WAIT_BITSET: errno {errno}")),
                    }
                }
                ended[side].fetch_add(1, Ordering::SeqCst);
            });
        }
        let mut woken = [0, 0];
        for side in [random.below(2), 0, 1] {
            let wanted = [even, odd][side];
            while woken[side] < wanted {
                let count = operate(&word, libc::FUTEX_WAKE_BITSET | PRIVATE, 1, 0, None, 1 << side);
                woken[side] += done("FUTEX_WAKE_BITSET", count) as u32;
                std::thread::yield_now();
            }
            while ended[side].load(Ordering::SeqCst) != wanted {
                std::thread::yield_now();
            }
        }
        must_equal("wakes", woken, [even, odd]);
    });
    must_equal("waits", ended.map(|side| side.into_inner()), [even, odd]);
}
