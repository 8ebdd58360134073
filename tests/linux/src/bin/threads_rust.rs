//! Rust's standard library and rayon on their threads: 64 threads with channels, locks and thread-locals, panics among them, and a
//! pool that sorts and adds.
#![allow(clippy::expect_used, reason = "threads fail by panicking here, and are seen to")]

use rayon::prelude::*;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, RwLock, mpsc};
use std::thread;
use std::time::Duration;

const THREADS: usize = 64;

fn main() {
    std::panic::set_hook(Box::new(|_| {}));
    channels();
    rendezvous();
    locks();
    conditions();
    thread_locals();
    panics();
    parking();
    borrowed();
    lazy();
    many_one_after_the_other();
    pool();
}

/// Every thread sends, and receives what another has sent.
fn channels() {
    let (sender, receiver) = mpsc::channel();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let sender = sender.clone();
            thread::spawn(move || (0..200).for_each(|turn| sender.send((number, turn)).expect("the receiver lives")))
        })
        .collect();
    drop(sender);
    let mut last: HashMap<usize, i32> = HashMap::new();
    let mut sum = 0;
    for (number, turn) in receiver {
        let before = last.insert(number, turn).unwrap_or(-1);
        assert_eq!(before + 1, turn, "a thread's messages come in their order");
        sum += turn as usize * number;
    }
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    println!("channels: {} senders, {sum}", last.len());
}

/// A ring of threads with channels of no room: a number goes round.
fn rendezvous() {
    let (first, mut input) = mpsc::sync_channel::<u64>(0);
    let threads: Vec<_> = (0..THREADS as u64)
        .map(|number| {
            let (output, next) = mpsc::sync_channel(0);
            let from = std::mem::replace(&mut input, next);
            thread::spawn(move || from.iter().for_each(|value| output.send(value + number).expect("the next lives")))
        })
        .collect();
    let results: Vec<u64> = (0..20)
        .map(|value| {
            first.send(value).expect("the first lives");
            input.recv_timeout(Duration::from_secs(60)).expect("it comes round")
        })
        .collect();
    drop(first);
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    println!("rendezvous: {results:?}");
}

fn locks() {
    let (counted, read) = (Mutex::new(0_u64), AtomicUsize::new(0));
    let shared = RwLock::new(BTreeMap::new());
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (counted, read, shared) = (&counted, &read, &shared);
            scope.spawn(move || {
                for turn in 0..50 {
                    *counted.lock().expect("nobody panics") += 1;
                    if turn % 10 == 0 {
                        shared.write().expect("nobody panics").insert((number, turn), turn * 2);
                    }
                    let found = shared.read().expect("nobody panics").get(&(number, turn / 10 * 10)).copied();
                    assert_eq!(found, Some(turn / 10 * 20));
                    read.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    println!("locks: {} {} {}", counted.into_inner().expect("nobody panicked"), read.into_inner(), shared.read().expect("unlocked").len());
}

/// Threads take turns in the order of their numbers.
fn conditions() {
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let order = Arc::new(Mutex::new(Vec::new()));
    let barrier = Arc::new(Barrier::new(THREADS));
    let leaders = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let (turn, order, barrier, leaders) = (turn.clone(), order.clone(), barrier.clone(), leaders.clone());
            thread::spawn(move || {
                leaders.fetch_add(usize::from(barrier.wait().is_leader()), Ordering::Relaxed);
                let (lock, changed) = &*turn;
                let mut now = changed.wait_while(lock.lock().expect("no panic"), |now| *now != number).expect("no panic");
                order.lock().expect("no panic").push(number);
                *now += 1;
                changed.notify_all();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    let order = order.lock().expect("no panic");
    println!("conditions: in order {}, {} leader", order.is_sorted() && order.len() == THREADS, leaders.load(Ordering::Relaxed));
}

static DESTROYED: AtomicU64 = AtomicU64::new(0);

struct Own(Cell<u64>);

impl Drop for Own {
    fn drop(&mut self) {
        DESTROYED.fetch_add(self.0.get(), Ordering::Relaxed);
    }
}

thread_local! {
    static OWN: Own = const { Own(Cell::new(0)) };
}

fn thread_locals() {
    let threads: Vec<_> = (0..THREADS as u64)
        .map(|number| thread::spawn(move || (0..100).for_each(|_| OWN.with(|own| own.0.set(own.0.get() + number)))))
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    println!("thread-locals: {}", DESTROYED.load(Ordering::Relaxed));
}

fn panics() {
    let poisoned = Arc::new(Mutex::new(0));
    let results: Vec<bool> = (0..THREADS)
        .map(|number| {
            let poisoned = poisoned.clone();
            let thread = thread::Builder::new().name(format!("thread {number}")).stack_size(64 << 10).spawn(move || {
                let _held = if number == 7 { poisoned.lock().ok() } else { None };
                assert!(number % 7 != 0, "{:?}", thread::current().name());
                number
            });
            thread.expect("it starts").join().is_err()
        })
        .collect();
    println!("panics: {}, poisoned {}", results.iter().filter(|failed| **failed).count(), poisoned.is_poisoned());
}

fn parking() {
    let ready = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let ready = ready.clone();
            thread::spawn(move || {
                while ready.load(Ordering::Acquire) == 0 {
                    thread::park();
                }
                thread::park_timeout(Duration::from_millis(1));
            })
        })
        .collect();
    ready.store(1, Ordering::Release);
    threads.iter().for_each(|thread| thread.thread().unpark());
    println!("parking: {}", threads.into_iter().filter_map(|thread| thread.join().ok()).count());
}

/// Threads that borrow from the stack of the one that waits for them.
fn borrowed() {
    let mut numbers: Vec<u64> = (0..64_000).collect();
    thread::scope(|scope| {
        for part in numbers.chunks_mut(1000) {
            scope.spawn(move || part.iter_mut().for_each(|number| *number = *number * 3 + 1));
        }
    });
    println!("borrowed: {}", numbers.iter().sum::<u64>());
}

fn lazy() {
    static VALUE: LazyLock<usize> = LazyLock::new(|| {
        thread::sleep(Duration::from_millis(5));
        MADE.fetch_add(1, Ordering::Relaxed) + 41
    });
    static MADE: AtomicUsize = AtomicUsize::new(1);
    static ONCE: Once = Once::new();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            thread::spawn(|| {
                ONCE.call_once(|| {
                    MADE.fetch_add(0, Ordering::Relaxed);
                });
                *VALUE
            })
        })
        .collect();
    let sum: usize = threads.into_iter().filter_map(|thread| thread.join().ok()).sum();
    println!("lazy: {sum}, made {}", MADE.load(Ordering::Relaxed));
}

fn many_one_after_the_other() {
    let sum: u64 = (0..1000_u64).map(|number| thread::spawn(move || number).join().expect("it ends")).sum();
    println!("one after the other: {sum}");
}

fn pool() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().expect("a pool");
    pool.install(|| {
        let mut numbers: Vec<u64> = (0..200_000_u64).map(|number| number * 7919 % 200_003).collect();
        numbers.par_sort_unstable();
        let squares: u64 = numbers.par_iter().map(|number| number * number % 1013).sum();
        let words: Vec<String> = (0..2000_u32).into_par_iter().map(|number| format!("{number:x}")).filter(|word| word.len() == 3).collect();
        let deepest = fibonacci(20);
        println!("pool: sorted {}, {squares}, {} words, {deepest}", numbers.is_sorted(), words.len());
        let panicked = std::panic::catch_unwind(|| (0..100).into_par_iter().for_each(|number| assert!(number != 50))).is_err();
        println!("pool: a panic comes through: {panicked}");
    });
    let wide = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("a wide pool");
    let heard = wide.broadcast(|context| context.index()).into_iter().sum::<usize>();
    let (sender, receiver) = mpsc::channel();
    wide.scope(|scope| {
        (0..500_u64).for_each(|number| {
            let sender = sender.clone();
            scope.spawn(move |_| sender.send(number).expect("the receiver lives"));
        })
    });
    drop(sender);
    println!("wide pool: {heard}, {}", receiver.iter().sum::<u64>());
}

fn fibonacci(number: u32) -> u64 {
    if number < 2 {
        return u64::from(number);
    }
    let (one, other) = rayon::join(|| fibonacci(number - 1), || fibonacci(number - 2));
    one + other
}
