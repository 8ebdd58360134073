//! Beside a stack that grows: it stops at its limit and before its neighbours, and nobody is put into its gap unasked.

use linux_tests::memory::{PAGE, READ_WRITE, map, poke, protect};
use linux_tests::process::in_a_child;
use linux_tests::{call, done, fail};

use crate::accesses::{load, store, words};
use crate::fate;

/// As Linux has it.
const GAP: usize = 256 * PAGE;
const LIMIT: usize = 8 << 20;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// Where the stack begins now, and where it ends.
fn stack() -> (usize, usize) {
    let maps = done("maps", std::fs::read_to_string("/proc/self/maps"));
    let line = maps.lines().find(|line| line.ends_with("[stack]"));
    let range = line.and_then(|line| line.split(' ').next()).and_then(|range| range.split_once('-'));
    match range.map(|(from, to)| (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))) {
        Some((Ok(from), Ok(to))) => (from, to),
        _ => fail("no stack in the maps"),
    }
}

fn tried(what: &str, act: impl FnOnce() -> bool) {
    println!("{what}: {}", fate(in_a_child(|| if act() { 0 } else { 1 })));
}

fn is_refused(at: usize) -> bool {
    words(store(at), at) == "SIGSEGV 1 there"
}

pub fn all() {
    let limit = [LIMIT as u64, u64::MAX];
    done("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_STACK, limit.as_ptr()));
    tried("a page below it is given", || {
        let (start, _) = stack();
        store(start - 8).is_none() && stack().0 < start
    });
    tried("far below it, inside its limit", || {
        let (_, end) = stack();
        store(end - LIMIT + PAGE).is_none() && load(end - LIMIT / 2).is_none()
    });
    tried("beyond its limit", || {
        let (_, end) = stack();
        is_refused(end - LIMIT - 2 * PAGE)
    });
    tried("a neighbour keeps it away", || {
        let (start, _) = stack();
        let neighbour = start - GAP - 4 * PAGE;
        done("mmap", map(neighbour, PAGE, READ_WRITE, PRIVATE | libc::MAP_FIXED_NOREPLACE, -1, 0));
        is_refused(neighbour + PAGE) && is_refused(neighbour + GAP) && store(neighbour + PAGE + GAP).is_none()
    });
    tried("one that is closed does not", || {
        let (start, _) = stack();
        let neighbour = start - GAP - 4 * PAGE;
        done("mmap", map(neighbour, PAGE, 0, PRIVATE | libc::MAP_FIXED_NOREPLACE, -1, 0));
        store(neighbour + PAGE).is_none()
    });
    tried("a neighbour in its gap stops it", || {
        let (start, _) = stack();
        done("mmap", map(start - 3 * PAGE, PAGE, READ_WRITE, PRIVATE | libc::MAP_FIXED_NOREPLACE, -1, 0));
        poke(start - 3 * PAGE, 1);
        is_refused(start - 8) && is_refused(start - PAGE) && is_refused(start - 2 * PAGE)
    });
    tried("its lowest page closed", || {
        let (start, _) = stack();
        done("mprotect", protect(start, PAGE, 0));
        words(store(start), start) == "SIGSEGV 2 there" && words(store(start - 8), start - 8) != "done"
    });
    tried("a hint into its gap is taken", || {
        let (start, _) = stack();
        let given = done("mmap", map(start - 16 * PAGE, PAGE, READ_WRITE, PRIVATE, -1, 0));
        given != start - 16 * PAGE
    });
}
