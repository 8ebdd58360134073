//! Page faults as they are counted: of a thread, of a program, of the children that were waited for.
//!
//! Invariant: only differences are looked at, with room for what the libraries touch on their own.

use linux_tests::memory::{PAGE, anonymous, poke};
use linux_tests::process::{Ended, in_a_child};
use linux_tests::{call, check, done, equal};
use std::mem::MaybeUninit;

const PAGES: usize = 200;
/// More than anything else touches meanwhile.
const ROOM: u64 = 150;

fn minor_faults(of: i32) -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    done("getrusage", call!(SYS_getrusage, of, usage.as_mut_ptr()));
    // SAFETY: all zeroes is a value of it, whatever the call wrote.
    unsafe { usage.assume_init() }.ru_minflt as u64
}

/// Field `number` of a stat file, counted from 1 as in the manual.
fn field(path: &str, number: usize) -> u64 {
    let line = done("stat", std::fs::read_to_string(path));
    let behind_name = line.rsplit(')').next().unwrap_or_default();
    let field = behind_name.split_whitespace().nth(number - 3).unwrap_or_default();
    done("a number", field.parse())
}

/// Downwards: no kernel brings those ahead.
fn touch_pages() {
    let at = anonymous(PAGES);
    (0..PAGES).rev().for_each(|page| poke(at + page * PAGE, 1));
}

fn as_expected(faults: u64) -> bool {
    (PAGES as u64..PAGES as u64 + ROOM).contains(&faults)
}

fn main() {
    let own = "/proc/self/stat";
    let (of_thread, of_program, shown) = (minor_faults(libc::RUSAGE_THREAD), minor_faults(libc::RUSAGE_SELF), field(own, 10));
    touch_pages();
    check("a thread's faults are counted, one for each page", as_expected(minor_faults(libc::RUSAGE_THREAD) - of_thread));
    check("and are its program's", as_expected(minor_faults(libc::RUSAGE_SELF) - of_program));
    check("and stand in /proc/self/stat", as_expected(field(own, 10) - shown));
    // A host that is short of memory reads pages of the program itself again.
    check("hardly any of them waited for a disk", field(own, 12) < ROOM);

    let (of_thread, of_program) = (minor_faults(libc::RUSAGE_THREAD), minor_faults(libc::RUSAGE_SELF));
    let other = std::thread::spawn(move || {
        let before = minor_faults(libc::RUSAGE_THREAD);
        touch_pages();
        minor_faults(libc::RUSAGE_THREAD) - before
    });
    check("another thread counts its own", other.join().is_ok_and(as_expected));
    check("not this one", minor_faults(libc::RUSAGE_THREAD) - of_thread < ROOM);
    check("the program keeps them when that thread has ended", as_expected(minor_faults(libc::RUSAGE_SELF) - of_program));

    let (of_children, shown) = (minor_faults(libc::RUSAGE_CHILDREN), field(own, 11));
    let child = || {
        touch_pages();
        0
    };
    equal("a child that faults", in_a_child(child), Ended::Exited(0));
    check("is counted when it was waited for", minor_faults(libc::RUSAGE_CHILDREN) - of_children >= PAGES as u64);
    check("also in /proc/self/stat", field(own, 11) - shown >= PAGES as u64);
}
