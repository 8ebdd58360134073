//! Threads that lock, wait for each other, move from CPU to CPU, come and go: nothing is lost and nobody is forgotten.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Condvar, Mutex, RwLock, mpsc};

use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{allowed_cpus, call, done, must, must_equal, pin_to};

fn main() {
    soak("threads met, moved and ended without a loss", |random| match random.below(6) {
        0 => ring(random),
        1 => adders(random),
        2 => channels(random),
        3 => movers(random),
        4 => come_and_go(random),
        _ => barriers(random),
    });
}

/// One mutex, one condition, each in its turn; everyone is woken each time.
fn ring(random: &mut Random) {
    let (members, turns) = (2 + random.below(6), 5 + random.below(40));
    let (turn, changed) = (Mutex::new(0), Condvar::new());
    std::thread::scope(|scope| {
        for member in 0..members {
            let (turn, changed) = (&turn, &changed);
            scope.spawn(move || {
                for _ in 0..turns {
                    let mut turn = done("lock", turn.lock());
                    while *turn % members != member {
                        turn = done("wait", changed.wait(turn));
                    }
                    *turn += 1;
                    changed.notify_all();
                    sign_of_life();
                }
            });
        }
    });
    must_equal("turns", done("lock", turn.into_inner()), members * turns);
}

fn adders(random: &mut Random) {
    let (threads, each) = (2 + random.below(7) as u64, 100 + random.below(2_000) as u64);
    let (plain, read_mostly) = (Mutex::new(0_u64), RwLock::new((0_u64, 0_u64)));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (plain, read_mostly) = (&plain, &read_mostly);
            scope.spawn(move || {
                for turn in 0..each {
                    *done("lock", plain.lock()) += 1;
                    if turn % 16 == 0 {
                        let mut pair = done("write", read_mostly.write());
                        pair.0 += 1;
                        pair.1 += 1;
                    } else {
                        let pair = done("read", read_mostly.read());
                        must("a pair is whole", pair.0 == pair.1);
                    }
                }
                sign_of_life();
            });
        }
    });
    must_equal("sum", done("lock", plain.into_inner()), threads * each);
    must_equal("writes", done("lock", read_mostly.into_inner()).0, threads * each.div_ceil(16));
}

fn channels(random: &mut Random) {
    let (senders, each) = (1 + random.below(6) as u64, 10 + random.below(200) as u64);
    let (sender, receiver) = mpsc::sync_channel::<u64>(random.below(4));
    let sum = std::thread::scope(|scope| {
        for _ in 0..senders {
            let (sender, mut own) = (sender.clone(), random.fork());
            scope.spawn(move || {
                for number in 0..each {
                    done("send", sender.send(number));
                    own.dawdle();
                }
            });
        }
        drop(sender);
        receiver.iter().inspect(|_| sign_of_life()).sum::<u64>()
    });
    must_equal("sum", sum, senders * each * (each - 1) / 2);
}

fn here() -> usize {
    let mut cpu = 0_u32;
    done("getcpu", call!(SYS_getcpu, &raw mut cpu, 0, 0));
    cpu as usize
}

/// A thread that has moved itself is there when the call comes back, and stays there through sleeps.
fn movers(random: &mut Random) {
    let cpus = allowed_cpus();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let moving: Vec<_> = (0..1 + random.below(6))
            .map(|_| {
                let (mut own, cpus) = (random.fork(), &cpus);
                scope.spawn(move || {
                    for _ in 0..5 + own.below(40) {
                        let target = cpus[own.below(cpus.len())];
                        done("sched_setaffinity", pin_to(target));
                        must_equal("on the CPU asked for", here(), target);
                        own.dawdle();
                        must_equal("still there", here(), target);
                        sign_of_life();
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let is_over = &is_over;
            scope.spawn(move || while !is_over.load(Ordering::Relaxed) {});
        }
        moving.into_iter().for_each(|mover| done("a mover", mover.join()));
        is_over.store(true, Ordering::Relaxed);
    });
}

fn come_and_go(random: &mut Random) {
    for _ in 0..1 + random.below(10) {
        let ended = AtomicU64::new(0);
        let threads = 1 + random.below(12) as u64;
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (ended, mut own) = (&ended, random.fork());
                scope.spawn(move || {
                    own.dawdle();
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        must_equal("all were joined", ended.into_inner(), threads);
        sign_of_life();
    }
}

fn barriers(random: &mut Random) {
    let (members, turns) = (2 + random.below(7), 5 + random.below(40) as u64);
    let (barrier, count, leaders) = (Barrier::new(members), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..members {
            let (barrier, count, leaders) = (&barrier, &count, &leaders);
            scope.spawn(move || {
                for turn in 1..=turns {
                    count.fetch_add(1, Ordering::SeqCst);
                    leaders.fetch_add(u64::from(barrier.wait().is_leader()), Ordering::SeqCst);
                    must("all have come", count.load(Ordering::SeqCst) >= turn * members as u64);
                    sign_of_life();
                }
            });
        }
    });
    must_equal("one leader each time", leaders.into_inner(), turns);
}
