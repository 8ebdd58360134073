//! MADV_FREE: only zeroes of a program's own may be thrown away.

use linux_tests::memory::{PAGE, READ_WRITE, anonymous, map, peek, poke, unmap};
use linux_tests::scratch::Scratch;
use linux_tests::{Errno, call, check, done, equal};
use std::os::fd::AsRawFd;

fn free(at: usize, pages: usize) -> Result<usize, Errno> {
    call!(SYS_madvise, at, pages * PAGE, libc::MADV_FREE)
}

/// Thrown away at some time, or not yet.
#[track_caller]
fn may_be_gone(at: usize, byte: u8) {
    check("what it was, or nothing", [0, byte].contains(&peek(at)));
}

fn main() {
    let at = anonymous(4);
    (0..4).for_each(|page| poke(at + page * PAGE, 5));
    equal("zeroes of one's own", free(at, 2), Ok(0));
    may_be_gone(at, 5);
    may_be_gone(at + PAGE, 5);
    equal("nothing else has changed", peek(at + 2 * PAGE), 5);
    poke(at, 6);
    equal("what is written later stays", peek(at), 6);
    equal("nothing to do", free(at, 0), Ok(0));
    done("munmap", unmap(at + PAGE, PAGE));
    equal("a gap: ENOMEM", free(at, 3), Err(libc::ENOMEM));
    may_be_gone(at + 2 * PAGE, 5);
    equal("behind it nothing has changed", peek(at + 3 * PAGE), 5);
    files();
    shared();
}

fn files() {
    let scratch = Scratch::new("memory_freed");
    let path = scratch.file("file", &[7; 2 * PAGE], 0o600);
    let file = done("open", std::fs::File::options().read(true).write(true).open(path));
    for flags in [libc::MAP_PRIVATE, libc::MAP_SHARED] {
        let at = done("mmap", map(0, 2 * PAGE, READ_WRITE, flags, file.as_raw_fd(), 0));
        poke(at, 9);
        equal("a file's: EINVAL", free(at, 2), Err(libc::EINVAL));
        equal("and its copy stays", peek(at), 9);
    }
    let at = anonymous(3);
    (0..3).for_each(|page| poke(at + page * PAGE, 5));
    done("mmap", map(at + PAGE, PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_FIXED, file.as_raw_fd(), 0));
    poke(at + PAGE, 9);
    equal("a file's among zeroes: EINVAL", free(at, 3), Err(libc::EINVAL));
    may_be_gone(at, 5);
    equal("the file's stays", peek(at + PAGE), 9);
    equal("and what is behind it", peek(at + 2 * PAGE), 5);
}

fn shared() {
    let at = done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0));
    poke(at, 9);
    equal("what children share: EINVAL", free(at, 1), Err(libc::EINVAL));
    equal("stays", peek(at), 9);
}
