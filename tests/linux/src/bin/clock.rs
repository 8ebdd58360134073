//! Time: never goes back, on no CPU and between none, and nobody wakes too early.

use linux_tests::process::{Ended, in_a_child};
use linux_tests::{allowed_cpus, call, check, done, equal, monotonic, must, now, pin_to};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const MILLISECOND: u64 = 1_000_000;

fn main() {
    never_back_on_a_cpu();
    never_back_across_cpus();
    never_back_among_threads();
    sleeps();
    clocks_agree();
    processor_time();
    wrong_arguments();
    absolute_sleeps();
}

fn never_back_on_a_cpu() {
    let threads = allowed_cpus().into_iter().map(|cpu| {
        std::thread::spawn(move || {
            done("pin", pin_to(cpu));
            (0..20_000).fold(monotonic(), |last, _| {
                let now = monotonic();
                must("not before the last look", now >= last);
                now
            });
        })
    });
    let threads: Vec<_> = threads.collect();
    check("the clock does not go back on any CPU", threads.into_iter().all(|thread| thread.join().is_ok()));
}

fn never_back_across_cpus() {
    let cpus = allowed_cpus();
    let mut last = monotonic();
    for turn in 0..1_000 {
        done("pin", pin_to(cpus[turn % cpus.len()]));
        let now = monotonic();
        must("not before the look on the other CPU", now >= last);
        last = now;
    }
    check("nor for a thread that changes CPUs", true);
    let mut mask = [0_u64; 16];
    cpus.iter().for_each(|cpu| mask[cpu / 64] |= 1 << (cpu % 64));
    done("sched_setaffinity", call!(SYS_sched_setaffinity, 0, 128, mask.as_ptr()));
}

/// What one thread has published, another on another CPU never finds in its future.
fn never_back_among_threads() {
    let latest = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = allowed_cpus()
        .into_iter()
        .cycle()
        .take(4)
        .map(|cpu| {
            let latest = latest.clone();
            std::thread::spawn(move || {
                done("pin", pin_to(cpu));
                for _ in 0..5_000 {
                    let published = latest.load(SeqCst);
                    let now = monotonic();
                    must("not before what another CPU saw", now >= published);
                    latest.fetch_max(now, SeqCst);
                }
            })
        })
        .collect();
    check("nor between CPUs", threads.into_iter().all(|thread| thread.join().is_ok()));
}

fn sleep(nanoseconds: u64) -> u64 {
    let before = monotonic();
    let asked = [nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000];
    done("nanosleep", call!(SYS_nanosleep, asked.as_ptr(), 0));
    monotonic() - before
}

fn sleeps() {
    for nanoseconds in [0, 1, 1_000, 100_000, MILLISECOND, 20 * MILLISECOND, 50 * MILLISECOND] {
        must("not too early", sleep(nanoseconds) >= nanoseconds);
    }
    check("nobody wakes too early", true);
    let sleepers: Vec<_> =
        (1..=10).map(|number| std::thread::spawn(move || sleep(number * 5 * MILLISECOND) >= number * 5 * MILLISECOND)).collect();
    check("nor do ten at once", sleepers.into_iter().all(|sleeper| sleeper.join().unwrap_or(false)));
    check("nor hours too late", (0..5).all(|_| sleep(10 * MILLISECOND) < 5_000 * MILLISECOND));
}

fn clocks_agree() {
    let elapsed = |clock: i32| {
        let before = now(clock);
        sleep(30 * MILLISECOND);
        now(clock) - before
    };
    let clocks = [libc::CLOCK_MONOTONIC, libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_REALTIME, libc::CLOCK_BOOTTIME];
    check("four clocks move with time", clocks.into_iter().all(|clock| (29 * MILLISECOND..10_000 * MILLISECOND).contains(&elapsed(clock))));
    let mut parts = [0_u64; 2];
    done("gettimeofday", call!(SYS_gettimeofday, parts.as_mut_ptr(), 0));
    let wall = now(libc::CLOCK_REALTIME) / 1_000_000_000;
    check("gettimeofday and time say the same", wall - parts[0] <= 1 && done("time", call!(SYS_time, 0)) as u64 - parts[0] <= 1);
    check("it is later than 2020", wall > 1_577_836_800);
    check("the kernel itself says so too", {
        let (mut time, before) = ([0_u64; 2], monotonic());
        done("clock_gettime", call!(SYS_clock_gettime, libc::CLOCK_MONOTONIC, time.as_mut_ptr()));
        (before..=monotonic()).contains(&(time[0] * 1_000_000_000 + time[1]))
    });
}

fn processor_time() {
    let (process, thread) = (now(libc::CLOCK_PROCESS_CPUTIME_ID), now(libc::CLOCK_THREAD_CPUTIME_ID));
    sleep(30 * MILLISECOND);
    let idle = now(libc::CLOCK_THREAD_CPUTIME_ID) - thread;
    let until = monotonic() + 60 * MILLISECOND;
    while monotonic() < until {}
    let busy = now(libc::CLOCK_THREAD_CPUTIME_ID) - thread - idle;
    check("a thread's time stands while it sleeps and goes while it works", idle < busy && busy > 0);
    check("and its process's with it", now(libc::CLOCK_PROCESS_CPUTIME_ID) - process >= busy);
}

fn wrong_arguments() {
    let mut time = [0_u64; 2];
    equal("no such clock: EINVAL", call!(SYS_clock_gettime, 99, time.as_mut_ptr()), Err(libc::EINVAL));
    equal("time to nowhere: EFAULT", call!(SYS_clock_gettime, libc::CLOCK_MONOTONIC, 0x10), Err(libc::EFAULT));
    equal("a billion nanoseconds: EINVAL", call!(SYS_nanosleep, [0_u64, 1_000_000_000].as_ptr(), 0), Err(libc::EINVAL));
    equal("less than no time: EINVAL", call!(SYS_nanosleep, [-1_i64, 0].as_ptr(), 0), Err(libc::EINVAL));
    equal("a sleep from nowhere: EFAULT", call!(SYS_nanosleep, 0x10, 0), Err(libc::EFAULT));
    equal("clock_getres", (call!(SYS_clock_getres, libc::CLOCK_MONOTONIC, time.as_mut_ptr()), time[0]), (Ok(0), 0));
    let child = in_a_child(|| {
        let user = call!(SYS_geteuid) == Ok(0) && call!(SYS_setuid, 65534).is_err();
        must("another user", !user);
        i32::from(call!(SYS_clock_settime, libc::CLOCK_REALTIME, [1_u64, 0].as_ptr()) != Err(libc::EPERM))
    });
    equal("only root sets the clock", child, Ended::Exited(0));
}

fn absolute_sleeps() {
    let until = monotonic() + 20 * MILLISECOND;
    let asked = [until / 1_000_000_000, until % 1_000_000_000];
    done("sleep", call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, asked.as_ptr(), 0));
    check("a sleep until a moment lasts until it", monotonic() >= until);
    let past = call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, [0_u64, 1].as_ptr(), 0);
    equal("a moment in the past is now", past, Ok(0));
}
