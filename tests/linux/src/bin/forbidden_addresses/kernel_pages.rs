//! The pages that the kernel gives to every program: what may be done with them, and what comes of going without.

use linux_tests::memory::{PAGE, READ_WRITE, map, peek, poke, protect, unmap};
use linux_tests::process::{Ended, close, in_a_child, pipe, read_all, write};
use linux_tests::vdso;
use linux_tests::{call, done, fail, must, must_equal};

use crate::accesses::{load, store, words};
use crate::{fate, said};

/// Where the mapping of that name begins and how long it is: a part of one is refused, and lengths differ.
fn named(name: &str) -> (usize, usize) {
    let maps = done("maps", std::fs::read_to_string("/proc/self/maps"));
    let line = maps.lines().find(|line| line.ends_with(name));
    let range = line.and_then(|line| line.split(' ').next()).and_then(|range| range.split_once('-'));
    match range.map(|(from, to)| (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))) {
        Some((Ok(from), Ok(to))) => (from, to - from),
        _ => fail(&format!("no {name} in the maps")),
    }
}

/// What `act` says in a child, and how that ends.
fn tried(what: &str, act: impl FnOnce() -> String) {
    let (out, into) = pipe();
    let ended = in_a_child(|| {
        done("write", write(into, act().as_bytes()));
        0
    });
    done("close", close(into));
    println!("{what}: {}, {}", String::from_utf8_lossy(&read_all(out)), fate(ended));
    done("close", close(out));
}

pub fn all() {
    let code = named("[vdso]");
    must("it is where a program is told", code.0 == vdso::place());
    for (name, (at, length)) in [("code", code), ("clock's page", named("[vvar]"))] {
        tried(&format!("{name} loaded from"), || words(load(at), at));
        tried(&format!("{name} stored to"), || words(store(at), at));
        tried(&format!("{name} opened for writing"), || said(protect(at, length, READ_WRITE)));
        tried(&format!("{name} closed"), || format!("{} {}", said(protect(at, length, 0)), words(load(at), at)));
        tried(&format!("{name} unmapped"), || format!("{} {}", said(unmap(at, length)), words(load(at), at)));
        tried(&format!("{name} made longer"), || said(call!(SYS_mremap, at, length, length + PAGE, libc::MREMAP_MAYMOVE)));
        tried(&format!("{name} replaced"), || {
            done("mmap", map(at, length, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED, -1, 0));
            format!("{} {}", words(store(at), at), peek(at + 1))
        });
    }
    tried("a copy of the code", || written(code));
    tried("calls without them", || {
        for name in ["[vdso]", "[vvar]"] {
            let (at, length) = named(name);
            done("munmap", unmap(at, length));
        }
        said(call!(SYS_clock_gettime, 1, [0_u64; 2].as_mut_ptr()))
    });
    must("and here the clock goes on", linux_tests::monotonic() > 0);
}

/// Written to, it is the writer's and its child's, and nobody else's.
fn written((code, length): (usize, usize)) -> String {
    let last = code + length - 1;
    done("mprotect", protect(code, length, READ_WRITE));
    poke(last, peek(last).wrapping_add(1));
    let mine = peek(last);
    must_equal("a child's", in_a_child(|| i32::from(peek(last) != mine)), Ended::Exited(0));
    String::from("the writer's")
}
