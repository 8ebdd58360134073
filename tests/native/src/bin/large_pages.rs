//! Large pages are there when a program asks for them, and only then: the kernel's own count of them says so.
//!
//! Invariant: nothing else runs that has any.

use linux_tests::memory::{PAGE, READ, READ_WRITE, map, poke, protect, unmap};
use linux_tests::process::{Ended, in_a_child};
use linux_tests::{call, check, done, equal, fail};
use std::fs;

const LARGE: usize = 2 << 20;
const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// How many there are in the machine.
fn large_pages() -> usize {
    let text = done("reading /proc/meminfo", fs::read_to_string("/proc/meminfo"));
    let Some(line) = text.lines().find_map(|line| line.strip_prefix("AnonHugePages:")) else { fail("they are not counted") };
    let kilobytes: usize = done("a number", line.trim_end_matches("kB").trim().parse());
    kilobytes / 2048
}

fn room(count: usize) -> usize {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    done("mmap", map(0, (count + 1) * LARGE, READ_WRITE, flags, -1, 0)).next_multiple_of(LARGE)
}

fn wanted(count: usize) -> usize {
    let at = room(count);
    done("madvise", call!(SYS_madvise, at, count * LARGE, libc::MADV_HUGEPAGE));
    at
}

fn touch_all(at: usize, count: usize) {
    (0..count).for_each(|page| poke(at + page * LARGE + 5 * PAGE, 1));
}

fn set(word: &str) {
    done("setting", fs::write(SETTING, word));
}

fn main() {
    equal("the setting", done("reading it", fs::read_to_string(SETTING)), String::from("always [madvise] never\n"));
    equal("none at first", large_pages(), 0);
    touch_all(room(4), 4);
    equal("none for who does not ask", large_pages(), 0);
    let at = wanted(8);
    touch_all(at, 8);
    equal("one for each touch", large_pages(), 8);
    done("mprotect", protect(at, LARGE, READ));
    equal("other rights for a whole one", large_pages(), 8);
    done("mprotect", protect(at + LARGE, PAGE, READ));
    equal("other rights for a part", large_pages(), 7);
    done("munmap", unmap(at + 2 * LARGE + PAGE, LARGE));
    equal("two cut", large_pages(), 5);
    done("madvise", call!(SYS_madvise, at + 4 * LARGE, LARGE, libc::MADV_DONTNEED));
    equal("one forgotten", large_pages(), 4);
    touch_all(at + 4 * LARGE, 1);
    equal("and touched again", large_pages(), 5);
    done("madvise", call!(SYS_madvise, at + 4 * LARGE, LARGE, libc::MADV_NOHUGEPAGE));
    done("madvise", call!(SYS_madvise, at + 4 * LARGE, LARGE, libc::MADV_DONTNEED));
    touch_all(at + 4 * LARGE, 1);
    equal("not where they are refused", large_pages(), 4);
    equal("a child", in_a_child(|| i32::from(large_pages() != 0)), Ended::Exited(0));
    equal("after a fork they are small", large_pages(), 0);
    done("munmap", unmap(at, 8 * LARGE));
    settings();
    let child = in_a_child(|| {
        done("prctl", call!(SYS_prctl, libc::PR_SET_THP_DISABLE, 1, 0, 0, 0));
        touch_all(wanted(2), 2);
        large_pages() as i32
    });
    equal("a program that wants none", child, Ended::Exited(0));
    let child = in_a_child(|| {
        touch_all(wanted(3), 3);
        large_pages() as i32
    });
    equal("a child of its own", child, Ended::Exited(3));
    equal("and none is left of it", large_pages(), 0);
    println!("ok");
}

fn settings() {
    set("always");
    let at = room(2);
    touch_all(at, 2);
    equal("always", large_pages(), 2);
    done("munmap", unmap(at, 2 * LARGE));
    set("never\n");
    let at = wanted(2);
    touch_all(at, 2);
    equal("never", large_pages(), 0);
    done("munmap", unmap(at, 2 * LARGE));
    check("an unknown word", fs::write(SETTING, "sometimes").is_err());
    equal("it stays", done("reading it", fs::read_to_string(SETTING)), String::from("always madvise [never]\n"));
    set("madvise");
}
