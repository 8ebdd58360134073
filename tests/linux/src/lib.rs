//! What the Linux test programs share: checks, and system calls as plain functions.
//!
//! Invariant: a program prints the same lines wherever it runs, one for each thing that holds, and ends
//! with 0; the first thing that does not hold goes to standard error and ends the program (or the child
//! that found it) with `FAILED`.

pub mod accounting;
pub mod asleep;
pub mod futex;
pub mod futex_lock;
pub mod guarded;
pub mod job;
pub mod memory;
pub mod numbers;
pub mod objects;
pub mod process;
pub mod refused;
pub mod scratch;
pub mod session;
pub mod signal;
pub mod soak;
pub mod socket;
pub mod terminal;
pub mod vdso;

use std::fmt::Debug;

/// The status of a program, or of a child, that found something wrong.
pub const FAILED: i32 = 99;

/// An error number of Linux.
pub type Errno = i32;

/// Prints `what` if it holds; ends the program if not.
#[track_caller]
pub fn check(what: &str, holds: bool) {
    must(what, holds);
    println!("{what}");
}

/// `check` that two things are equal.
#[track_caller]
pub fn equal<T: PartialEq + Debug>(what: &str, got: T, wanted: T) {
    must_equal(what, got, wanted);
    println!("{what}");
}

/// For children, threads and loops: says nothing if it holds.
#[track_caller]
pub fn must(what: &str, holds: bool) {
    if !holds {
        fail(what);
    }
}

/// `must` for two things that are to be equal.
#[track_caller]
pub fn must_equal<T: PartialEq + Debug>(what: &str, got: T, wanted: T) {
    if got != wanted {
        fail(&format!("{what}: {got:?}, not {wanted:?}"));
    }
}

/// The value of a call that has to succeed.
#[track_caller]
pub fn done<T, E: Debug>(what: &str, result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => fail(&format!("{what}: {error:?}")),
    }
}

/// Ends everything (all threads of this process) with the reason on standard error.
#[track_caller]
pub fn fail(why: &str) -> ! {
    let place = std::panic::Location::caller();
    eprintln!("FAILED at {}:{}: {why}", place.file(), place.line());
    process::exit_now(FAILED)
}

/// One system call, as it is.
///
/// Safe to call here only: these programs hand wild pointers to the kernel on purpose, and what it
/// writes where it should not is the very thing that they look for.
pub fn call(number: libc::c_long, arguments: [usize; 6]) -> Result<usize, Errno> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the caller names memory of its own, or none that is mapped (see above).
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result == -1 { Err(errno()) } else { Ok(result as usize) }
}

/// A system call with fewer than six arguments.
#[macro_export]
macro_rules! call {
    ($number:ident $(, $argument:expr)* $(,)?) => {
        $crate::call(libc::$number, $crate::six(&[$($argument as usize),*]))
    };
}

#[doc(hidden)]
pub fn six(arguments: &[usize]) -> [usize; 6] {
    std::array::from_fn(|index| arguments.get(index).copied().unwrap_or(0))
}

pub fn errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The result of a libc function that says -1 for an error.
pub fn answer(value: i32) -> Result<i32, Errno> {
    if value == -1 { Err(errno()) } else { Ok(value) }
}

/// Nanoseconds of a clock.
pub fn now(clock: i32) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    must("clock_gettime works", result == 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub fn monotonic() -> u64 {
    now(libc::CLOCK_MONOTONIC)
}

pub fn sleep_ms(milliseconds: u64) {
    std::thread::sleep(std::time::Duration::from_millis(milliseconds));
}

/// Is this program run by root?
pub fn is_root() -> bool {
    call!(SYS_geteuid) == Ok(0)
}

/// The CPUs that this thread may run on.
pub fn allowed_cpus() -> Vec<usize> {
    let mut mask = [0_u64; 16];
    let bytes = done("sched_getaffinity", call!(SYS_sched_getaffinity, 0, size_of_val(&mask), mask.as_mut_ptr()));
    let bit = |cpu: &usize| mask[cpu / 64] & 1 << (cpu % 64) != 0;
    (0..bytes * 8).filter(bit).collect()
}

/// Binds this thread to one CPU.
pub fn pin_to(cpu: usize) -> Result<usize, Errno> {
    let mut mask = [0_u64; 16];
    mask[cpu / 64] = 1 << (cpu % 64);
    call!(SYS_sched_setaffinity, 0, size_of_val(&mask), mask.as_ptr())
}

/// The CPU that this thread runs on.
pub fn current_cpu() -> usize {
    let mut cpu = u32::MAX;
    done("getcpu", call!(SYS_getcpu, &raw mut cpu, 0, 0));
    cpu as usize
}

/// Is this Braid, and not a Linux that somebody works on? What may bring a system down is done only there.
pub fn is_braid() -> bool {
    std::fs::read_to_string("/proc/version").is_ok_and(|version| version.contains("Braid"))
}
