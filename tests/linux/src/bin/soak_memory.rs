//! Mappings that come, change and go under running threads: nobody sees a page that was taken away, or writes where he may not.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linux_tests::memory::{PAGE, anonymous, peek, poke, protect, unmap};
use linux_tests::process::{Ended, fork, wait};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, must, must_equal, signal};

const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const SHARED_PAGES: usize = 4;

static SHARED_AT: AtomicU64 = AtomicU64::new(0);

fn main() {
    signal::handle(libc::SIGSEGV, refused, libc::SA_NODEFER);
    soak("no page was seen or written that was taken away", |random| match random.below(4) {
        0 | 1 => mappers(random),
        2 => writers_and_a_flipper(random),
        _ => forks_while_writing(random),
    });
}

/// A write to the shared pages while they are read-only is tried again; any other fault is a failure.
extern "C" fn refused(_: i32, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel filled it in for this handler, with an address.
    let address = unsafe { (*information).si_addr() as u64 };
    let first = SHARED_AT.load(Ordering::SeqCst);
    if !(first..first + (SHARED_PAGES * PAGE) as u64).contains(&address) {
        linux_tests::fail("a fault at an address that nobody has touched");
    }
    std::thread::yield_now();
}

fn mappers(random: &mut Random) {
    std::thread::scope(|scope| {
        for mark in 1..=1 + random.below(6) as u8 {
            let mut own = random.fork();
            scope.spawn(move || {
                for _ in 0..5 + own.below(40) {
                    map_and_check(&mut own, mark);
                    sign_of_life();
                }
            });
        }
    });
}

fn map_and_check(random: &mut Random, mark: u8) {
    let pages = 1 + random.below(16);
    let at = anonymous(pages);
    let all = |wanted: u8, step: usize| (0..pages * PAGE).step_by(step).all(|place| peek(at + place) == wanted);
    must("new memory is zero", all(0, PAGE));
    (0..pages * PAGE).step_by(256).for_each(|place| poke(at + place, mark));
    if random.below(3) == 0 {
        done("mprotect", protect(at, pages * PAGE, libc::PROT_READ));
        random.dawdle();
    }
    must("it holds what was written", all(mark, 256));
    if random.below(3) == 0 {
        done("mprotect", protect(at, pages * PAGE, READ_WRITE));
        done("madvise", call!(SYS_madvise, at, pages * PAGE, libc::MADV_DONTNEED));
        must("what was given back is zero", all(0, PAGE));
    }
    done("munmap", unmap(at, pages * PAGE));
}

/// While the pages are read-only, nothing in them changes, whatever CPUs remember.
fn writers_and_a_flipper(random: &mut Random) {
    let at = anonymous(SHARED_PAGES);
    SHARED_AT.store(at as u64, Ordering::SeqCst);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..1 + random.below(4) {
            let (mut own, is_over) = (random.fork(), &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    poke(at + own.below(SHARED_PAGES) * PAGE + writer, own.number() as u8);
                }
            });
        }
        let look = || (0..SHARED_PAGES * PAGE).filter(|place| place % PAGE < 8).map(|place| peek(at + place)).collect::<Vec<u8>>();
        for _ in 0..5 + random.below(30) {
            done("mprotect", protect(at, SHARED_PAGES * PAGE, libc::PROT_READ));
            let before = look();
            random.dawdle();
            must("nothing is written while nobody may", before == look());
            done("mprotect", protect(at, SHARED_PAGES * PAGE, READ_WRITE));
            std::thread::sleep(std::time::Duration::from_micros(100));
            sign_of_life();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    done("munmap", unmap(at, SHARED_PAGES * PAGE));
}

/// A child has the memory of one moment, though other threads write on.
fn forks_while_writing(random: &mut Random) {
    let at = anonymous(SHARED_PAGES);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let is_over = &is_over;
        scope.spawn(move || {
            let mut value = 0_u8;
            while !is_over.load(Ordering::Relaxed) {
                value = value.wrapping_add(1);
                (0..SHARED_PAGES).for_each(|page| poke(at + page * PAGE, value));
            }
        });
        for _ in 0..2 + random.below(10) {
            let child = fork(|| {
                let values: Vec<u8> = (0..SHARED_PAGES).map(|page| peek(at + page * PAGE)).collect();
                let again: Vec<u8> = (0..SHARED_PAGES).map(|page| peek(at + page * PAGE)).collect();
                (0..SHARED_PAGES).for_each(|page| poke(at + page * PAGE, 0));
                i32::from(values != again)
            });
            must_equal("a child's memory stands still", wait(child), Ended::Exited(0));
            sign_of_life();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    done("munmap", unmap(at, SHARED_PAGES * PAGE));
}
