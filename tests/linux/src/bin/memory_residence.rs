//! mincore: which pages are in memory.

use linux_tests::memory::{NOWHERE, PAGE, READ_WRITE, anonymous, map, poke, protect, touch, unmap};
use linux_tests::process::{Ended, in_a_child};
use linux_tests::scratch::Scratch;
use linux_tests::{Errno, call, done, equal};
use std::os::fd::AsRawFd;

fn ask(at: usize, length: usize, answer: &mut [u8]) -> Result<usize, Errno> {
    call!(SYS_mincore, at, length, answer.as_mut_ptr())
}

/// One letter for each page: is it in memory?
#[track_caller]
fn pages(at: usize, count: usize) -> String {
    let mut answer = vec![0x55; count];
    equal("mincore", ask(at, count * PAGE, &mut answer), Ok(0));
    answer.iter().map(|byte| ['-', 'x'][usize::from(byte & 1)]).collect()
}

fn small_pages(at: usize, count: usize) {
    done("madvise", call!(SYS_madvise, at, count * PAGE, libc::MADV_NOHUGEPAGE));
}

fn main() {
    let at = anonymous(6);
    small_pages(at, 6);
    equal("nothing is there at first", pages(at, 6), "------".into());
    poke(at + PAGE, 1);
    poke(at + 4 * PAGE, 1);
    equal("what was written is", pages(at, 6), "-x--x-".into());
    // Nothing is right before it: a kernel that brings pages ahead has no reason to.
    touch(at);
    equal("and what was read", pages(at, 6), "xx--x-".into());
    done("mprotect", protect(at + PAGE, PAGE, libc::PROT_NONE));
    equal("also if nobody may touch it now", pages(at, 6), "xx--x-".into());
    done("madvise", call!(SYS_madvise, at + 4 * PAGE, PAGE, libc::MADV_DONTNEED));
    equal("not what was thrown away", pages(at, 6), "xx----".into());
    done("madvise", call!(SYS_madvise, at + 3 * PAGE, 3 * PAGE, libc::MADV_POPULATE_WRITE));
    equal("what was asked for is", pages(at, 6), "xx-xxx".into());
    shared();
    of_a_file();
    arguments();
}

fn shared() {
    let at = done("mmap", map(0, 4 * PAGE, READ_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0));
    small_pages(at, 4);
    equal("nothing is there at first", pages(at, 4), "----".into());
    let child = || {
        poke(at + PAGE, 1);
        0
    };
    equal("a child writes", in_a_child(child), Ended::Exited(0));
    equal("what is shared is there for all", pages(at, 4), "-x--".into());
    done("madvise", call!(SYS_madvise, at, 4 * PAGE, libc::MADV_DONTNEED));
    equal("and stays", pages(at, 4), "-x--".into());
}

fn of_a_file() {
    let scratch = Scratch::new("memory_residence");
    let path = scratch.file("file", &[7; 3 * PAGE], 0o600);
    let file = done("open", std::fs::File::open(path));
    for flags in [libc::MAP_PRIVATE, libc::MAP_SHARED] {
        let at = done("mmap", map(0, 4 * PAGE, libc::PROT_READ, flags, file.as_raw_fd(), 0));
        equal("a file that was just written is in memory, up to its end", pages(at, 4), "xxx-".into());
    }
}

fn arguments() {
    let at = anonymous(3);
    small_pages(at, 3);
    poke(at, 1);
    let mut answer = [9; 3];
    equal("not at a page: EINVAL", ask(at + 1, PAGE, &mut answer), Err(libc::EINVAL));
    equal("nothing", ask(at, 0, &mut answer), Ok(0));
    equal("beyond all: ENOMEM", ask(at, usize::MAX - at, &mut answer), Err(libc::ENOMEM));
    equal("nowhere to write: EFAULT", call!(SYS_mincore, at, PAGE, NOWHERE), Err(libc::EFAULT));
    done("munmap", unmap(at + 2 * PAGE, PAGE));
    equal("a gap: ENOMEM", ask(at, 3 * PAGE, &mut answer), Err(libc::ENOMEM));
    equal("what is before it was told", answer, [1, 0, 9]);
    equal("a part of a page is a page", ask(at, 1, &mut answer), Ok(0));
}
