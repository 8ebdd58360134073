//! Mappings: what they hold, who may touch them, and how those die who may not.

use linux_tests::memory::{
    NOWHERE, PAGE, READ, READ_WRITE, anonymous, bytes, fate_of, map, peek, peek_word, poke, poke_word, protect, touch, unmap,
};
use linux_tests::process::{Ended, in_a_child};
use linux_tests::scratch::Scratch;
use linux_tests::{call, check, done, equal, must, must_equal, signal};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

const SEGV: Ended = Ended::Killed(libc::SIGSEGV);
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

fn main() {
    anonymous_memory();
    unmapping();
    protection();
    codes();
    placement();
    wrong_arguments();
    heap();
    files();
    shared_with_children();
    forgetting();
    many_pieces();
    threads_that_fault();
    moving();
}

fn anonymous_memory() {
    let at = anonymous(1000);
    check("new memory is zero", (0..1000).step_by(37).all(|page| peek_word(at + page * PAGE) == 0));
    (0..1000).for_each(|page| poke_word(at + page * PAGE + 16, page as u64));
    check("and keeps what is written", (0..1000).all(|page| peek_word(at + page * PAGE + 16) == page as u64));
    done("munmap", unmap(at, 1000 * PAGE));
    let huge = map(0, 1 << 38, READ_WRITE, PRIVATE | libc::MAP_NORESERVE, -1, 0);
    let huge = done("mmap of 256 GiB", huge);
    poke(huge + (1 << 37), 1);
    equal("256 GiB of which one page is used", (peek(huge + (1 << 37)), peek(huge)), (1, 0));
    done("munmap", unmap(huge, 1 << 38));
}

fn unmapping() {
    let at = anonymous(3);
    (0..3).for_each(|page| poke(at + page * PAGE, 7));
    done("munmap", unmap(at + PAGE, PAGE));
    equal("the pages beside an unmapped one stay", (peek(at), peek(at + 2 * PAGE)), (7, 7));
    equal("the unmapped one is gone", fate_of(|| touch(at + PAGE)), SEGV);
    equal("unmapping what is not mapped is no error", unmap(at + PAGE, PAGE), Ok(0));
    done("mmap", map(at + PAGE, PAGE, READ_WRITE, PRIVATE | libc::MAP_FIXED, -1, 0));
    equal("a page mapped again is zero", peek(at + PAGE), 0);
    done("munmap", unmap(at, 3 * PAGE));
    equal("all are gone", fate_of(|| touch(at)), SEGV);
}

fn protection() {
    let at = anonymous(4);
    poke(at + PAGE, 3);
    done("mprotect", protect(at + PAGE, PAGE, READ));
    equal("a page made read-only is read", peek(at + PAGE), 3);
    equal("and not written", fate_of(|| poke(at + PAGE, 4)), SEGV);
    equal(
        "its neighbours are",
        fate_of(|| {
            poke(at, 1);
            poke(at + 2 * PAGE, 1)
        }),
        Ended::Exited(0),
    );
    done("mprotect", protect(at + PAGE, PAGE, libc::PROT_NONE));
    equal("a page made inaccessible is not read", fate_of(|| touch(at + PAGE)), SEGV);
    done("mprotect", protect(at + PAGE, PAGE, READ_WRITE));
    poke(at + PAGE, peek(at + PAGE) + 1);
    equal("and comes back with what it held", peek(at + PAGE), 4);
    poke(at + 3 * PAGE, 0xc3);
    let run = |address: usize| {
        // SAFETY: the byte there is `ret`; without the right to run it the process dies.
        let function: extern "C" fn() = unsafe { std::mem::transmute(address) };
        function();
    };
    equal("memory that is not for running is not run", fate_of(|| run(at + 3 * PAGE)), SEGV);
    done("mprotect", protect(at + 3 * PAGE, PAGE, READ | libc::PROT_EXEC));
    equal("memory that is, is", fate_of(|| run(at + 3 * PAGE)), Ended::Exited(0));
    equal("a hole in the range: ENOMEM", holed_protect(), Err(libc::ENOMEM));
    let text = fate_of(|| poke(main as *const () as usize, 0));
    equal("a program cannot write its own text", text, SEGV);
    equal("nor the kernel's half", fate_of(|| poke(0xffff_8000_0000_0000, 0)), SEGV);
    equal("nor read it", fate_of(|| touch(0xffff_ffff_8010_0000)), SEGV);
}

fn holed_protect() -> Result<usize, i32> {
    let at = anonymous(3);
    done("munmap", unmap(at + PAGE, PAGE));
    protect(at, 3 * PAGE, READ)
}

static CODE: AtomicI32 = AtomicI32::new(0);
static ADDRESS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn tell(_: i32, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO its information.
    let (code, address) = unsafe { ((*information).si_code, (*information).si_addr() as usize) };
    let right = code == CODE.load(SeqCst) && address == ADDRESS.load(SeqCst);
    linux_tests::process::exit_now(if right { 42 } else { 1 + code })
}

fn codes() {
    let fault = |code: i32, address: usize, act: &dyn Fn()| {
        in_a_child(|| {
            CODE.store(code, SeqCst);
            ADDRESS.store(address, SeqCst);
            signal::handle(libc::SIGSEGV, tell, 0);
            signal::handle(libc::SIGBUS, tell, 0);
            act();
            0
        })
    };
    let told = Ended::Exited(42);
    equal("nothing there: SEGV_MAPERR and the address", fault(1, NOWHERE, &|| poke(NOWHERE, 0)), told);
    let at = anonymous(1);
    done("mprotect", protect(at, PAGE, READ));
    equal("not allowed: SEGV_ACCERR and the address", fault(2, at + 77, &|| poke(at + 77, 0)), told);
    equal("no such address at all: SI_KERNEL", fault(128, 0, &|| poke(0x1234_5678_9abc_def0, 0)), told);
    let scratch = Scratch::new("memory");
    let path = scratch.file("short", b"short", 0o600);
    let file = done("open", std::fs::File::open(path));
    let at = done("mmap", map(0, 2 * PAGE, READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0));
    equal("beyond the end of a mapped file: SIGBUS", fault(2, at + PAGE, &|| touch(at + PAGE)), told);
}

fn placement() {
    let at = anonymous(8);
    done("munmap", unmap(at, 8 * PAGE));
    equal("a free hint is taken", map(at + PAGE, PAGE, READ_WRITE, PRIVATE, -1, 0), Ok(at + PAGE));
    poke(at + PAGE, 5);
    let elsewhere = done("mmap", map(at + PAGE, PAGE, READ_WRITE, PRIVATE, -1, 0));
    check("a hint in use is not", elsewhere != at + PAGE && peek(at + PAGE) == 5);
    let refused = map(at, 4 * PAGE, READ_WRITE, PRIVATE | libc::MAP_FIXED_NOREPLACE, -1, 0);
    equal("MAP_FIXED_NOREPLACE over something: EEXIST", refused, Err(libc::EEXIST));
    equal("MAP_FIXED over something", map(at, 4 * PAGE, READ_WRITE, PRIVATE | libc::MAP_FIXED, -1, 0), Ok(at));
    equal("replaces it", peek(at + PAGE), 0);
    done("munmap", unmap(at, 8 * PAGE));
}

fn wrong_arguments() {
    let at = anonymous(2);
    equal("mmap of nothing: EINVAL", map(0, 0, READ, PRIVATE, -1, 0), Err(libc::EINVAL));
    equal("mmap neither private nor shared: EINVAL", map(0, PAGE, READ, libc::MAP_ANONYMOUS, -1, 0), Err(libc::EINVAL));
    equal("mmap of everything: ENOMEM", map(0, usize::MAX - PAGE, READ, PRIVATE, -1, 0), Err(libc::ENOMEM));
    equal("mmap of no file: EBADF", map(0, PAGE, READ, libc::MAP_PRIVATE, 999, 0), Err(libc::EBADF));
    let crooked = map(at + 1, PAGE, READ, PRIVATE | libc::MAP_FIXED, -1, 0);
    equal("MAP_FIXED off a page: EINVAL", crooked, Err(libc::EINVAL));
    let outside = map(0x7fff_ffff_f000, 2 * PAGE, READ, PRIVATE | libc::MAP_FIXED, -1, 0);
    equal("MAP_FIXED into the kernel's half: ENOMEM", outside, Err(libc::ENOMEM));
    equal("munmap off a page: EINVAL", unmap(at + 1, PAGE), Err(libc::EINVAL));
    equal("munmap of nothing: EINVAL", unmap(at, 0), Err(libc::EINVAL));
    equal("munmap around the end: EINVAL", unmap(at, usize::MAX), Err(libc::EINVAL));
    equal("mprotect off a page: EINVAL", protect(at + 1, PAGE, READ), Err(libc::EINVAL));
    equal("mprotect of nothing does nothing", protect(at, 0, READ), Ok(0));
    equal("mprotect around the end: ENOMEM", protect(at, usize::MAX & !(PAGE - 1), READ), Err(libc::ENOMEM));
}

fn heap() {
    // Past libc, whose own allocator may use the break: a child may do with it as it likes.
    let child = in_a_child(|| {
        let start = done("brk", call!(SYS_brk, 0)).next_multiple_of(PAGE);
        must_equal("growing", call!(SYS_brk, start + 10 * PAGE), Ok(start + 10 * PAGE));
        must("new memory is zero", bytes(start, 10 * PAGE).iter().all(|byte| *byte == 0));
        poke(start + 9 * PAGE, 1);
        must_equal("shrinking", call!(SYS_brk, start + 5 * PAGE + 1), Ok(start + 5 * PAGE + 1));
        must_equal("what is below stays", fate_of(|| poke(start + 5 * PAGE, 1)), Ended::Exited(0));
        must_equal("what is above goes", fate_of(|| touch(start + 6 * PAGE)), SEGV);
        must_equal("absurd", call!(SYS_brk, usize::MAX), Ok(start + 5 * PAGE + 1));
        must_equal("below the start", call!(SYS_brk, PAGE), Ok(start + 5 * PAGE + 1));
        must_equal("growing again", call!(SYS_brk, start + 10 * PAGE), Ok(start + 10 * PAGE));
        must_equal("gives zeroes", peek(start + 9 * PAGE), 0);
        0
    });
    equal("the break grows, shrinks and refuses what cannot be", child, Ended::Exited(0));
}

fn files() {
    let scratch = Scratch::new("memory-files");
    let content: Vec<u8> = (0..3 * PAGE + 100).map(|index| (index / 7) as u8).collect();
    let path = scratch.file("content", &content, 0o600);
    let file = done("open", std::fs::OpenOptions::new().read(true).write(true).open(&path));
    let at = done("mmap", map(0, 4 * PAGE, READ_WRITE, libc::MAP_PRIVATE, file.as_raw_fd(), 0));
    check("a mapped file shows its bytes", bytes(at, content.len()) == content);
    check("and zeroes to the end of its last page", bytes(at + content.len(), PAGE - 100).iter().all(|byte| *byte == 0));
    poke(at + 10, 0xee);
    equal("a private mapping is written", peek(at + 10), 0xee);
    check("and the file is not", std::fs::read(&path).is_ok_and(|now| now == content));
    let second = done("mmap", map(0, PAGE, READ, libc::MAP_PRIVATE, file.as_raw_fd(), PAGE));
    check("from the second page on", bytes(second, PAGE) == content[PAGE..2 * PAGE]);
    let crooked = map(0, PAGE, READ, libc::MAP_PRIVATE, file.as_raw_fd(), 100);
    equal("from the middle of a page: EINVAL", crooked, Err(libc::EINVAL));
    drop(file);
    check("a mapping outlives its descriptor", bytes(second, 4) == content[PAGE..PAGE + 4]);
    done("unlink", std::fs::remove_file(&path));
    check("and its name", bytes(second, PAGE) == content[PAGE..2 * PAGE]);
    let child = in_a_child(|| i32::from(peek(at + 10) != 0xee || peek(at + 11) != content[11]));
    equal("a child sees both what was written and what was not", child, Ended::Exited(0));
}

fn shared_with_children() {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let at = done("mmap", map(0, 2 * PAGE, READ_WRITE, shared, -1, 0));
    let child = in_a_child(|| {
        poke(at + 5, 99);
        poke(at + PAGE, 98);
        0
    });
    equal("shared memory is one", (child, peek(at + 5), peek(at + PAGE)), (Ended::Exited(0), 99, 98));
}

fn forgetting() {
    let at = anonymous(4);
    (0..4).for_each(|page| poke(at + page * PAGE, 1));
    done("madvise", call!(SYS_madvise, at + PAGE, 2 * PAGE, libc::MADV_DONTNEED));
    equal("MADV_DONTNEED gives zeroes", [0, 1, 2, 3].map(|page| peek(at + page * PAGE)), [1, 0, 0, 1]);
    equal("over a hole: ENOMEM", call!(SYS_madvise, NOWHERE & !(PAGE - 1), PAGE, libc::MADV_DONTNEED), Err(libc::ENOMEM));
    equal("unknown advice: EINVAL", call!(SYS_madvise, at, PAGE, 9999), Err(libc::EINVAL));
}

fn many_pieces() {
    let at = anonymous(2_000);
    (0..2_000).step_by(2).for_each(|page| must("mprotect", protect(at + page * PAGE, PAGE, READ).is_ok()));
    (1..2_000).step_by(2).for_each(|page| poke(at + page * PAGE, 1));
    equal("two thousand pieces", fate_of(|| poke(at + 1_000 * PAGE, 1)), SEGV);
    (0..2_000).step_by(2).for_each(|page| must("mprotect", protect(at + page * PAGE, PAGE, READ_WRITE).is_ok()));
    (0..2_000).for_each(|page| poke(at + page * PAGE, 2));
    done("munmap", unmap(at, 2_000 * PAGE));
    check("made one again, and gone", true);
}

/// Threads write pages that another maps, protects and unmaps: nobody sees another's page.
fn threads_that_fault() {
    let workers: Vec<_> = (0..4_u64)
        .map(|worker| {
            std::thread::spawn(move || {
                for turn in 0..150 {
                    let at = anonymous(8);
                    (0..8).for_each(|page| must_equal("zero", peek_word(at + page * PAGE), 0));
                    (0..8).for_each(|page| poke_word(at + page * PAGE, worker << 32 | turn));
                    must("mprotect", protect(at, 4 * PAGE, READ).is_ok());
                    (0..8).for_each(|page| must_equal("my own", peek_word(at + page * PAGE), worker << 32 | turn));
                    must("munmap", unmap(at, 8 * PAGE).is_ok());
                }
            })
        })
        .collect();
    check("four threads map, fault and unmap in one address space", workers.into_iter().all(|worker| worker.join().is_ok()));
}

fn moving() {
    let at = anonymous(2);
    poke(at + PAGE, 6);
    let moved = done("mremap", call!(SYS_mremap, at, 2 * PAGE, 300 * PAGE, libc::MREMAP_MAYMOVE));
    equal("a mapping grows and keeps its bytes", (peek(moved + PAGE), peek(moved + 299 * PAGE)), (6, 0));
    equal("and shrinks", call!(SYS_mremap, moved, 300 * PAGE, PAGE, 0), Ok(moved));
    equal("and the rest is gone", fate_of(|| touch(moved + PAGE)), SEGV);
    equal("what is not mapped: EFAULT", call!(SYS_mremap, moved + PAGE, PAGE, 2 * PAGE, libc::MREMAP_MAYMOVE), Err(libc::EFAULT));
}
