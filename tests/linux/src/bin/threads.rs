//! Threads of one process: made, joined, woken, and ended together.

use linux_tests::memory::anonymous;
use linux_tests::process::{Ended, exit_now, fork, in_a_child, wait};
use linux_tests::{call, check, done, equal, monotonic, must, must_equal, sleep_ms};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::thread;

fn main() {
    made_and_joined();
    local_values();
    mutex();
    condition();
    channels();
    barrier();
    futex();
    ends();
    identities();
    forks();
    many();
    scoped_sum();
}

fn made_and_joined() {
    let sum: u64 = (0..50).map(|number| thread::spawn(move || number * 2)).filter_map(|thread| thread.join().ok()).sum();
    equal("fifty threads give their results", sum, 2_450);
    let chain = (0..20).fold(None::<thread::JoinHandle<u32>>, |last, _| {
        Some(thread::spawn(move || last.and_then(|thread| thread.join().ok()).unwrap_or(0) + 1))
    });
    equal("twenty threads, each joining the last", chain.and_then(|thread| thread.join().ok()), Some(20));
}

thread_local! {
    static LOCAL: Cell<u64> = const { Cell::new(5) };
}

fn local_values() {
    LOCAL.set(1);
    let threads: Vec<_> = (0..8_u64)
        .map(|number| {
            thread::spawn(move || {
                must_equal("fresh", LOCAL.get(), 5);
                for turn in 0..200 {
                    LOCAL.set(number * 1_000 + turn);
                    thread::yield_now();
                    must_equal("my own", LOCAL.get(), number * 1_000 + turn);
                }
            })
        })
        .collect();
    let fine = threads.into_iter().all(|thread| thread.join().is_ok());
    equal("each thread has its own value", (fine, LOCAL.get()), (true, 1));
}

fn mutex() {
    let count = Arc::new(Mutex::new(0_u64));
    let add = |count: Arc<Mutex<u64>>| move || (0..5_000).for_each(|_| *count.lock().unwrap_or_else(|held| held.into_inner()) += 1);
    let threads: Vec<_> = (0..6).map(|_| thread::spawn(add(count.clone()))).collect();
    threads.into_iter().for_each(|thread| must("joined", thread.join().is_ok()));
    equal("six threads count under one mutex", count.lock().map(|count| *count).ok(), Some(30_000));
}

fn condition() {
    let turn = Arc::new((Mutex::new(0_u32), Condvar::new()));
    let players: Vec<_> = (0..2)
        .map(|me| {
            let turn = turn.clone();
            thread::spawn(move || {
                for _ in 0..1_000 {
                    let lock = done("lock", turn.0.lock());
                    let mut now = done("wait", turn.1.wait_while(lock, |now| *now % 2 != me));
                    *now += 1;
                    turn.1.notify_one();
                }
            })
        })
        .collect();
    players.into_iter().for_each(|player| must("joined", player.join().is_ok()));
    equal("two threads take a thousand turns each", turn.0.lock().map(|turn| *turn).ok(), Some(2_000));
    let never = (Mutex::new(()), Condvar::new());
    let before = monotonic();
    let lock = done("lock", never.0.lock());
    let waited = done("wait", never.1.wait_timeout(lock, std::time::Duration::from_millis(20))).1;
    check("a wait with a limit ends, not too early", waited.timed_out() && monotonic() - before >= 20_000_000);
}

fn channels() {
    let (to, from) = mpsc::sync_channel(4);
    for sender in 0..4_u64 {
        let to = to.clone();
        thread::spawn(move || (0..250).for_each(|number| must("sent", to.send(sender * 250 + number).is_ok())));
    }
    drop(to);
    let mut all: Vec<u64> = from.iter().collect();
    all.sort_unstable();
    check("a thousand messages from four threads arrive once each", all.into_iter().eq(0..1_000));
}

fn barrier() {
    let barrier = Arc::new((Barrier::new(5), AtomicU32::new(0)));
    let threads: Vec<_> = (0..5)
        .map(|_| {
            let barrier = barrier.clone();
            thread::spawn(move || {
                for round in 0..100 {
                    barrier.1.fetch_add(1, SeqCst);
                    barrier.0.wait();
                    must_equal("all are here", barrier.1.load(SeqCst), (round + 1) * 5);
                    barrier.0.wait();
                }
            })
        })
        .collect();
    check("five threads meet a hundred times", threads.into_iter().all(|thread| thread.join().is_ok()));
}

fn futex_call(word: &AtomicU32, operation: i32, value: u32, limit: Option<[u64; 2]>) -> Result<usize, i32> {
    let limit = limit.as_ref().map_or(std::ptr::null(), |limit| limit.as_ptr());
    call!(SYS_futex, word.as_ptr(), operation | libc::FUTEX_PRIVATE_FLAG, value, limit)
}

fn futex() {
    let word = Arc::new(AtomicU32::new(0));
    equal("a word that has another value: EAGAIN", futex_call(&word, libc::FUTEX_WAIT, 1, None), Err(libc::EAGAIN));
    let soon = futex_call(&word, libc::FUTEX_WAIT, 0, Some([0, 5_000_000]));
    equal("a wait with a limit: ETIMEDOUT", soon, Err(libc::ETIMEDOUT));
    equal("nobody to wake", futex_call(&word, libc::FUTEX_WAKE, 10, None), Ok(0));
    equal("a word that is nowhere: EFAULT", call!(SYS_futex, 0x10, libc::FUTEX_WAIT, 0, 0), Err(libc::EFAULT));
    equal("a word that is crooked: EINVAL", call!(SYS_futex, word.as_ptr() as usize + 1, libc::FUTEX_WAIT, 0, 0), Err(libc::EINVAL));
    equal("an unknown operation: ENOSYS", call!(SYS_futex, word.as_ptr(), 99, 0, 0), Err(libc::ENOSYS));
    let sleepers: Vec<_> = (0..3)
        .map(|_| {
            let word = word.clone();
            thread::spawn(move || {
                while word.load(SeqCst) == 0 {
                    let _spurious_is_fine = futex_call(&word, libc::FUTEX_WAIT, 0, None);
                }
            })
        })
        .collect();
    sleep_ms(20);
    while done("wake", futex_call(&word, libc::FUTEX_WAKE, 1, None)) == 0 {
        sleep_ms(1);
    }
    word.store(1, SeqCst);
    done("wake", futex_call(&word, libc::FUTEX_WAKE, 100, None));
    check("sleepers are woken, one and then all", sleepers.into_iter().all(|sleeper| sleeper.join().is_ok()));
    shared_futex();
}

/// Two processes meet at a word in memory that they share.
fn shared_futex() {
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let at = done("mmap", linux_tests::memory::map(0, 4096, linux_tests::memory::READ_WRITE, shared, -1, 0));
    // SAFETY: a mapping of ours, zeroed and aligned, which is never unmapped.
    let word = unsafe { &*(at as *const AtomicU32) };
    let child = fork(|| {
        while word.load(SeqCst) == 0 {
            let _spurious_is_fine = call!(SYS_futex, at, libc::FUTEX_WAIT, 0, 0);
        }
        0
    });
    sleep_ms(5);
    word.store(1, SeqCst);
    done("wake", call!(SYS_futex, at, libc::FUTEX_WAKE, 1));
    equal("a futex wakes another process", wait(child), Ended::Exited(0));
}

fn ends() {
    let child = in_a_child(|| {
        thread::spawn(|| exit_now(21));
        thread::spawn(|| {
            loop {
                thread::yield_now();
            }
        });
        loop {
            sleep_ms(1_000);
        }
    });
    equal("exit_group in a thread ends all of them", child, Ended::Exited(21));
    let child = in_a_child(|| {
        thread::spawn(|| {
            sleep_ms(20);
            exit_now(22);
        });
        // Only this thread: the process lives on.
        done("exit", call!(SYS_exit, 0));
        0
    });
    equal("the first thread may end before the others", child, Ended::Exited(22));
    let child = in_a_child(|| {
        (0..4).for_each(|_| {
            drop(thread::spawn(|| {
                loop {
                    sleep_ms(1_000);
                }
            }))
        });
        linux_tests::signal::set_disposition(libc::SIGTERM, libc::SIG_DFL);
        done("kill", linux_tests::process::kill(linux_tests::process::my_pid(), libc::SIGTERM));
        loop {
            sleep_ms(1_000);
        }
    });
    equal("a signal kills all threads", child, Ended::Killed(libc::SIGTERM));
}

fn identities() {
    let (process, first) = (call!(SYS_getpid), call!(SYS_gettid));
    equal("the first thread has the process's number", first, process);
    let other = thread::spawn(|| (call!(SYS_getpid), call!(SYS_gettid))).join().unwrap_or((Err(0), Err(0)));
    check("another has its own, in the same process", other.0 == process && other.1 != first && other.1.is_ok());
    equal("no such thread: ESRCH", call!(SYS_tgkill, process.unwrap_or(0), 0x3fff_ffff, 0), Err(libc::ESRCH));
}

fn forks() {
    let busy = Arc::new(AtomicU32::new(0));
    let worker = {
        let busy = busy.clone();
        thread::spawn(move || {
            while busy.load(SeqCst) == 0 {
                linux_tests::memory::poke(anonymous(1), 1);
                sleep_ms(1);
            }
        })
    };
    let ends: Vec<_> = (0..30).map(|turn| in_a_child(|| turn)).collect();
    busy.store(1, SeqCst);
    must("joined", worker.join().is_ok());
    check("a process with threads forks children with one", ends.into_iter().eq((0..30).map(Ended::Exited)));
}

fn many() {
    let (gate, count) = (Arc::new(Barrier::new(101)), Arc::new(AtomicU32::new(0)));
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let (gate, count) = (gate.clone(), count.clone());
            thread::spawn(move || {
                gate.wait();
                count.fetch_add(1, SeqCst);
            })
        })
        .collect();
    gate.wait();
    threads.into_iter().for_each(|thread| must("joined", thread.join().is_ok()));
    equal("a hundred threads at once", count.load(SeqCst), 100);
}

fn scoped_sum() {
    let (numbers, sum) = ((0..100_000_u64).collect::<Vec<_>>(), AtomicU64::new(0));
    thread::scope(|scope| {
        for part in numbers.chunks(10_000) {
            scope.spawn(|| sum.fetch_add(part.iter().sum(), SeqCst));
        }
    });
    equal("ten threads add up the memory of the first", sum.load(SeqCst), 4_999_950_000);
}
