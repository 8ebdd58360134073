//! Whatever asks for memory may hear no: what is refused says so, what is done is done right, and nothing is lost either way.
//!
//! The boots `tests/vm/refused-*.boot` run it on a kernel that refuses frames by lot; elsewhere nothing is refused.

use linux_tests::memory::{PAGE, READ_WRITE, map, peek, poke, unmap};
use linux_tests::process::{Ended, FAILED_QUIETLY, close, exit_now, try_fork, wait};
use linux_tests::refused::{self, Case, granted};
use linux_tests::scratch::{Scratch, c};
use linux_tests::{call, done, must, must_equal};
use std::ffi::CStr;

const PAGES: usize = 40;

const CASES: [Case; 9] = [
    ("memory", memory),
    ("memory that a call fills", filled),
    ("children", children),
    ("programs", programs),
    ("threads", threads),
    ("files", files),
    ("mapped files", mapped_files),
    ("moved mappings", moved),
    ("pipes and sockets", pipes),
];

fn main() {
    refused::all("refused", &CASES);
}

fn fresh(pages: usize) -> Option<usize> {
    granted("mmap", map(0, pages * PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0))
}

fn give_back(at: usize, pages: usize) {
    // Cutting a mapping in two may need memory; all of it goes does not.
    done("munmap", unmap(at, pages * PAGE));
}

fn fill(at: usize) {
    (0..PAGES).for_each(|page| poke(at + page * PAGE, page as u8 + 1));
}

fn must_be_full(at: usize) {
    (0..PAGES).for_each(|page| must_equal("what was written", peek(at + page * PAGE), page as u8 + 1));
}

fn memory(_: &Scratch) {
    let Some(at) = fresh(PAGES) else { return };
    must("new memory is zero", (0..PAGES).all(|page| peek(at + page * PAGE) == 0));
    fill(at);
    must_be_full(at);
    give_back(at, PAGES);
}

fn filled(_: &Scratch) {
    let (Some(at), Some(random)) = (fresh(PAGES), granted("open", call!(SYS_open, c"/dev/zero".as_ptr(), libc::O_RDONLY))) else { return };
    match call!(SYS_read, random, at, PAGES * PAGE) {
        Ok(count) => must("no more than was asked for", count <= PAGES * PAGE),
        Err(errno) => must("a refusal", [libc::ENOMEM, libc::EFAULT].contains(&errno)),
    }
    done("close", close(random as i32));
    give_back(at, PAGES);
}

/// It may be killed when it cannot have its memory; what it finds must be right.
fn child(body: impl FnOnce() -> i32) {
    if let Some(child) = granted("fork", try_fork(body)) {
        let ended = wait(child);
        let is_allowed = matches!(ended, Ended::Exited(0 | FAILED_QUIETLY) | Ended::Killed(libc::SIGKILL | libc::SIGBUS | libc::SIGSEGV));
        must(&format!("a child's end: {ended:?}"), is_allowed);
    }
}

fn children(_: &Scratch) {
    let Some(at) = fresh(PAGES) else { return };
    fill(at);
    child(|| {
        must_be_full(at);
        (0..PAGES).for_each(|page| poke(at + page * PAGE, 0xff));
        child(|| i32::from(peek(at) != 0xff));
        0
    });
    must_be_full(at);
    give_back(at, PAGES);
}

/// The shell does what it can; how it ends when it cannot is its own affair.
fn programs(_: &Scratch) {
    const WORDS: [&CStr; 3] = [c"/bin/sh", c"-c", c"echo something | cat > /dev/null"];
    let arguments = [WORDS[0].as_ptr(), WORDS[1].as_ptr(), WORDS[2].as_ptr(), std::ptr::null()];
    let Some(child) = granted(
        "fork",
        try_fork(|| {
            let errors = call!(SYS_open, c"/dev/null".as_ptr(), libc::O_WRONLY).unwrap_or(2);
            let _silent = call!(SYS_dup2, errors, 2);
            let _it_goes_on_only_if_refused = call!(SYS_execve, WORDS[0].as_ptr(), arguments.as_ptr(), [0_usize].as_ptr());
            exit_now(FAILED_QUIETLY)
        }),
    ) else {
        return;
    };
    wait(child);
}

fn threads(_: &Scratch) {
    std::thread::scope(|scope| {
        let spawned: Vec<_> = (0..4_usize)
            .filter_map(|number| {
                let body = move || {
                    let mut bytes = [0_u8; 20 * 1024];
                    bytes.iter_mut().for_each(|byte| *byte = number as u8);
                    bytes.iter().map(|byte| *byte as usize).sum::<usize>()
                };
                std::thread::Builder::new().spawn_scoped(scope, body).ok().map(|thread| (number, thread))
            })
            .collect();
        for (number, thread) in spawned {
            must_equal("a thread's sum", thread.join().unwrap_or(usize::MAX), number * 20 * 1024);
        }
    });
}

fn files(scratch: &Scratch) {
    let name = c(&scratch.path("file"));
    let Some(file) = granted("open", call!(SYS_open, name.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, 0o600)) else { return };
    let bytes: Vec<u8> = (0..PAGES * PAGE).map(|at| (at / 7) as u8).collect();
    let written = granted("write", call!(SYS_write, file, bytes.as_ptr(), bytes.len())).unwrap_or(0);
    let mut back = vec![0; bytes.len()];
    if let Some(read) = granted("pread", call!(SYS_pread64, file, back.as_mut_ptr(), back.len(), 0)) {
        must("no more than was written", read <= written);
        must("what was written", back[..read] == bytes[..read]);
    }
    done("close", close(file as i32));
    done("unlink", call!(SYS_unlink, name.as_ptr()));
}

fn mapped_files(scratch: &Scratch) {
    let name = c(&scratch.path("mapped"));
    let Some(file) = granted("open", call!(SYS_open, name.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, 0o600)) else { return };
    if granted("ftruncate", call!(SYS_ftruncate, file, PAGES * PAGE)).is_some() {
        for flags in [libc::MAP_SHARED, libc::MAP_PRIVATE] {
            let mapped = granted("mmap", map(0, PAGES * PAGE, READ_WRITE, flags, file as i32, 0));
            let Some(at) = mapped else { continue };
            child(|| {
                fill(at);
                must_be_full(at);
                0
            });
            give_back(at, PAGES);
        }
    }
    done("close", close(file as i32));
    done("unlink", call!(SYS_unlink, name.as_ptr()));
}

fn moved(_: &Scratch) {
    const FAR: usize = 0x20_0000_0000;
    let Some(at) = fresh(PAGES) else { return };
    fill(at);
    let how = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    let to = granted("mremap", call!(SYS_mremap, at, PAGES * PAGE, PAGES * PAGE, how, FAR)).unwrap_or(at);
    must_be_full(to);
    let longer = granted("mremap", call!(SYS_mremap, to, PAGES * PAGE, 3 * PAGES * PAGE, libc::MREMAP_MAYMOVE));
    must_be_full(longer.unwrap_or(to));
    give_back(longer.unwrap_or(to), if longer.is_some() { 3 * PAGES } else { PAGES });
}

fn pipes(_: &Scratch) {
    let mut ends = [0_i32; 2];
    for is_pipe in [true, false] {
        let made = if is_pipe {
            call!(SYS_pipe2, ends.as_mut_ptr(), libc::O_NONBLOCK)
        } else {
            call!(SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0, ends.as_mut_ptr())
        };
        if granted("two ends", made).is_none() {
            continue;
        }
        let (bytes, mut back) = ([7_u8; 3 * PAGE], [0_u8; 3 * PAGE]);
        if let Some(count) = granted("write", call!(SYS_write, ends[1], bytes.as_ptr(), bytes.len())) {
            let read = granted("read", call!(SYS_read, ends[0], back.as_mut_ptr(), back.len())).unwrap_or(0);
            must("what went in", read <= count && back[..read].iter().all(|byte| *byte == 7));
        }
        done("close", close(ends[0]));
        done("close", close(ends[1]));
    }
}
