//! System calls as plain functions: what they answer, or the end of the program.

use std::io::Error;
use std::time::Duration;

/// What a raw call answers; -1 and `errno` become an error.
pub fn call(number: i64, arguments: [u64; 6]) -> Result<u64, Error> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every caller below passes numbers, or pointers to memory that lives through the call.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer == -1 { Err(Error::last_os_error()) } else { Ok(answer.cast_unsigned()) }
}

/// The answer of a call that has to succeed.
#[track_caller]
pub fn must(what: &str, answer: Result<u64, Error>) -> u64 {
    match answer {
        Ok(value) => value,
        Err(error) => fail(&format!("{what}: {error}")),
    }
}

#[track_caller]
pub fn fail(reason: &str) -> ! {
    eprintln!("{reason} ({})", std::panic::Location::caller());
    std::process::exit(1)
}

/// The address of a value, for a call.
pub fn address<T>(value: &T) -> u64 {
    std::ptr::from_ref(value) as u64
}

/// The same, for a call that writes there.
pub fn address_to_write<T>(value: &mut T) -> u64 {
    std::ptr::from_mut(value) as u64
}

pub fn read_bytes(fd: i32, bytes: &mut [u8]) {
    let wanted = bytes.len() as u64;
    let count = must("read", call(libc::SYS_read, [fd as u64, bytes.as_mut_ptr() as u64, wanted, 0, 0, 0]));
    if count != wanted {
        fail("a short read");
    }
}

pub fn write_bytes(fd: i32, bytes: &[u8]) {
    let wanted = bytes.len() as u64;
    let count = must("write", call(libc::SYS_write, [fd as u64, bytes.as_ptr() as u64, wanted, 0, 0, 0]));
    if count != wanted {
        fail("a short write");
    }
}

/// The time-stamp counter: instructions, where the machine counts those.
pub fn ticks() -> u64 {
    // SAFETY: both are there on every x86-64.
    unsafe {
        core::arch::x86_64::_mm_lfence();
        core::arch::x86_64::_rdtsc()
    }
}

pub fn now() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    must("clock_gettime", call(libc::SYS_clock_gettime, [libc::CLOCK_MONOTONIC as u64, address_to_write(&mut time), 0, 0, 0, 0]));
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

pub fn cpus_online() -> usize {
    // SAFETY: it has no preconditions.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}
