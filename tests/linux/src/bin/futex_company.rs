//! Futexes in numbers and company: storms of moves, many words at once, processes that share words, sleepers that lose their word or life.

use linux_tests::futex::{PRIVATE, Sleepers, WAIT, WAKE, at, futex, wait_on, wake};
use linux_tests::memory::{PAGE, READ_WRITE, anonymous, map, unmap};
use linux_tests::process::{Ended, exit_now, fork, kill, wait};
use linux_tests::{Errno, call, check, done, equal, monotonic, must, must_equal, signal, sleep_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

const MILLISECOND: u64 = 1_000_000;

fn main() {
    requeue_storm();
    many_sleepers();
    vectors();
    second_generation();
    shared_words();
    moved_to_a_word_that_goes();
    unmapped_while_waiting();
    killed_while_waiting();
    ping_pong();
}

/// Waiters are moved round and round between words by one thread while another wakes: each wake that was counted ends one wait.
fn requeue_storm() {
    const SLEEPERS: usize = 24;
    let words: Arc<[AtomicU32; 3]> = Arc::new(Default::default());
    let woken = Arc::new(AtomicU32::new(0));
    let sleepers: Vec<_> = (0..SLEEPERS)
        .map(|_| {
            let (words, woken) = (words.clone(), woken.clone());
            thread::spawn(move || {
                for _ in 0..20 {
                    must_equal("woken", wait_on(&words[0], 0, None), Ok(0));
                    woken.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    let stop = Arc::new(AtomicU32::new(0));
    let mover = {
        let (words, stop) = (words.clone(), stop.clone());
        thread::spawn(move || {
            let mut counted = 0;
            for turn in 0.. {
                let (from, to) = (&words[turn % 3], &words[(turn + 1) % 3]);
                let woken = done("move", futex(at(from), libc::FUTEX_CMP_REQUEUE | PRIVATE, 0, 1 + turn % 40, at(to), 0));
                counted += woken;
                if stop.load(SeqCst) != 0 {
                    break;
                }
                thread::yield_now();
            }
            counted
        })
    };
    let mut counted = 0;
    for turn in 0.. {
        counted += wake(&words[turn % 3], 1 + (turn % 20) as i32);
        if counted == SLEEPERS * 20 {
            break;
        }
        if turn % 8 == 0 {
            thread::yield_now();
        }
    }
    stop.store(1, SeqCst);
    sleepers.into_iter().for_each(|thread| must("joined", thread.join().is_ok()));
    must("the mover ended", mover.join().is_ok());
    equal("in a storm of moves every counted wake ends one wait", (woken.load(SeqCst) as usize, counted), (SLEEPERS * 20, SLEEPERS * 20));
}

fn many_sleepers() {
    let sleepers = Sleepers::new(100, u32::MAX);
    let target = AtomicU32::new(0);
    equal("40 of a hundred are woken, 50 moved", futex(at(&sleepers.word), libc::FUTEX_REQUEUE | PRIVATE, 40, 50, at(&target), 0), Ok(90));
    sleepers.woken_become(40);
    equal("ten are left", wake(&sleepers.word, i32::MAX), 10);
    equal("fifty were moved", wake(&target, i32::MAX), 50);
    sleepers.join();
}

#[repr(C)]
#[derive(Clone, Copy)]
struct One {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

const U32: u32 = 2;
const U32_PRIVATE: u32 = 2 | 128;

fn one(word: &AtomicU32, value: u64) -> One {
    One { value, address: at(word) as u64, flags: U32_PRIVATE, reserved: 0 }
}

fn wait_for_any(words: &[One], limit: Option<[u64; 2]>, clock: i32) -> Result<usize, Errno> {
    let limit = limit.as_ref().map_or(0, |limit| limit.as_ptr() as usize);
    call!(SYS_futex_waitv, words.as_ptr(), words.len(), 0, limit, clock)
}

fn vectors() {
    let words: Arc<Vec<AtomicU32>> = Arc::new((0..130).map(|_| AtomicU32::new(0)).collect());
    let all: Vec<One> = words.iter().map(|word| one(word, 0)).collect();
    let monotonic_clock = libc::CLOCK_MONOTONIC;
    equal("no words: EINVAL", wait_for_any(&[], None, 0), Err(libc::EINVAL));
    equal("129 words: EINVAL", wait_for_any(&all[..129], None, 0), Err(libc::EINVAL));
    equal("flags of the call: EINVAL", call!(SYS_futex_waitv, all.as_ptr(), 1, 1, 0, 0), Err(libc::EINVAL));
    equal("words that are nowhere: EFAULT", call!(SYS_futex_waitv, 0x10, 1, 0, 0, 0), Err(libc::EFAULT));
    let wrong = [
        (One { flags: 0, ..all[0] }, libc::EINVAL),
        (One { flags: 3, ..all[0] }, libc::EINVAL),
        (One { flags: U32 | 0x4000, ..all[0] }, libc::EINVAL),
        (One { reserved: 1, ..all[0] }, libc::EINVAL),
        (One { value: 1 << 32, ..all[0] }, libc::EINVAL),
        (One { address: all[0].address + 1, ..all[0] }, libc::EINVAL),
        (One { address: 0x10, ..all[0] }, libc::EFAULT),
        (One { value: 1, ..all[0] }, libc::EAGAIN),
    ];
    for (word, errno) in wrong {
        must_equal("second", wait_for_any(&[all[1], word], None, 0), Err(errno));
    }
    check("a wrong word among them: EINVAL, EFAULT, EAGAIN", true);
    let past = Some([0, 1]);
    equal("another clock: EINVAL", wait_for_any(&all[..2], past, libc::CLOCK_BOOTTIME), Err(libc::EINVAL));
    equal("128 words and a past moment: ETIMEDOUT", wait_for_any(&all[..128], past, monotonic_clock), Err(libc::ETIMEDOUT));
    equal("by the wall clock too", wait_for_any(&all[..128], past, libc::CLOCK_REALTIME), Err(libc::ETIMEDOUT));
    let sleeper = {
        let words = words.clone();
        thread::spawn(move || {
            let all: Vec<One> = words.iter().map(|word| one(word, 0)).collect();
            [0; 3].map(|_| {
                let woken = wait_for_any(&all[..128], None, 0);
                words[129].fetch_add(1, SeqCst);
                woken
            })
        })
    };
    // One wait at a time: a second wake of the same wait would count too.
    for (turn, index) in (1..).zip([77, 0, 127]) {
        while wake(&words[index], 1) == 0 {
            sleep_ms(1);
        }
        while words[129].load(SeqCst) < turn {
            sleep_ms(1);
        }
    }
    equal("it says which of 128 was woken", sleeper.join().ok(), Some([Ok(77), Ok(0), Ok(127)]));
    let same = [all[0], all[0]];
    equal("the same word twice may be waited for", wait_for_any(&same, past, monotonic_clock), Err(libc::ETIMEDOUT));
}

fn second_generation() {
    let word = Arc::new(AtomicU32::new(0));
    let (wake_number, wait_number, requeue_number) = (454, 455, 456);
    let place = at(&word);
    let flags = U32_PRIVATE as usize;
    equal("another value: EAGAIN", linux_tests::call(wait_number, [place, 1, 1, flags, 0, 0]), Err(libc::EAGAIN));
    equal("no bits: EINVAL", linux_tests::call(wait_number, [place, 0, 0, flags, 0, 0]), Err(libc::EINVAL));
    equal("a byte as a word: EINVAL", linux_tests::call(wait_number, [place, 0, 1, 128, 0, 0]), Err(libc::EINVAL));
    equal("a value too large: EINVAL", linux_tests::call(wait_number, [place, 1 << 32, 1, flags, 0, 0]), Err(libc::EINVAL));
    equal("nobody to wake", linux_tests::call(wake_number, [place, 1, 1, flags, 0, 0]), Ok(0));
    equal("a wake without bits: EINVAL", linux_tests::call(wake_number, [place, 0, 1, flags, 0, 0]), Err(libc::EINVAL));
    let sleepers = Sleepers::new(3, u32::MAX);
    let from = at(&sleepers.word);
    equal("a wake of none wakes none", linux_tests::call(wake_number, [from, usize::MAX >> 32, 0, flags, 0, 0]), Ok(0));
    equal("a wake of one", linux_tests::call(wake_number, [from, usize::MAX >> 32, 1, flags, 0, 0]), Ok(1));
    let words = [one(&sleepers.word, 0), one(&word, 0)];
    equal(
        "another value moves nobody",
        linux_tests::call(requeue_number, [[one(&sleepers.word, 9), words[1]].as_ptr() as usize, 0, 1, 1, 0, 0]),
        Err(libc::EAGAIN),
    );
    equal("one woken, one moved", linux_tests::call(requeue_number, [words.as_ptr() as usize, 0, 1, 1, 0, 0]), Ok(2));
    equal("the moved one", linux_tests::call(wake_number, [place, 1, 10, flags, 0, 0]), Ok(1));
    sleepers.join();
}

fn shared_words() {
    let anonymous = done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0));
    meets("a page inherited through fork", anonymous, || anonymous);
    let path = "/tmp/futex-file\0";
    let file = done("open", call!(SYS_open, path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC, 0o600));
    done("truncate", call!(SYS_ftruncate, file, 3 * PAGE));
    let whole = done("mmap", map(0, 3 * PAGE, READ_WRITE, libc::MAP_SHARED, file as i32, 0));
    // The other one maps only the last page, elsewhere.
    let last = move || done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_SHARED, file as i32, 2 * PAGE)) + 8;
    meets("a file that each has mapped for itself", whole + 2 * PAGE + 8, last);
    let private = done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_PRIVATE, file as i32, 0));
    linux_tests::memory::poke(private, 0);
    let child = fork(|| {
        let limit = [0_u64, 20 * MILLISECOND];
        i32::from(futex(private, WAIT, 0, limit.as_ptr() as usize, 0, 0) != Err(libc::ETIMEDOUT))
    });
    sleep_ms(5);
    equal("a private mapping is nobody else's", futex(private, WAKE, 10, 0, 0, 0), Ok(0));
    equal("its sleeper was not woken", wait(child), Ended::Exited(0));
    done("unlink", call!(SYS_unlink, path.as_ptr()));
    done("close", call!(SYS_close, file));
}

/// Who was moved to a word waits there though its memory is gone: memory that comes after it is another, wherever it lies.
fn moved_to_a_word_that_goes() {
    let page = || done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0));
    let (first, second) = (page(), page());
    let sleeper = thread::spawn(move || {
        let limit = [0_u64, 400 * MILLISECOND];
        futex(first, WAIT, 0, limit.as_ptr() as usize, 0, 0)
    });
    while futex(first, libc::FUTEX_CMP_REQUEUE, 0, 1, second, 0) == Ok(0) {
        sleep_ms(1);
    }
    done("munmap", unmap(second, PAGE));
    let mut strangers = 0;
    for _ in 0..100 {
        let another = page();
        strangers += done("wake", futex(another, WAKE, 10, 0, 0, 0));
        done("munmap", unmap(another, PAGE));
    }
    equal("nobody waits in new memory", strangers, 0);
    equal("the sleeper waited until its time was over", sleeper.join().ok(), Some(Err(libc::ETIMEDOUT)));
    done("munmap", unmap(first, PAGE));
}

/// A child that reaches the word by `theirs` and we by `ours` wake each other.
fn meets(what: &str, ours: usize, theirs: impl FnOnce() -> usize) {
    // SAFETY: a mapping of ours, zeroed and aligned, which is never unmapped.
    let word = unsafe { &*(ours as *const AtomicU32) };
    let child = fork(|| {
        let theirs = theirs();
        let mut turns = 0;
        for turn in 0..50_u32 {
            // SAFETY: as above.
            let word = unsafe { &*(theirs as *const AtomicU32) };
            while word.load(SeqCst) == 2 * turn {
                let _woken_or_changed = futex(theirs, WAIT, 2 * turn, 0, 0, 0);
            }
            word.fetch_add(1, SeqCst);
            done("wake", futex(theirs, WAKE, 1, 0, 0, 0));
            turns += 1;
        }
        turns
    });
    for turn in 0..50_u32 {
        word.fetch_add(1, SeqCst);
        done("wake", futex(ours, WAKE, 1, 0, 0, 0));
        while word.load(SeqCst) == 2 * turn + 1 {
            let _woken_or_changed = futex(ours, WAIT, 2 * turn + 1, 0, 0, 0);
        }
    }
    equal(what, wait(child), Ended::Exited(50));
}

fn unmapped_while_waiting() {
    let page = anonymous(1);
    let sleeper = thread::spawn(move || futex(page, WAIT | PRIVATE, 0, 0, 0, 0));
    while futex(page, libc::FUTEX_REQUEUE | PRIVATE, 0, 9, page, 0) != Ok(1) {
        sleep_ms(1);
    }
    done("unmap", unmap(page, PAGE));
    equal("a word may be unmapped under its sleeper", futex(page, WAKE | PRIVATE, 1, 0, 0, 0), Ok(1));
    equal("who is woken all the same", sleeper.join().ok(), Some(Ok(0)));
}

fn killed_while_waiting() {
    let child = fork(|| {
        let word: &'static AtomicU32 = Box::leak(Box::new(AtomicU32::new(0)));
        (0..4).for_each(|_| drop(thread::spawn(|| wait_on(word, 0, None))));
        done("wait", wait_on(word, 0, None));
        exit_now(1)
    });
    sleep_ms(20);
    done("kill", kill(child, libc::SIGKILL));
    equal("SIGKILL ends those who wait", wait(child), Ended::Killed(libc::SIGKILL));
    extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}
    signal::handle(libc::SIGALRM, nothing, 0);
    signal::set_timer(10, 10);
    let word = AtomicU32::new(0);
    equal("a handler ends a wait: EINTR", wait_on(&word, 0, None), Err(libc::EINTR));
    equal("with a limit too", wait_on(&word, 0, Some([60, 0])), Err(libc::EINTR));
    signal::handle(libc::SIGALRM, nothing, libc::SA_RESTART);
    let until = monotonic() + 30 * MILLISECOND;
    let limit = [until / 1_000_000_000, until % 1_000_000_000];
    let slept = futex(at(&word), libc::FUTEX_WAIT_BITSET | PRIVATE, 0, limit.as_ptr() as usize, 0, 1);
    equal("a moment is not gone on with after a handler", slept, Err(libc::EINTR));
    signal::set_timer(0, 0);
}

fn ping_pong() {
    let words: Arc<[AtomicU32; 2]> = Arc::new(Default::default());
    let player = |words: Arc<[AtomicU32; 2]>, mine: usize| {
        move || {
            for turn in 1..=2_000 {
                if mine == 0 {
                    words[1].store(turn, SeqCst);
                    wake(&words[1], 1);
                }
                while words[mine].load(SeqCst) < turn {
                    let _woken_or_changed = wait_on(&words[mine], turn - 1, None);
                }
                if mine == 1 {
                    words[0].store(turn, SeqCst);
                    wake(&words[0], 1);
                }
            }
        }
    };
    let other = thread::spawn(player(words.clone(), 1));
    player(words, 0)();
    check("two threads wake each other two thousand times", other.join().is_ok());
}
