//! The words of dead threads: marked where a list names them, inherited where somebody waits for them as for a lock.

use linux_tests::futex::{PRIVATE, at, futex};
use linux_tests::memory::{PAGE, READ_WRITE, map};
use linux_tests::process::{Ended, exit_now, fork, kill, wait};
use linux_tests::{Errno, call, done, equal, must, must_equal, sleep_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

const LOCK: i32 = libc::FUTEX_LOCK_PI | PRIVATE;
const UNLOCK: i32 = libc::FUTEX_UNLOCK_PI | PRIVATE;
const WAITERS: u32 = libc::FUTEX_WAITERS;
const DIED: u32 = libc::FUTEX_OWNER_DIED;
const NUMBER: u32 = libc::FUTEX_TID_MASK;

fn main() {
    robust();
    dead_without_a_list();
    between_processes();
}

fn me() -> u32 {
    done("gettid", call!(SYS_gettid)) as u32
}

fn plain(word: &AtomicU32, operation: i32) -> Result<usize, Errno> {
    futex(at(word), operation, 0, 0, 0, 0)
}

fn lock(word: &AtomicU32) {
    if word.compare_exchange(0, me(), SeqCst, SeqCst).is_err() {
        must_equal("locked", plain(word, LOCK), Ok(0));
    }
}

fn unlock(word: &AtomicU32) {
    if word.compare_exchange(me(), 0, SeqCst, SeqCst).is_err() {
        must_equal("unlocked", plain(word, UNLOCK), Ok(0));
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep_ms(1);
    }
}

/// A node of a robust list, with its word behind it.
#[repr(C)]
struct Node {
    next: usize,
    word: AtomicU32,
}

fn shared_page() -> usize {
    done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0))
}

/// The head of a list (next, offset, pending) at the start of a shared page, nodes from byte 64 on.
struct List(usize);

impl List {
    fn new() -> Self {
        List(shared_page())
    }

    fn head(&self) -> &'static mut [usize; 3] {
        // SAFETY: the page is ours and stays; one thread at a time touches the head.
        unsafe { &mut *(self.0 as *mut [usize; 3]) }
    }

    fn node(&self, index: usize) -> &'static mut Node {
        // SAFETY: as above.
        unsafe { &mut *((self.0 + 64 + 32 * index) as *mut Node) }
    }

    fn address(&self, index: usize) -> usize {
        self.0 + 64 + 32 * index
    }

    /// The calling thread has these nodes on its list (`true`: as a lock that lends).
    fn register(&self, nodes: &[(usize, bool)], pending: usize) {
        *self.head() = [self.0, 8, pending];
        let mut next = self.0;
        for (index, lends) in nodes.iter().rev() {
            self.node(*index).next = next;
            next = self.address(*index) | usize::from(*lends);
        }
        self.head()[0] = next;
        done("set_robust_list", call!(SYS_set_robust_list, self.0, 24));
    }
}

fn robust() {
    let list = List::new();
    let shared_wait = |index: usize, value: u32| futex(at(&list.node(index).word), libc::FUTEX_WAIT, value, 0, 0, 0);
    let child = fork(|| {
        list.node(0).word.store(me(), SeqCst);
        list.node(1).word.store(me() | WAITERS, SeqCst);
        list.node(2).word.store(me() + 1, SeqCst);
        list.node(3).word.store(me(), SeqCst);
        list.node(4).word.store(me() | WAITERS, SeqCst);
        list.register(&[(0, false), (1, false), (2, false), (4, true)], list.address(3));
        list.node(5).word.store(me(), SeqCst);
        sleep_ms(30);
        exit_now(0)
    });
    wait_until(|| list.node(5).word.load(SeqCst) != 0);
    let number = list.node(5).word.load(SeqCst);
    let woken = shared_wait(1, number | WAITERS);
    must("woken by the death, or too late to sleep", matches!(woken, Ok(0) | Err(libc::EAGAIN)));
    must_equal("ended", wait(child), Ended::Exited(0));
    let word = |index: usize| list.node(index).word.load(SeqCst);
    equal("a dead owner's word is marked", word(0), DIED);
    equal("and its waiters stay known", word(1), DIED | WAITERS);
    equal("another's is left alone", word(2), number + 1);
    equal("the one just being taken is marked too", word(3), DIED);
    equal("and one that lends", word(4), DIED | WAITERS);
    equal("a word beside the list is not", word(5), number);
    let circle = fork(|| {
        list.node(0).word.store(me(), SeqCst);
        list.register(&[(0, false)], 0);
        list.node(0).next = list.address(0);
        exit_now(0)
    });
    equal("a list without an end ends nobody's death", wait(circle), Ended::Exited(0));
    equal("its word is marked", word(0), DIED);
    for (what, first, offset) in [("a list that leads nowhere", 0x10, 8), ("a word that is nowhere", list.address(0), 1 << 40)] {
        let child = fork(|| {
            *list.head() = [first, offset, 0];
            done("set_robust_list", call!(SYS_set_robust_list, list.0, 24));
            exit_now(3)
        });
        equal(what, wait(child), Ended::Exited(3));
    }
    equal("a head of another size: EINVAL", call!(SYS_set_robust_list, list.0, 23), Err(libc::EINVAL));
    list.node(5).word.store(0, SeqCst);
    let killed = fork(|| {
        list.node(0).word.store(me(), SeqCst);
        list.register(&[(0, false)], 0);
        list.node(5).word.store(7, SeqCst);
        loop {
            sleep_ms(1000);
        }
    });
    wait_until(|| word(5) == 7);
    done("kill", kill(killed, libc::SIGKILL));
    must_equal("killed", wait(killed), Ended::Killed(libc::SIGKILL));
    equal("SIGKILL is a death like any other", word(0), DIED);
}

/// Owners of lending locks that die, with and without a list, while someone is in line.
fn dead_without_a_list() {
    let word = Arc::new(AtomicU32::new(0));
    let owner = {
        let word = word.clone();
        thread::spawn(move || {
            lock(&word);
            wait_until(|| word.load(SeqCst) & WAITERS != 0);
            sleep_ms(10);
        })
    };
    wait_until(|| word.load(SeqCst) != 0);
    equal("who waits inherits the lock of a dead thread", plain(&word, LOCK), Ok(0));
    equal("and is told so by the word", word.load(SeqCst) == me() | WAITERS | DIED, true);
    must("joined", owner.join().is_ok());
    unlock(&word);
    let dead = thread::spawn(|| {
        let word = AtomicU32::new(0);
        lock(&word);
        word.load(SeqCst)
    });
    let word = AtomicU32::new(dead.join().unwrap_or(0));
    equal("a dead owner's word that nobody marked: ESRCH", plain(&word, LOCK), Err(libc::ESRCH));
}

fn between_processes() {
    let page = shared_page();
    // SAFETY: a mapping of ours, zeroed and aligned, which is never unmapped.
    let words = unsafe { &*(page as *const [AtomicU32; 4]) };
    let shared = |operation: i32| futex(page, operation, 0, 0, 0, 0);
    let child = fork(|| {
        must_equal("locked", shared(libc::FUTEX_LOCK_PI), Ok(0));
        words[1].store(1, SeqCst);
        wait_until(|| words[0].load(SeqCst) & WAITERS != 0);
        sleep_ms(5);
        words[1].store(2, SeqCst);
        must_equal("unlocked", shared(libc::FUTEX_UNLOCK_PI), Ok(0));
        0
    });
    wait_until(|| words[1].load(SeqCst) == 1);
    must_equal("locked", shared(libc::FUTEX_LOCK_PI), Ok(0));
    equal("a lock in shared memory goes from process to process", words[1].load(SeqCst), 2);
    must_equal("ended", wait(child), Ended::Exited(0));
    must_equal("unlocked", shared(libc::FUTEX_UNLOCK_PI), Ok(0));
    let list = List(shared_page());
    let child = fork(|| {
        list.register(&[(0, true)], 0);
        let word = at(&list.node(0).word);
        must_equal("locked", futex(word, libc::FUTEX_LOCK_PI, 0, 0, 0, 0), Ok(0));
        words[1].store(3, SeqCst);
        wait_until(|| list.node(0).word.load(SeqCst) & WAITERS != 0);
        sleep_ms(5);
        exit_now(0)
    });
    wait_until(|| words[1].load(SeqCst) == 3);
    let word = &list.node(0).word;
    equal("the lock of a process that died is inherited", futex(at(word), libc::FUTEX_LOCK_PI, 0, 0, 0, 0), Ok(0));
    equal("with a mark", word.load(SeqCst) & (DIED | NUMBER) == me() | DIED, true);
    must_equal("ended", wait(child), Ended::Exited(0));
}
