//! As many mappings as a program may have, and lists of them: told whole, or refused.

use linux_tests::memory::{PAGE, READ, anonymous, protect, unmap};
use linux_tests::process::{Ended, in_a_child};
use linux_tests::{check, done, equal, must};

/// Below Linux's `vm.max_map_count`.
const PIECES: usize = 60_000;

fn main() {
    let at = anonymous(PIECES);
    (0..PIECES).step_by(2).for_each(|page| must("mprotect", protect(at + page * PAGE, PAGE, READ).is_ok()));
    check("sixty thousand pieces", true);
    let maps = done("maps", std::fs::read_to_string("/proc/self/maps"));
    let inside = |line: &&str| {
        let start = line.split('-').next().and_then(|start| usize::from_str_radix(start, 16).ok());
        start.is_some_and(|start| (at..at + PIECES * PAGE).contains(&start))
    };
    equal("each has its line", maps.lines().filter(inside).count(), PIECES);
    equal("a child has them too", in_a_child(|| i32::from(unmap(at, PIECES * PAGE).is_err())), Ended::Exited(0));
    done("munmap", unmap(at, PIECES * PAGE));
    let maps = done("maps", std::fs::read_to_string("/proc/self/maps"));
    equal("and none when they are gone", maps.lines().filter(inside).count(), 0);
}
