//! Words that are locks: taken, waited for, handed over, and what is refused.

use linux_tests::futex::{PRIVATE, at, futex};
use linux_tests::futex_lock::{DIED, LOCK, NUMBER, UNLOCK, WAITERS, lock, me, plain, unlock, wait_until};
use linux_tests::{check, done, equal, must, must_equal, now, sleep_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

const LOCK_BY_STEADY_CLOCK: i32 = 13 | PRIVATE;
const TRY: i32 = libc::FUTEX_TRYLOCK_PI | PRIVATE;

fn main() {
    alone();
    wrong_words();
    handed_over();
    time_limits();
    circles();
    conditions();
    condition_refusals();
    condition_circle();
    storm();
}

fn alone() {
    let word = AtomicU32::new(0);
    equal("a free lock is taken", (plain(&word, LOCK), word.load(SeqCst) == me()), (Ok(0), true));
    equal("once: EDEADLK", plain(&word, LOCK), Err(libc::EDEADLK));
    equal("nor by trying", plain(&word, TRY), Err(libc::EDEADLK));
    equal("and let go of", (plain(&word, UNLOCK), word.load(SeqCst)), (Ok(0), 0));
    equal("once: EPERM", plain(&word, UNLOCK), Err(libc::EPERM));
    equal("a free lock is taken by trying", (plain(&word, TRY), word.load(SeqCst) == me()), (Ok(0), true));
    let word = AtomicU32::new(DIED);
    equal("a dead owner's mark stays with the next", (plain(&word, LOCK), word.load(SeqCst) == me() | DIED), (Ok(0), true));
    equal("and goes with it", (plain(&word, UNLOCK), word.load(SeqCst)), (Ok(0), 0));
}

fn wrong_words() {
    let nobody = AtomicU32::new(0x3fff_fff0);
    equal("an owner that does not exist: ESRCH", plain(&nobody, LOCK), Err(libc::ESRCH));
    equal("by trying too", plain(&nobody, TRY), Err(libc::ESRCH));
    for operation in [LOCK, TRY, UNLOCK, LOCK_BY_STEADY_CLOCK] {
        must_equal("nowhere", futex(0x10, operation, 0, 0, 0, 0), Err(libc::EFAULT));
        must_equal(
            "crooked",
            futex(at(&nobody) + 2, operation, 0, 0, 0, 0),
            Err(if operation == UNLOCK { libc::EPERM } else { libc::EINVAL }),
        );
    }
    check("crooked words and words that are nowhere", true);
    let word = Arc::new(AtomicU32::new(0));
    let sleeper = {
        let word = word.clone();
        thread::spawn(move || futex(at(&word), libc::FUTEX_WAIT | PRIVATE, 0, 0, 0, 0))
    };
    wait_until(|| futex(at(&word), libc::FUTEX_REQUEUE | PRIVATE, 0, 9, at(&word), 0) == Ok(1));
    word.store(0x3fff_fff0, SeqCst);
    equal("a word that someone waits for plainly is no lock: EINVAL", plain(&word, LOCK), Err(libc::EINVAL));
    word.store(me(), SeqCst);
    equal("nor one to let go of", plain(&word, UNLOCK), Err(libc::EINVAL));
    done("wake", futex(at(&word), libc::FUTEX_WAKE | PRIVATE, 1, 0, 0, 0));
    equal("its sleeper", sleeper.join().ok(), Some(Ok(0)));
}

fn handed_over() {
    let (word, order) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    lock(&word);
    let threads: Vec<_> = (0..3)
        .map(|number| {
            let (mine, order) = (word.clone(), order.clone());
            let before = thread::spawn(move || {
                lock(&mine);
                let place = order.fetch_add(1, SeqCst);
                let is_mine = mine.load(SeqCst) & NUMBER == me();
                unlock(&mine);
                place == number && is_mine
            });
            wait_until(|| word.load(SeqCst) & WAITERS != 0);
            sleep_ms(10);
            before
        })
        .collect();
    equal("a plain wake is not for those in line: EINVAL", futex(at(&word), libc::FUTEX_WAKE | PRIVATE, 1, 0, 0, 0), Err(libc::EINVAL));
    let other = AtomicU32::new(0);
    let moved = futex(at(&word), libc::FUTEX_REQUEUE | PRIVATE, 0, 1, at(&other), 0);
    equal("nor are they moved: EINVAL", moved, Err(libc::EINVAL));
    unlock(&word);
    equal(
        "the lock goes to who waited longest, and on",
        threads.into_iter().all(|thread| thread.join().is_ok_and(|in_order| in_order)),
        true,
    );
    wait_until(|| word.load(SeqCst) & NUMBER == 0);
    equal("and is free at last", word.load(SeqCst), 0);
}

fn time_limits() {
    let word = Arc::new(AtomicU32::new(0));
    lock(&word);
    let other = {
        let word = word.clone();
        thread::spawn(move || {
            let try_it = plain(&word, TRY);
            let soon = |clock: i32| {
                let until = now(clock) + 5_000_000;
                [until / 1_000_000_000, until % 1_000_000_000]
            };
            let (wall, steady) = (soon(libc::CLOCK_REALTIME), soon(libc::CLOCK_MONOTONIC));
            let by_wall = futex(at(&word), LOCK, 0, wall.as_ptr() as usize, 0, 0);
            let by_steady = futex(at(&word), LOCK_BY_STEADY_CLOCK, 0, steady.as_ptr() as usize, 0, 0);
            let wrong = [0_u64, 1_000_000_000];
            let wrong = futex(at(&word), LOCK, 0, wrong.as_ptr() as usize, 0, 0);
            let not_mine = plain(&word, UNLOCK);
            (try_it, by_wall, by_steady, wrong, not_mine)
        })
    };
    let timed_out = Err(libc::ETIMEDOUT);
    let wanted = (Err(libc::EAGAIN), timed_out, timed_out, Err(libc::EINVAL), Err(libc::EPERM));
    equal("an owned lock: EAGAIN, ETIMEDOUT by either clock, EINVAL, EPERM", other.join().ok(), Some(wanted));
    equal("who gave up is not handed the lock", (plain(&word, UNLOCK), word.load(SeqCst)), (Ok(0), 0));
}

fn circles() {
    let words: Arc<[AtomicU32; 3]> = Arc::new(Default::default());
    lock(&words[0]);
    let ready = Arc::new(AtomicU32::new(0));
    let others: Vec<_> = [1, 2]
        .map(|mine: usize| {
            let (words, ready) = (words.clone(), ready.clone());
            thread::spawn(move || {
                lock(&words[mine]);
                ready.fetch_add(1, SeqCst);
                wait_until(|| ready.load(SeqCst) == 2);
                if mine == 1 {
                    lock(&words[0]);
                    unlock(&words[0]);
                } else {
                    wait_until(|| words[0].load(SeqCst) & WAITERS != 0);
                    lock(&words[1]);
                    unlock(&words[1]);
                }
                unlock(&words[mine]);
            })
        })
        .into();
    wait_until(|| words[1].load(SeqCst) & WAITERS != 0);
    sleep_ms(10);
    equal("a circle of two: EDEADLK", plain(&words[1], LOCK), Err(libc::EDEADLK));
    equal("a circle of three: EDEADLK", plain(&words[2], LOCK), Err(libc::EDEADLK));
    unlock(&words[0]);
    check("without it all get their locks", others.into_iter().all(|thread| thread.join().is_ok()));
    equal("and all are free", plain(&words[2], LOCK), Ok(0));
}

const WAIT_FOR_LOCK: i32 = libc::FUTEX_WAIT_REQUEUE_PI | PRIVATE;
const MOVE_TO_LOCK: i32 = libc::FUTEX_CMP_REQUEUE_PI | PRIVATE;

fn conditions() {
    let words: Arc<[AtomicU32; 2]> = Arc::new(Default::default());
    let owned = Arc::new(AtomicU32::new(0));
    let sleepers: Vec<_> = (0..5)
        .map(|_| {
            let (words, owned) = (words.clone(), owned.clone());
            thread::spawn(move || {
                must_equal("woken", futex(at(&words[0]), WAIT_FOR_LOCK, 0, 0, at(&words[1]), 0), Ok(0));
                must_equal("mine", words[1].load(SeqCst) & NUMBER, me());
                owned.fetch_add(1, SeqCst);
                unlock(&words[1]);
            })
        })
        .collect();
    sleep_ms(50);
    let moved = |limit: usize, value: u32| futex(at(&words[0]), MOVE_TO_LOCK, 1, limit, at(&words[1]), value);
    equal("another value: EAGAIN", moved(1, 7), Err(libc::EAGAIN));
    equal("a plain wake is not for them: EINVAL", futex(at(&words[0]), libc::FUTEX_WAKE | PRIVATE, 1, 0, 0, 0), Err(libc::EINVAL));
    equal("a free lock is handed to one", moved(0, 0), Ok(1));
    wait_until(|| owned.load(SeqCst) == 1 && words[1].load(SeqCst) == 0);
    lock(&words[1]);
    equal("an owned one is waited for by three", moved(2, 0), Ok(3));
    must_equal("marked", words[1].load(SeqCst), me() | WAITERS);
    sleep_ms(5);
    must_equal("nobody has it yet", owned.load(SeqCst), 1);
    unlock(&words[1]);
    wait_until(|| owned.load(SeqCst) == 4);
    equal("one is left", moved(100, 0), Ok(1));
    check("each was woken with the lock", sleepers.into_iter().all(|thread| thread.join().is_ok()));
    equal("and let go of it", words[1].load(SeqCst) & NUMBER, 0);
}

fn condition_refusals() {
    let words: Arc<[AtomicU32; 3]> = Arc::new(Default::default());
    let (first, second, third) = (at(&words[0]), at(&words[1]), at(&words[2]));
    equal("the same word twice: EINVAL", futex(first, WAIT_FOR_LOCK, 0, 0, first, 0), Err(libc::EINVAL));
    equal("moved to itself: EINVAL", futex(first, MOVE_TO_LOCK, 1, 1, first, 0), Err(libc::EINVAL));
    equal("another value: EAGAIN", futex(first, WAIT_FOR_LOCK, 5, 0, second, 0), Err(libc::EAGAIN));
    equal("two to be woken: EINVAL", futex(first, MOVE_TO_LOCK, 2, 1, second, 0), Err(libc::EINVAL));
    equal("nobody to be moved", futex(first, MOVE_TO_LOCK, 1, 1, second, 0), Ok(0));
    let sleeper = {
        let words = words.clone();
        thread::spawn(move || {
            let until = now(libc::CLOCK_MONOTONIC) + 30_000_000;
            let limit = [until / 1_000_000_000, until % 1_000_000_000];
            futex(at(&words[0]), WAIT_FOR_LOCK, 0, limit.as_ptr() as usize, at(&words[1]), 0)
        })
    };
    sleep_ms(10);
    let elsewhere = futex(first, MOVE_TO_LOCK, 1, 1, third, 0);
    must("to another lock than it named", elsewhere == Err(libc::EINVAL) || elsewhere == Ok(0));
    equal("a wait for a lock ends in time: ETIMEDOUT", sleeper.join().ok(), Some(Err(libc::ETIMEDOUT)));
}

/// Who is to be put in line for a lock whose owner waits for him stays where he is.
fn condition_circle() {
    let words: Arc<[AtomicU32; 3]> = Arc::new(Default::default());
    let (condition, lock_of_both) = (at(&words[0]), at(&words[1]));
    let sleeper = {
        let words = words.clone();
        thread::spawn(move || {
            lock(&words[2]);
            let until = now(libc::CLOCK_MONOTONIC) + 400_000_000;
            let limit = [until / 1_000_000_000, until % 1_000_000_000];
            let answer = futex(at(&words[0]), WAIT_FOR_LOCK, 0, limit.as_ptr() as usize, at(&words[1]), 0);
            unlock(&words[2]);
            answer
        })
    };
    wait_until(|| words[2].load(SeqCst) != 0);
    let owner = {
        let words = words.clone();
        thread::spawn(move || {
            lock(&words[1]);
            lock(&words[2]);
            unlock(&words[2]);
            unlock(&words[1]);
        })
    };
    wait_until(|| words[2].load(SeqCst) & WAITERS != 0);
    sleep_ms(30);
    let moved = || futex(condition, MOVE_TO_LOCK, 1, 5, lock_of_both, 0);
    equal("put in line for a lock whose owner waits for him: EDEADLK", moved(), Err(libc::EDEADLK));
    equal("so he goes on waiting, and it is so again", moved(), Err(libc::EDEADLK));
    equal("until his time is over", sleeper.join().ok(), Some(Err(libc::ETIMEDOUT)));
    check("and the owner gets what it waited for", owner.join().is_ok());
    equal("then all are free", (words[1].load(SeqCst) & NUMBER, words[2].load(SeqCst) & NUMBER), (0, 0));
}

fn storm() {
    let state = Arc::new((AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0)));
    let threads: Vec<_> = (0..6)
        .map(|number| {
            let state = state.clone();
            thread::spawn(move || {
                for turn in 0..300 {
                    if (turn + number) % 7 == 0 {
                        let until = now(libc::CLOCK_MONOTONIC) + 50_000;
                        let limit = [until / 1_000_000_000, until % 1_000_000_000];
                        match futex(at(&state.0), LOCK_BY_STEADY_CLOCK, 0, limit.as_ptr() as usize, 0, 0) {
                            Ok(_) => {}
                            Err(errno) => {
                                must_equal("only time", errno, libc::ETIMEDOUT);
                                continue;
                            }
                        }
                    } else {
                        lock(&state.0);
                    }
                    must_equal("alone", state.1.fetch_add(1, SeqCst), 0);
                    if turn % 16 == 0 {
                        thread::yield_now();
                    }
                    state.1.fetch_sub(1, SeqCst);
                    state.2.fetch_add(1, SeqCst);
                    unlock(&state.0);
                }
            })
        })
        .collect();
    check("in a storm of takers and quitters one at a time owns the lock", threads.into_iter().all(|thread| thread.join().is_ok()));
    equal("and it is free in the end", state.0.load(SeqCst) & NUMBER, 0);
}
