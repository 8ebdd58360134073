//! What a look at the clock costs, with a system call and without: `clock CALLS`.
//!
//! One line for each: what is asked, how, ticks of the time-stamp counter for each call on average, loop and all.

use bench_programs::system::fail;

/// Asks once.
type Ask = fn();

const ASKED: [(&str, &str, Ask); 6] = [
    ("clock_gettime", "library", || gettime(libc::clock_gettime)),
    ("clock_gettime", "call", || call(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC as usize)),
    ("gettimeofday", "library", time_of_day),
    ("gettimeofday", "call", time_of_day_call),
    ("getcpu", "library", cpu),
    ("getcpu", "call", || call(libc::SYS_getcpu, 0)),
];

type GetTime = unsafe extern "C" fn(i32, *mut libc::timespec) -> i32;

fn gettime(function: GetTime) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours.
    let answer = unsafe { function(libc::CLOCK_MONOTONIC, &mut time) };
    must(answer == 0);
}

fn time_of_day() {
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    // SAFETY: `time` is ours; no zone is asked for.
    let answer = unsafe { libc::gettimeofday(&mut time, std::ptr::null_mut()) };
    must(answer == 0);
}

fn time_of_day_call() {
    let mut time = [0_u64; 2];
    // SAFETY: `time` is ours; no zone is asked for.
    must(unsafe { libc::syscall(libc::SYS_gettimeofday, time.as_mut_ptr(), 0) } == 0);
}

fn cpu() {
    // SAFETY: no memory is involved.
    must(unsafe { libc::sched_getcpu() } >= 0);
}

fn call(number: i64, first: usize) {
    let mut room = [0_u64; 2];
    // SAFETY: `room` is ours and large enough for a time or a number.
    must(unsafe { libc::syscall(number, first, room.as_mut_ptr(), 0) } == 0);
}

fn must(holds: bool) {
    if !holds {
        fail("the clock does not answer");
    }
}

fn ticks() -> u64 {
    // SAFETY: every x86-64 CPU has the counter.
    unsafe { core::arch::x86_64::_rdtsc() }
}

fn main() {
    let calls = std::env::args().nth(1).and_then(|word| word.parse::<u64>().ok()).filter(|calls| *calls > 0);
    let Some(calls) = calls else { fail("how many calls?") };
    for (what, how, ask) in ASKED {
        // Pages come and tables are read before it counts.
        ask();
        let began = ticks();
        (0..calls).for_each(|_| ask());
        println!("{what} {how} {}", (ticks() - began) / calls);
    }
}
