//! A file that is cut, or gets a hole, while threads and processes have it mapped: SIGBUS beyond its end, and zeroes in a hole.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linux_tests::guarded::{self, NO_CONTENTS, load, store};
use linux_tests::memory::{PAGE, READ_WRITE, map, peek, poke, unmap};
use linux_tests::process::{Ended, close_all, fork, in_a_child, pipe, read, wait, wait_for_byte, write};
use linux_tests::scratch::{Scratch, c};
use linux_tests::{call, check, done, equal, must, must_equal};

const PAGES: usize = 6;
const CHILDREN: usize = 3;
const ROUNDS: usize = 60;

fn main() {
    guarded::start();
    let scratch = Scratch::new("truncated");
    let file = &filled(&scratch);
    a_cut_takes_pages_away(file);
    a_longer_file_shows_zeroes(file);
    calls_copy_nothing(file);
    copies_end_with_the_file(file);
    every_way_to_cut(&scratch, file);
    holes(file);
    other_processes(file);
    a_fork_under_way(file);
    threads_meanwhile(file);
}

fn filled(scratch: &Scratch) -> File {
    let file = done("create", File::options().read(true).write(true).create(true).truncate(true).open(scratch.path("file")));
    fill(&file);
    file
}

/// Page `n` is full of `n + 1`.
fn fill(file: &File) {
    (0..PAGES).for_each(|page| {
        let bytes = [page as u8 + 1; PAGE];
        must_equal("pwrite", call!(SYS_pwrite64, file.as_raw_fd(), bytes.as_ptr(), PAGE, page * PAGE), Ok(PAGE));
    });
}

fn mapped(file: &File, flags: i32) -> usize {
    done("mmap", map(0, PAGES * PAGE, READ_WRITE, flags, file.as_raw_fd(), 0))
}

fn cut(file: &File, length: usize) {
    done("ftruncate", call!(SYS_ftruncate, file.as_raw_fd(), length));
}

fn a_cut_takes_pages_away(file: &File) {
    let at = mapped(file, libc::MAP_SHARED);
    (0..PAGES).for_each(|page| must_equal("what was written", peek(at + page * PAGE), page as u8 + 1));
    cut(file, 2 * PAGE + 100);
    equal("the page with the end is there", load(at + 2 * PAGE), Ok(3));
    check("and zero behind the end", (100..PAGE).all(|place| load(at + 2 * PAGE + place) == Ok(0)));
    equal("a read of the next page is SIGBUS", load(at + 3 * PAGE), Err(NO_CONTENTS));
    equal("a write to the last one too", store(at + 5 * PAGE + 7, 1), Err(NO_CONTENTS));
    done("munmap", unmap(at, PAGES * PAGE));
    fill(file);
}

fn a_longer_file_shows_zeroes(file: &File) {
    let at = mapped(file, libc::MAP_SHARED);
    (0..PAGES).for_each(|page| poke(at + page * PAGE + 9, 77));
    cut(file, PAGE + 1);
    cut(file, PAGES * PAGE);
    equal("what is before the cut stays", (load(at + 9), load(at + PAGE)), (Ok(77), Ok(2)));
    check("what came back is zero", (PAGE + 1..PAGES * PAGE).all(|place| load(at + place) == Ok(0)));
    done("munmap", unmap(at, PAGES * PAGE));
    fill(file);
}

fn calls_copy_nothing(file: &File) {
    let (at, (out, into)) = (mapped(file, libc::MAP_SHARED), pipe());
    (0..PAGES).for_each(|page| must_equal("touched", peek(at + page * PAGE), page as u8 + 1));
    cut(file, PAGE);
    equal("a write from beyond the end", call!(SYS_write, into, at + 2 * PAGE, 8), Err(libc::EFAULT));
    must_equal("write", write(into, b"12345678"), Ok(8));
    equal("a read to beyond the end", call!(SYS_read, out, at + 2 * PAGE, 8), Err(libc::EFAULT));
    equal("a name beyond the end", call!(SYS_open, at + 3 * PAGE, libc::O_RDONLY), Err(libc::EFAULT));
    close_all(&[out, into]);
    done("munmap", unmap(at, PAGES * PAGE));
    fill(file);
}

fn copies_end_with_the_file(file: &File) {
    let at = mapped(file, libc::MAP_PRIVATE);
    (0..PAGES).for_each(|page| poke(at + page * PAGE, 50));
    cut(file, 2 * PAGE);
    equal("a private copy before the end stays", load(at + PAGE), Ok(50));
    equal("one beyond it goes", load(at + 2 * PAGE), Err(NO_CONTENTS));
    cut(file, PAGES * PAGE);
    equal("and does not come back", load(at + 2 * PAGE), Ok(0));
    done("munmap", unmap(at, PAGES * PAGE));
    fill(file);
}

fn every_way_to_cut(scratch: &Scratch, file: &File) {
    let (at, name) = (mapped(file, libc::MAP_SHARED), c(&scratch.path("file")));
    must_equal("touched", peek(at + PAGE), 2);
    done("truncate", call!(SYS_truncate, name.as_ptr(), PAGE));
    equal("truncate", load(at + PAGE), Err(NO_CONTENTS));
    fill(file);
    must_equal("touched", peek(at), 1);
    let opened = done("open", call!(SYS_open, name.as_ptr(), libc::O_RDWR | libc::O_TRUNC));
    equal("O_TRUNC", load(at), Err(NO_CONTENTS));
    close_all(&[opened as i32]);
    done("munmap", unmap(at, PAGES * PAGE));
    fill(file);
}

fn holes(file: &File) {
    let (shared, private) = (mapped(file, libc::MAP_SHARED), mapped(file, libc::MAP_PRIVATE));
    (0..PAGES).for_each(|page| {
        must_equal("touched", (peek(shared + page * PAGE), peek(private + page * PAGE)), (page as u8 + 1, page as u8 + 1))
    });
    poke(private + 2 * PAGE, 99);
    let how = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    done("fallocate", call!(SYS_fallocate, file.as_raw_fd(), how, PAGE + 50, 3 * PAGE));
    equal("a hole reads as zero", (load(shared + 2 * PAGE), load(shared + 3 * PAGE + 5)), (Ok(0), Ok(0)));
    equal(
        "its edges too",
        (load(shared + PAGE + 49), load(shared + PAGE + 50), load(shared + 4 * PAGE + 49), load(shared + 4 * PAGE + 50)),
        (Ok(2), Ok(0), Ok(0), Ok(5)),
    );
    equal("a private copy in it stays", load(private + 2 * PAGE), Ok(99));
    equal("a page nobody copied goes there too", load(private + 3 * PAGE), Ok(0));
    poke(shared + 2 * PAGE, 11);
    let mut byte = [0_u8];
    must_equal("pread", call!(SYS_pread64, file.as_raw_fd(), byte.as_mut_ptr(), 1, 2 * PAGE), Ok(1));
    equal("what is written there is in the file", byte, [11]);
    done("munmap", unmap(shared, PAGES * PAGE));
    done("munmap", unmap(private, PAGES * PAGE));
    fill(file);
}

/// Each has touched all pages, by a mapping that it inherited or by one of its own.
fn other_processes(file: &File) {
    let at = mapped(file, libc::MAP_SHARED);
    let (ready, tell_ready) = pipe();
    let (go, tell_go) = pipe();
    let children: Vec<i32> = (0..CHILDREN)
        .map(|number| {
            fork(|| {
                let at = if number == 0 { at } else { mapped(file, if number == 1 { libc::MAP_SHARED } else { libc::MAP_PRIVATE }) };
                (0..PAGES).for_each(|page| must_equal("a child sees the file", load(at + page * PAGE), Ok(page as u8 + 1)));
                must("ready", write(tell_ready, b"r") == Ok(1) && wait_for_byte(go));
                must_equal("a child keeps what is left", load(at), Ok(1));
                must_equal("and loses the rest", load(at + 2 * PAGE), Err(NO_CONTENTS));
                0
            })
        })
        .collect();
    (0..CHILDREN).for_each(|_| must("a child is ready", wait_for_byte(ready)));
    cut(file, 2 * PAGE);
    must_equal("go", write(tell_go, &[b'g'; CHILDREN]), Ok(CHILDREN));
    check("pages leave every process", children.into_iter().all(|child| wait(child) == Ended::Exited(0)));
    close_all(&[ready, tell_ready, go, tell_go]);
    done("munmap", unmap(at, PAGES * PAGE));
    fill(file);
}

/// A child that comes into being while the file is cut has nothing that its parent has not.
fn a_fork_under_way(file: &File) {
    let at = mapped(file, libc::MAP_PRIVATE);
    for _ in 0..ROUNDS / 4 {
        (0..PAGES).for_each(|page| must_equal("touched", load(at + page * PAGE), Ok(page as u8 + 1)));
        let is_cut = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let is_cut = &is_cut;
            scope.spawn(move || {
                cut(file, PAGE);
                is_cut.store(true, Ordering::SeqCst);
            });
            let (out, into) = pipe();
            let child = fork(|| {
                must("it is cut", wait_for_byte(out));
                i32::from(load(at + 3 * PAGE) != Err(NO_CONTENTS))
            });
            while !is_cut.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            must_equal("tell", write(into, b"x"), Ok(1));
            must_equal("a child of that moment", wait(child), Ended::Exited(0));
            close_all(&[out, into]);
        });
        fill(file);
    }
    check("a fork keeps no page of a file that was cut", true);
    done("munmap", unmap(at, PAGES * PAGE));
}

/// Threads read, write and have the kernel copy, while the file is cut and filled: the right byte or the right signal.
fn threads_meanwhile(file: &File) {
    let (at, is_over, number) = (mapped(file, libc::MAP_SHARED), AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (is_over, number) = (&is_over, &number);
            scope.spawn(move || {
                let (out, into) = pipe();
                while !is_over.load(Ordering::SeqCst) {
                    visit(at, number, thread, (out, into));
                }
                close_all(&[out, into]);
            });
        }
        for _ in 0..ROUNDS {
            number.fetch_add(1, Ordering::SeqCst);
            cut(file, PAGE);
            number.fetch_add(1, Ordering::SeqCst);
            must_equal("nothing is beyond the end", load(at + 4 * PAGE), Err(NO_CONTENTS));
            std::thread::yield_now();
            number.fetch_add(1, Ordering::SeqCst);
            cut(file, PAGES * PAGE);
            number.fetch_add(1, Ordering::SeqCst);
            std::thread::yield_now();
        }
        is_over.store(true, Ordering::SeqCst);
    });
    check("threads get a byte or a signal while the file is cut", true);
    let ended = in_a_child(|| {
        cut(file, 0);
        must_equal("SIG_DFL", call!(SYS_rt_sigaction, libc::SIGBUS, [0_u64; 4].as_ptr(), 0, 8), Ok(0));
        i32::from(peek(at) == 0)
    });
    equal("without a handler it is the end", ended, Ended::Killed(libc::SIGBUS));
    done("munmap", unmap(at, PAGES * PAGE));
}

/// The number's last bits: 0 the file is long, 2 it is short, odd between.
fn visit(at: usize, number: &AtomicU64, thread: usize, (out, into): (i32, i32)) {
    let (before, page) = (number.load(Ordering::SeqCst), at + (1 + thread) * PAGE);
    let (stored, copied) = (store(page + 8 * thread, 0x40 + thread as u8), call!(SYS_write, into, page, 4));
    if copied.is_ok() {
        must_equal("what was copied", read(out, &mut [0; 4]), Ok(4));
    }
    must("a store is done or refused", stored.is_ok() || stored == Err(NO_CONTENTS));
    must("a copy is done or refused", copied == Ok(4) || copied == Err(libc::EFAULT));
    if number.load(Ordering::SeqCst) == before {
        match before % 4 {
            0 => must("a long file refuses nobody", stored.is_ok() && copied.is_ok()),
            2 => must("a short one refuses all", stored.is_err() && copied.is_err()),
            _ => {}
        }
    }
}
