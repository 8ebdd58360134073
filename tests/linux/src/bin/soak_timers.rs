//! Waits with an end: none ends too early, none is forgotten, and a timer that was taken back does not go off.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use linux_tests::process::{close_all, pipe};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, fail, monotonic, must, signal};

static ALARMS: AtomicU64 = AtomicU64::new(0);

extern "C" fn alarm(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    ALARMS.fetch_add(1, Ordering::SeqCst);
}

fn main() {
    signal::handle(libc::SIGALRM, alarm, 0);
    soak("no wait ended before its time, and each one ended", |random| match random.below(4) {
        0 | 1 => many_sleepers(random),
        2 => alarms(random),
        _ => woken_or_late(random),
    });
}

fn time(nanoseconds: u64) -> libc::timespec {
    libc::timespec { tv_sec: (nanoseconds / 1_000_000_000) as i64, tv_nsec: (nanoseconds % 1_000_000_000) as i64 }
}

/// Threads that wait in all ways, each for a short time.
fn many_sleepers(random: &mut Random) {
    let (empty, kept_open) = pipe();
    std::thread::scope(|scope| {
        for _ in 0..1 + random.below(10) {
            let mut own = random.fork();
            scope.spawn(move || {
                for _ in 0..1 + own.below(12) {
                    one_wait(&mut own, empty);
                    sign_of_life();
                }
            });
        }
    });
    close_all(&[empty, kept_open]);
}

fn one_wait(random: &mut Random, empty: i32) {
    let nanoseconds = 1_000 + random.number() % [20_000, 400_000, 8_000_000][random.below(3)];
    let milliseconds = nanoseconds / 1_000_000;
    let mut wanted = libc::pollfd { fd: empty, events: libc::POLLIN, revents: 0 };
    let (length, began) = (time(nanoseconds), monotonic());
    let until = time(began + nanoseconds);
    let (least, result) = match random.below(6) {
        0 => (nanoseconds, call!(SYS_nanosleep, &raw const length, 0)),
        1 => (nanoseconds, call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const until, 0)),
        2 => (milliseconds * 1_000_000, call!(SYS_poll, &raw mut wanted, 1, milliseconds)),
        3 => (nanoseconds, call!(SYS_ppoll, &raw mut wanted, 1, &raw const length, 0, 8)),
        4 => {
            let bitset = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
            (nanoseconds, call!(SYS_futex, AtomicU32::new(0).as_ptr(), bitset, 0, &raw const until, 0, u32::MAX))
        }
        _ => {
            let word = AtomicU32::new(0);
            (nanoseconds, call!(SYS_futex, word.as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 0, &raw const length))
        }
    };
    must("nothing but time ends it", matches!(result, Ok(0) | Err(libc::ETIMEDOUT | libc::EINTR)));
    must("not before its time", result == Err(libc::EINTR) || monotonic() - began >= least);
}

fn set_timer(first_us: u64, every_us: u64) {
    let value = |us: u64| libc::timeval { tv_sec: (us / 1_000_000) as i64, tv_usec: (us % 1_000_000) as i64 };
    let timer = libc::itimerval { it_value: value(first_us), it_interval: value(every_us) };
    done("setitimer", call!(SYS_setitimer, libc::ITIMER_REAL, &raw const timer, 0));
}

/// An interval timer that goes off as often as it must, and never after it was stopped.
fn alarms(random: &mut Random) {
    let before = ALARMS.load(Ordering::SeqCst);
    let period = 300 + random.below(3_000) as u64;
    let began = monotonic();
    set_timer(period, period);
    let wanted = 1 + random.below(10) as u64;
    while ALARMS.load(Ordering::SeqCst) < before + wanted {
        must("the timer goes on", monotonic() - began < 60_000_000_000);
        std::thread::sleep(std::time::Duration::from_micros(500));
    }
    must("not more often than its period allows", ALARMS.load(Ordering::SeqCst) - before <= (monotonic() - began) / (period * 1_000));
    set_timer(0, 0);
    let stopped = ALARMS.load(Ordering::SeqCst);
    std::thread::sleep(std::time::Duration::from_micros(2 * period));
    must("a stopped timer stands still", ALARMS.load(Ordering::SeqCst) == stopped);
    sign_of_life();
}

/// A wake and the end of time at the same moment: the wait says which it was, and the wake is not lost.
fn woken_or_late(random: &mut Random) {
    let (word, turns) = (AtomicU32::new(0), 20 + random.below(100));
    let (woken, counted) = (AtomicU64::new(0), AtomicU64::new(0));
    let private = libc::FUTEX_PRIVATE_FLAG;
    let pause = 1_000 + random.number() % 200_000;
    std::thread::scope(|scope| {
        let (word, woken) = (&word, &woken);
        let waiter = scope.spawn(move || {
            for _ in 0..turns {
                let length = time(pause);
                match call!(SYS_futex, word.as_ptr(), libc::FUTEX_WAIT | private, 0, &raw const length) {
                    Ok(0) => drop(woken.fetch_add(1, Ordering::SeqCst)),
                    Err(libc::ETIMEDOUT | libc::EINTR) => {}
                    other => fail(&format!("FUTEX_WAIT: {other:?}")),
                }
            }
        });
        while !waiter.is_finished() {
            let end = monotonic() + pause;
            while monotonic() < end && random.below(2_000) != 0 {
                std::hint::spin_loop();
            }
            let number = done("FUTEX_WAKE", call!(SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | private, 1));
            counted.fetch_add(number as u64, Ordering::SeqCst);
            sign_of_life();
        }
    });
    must("as many were woken as were counted", woken.load(Ordering::SeqCst) == counted.load(Ordering::SeqCst));
}
