//! Who waits for a lock lends its owner its priority.

use linux_tests::futex_lock::{WAITERS, lock, me, unlock, wait_until};
use linux_tests::{allowed_cpus, call, check, done, must, pin_to, sleep_ms};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

fn main() {
    lends_priority();
    lends_along_a_chain();
}

fn set_priority(priority: i32) {
    let parameter = [priority];
    let policy = if priority == 0 { libc::SCHED_OTHER } else { libc::SCHED_FIFO };
    done("sched_setscheduler", call!(SYS_sched_setscheduler, 0, policy, parameter.as_ptr()));
}

/// A real-time thread on the one CPU that all of these use.
fn real_time<R: Send + 'static>(priority: i32, body: impl FnOnce() -> R + Send + 'static) -> thread::JoinHandle<R> {
    thread::spawn(move || {
        done("pin", pin_to(allowed_cpus()[0]));
        set_priority(priority);
        body()
    })
}

fn sleeps(thread: &AtomicU32) -> bool {
    let path = format!("/proc/self/task/{}/stat", thread.load(SeqCst));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S'))
}

struct Stage {
    locks: [AtomicU32; 3],
    go: AtomicU32,
    steps: AtomicU32,
    low_ended_at: AtomicU32,
    middle_began_at: AtomicU32,
    threads: [AtomicU32; 3],
}

fn stage() -> Arc<Stage> {
    let (zero, none) = (|| AtomicU32::new(0), || AtomicU32::new(0));
    Arc::new(Stage {
        locks: [zero(), zero(), zero()],
        go: none(),
        steps: none(),
        low_ended_at: none(),
        middle_began_at: none(),
        threads: [zero(), zero(), zero()],
    })
}

/// Low owns the lock and works; middle would run in front of it; high waits for the lock. While high waits, low runs in front of middle.
fn lends_priority() {
    for high in [true, false] {
        let stage = stage();
        let low = {
            let stage = stage.clone();
            real_time(10, move || {
                lock(&stage.locks[0]);
                stage.go.store(1, SeqCst);
                wait_until(|| stage.go.load(SeqCst) == 2);
                // From here on it never sleeps: whoever has more right than it runs at once.
                stage.go.store(3, SeqCst);
                let until = linux_tests::monotonic() + 30_000_000;
                while linux_tests::monotonic() < until {}
                stage.low_ended_at.store(stage.steps.fetch_add(1, SeqCst) + 1, SeqCst);
                unlock(&stage.locks[0]);
            })
        };
        wait_until(|| stage.go.load(SeqCst) == 1);
        let waiter = high.then(|| {
            let stage = stage.clone();
            real_time(30, move || {
                stage.threads[0].store(me(), SeqCst);
                lock(&stage.locks[0]);
                unlock(&stage.locks[0]);
            })
        });
        if high {
            wait_until(|| stage.locks[0].load(SeqCst) & WAITERS != 0 && sleeps(&stage.threads[0]));
        }
        let middle = {
            let stage = stage.clone();
            real_time(20, move || {
                wait_until(|| stage.go.load(SeqCst) == 3);
                stage.middle_began_at.store(stage.steps.fetch_add(1, SeqCst) + 1, SeqCst);
                let until = linux_tests::monotonic() + 20_000_000;
                while linux_tests::monotonic() < until {}
            })
        };
        sleep_ms(10);
        stage.go.store(2, SeqCst);
        let joined = low.join().is_ok() && middle.join().is_ok() && waiter.is_none_or(|waiter| waiter.join().is_ok());
        must("joined", joined);
        let (low, middle) = (stage.low_ended_at.load(SeqCst), stage.middle_began_at.load(SeqCst));
        if high {
            check("an owner runs with the priority of who waits for its lock", low < middle);
        } else {
            check("and without a waiter with its own", middle < low);
        }
    }
}

/// High waits for a thread that waits for a thread: the last one runs with high's priority.
fn lends_along_a_chain() {
    let stage = stage();
    let low = {
        let stage = stage.clone();
        real_time(10, move || {
            lock(&stage.locks[0]);
            stage.go.store(1, SeqCst);
            wait_until(|| stage.go.load(SeqCst) == 2);
            stage.go.store(3, SeqCst);
            let until = linux_tests::monotonic() + 30_000_000;
            while linux_tests::monotonic() < until {}
            stage.low_ended_at.store(stage.steps.fetch_add(1, SeqCst) + 1, SeqCst);
            unlock(&stage.locks[0]);
        })
    };
    wait_until(|| stage.go.load(SeqCst) == 1);
    let links: Vec<_> = [(0, 11), (1, 30)]
        .map(|(link, priority)| {
            let mine = stage.clone();
            let thread = real_time(priority, move || {
                mine.threads[link].store(me(), SeqCst);
                lock(&mine.locks[link + 1]);
                lock(&mine.locks[link]);
                unlock(&mine.locks[link]);
                unlock(&mine.locks[link + 1]);
            });
            wait_until(|| stage.locks[link].load(SeqCst) & WAITERS != 0 && sleeps(&stage.threads[link]));
            thread
        })
        .into();
    let middle = {
        let stage = stage.clone();
        real_time(20, move || {
            wait_until(|| stage.go.load(SeqCst) == 3);
            stage.middle_began_at.store(stage.steps.fetch_add(1, SeqCst) + 1, SeqCst);
            let until = linux_tests::monotonic() + 20_000_000;
            while linux_tests::monotonic() < until {}
        })
    };
    sleep_ms(10);
    stage.go.store(2, SeqCst);
    must("joined", low.join().is_ok() && middle.join().is_ok() && links.into_iter().all(|link| link.join().is_ok()));
    check("so does one at the end of a chain", stage.low_ended_at.load(SeqCst) < stage.middle_began_at.load(SeqCst));
}
