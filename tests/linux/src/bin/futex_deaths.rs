//! The words of dead threads: marked where a list names them, inherited where somebody waits for them as for a lock.

use linux_tests::futex::{at, futex};
use linux_tests::futex_lock::{DIED, LOCK, NUMBER, WAITERS, lock, me, plain, unlock, wait_until};
use linux_tests::memory::{PAGE, READ_WRITE, map};
use linux_tests::process::{Ended, exit_now, fork, kill, wait};
use linux_tests::{call, done, equal, must, must_equal, sleep_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

fn main() {
    robust();
    dead_without_a_list();
    between_processes();
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

    fn node(&self, index: usize) -> *mut Node {
        self.address(index) as *mut Node
    }

    fn word(&self, index: usize) -> &'static AtomicU32 {
        // SAFETY: a word of a page that is ours and stays.
        unsafe { &(*self.node(index)).word }
    }

    fn set_head(&self, head: [usize; 3]) {
        // SAFETY: the page is ours and stays; one thread at a time writes the head.
        unsafe { (self.0 as *mut [usize; 3]).write(head) }
    }

    fn set_next(&self, index: usize, next: usize) {
        // SAFETY: as above.
        unsafe { (*self.node(index)).next = next }
    }

    fn address(&self, index: usize) -> usize {
        self.0 + 64 + 32 * index
    }

    /// The calling thread has these nodes on its list (`true`: as a lock that lends).
    fn register(&self, nodes: &[(usize, bool)], pending: usize) {
        let mut next = self.0;
        for (index, lends) in nodes.iter().rev() {
            self.set_next(*index, next);
            next = self.address(*index) | usize::from(*lends);
        }
        self.set_head([next, 8, pending]);
        done("set_robust_list", call!(SYS_set_robust_list, self.0, 24));
    }
}

fn robust() {
    let list = List::new();
    let shared_wait = |index: usize, value: u32| futex(at(list.word(index)), libc::FUTEX_WAIT, value, 0, 0, 0);
    let child = fork(|| {
        list.word(0).store(me(), SeqCst);
        list.word(1).store(me() | WAITERS, SeqCst);
        list.word(2).store(me() + 1, SeqCst);
        list.word(3).store(me(), SeqCst);
        list.word(4).store(me() | WAITERS, SeqCst);
        list.register(&[(0, false), (1, false), (2, false), (4, true)], list.address(3));
        list.word(5).store(me(), SeqCst);
        sleep_ms(30);
        exit_now(0)
    });
    wait_until(|| list.word(5).load(SeqCst) != 0);
    let number = list.word(5).load(SeqCst);
    let woken = shared_wait(1, number | WAITERS);
    must("woken by the death, or too late to sleep", matches!(woken, Ok(0) | Err(libc::EAGAIN)));
    must_equal("ended", wait(child), Ended::Exited(0));
    let word = |index: usize| list.word(index).load(SeqCst);
    equal("a dead owner's word is marked", word(0), DIED);
    equal("and its waiters stay known", word(1), DIED | WAITERS);
    equal("another's is left alone", word(2), number + 1);
    equal("the one just being taken is marked too", word(3), DIED);
    equal("and one that lends", word(4), DIED | WAITERS);
    equal("a word beside the list is not", word(5), number);
    let circle = fork(|| {
        list.word(0).store(me(), SeqCst);
        list.register(&[(0, false)], 0);
        list.set_next(0, list.address(0));
        exit_now(0)
    });
    equal("a list without an end ends nobody's death", wait(circle), Ended::Exited(0));
    equal("its word is marked", word(0), DIED);
    for (what, first, offset) in [("a list that leads nowhere", 0x10, 8), ("a word that is nowhere", list.address(0), 1 << 40)] {
        let child = fork(|| {
            list.set_head([first, offset, 0]);
            done("set_robust_list", call!(SYS_set_robust_list, list.0, 24));
            exit_now(3)
        });
        equal(what, wait(child), Ended::Exited(3));
    }
    equal("a head of another size: EINVAL", call!(SYS_set_robust_list, list.0, 23), Err(libc::EINVAL));
    list.word(5).store(0, SeqCst);
    let killed = fork(|| {
        list.word(0).store(me(), SeqCst);
        list.register(&[(0, false)], 0);
        list.word(5).store(7, SeqCst);
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
        let word = at(list.word(0));
        must_equal("locked", futex(word, libc::FUTEX_LOCK_PI, 0, 0, 0, 0), Ok(0));
        words[1].store(3, SeqCst);
        wait_until(|| list.word(0).load(SeqCst) & WAITERS != 0);
        sleep_ms(5);
        exit_now(0)
    });
    wait_until(|| words[1].load(SeqCst) == 3);
    let word = list.word(0);
    equal("the lock of a process that died is inherited", futex(at(word), libc::FUTEX_LOCK_PI, 0, 0, 0, 0), Ok(0));
    equal("with a mark", word.load(SeqCst) & (DIED | NUMBER) == me() | DIED, true);
    must_equal("ended", wait(child), Ended::Exited(0));
}
