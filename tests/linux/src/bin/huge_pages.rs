//! Memory that may come in 2 MiB pages: whatever is done to parts of it, each page keeps its own bytes and rights.

use linux_tests::memory::{NOWHERE, PAGE, READ, READ_WRITE, fate_of, map, peek, peek_word, poke, poke_word, protect, touch, unmap};
use linux_tests::process::{Ended, in_a_child};
use linux_tests::{call, check, done, equal, must_equal};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const SEGV: Ended = Ended::Killed(libc::SIGSEGV);
const LARGE: usize = 2 << 20;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const EACH: usize = LARGE / PAGE;

fn main() {
    advice();
    parts();
    rights();
    children();
    moves();
    other_ways_in();
    threads_that_want_one();
    threads_and_parts();
    switched_off();
}

fn advise(at: usize, length: usize, advice: i32) -> Result<usize, linux_tests::Errno> {
    call!(SYS_madvise, at, length, advice)
}

/// `count` whole large pages, with a page of the same mapping on either side.
fn wanted(count: usize) -> usize {
    let room = done("mmap", map(0, (count + 2) * LARGE, READ_WRITE, PRIVATE, -1, 0));
    let at = (room + PAGE).next_multiple_of(LARGE);
    let end = at + count * LARGE + PAGE;
    for (from, to) in [(room, at - PAGE), (end, room + (count + 2) * LARGE)] {
        if from < to {
            done("munmap", unmap(from, to - from));
        }
    }
    done("madvise", advise(at - PAGE, count * LARGE + 2 * PAGE, libc::MADV_HUGEPAGE));
    at
}

/// Each page gets its own number.
fn fill(at: usize, pages: usize, base: u64) {
    (0..pages).for_each(|page| poke_word(at + page * PAGE + 8, base + page as u64));
}

fn holds(at: usize, pages: std::ops::Range<usize>, base: u64) -> bool {
    pages.into_iter().all(|page| peek_word(at + page * PAGE + 8) == base + page as u64)
}

fn drop_all(at: usize, count: usize) {
    done("munmap", unmap(at - PAGE, count * LARGE + 2 * PAGE));
}

fn advice() {
    let at = wanted(2);
    equal("not at a page", advise(at + 1, LARGE, libc::MADV_HUGEPAGE), Err(libc::EINVAL));
    equal("nothing is no error", advise(at, 0, libc::MADV_HUGEPAGE), Ok(0));
    equal("a part of a page", advise(at, 1, libc::MADV_HUGEPAGE), Ok(0));
    equal("where nothing is", advise(NOWHERE & !(PAGE - 1), PAGE, libc::MADV_HUGEPAGE), Err(libc::ENOMEM));
    done("munmap", unmap(at + PAGE, PAGE));
    equal("over a hole", advise(at, 3 * PAGE, libc::MADV_NOHUGEPAGE), Err(libc::ENOMEM));
    equal("both at once", (advise(at, PAGE, libc::MADV_NOHUGEPAGE), advise(at, PAGE, libc::MADV_HUGEPAGE)), (Ok(0), Ok(0)));
    check("new memory is zero", (0..EACH).all(|page| peek(at + LARGE + page * PAGE + 100) == 0));
    drop_all(at, 2);
}

fn parts() {
    let at = wanted(3);
    fill(at, 3 * EACH, 1000);
    check("all keep what is written", holds(at, 0..3 * EACH, 1000));
    done("munmap", unmap(at + 5 * PAGE, PAGE));
    equal("an unmapped page is gone", fate_of(|| touch(at + 5 * PAGE)), SEGV);
    check("the others stay", holds(at, 0..5, 1000) && holds(at, 6..3 * EACH, 1000));
    done("MADV_DONTNEED", advise(at + LARGE - 2 * PAGE, 4 * PAGE, libc::MADV_DONTNEED));
    check("forgotten pages are zero", (EACH - 2..EACH + 2).all(|page| peek_word(at + page * PAGE + 8) == 0));
    check("those beside them are not", holds(at, 6..EACH - 2, 1000) && holds(at, EACH + 2..3 * EACH, 1000));
    done("MADV_DONTNEED", advise(at + 2 * LARGE, LARGE, libc::MADV_DONTNEED));
    check("forgotten whole", (0..EACH).all(|page| peek_word(at + 2 * LARGE + page * PAGE + 8) == 0));
    fill(at + 2 * LARGE, EACH, 9000);
    check("and filled again", holds(at + 2 * LARGE, 0..EACH, 9000));
    done("mmap", map(at + LARGE + 8 * PAGE, 8 * PAGE, READ_WRITE, PRIVATE | libc::MAP_FIXED, -1, 0));
    check("another mapping in the middle", peek_word(at + LARGE + 9 * PAGE + 8) == 0 && holds(at, EACH + 16..2 * EACH, 1000));
    drop_all(at, 3);
}

fn rights() {
    let at = wanted(2);
    fill(at, 2 * EACH, 1);
    done("mprotect", protect(at, LARGE, READ));
    equal("read only, whole", fate_of(|| poke(at + 17 * PAGE, 1)), SEGV);
    done("mprotect", protect(at, LARGE, READ_WRITE));
    poke_word(at + 8, 1);
    check("writable again", holds(at, 0..2 * EACH, 1));
    done("mprotect", protect(at + 3 * PAGE, PAGE, READ));
    equal("read only, one page", fate_of(|| poke(at + 3 * PAGE, 1)), SEGV);
    poke_word(at + 4 * PAGE + 8, 5);
    done("mprotect", protect(at + LARGE, LARGE, libc::PROT_NONE));
    equal("closed whole", fate_of(|| touch(at + LARGE + 9 * PAGE)), SEGV);
    done("mprotect", protect(at + LARGE + 10 * PAGE, PAGE, READ));
    check("one page of it opened", holds(at, EACH + 10..EACH + 11, 1));
    equal("and the next not", fate_of(|| touch(at + LARGE + 11 * PAGE)), SEGV);
    done("mprotect", protect(at, 2 * LARGE, READ_WRITE));
    check("nothing was lost", holds(at, 0..2 * EACH, 1));
    drop_all(at, 2);
}

fn children() {
    let at = wanted(2);
    fill(at, 2 * EACH, 50);
    let child = in_a_child(|| {
        must_equal("a child sees its parent's bytes", holds(at, 0..2 * EACH, 50), true);
        fill(at + PAGE, EACH, 7000);
        must_equal("and writes its own", holds(at + PAGE, 0..EACH, 7000) && holds(at, EACH + 1..2 * EACH, 50), true);
        0
    });
    equal("the child", child, Ended::Exited(0));
    check("the parent's stay", holds(at, 0..2 * EACH, 50));
    fill(at, 2 * EACH, 60);
    check("and can be written", holds(at, 0..2 * EACH, 60));
    drop_all(at, 2);
}

fn moves() {
    let at = wanted(3);
    fill(at, 3 * EACH, 300);
    let to = wanted(3);
    fill(to, 3 * EACH, 1);
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    equal("moved over others", call!(SYS_mremap, at, 2 * LARGE, 2 * LARGE, flags, to + 3 * PAGE), Ok(to + 3 * PAGE));
    check("they came along", holds(to + 3 * PAGE, 0..2 * EACH, 300));
    check("the edges stay", holds(to, 0..3, 1) && holds(to, 2 * EACH + 3..3 * EACH, 1));
    equal("their old place is empty", fate_of(|| touch(at + LARGE)), SEGV);
    check("what did not move", holds(at, 2 * EACH..3 * EACH, 300));
    equal("cut", call!(SYS_mremap, at + 2 * LARGE, LARGE, 10 * PAGE, 0), Ok(at + 2 * LARGE));
    check("and what is left", holds(at, 2 * EACH..2 * EACH + 10, 300));
    equal("the rest is gone", fate_of(|| touch(at + 2 * LARGE + 10 * PAGE)), SEGV);
    drop_all(at, 3);
    drop_all(to, 3);
}

fn other_ways_in() {
    let at = wanted(1);
    let mut pair = [0_i32; 2];
    done("pipe", call!(SYS_pipe2, pair.as_mut_ptr(), 0));
    fill(at, EACH, 400);
    equal("out by write", call!(SYS_write, pair[1], at + 200 * PAGE + 8, 8), Ok(8));
    equal("in by read", call!(SYS_read, pair[0], at + 300 * PAGE + 8, 8), Ok(8));
    check("the right bytes", peek_word(at + 300 * PAGE + 8) == 600);
    let mut word = 0_u64;
    let local = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: 8 };
    let remote = libc::iovec { iov_base: (at + 77 * PAGE + 8) as *mut libc::c_void, iov_len: 8 };
    let me = std::process::id();
    equal("process_vm_readv", call!(SYS_process_vm_readv, me, &raw const local, 1, &raw const remote, 1, 0), Ok(8));
    equal("what it reads", word, 477);
    let new = 99_u64;
    let source = libc::iovec { iov_base: (&raw const new).cast_mut().cast(), iov_len: 8 };
    equal("process_vm_writev", call!(SYS_process_vm_writev, me, &raw const source, 1, &raw const remote, 1, 0), Ok(8));
    equal("what it writes", peek_word(at + 77 * PAGE + 8), 99);
    let mut there = vec![0_u8; EACH];
    done("mincore", call!(SYS_mincore, at, LARGE, there.as_mut_ptr()));
    check("all are in memory", there.iter().all(|byte| byte & 1 == 1));
    for end in pair {
        done("close", call!(SYS_close, end));
    }
    drop_all(at, 1);
}

/// All write to the same fresh pages at the same time, each its own word.
fn threads_that_want_one() {
    let at = wanted(4);
    for round in 1..=10 {
        let barrier = Barrier::new(4);
        thread::scope(|scope| {
            for number in 0..4 {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    (0..4 * EACH).step_by(37).for_each(|page| poke_word(at + page * PAGE + 8 * number, round * 10 + number as u64));
                });
            }
        });
        let all = |page: usize| (0..4).all(|number| peek_word(at + page * PAGE + 8 * number) == round * 10 + number as u64);
        must_equal("every word", (0..4 * EACH).step_by(37).all(all), true);
        done("MADV_DONTNEED", advise(at, 4 * LARGE, libc::MADV_DONTNEED));
    }
    println!("threads that want one page lose nothing");
    drop_all(at, 4);
}

/// Some write to their pages while one takes others away around them.
fn threads_and_parts() {
    let at = wanted(2);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for number in 0..3 {
            let stop = &stop;
            scope.spawn(move || {
                let mut count = 0;
                while !stop.load(SeqCst) {
                    count += 1;
                    for page in (number..2 * EACH).step_by(16) {
                        poke_word(at + page * PAGE + 8, count);
                        must_equal("a word of one's own", peek_word(at + page * PAGE + 8), count);
                    }
                }
            });
        }
        // Pages 8 to 15 of each 16 are nobody's but this thread's.
        for round in 0..60 {
            let page = at + (round * 16 % (2 * EACH) + 8) * PAGE;
            done("MADV_DONTNEED", advise(page, 3 * PAGE, libc::MADV_DONTNEED));
            done("mprotect", protect(page + 3 * PAGE, 2 * PAGE, READ));
            done("munmap", unmap(page + 6 * PAGE, PAGE));
            done("mmap", map(page + 6 * PAGE, PAGE, READ_WRITE, PRIVATE | libc::MAP_FIXED, -1, 0));
            must_equal("a new page", peek_word(page + 6 * PAGE), 0);
            done("mprotect", protect(page + 3 * PAGE, 2 * PAGE, READ_WRITE));
        }
        stop.store(true, SeqCst);
    });
    println!("threads keep theirs while parts go");
    drop_all(at, 2);
}

fn switched_off() {
    let child = in_a_child(|| {
        must_equal("not yet", call!(SYS_prctl, libc::PR_GET_THP_DISABLE, 0, 0, 0, 0), Ok(0));
        must_equal("with a word too many", call!(SYS_prctl, libc::PR_SET_THP_DISABLE, 1, 0, 1, 0), Err(libc::EINVAL));
        must_equal("off", call!(SYS_prctl, libc::PR_SET_THP_DISABLE, 1, 0, 0, 0), Ok(0));
        let grandchild = in_a_child(|| done("prctl", call!(SYS_prctl, libc::PR_GET_THP_DISABLE, 0, 0, 0, 0)) as i32);
        must_equal("also for children", grandchild, Ended::Exited(1));
        let at = wanted(1);
        fill(at, EACH, 3);
        i32::from(!holds(at, 0..EACH, 3))
    });
    equal("a program that wants none", child, Ended::Exited(0));
}
