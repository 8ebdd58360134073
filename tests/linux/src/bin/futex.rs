//! Futexes: every plain operation, its counts and its errors.

use linux_tests::futex::{PRIVATE, Sleepers, WAIT, WAKE, at, futex, wait_on, wake};
use linux_tests::memory::{PAGE, READ, anonymous, protect, unmap};
use linux_tests::{check, done, equal, monotonic, must, must_equal, sleep_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

const MILLISECOND: u64 = 1_000_000;

fn main() {
    refusals();
    addresses();
    time_limits();
    bitsets();
    requeues();
    wake_operations();
}

fn refusals() {
    let word = AtomicU32::new(0);
    let at = at(&word);
    equal("another value: EAGAIN", wait_on(&word, 1, None), Err(libc::EAGAIN));
    equal("nobody to wake", futex(at, WAKE | PRIVATE, 10, 0, 0, 0), Ok(0));
    equal("no bits to wait for: EINVAL", futex(at, libc::FUTEX_WAIT_BITSET, 0, 0, 0, 0), Err(libc::EINVAL));
    equal("no bits to wake: EINVAL", futex(at, libc::FUTEX_WAKE_BITSET, 1, 0, 0, 0), Err(libc::EINVAL));
    for operation in [2, 14, 99, 127] {
        must_equal("unknown", futex(at, operation, 0, 0, 0, 0), Err(libc::ENOSYS));
    }
    check("unknown operations: ENOSYS", true);
    let by_wall_clock = libc::FUTEX_CLOCK_REALTIME;
    for operation in [WAIT, WAKE, libc::FUTEX_REQUEUE, libc::FUTEX_LOCK_PI, libc::FUTEX_UNLOCK_PI] {
        must_equal("no clock", futex(at, operation | by_wall_clock, 1, 0, at, 0), Err(libc::ENOSYS));
    }
    check("a wall clock where none is taken: ENOSYS", true);
    let other = AtomicU32::new(0);
    let other = other.as_ptr() as usize;
    for (woken, moved) in [(-1_i32, 1_i32), (1, -1), (i32::MIN, 0)] {
        must_equal("negative", futex(at, libc::FUTEX_REQUEUE, woken as u32, moved as usize, other, 0), Err(libc::EINVAL));
        must_equal("negative", futex(at, libc::FUTEX_CMP_REQUEUE, woken as u32, moved as usize, other, 0), Err(libc::EINVAL));
    }
    check("negative counts of a requeue: EINVAL", true);
    equal("a requeue that compares: EAGAIN", futex(at, libc::FUTEX_CMP_REQUEUE, 1, 1, other, 7), Err(libc::EAGAIN));
    equal("an unknown change: ENOSYS", futex(at, libc::FUTEX_WAKE_OP, 1, 1, other, 7 << 28), Err(libc::ENOSYS));
    equal("an unknown comparison: ENOSYS", futex(at, libc::FUTEX_WAKE_OP, 1, 1, other, 9 << 24), Err(libc::ENOSYS));
}

fn addresses() {
    let page = anonymous(2);
    done("unmap", unmap(page + PAGE, PAGE));
    let (gone, kernel) = (page + PAGE, 0xffff_8000_0000_0000);
    for place in [0x10, gone, kernel] {
        for flag in [0, PRIVATE] {
            must_equal("wait", futex(place, WAIT | flag, 0, 0, 0, 0), Err(libc::EFAULT));
        }
        must_equal("wake", futex(place, WAKE, 1, 0, 0, 0), Err(libc::EFAULT));
        must_equal("change", futex(page, libc::FUTEX_WAKE_OP | PRIVATE, 1, 1, place, 0), Err(libc::EFAULT));
        must_equal("compare", futex(place, libc::FUTEX_CMP_REQUEUE | PRIVATE, 1, 1, page, 0), Err(libc::EFAULT));
    }
    check("words that are nowhere: EFAULT", true);
    equal("a private wake does not look at the word", futex(gone, WAKE | PRIVATE, 1, 0, 0, 0), Ok(0));
    equal("but at its half of the addresses: EFAULT", futex(kernel, WAKE | PRIVATE, 1, 0, 0, 0), Err(libc::EFAULT));
    for off in 1..4 {
        for operation in [WAIT, WAKE, libc::FUTEX_REQUEUE, libc::FUTEX_WAKE_OP, libc::FUTEX_LOCK_PI] {
            must_equal("crooked", futex(page + off, operation | PRIVATE, 0, 0, page, 0), Err(libc::EINVAL));
        }
        must_equal("crooked", futex(page, libc::FUTEX_REQUEUE | PRIVATE, 0, 0, page + off, 0), Err(libc::EINVAL));
    }
    check("crooked words: EINVAL", true);
    equal("a limit that is nowhere: EFAULT", futex(page, WAIT, 0, 0x10, 0, 0), Err(libc::EFAULT));
    done("protect", protect(page, PAGE, READ));
    equal("a word that may only be read can be waited for", futex(page, WAIT | PRIVATE, 1, 0, 0, 0), Err(libc::EAGAIN));
    equal("but not changed: EFAULT", futex(page, libc::FUTEX_WAKE_OP | PRIVATE, 1, 1, page, 1 << 28), Err(libc::EFAULT));
    let fresh = anonymous(1);
    equal("a word in a page that was never touched is 0", futex(fresh, WAIT | PRIVATE, 1, 0, 0, 0), Err(libc::EAGAIN));
    equal("and can be changed", futex(page, libc::FUTEX_WAKE_OP | PRIVATE, 1, 1, fresh, 5 << 12), Ok(0));
    equal("to what was asked for", linux_tests::memory::peek(fresh), 5);
}

fn time_limits() {
    let word = AtomicU32::new(0);
    for (limit, wanted) in [
        ([0, 0], libc::ETIMEDOUT),
        ([0, 1], libc::ETIMEDOUT),
        ([0, 1_000_000_000], libc::EINVAL),
        ([u64::MAX, 0], libc::EINVAL),
        ([0, u64::MAX], libc::EINVAL),
    ] {
        must_equal("limit", wait_on(&word, 0, Some(limit)), Err(wanted));
    }
    check("limits: 0, tiny, too many nanoseconds, negative", true);
    let before = monotonic();
    must_equal("limit", wait_on(&word, 0, Some([0, 5 * MILLISECOND])), Err(libc::ETIMEDOUT));
    check("a span of time is waited for", monotonic() - before >= 5 * MILLISECOND);
    let bitset = libc::FUTEX_WAIT_BITSET | PRIVATE;
    for (clock, flag) in [(libc::CLOCK_MONOTONIC, 0), (libc::CLOCK_REALTIME, libc::FUTEX_CLOCK_REALTIME)] {
        let until = linux_tests::now(clock) + 5 * MILLISECOND;
        let limit = [until / 1_000_000_000, until % 1_000_000_000];
        must_equal("moment", futex(at(&word), bitset | flag, 0, limit.as_ptr() as usize, 0, u32::MAX), Err(libc::ETIMEDOUT));
        must("not too early", linux_tests::now(clock) >= until);
        let past = [1_u64, 0];
        must_equal("past", futex(at(&word), bitset | flag, 0, past.as_ptr() as usize, 0, u32::MAX), Err(libc::ETIMEDOUT));
    }
    check("a moment of either clock is waited for, a past one is over", true);
    let word = Arc::new(AtomicU32::new(0));
    let far = {
        let word = word.clone();
        thread::spawn(move || {
            let limit = [i64::MAX as u64, 999_999_999];
            let one = wait_on(&word, 0, Some(limit));
            (one, futex(at(&word), bitset | libc::FUTEX_CLOCK_REALTIME, 0, limit.as_ptr() as usize, 0, u32::MAX))
        })
    };
    for _ in 0..2 {
        while wake(&word, 1) == 0 {
            sleep_ms(1);
        }
    }
    equal("a limit in the farthest future does not end a wait", far.join().ok(), Some((Ok(0), Ok(0))));
}

fn bitsets() {
    let mut sleepers = Sleepers::new(2, 0b01);
    sleepers.add(3, 0b10);
    let wake_bits = |bits: u32| done("wake", futex(at(&sleepers.word), libc::FUTEX_WAKE_BITSET | PRIVATE, 100, 0, 0, bits));
    equal("no sleeper has these bits", wake_bits(0b100), 0);
    equal("three have that one", wake_bits(0b10), 3);
    sleepers.woken_become(3);
    equal("a plain wake is for all", wake(&sleepers.word, 100), 2);
    sleepers.join();
    let sleepers = Sleepers::new(3, u32::MAX);
    equal("a wake of none wakes one", wake(&sleepers.word, 0), 1);
    equal("and so does a negative one", wake(&sleepers.word, -5), 1);
    sleepers.woken_become(2);
    equal("the last", wake(&sleepers.word, 1), 1);
    sleepers.join();
}

fn requeues() {
    let sleepers = Sleepers::new(6, u32::MAX);
    let target = AtomicU32::new(0);
    let requeue = |operation: i32, woken: u32, moved: usize, third: u32| {
        futex(at(&sleepers.word), operation | PRIVATE, woken, moved, at(&target), third)
    };
    equal("another value moves nobody", requeue(libc::FUTEX_CMP_REQUEUE, 1, 1, 3), Err(libc::EAGAIN));
    equal("one is woken and two are moved", requeue(libc::FUTEX_CMP_REQUEUE, 1, 2, 0), Ok(3));
    sleepers.woken_become(1);
    equal("two wait for the other word now", wake(&target, 100), 2);
    sleepers.woken_become(3);
    equal("the plain one counts those it moves too", requeue(libc::FUTEX_REQUEUE, 1, 1, 0), Ok(2));
    sleepers.woken_become(4);
    equal("nobody is woken, one moved", requeue(libc::FUTEX_REQUEUE, 0, 1, 0), Ok(1));
    equal("nobody is left behind", wake(&sleepers.word, 100), 0);
    equal("two are there", wake(&target, 100), 2);
    sleepers.join();
}

/// FUTEX_WAKE_OP's word.
fn change(operation: u32, operand: u32, comparison: u32, compared: u32) -> u32 {
    operation << 28 | comparison << 24 | (operand & 0xfff) << 12 | compared & 0xfff
}

fn wake_operations() {
    let first = AtomicU32::new(0);
    let cases = [
        ("set", change(0, 7, 0, 0), 5_u32, 7_u32),
        ("add", change(1, 7, 0, 0), 5, 12),
        ("add a negative number", change(1, 0xfff, 0, 0), 5, 4),
        ("or", change(2, 0b1010, 0, 0), 0b0011, 0b1011),
        ("and not", change(3, 0b1010, 0, 0), 0b0011, 0b0001),
        ("exclusive or", change(4, 0b1010, 0, 0), 0b0011, 0b1001),
        ("set a bit by its number", change(8, 31, 0, 0), 5, 1 << 31),
        ("or a bit by its number", change(8 | 2, 4, 0, 0), 1, 17),
    ];
    for (what, word, before, after) in cases {
        let second = AtomicU32::new(before);
        must_equal(what, futex(at(&first), libc::FUTEX_WAKE_OP | PRIVATE, 1, 1, at(&second), word), Ok(0));
        equal(what, second.load(SeqCst), after);
    }
    // Equal, not equal, less, at most, greater, at least: what the old value 5 (or -1) is to 5 (or 0).
    for (old, compared, holds) in
        [(5_u32, 5_u32, [true, false, false, true, false, true]), (u32::MAX, 0, [false, true, true, true, false, false])]
    {
        for (comparison, holds) in holds.into_iter().enumerate() {
            let sleepers = Sleepers::new(1, u32::MAX);
            let word = change(0, 0, comparison as u32, compared);
            sleepers.word.store(old, SeqCst);
            let woken = futex(at(&first), libc::FUTEX_WAKE_OP | PRIVATE, 1, 1, at(&sleepers.word), word);
            must_equal("comparison", woken, Ok(usize::from(holds)));
            wake(&sleepers.word, 1);
            sleepers.join();
        }
    }
    check("every comparison wakes when it holds and not when it does not", true);
    let (one, two) = (Sleepers::new(4, u32::MAX), Sleepers::new(4, u32::MAX));
    let both =
        |woken: u32, second: usize| futex(at(&one.word), libc::FUTEX_WAKE_OP | PRIVATE, woken, second, at(&two.word), change(1, 0, 0, 0));
    equal("two of one and one of the other", both(2, 1), Ok(3));
    equal("none means one, of each", both(0, 0), Ok(2));
    equal("the rest", both(100, 100), Ok(3));
    one.join();
    two.join();
}
