//! Clocks as files and signals: no beat comes too early or twice, none is forgotten, whoever reads, sets anew, closes or is killed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linux_tests::process::{Ended, close_all, fork, kill, my_pid, read, wait, write};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, fail, monotonic, must, must_equal, signal};

const QUEUED: i32 = 42;
const OF_TIMERS: i32 = 43;
const RECORD: usize = 128;
const NEVER: i64 = 3_600_000_000_000;

fn main() {
    signal::block(&[QUEUED, OF_TIMERS]);
    soak("no beat came too early or twice, and none was forgotten", |random| match random.below(5) {
        0 => beats_for_many(random),
        1 => set_again_and_again(random),
        2 => queued_and_read(random),
        3 => timers_of_the_program(random),
        _ => killed_or_closed(random),
    });
}

fn setting(first: i64, every: i64) -> libc::itimerspec {
    let part = |nanoseconds: i64| libc::timespec { tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000 };
    libc::itimerspec { it_interval: part(every), it_value: part(first) }
}

fn clock_file(flags: i32) -> i32 {
    done("timerfd_create", call!(SYS_timerfd_create, libc::CLOCK_MONOTONIC, flags)) as i32
}

fn set(file: i32, first: i64, every: i64) {
    let setting = setting(first, every);
    done("timerfd_settime", call!(SYS_timerfd_settime, file, 0, &raw const setting, 0));
}

/// The beats since the last look; `None` when the file does not wait and there are none.
fn beats(file: i32) -> Option<u64> {
    let mut bytes = [0; 8];
    match read(file, &mut bytes) {
        Ok(8) => Some(u64::from_ne_bytes(bytes)),
        Err(libc::EAGAIN) => None,
        other => fail(&format!("reading a timerfd: {other:?}")),
    }
}

/// Several threads read one clock: together they are given each beat once.
fn beats_for_many(random: &mut Random) {
    let every = 50_000 + random.below(2_000_000) as i64;
    let file = clock_file(0);
    let (wanted, seen, began) = (4 + random.below(60) as u64, AtomicU64::new(0), monotonic());
    set(file, every, every);
    let readers = 1 + random.below(5) as u64;
    std::thread::scope(|scope| {
        for _ in 0..readers {
            let (mut own, seen) = (random.fork(), &seen);
            scope.spawn(move || {
                while seen.load(Ordering::SeqCst) < wanted {
                    seen.fetch_add(beats(file).unwrap_or(0), Ordering::SeqCst);
                    sign_of_life();
                    own.dawdle();
                }
            });
        }
    });
    let possible = (monotonic() - began) / every as u64;
    must("a beat was counted twice or came too early", seen.load(Ordering::SeqCst) <= possible);
    set(file, 0, 0);
    close_all(&[file]);
}

/// One thread waits for a clock, another sets it anew at every moment: the last setting counts.
fn set_again_and_again(random: &mut Random) {
    let file = clock_file(0);
    set(file, NEVER, 0);
    let until = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let until = &until;
        let reader = scope.spawn(move || {
            must_equal("one beat", beats(file), Some(1));
            let told = until.load(Ordering::SeqCst);
            must("it came too early", told != 0 && monotonic() >= told);
        });
        for _ in 0..random.below(40) {
            set(file, NEVER - random.below(1_000_000) as i64, 0);
            random.dawdle();
        }
        let length = 1 + random.below(3_000_000) as i64;
        until.store(monotonic() + length as u64, Ordering::SeqCst);
        set(file, length, 0);
        done("the reader", reader.join());
    });
    sign_of_life();
    close_all(&[file]);
}

fn queue(value: u64) {
    let mut information = [0_u8; RECORD];
    information[0..4].copy_from_slice(&QUEUED.to_le_bytes());
    information[8..12].copy_from_slice(&libc::SI_QUEUE.to_le_bytes());
    information[24..32].copy_from_slice(&value.to_le_bytes());
    loop {
        match call!(SYS_rt_sigqueueinfo, my_pid(), QUEUED, information.as_ptr()) {
            Ok(_) => return,
            Err(libc::EAGAIN) => std::thread::yield_now(),
            Err(errno) => fail(&format!("rt_sigqueueinfo: errno {errno}")),
        }
    }
}

fn signal_file(signals: &[i32]) -> i32 {
    let set = signal::set_of(signals);
    done("signalfd", call!(SYS_signalfd4, -1_i32, &raw const set, 8, libc::SFD_NONBLOCK)) as i32
}

/// Signals queued by some, read by others: each value comes once.
fn queued_and_read(random: &mut Random) {
    let (senders, each) = (1 + random.below(3) as u64, 10 + random.below(80) as u64);
    let file = signal_file(&[QUEUED]);
    let (count, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for number in 0..senders {
            let mut own = random.fork();
            scope.spawn(move || {
                for value in 0..each {
                    queue(number * each + value);
                    own.dawdle();
                }
            });
        }
        for _ in 0..1 + random.below(4) {
            let (mut own, count, sum) = (random.fork(), &count, &sum);
            scope.spawn(move || {
                while count.load(Ordering::SeqCst) < senders * each {
                    let mut wanted = libc::pollfd { fd: file, events: libc::POLLIN, revents: 0 };
                    done("poll", call!(SYS_poll, &raw mut wanted, 1, 5));
                    let mut records = vec![0; RECORD * (1 + own.below(4))];
                    let bytes = match read(file, &mut records) {
                        Ok(bytes) => bytes,
                        Err(libc::EAGAIN) => 0,
                        Err(errno) => fail(&format!("reading a signalfd: errno {errno}")),
                    };
                    for record in records[..bytes].chunks_exact(RECORD) {
                        sum.fetch_add(record[48..56].iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte)), Ordering::SeqCst);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    sign_of_life();
                }
            });
        }
    });
    let all = senders * each;
    must_equal("signals and the sum of their values", (count.into_inner(), sum.into_inner()), (all, all * (all - 1) / 2));
    close_all(&[file]);
}

/// Timers that tell by signals: beats and missed ones together are never more than time allows, and each timer goes on.
fn timers_of_the_program(random: &mut Random) {
    let count = 1 + random.below(5);
    let every = 200_000 + random.below(2_000_000) as i64;
    let mut event = [0_u64; 8];
    event[1] = OF_TIMERS as u64;
    let ids: Vec<i32> = (0..count)
        .map(|number| {
            let mut id = -1;
            event[0] = number as u64;
            done("timer_create", call!(SYS_timer_create, libc::CLOCK_MONOTONIC, event.as_ptr(), &raw mut id));
            id
        })
        .collect();
    let (began, setting) = (monotonic(), setting(every, every));
    for id in &ids {
        done("timer_settime", call!(SYS_timer_settime, *id, 0, &raw const setting, 0));
    }
    let (mut told, wanted) = (vec![0_u64; count], 1 + random.below(12) as u64);
    while told.iter().any(|&told| told < wanted) {
        let Ok((_, information)) = signal::wait_for(&[OF_TIMERS], 20_000) else { fail("a timer stands still") };
        // SAFETY: a timer's signal carries its value and how many beats it missed.
        let (number, missed) = unsafe { (information.si_value().sival_ptr as usize, information.si_overrun()) };
        told[number] += 1 + missed as u64;
        sign_of_life();
        random.dawdle();
    }
    let possible = (monotonic() - began) / every as u64;
    must("a timer beat more often than time allows", told.iter().all(|&told| told <= possible));
    for id in &ids {
        done("timer_delete", call!(SYS_timer_delete, *id));
    }
    // What was on its way when they went.
    while signal::wait_for(&[OF_TIMERS], 0).is_ok() {}
}

/// A process that waits for clocks and signals in all its threads is killed; a descriptor goes while somebody reads it.
fn killed_or_closed(random: &mut Random) {
    if random.below(2) == 0 {
        let pause = random.below(3_000) as u64;
        let child = fork(|| {
            let (never, signals) = (clock_file(0), signal_file(&[QUEUED]));
            set(never, NEVER, 0);
            std::thread::spawn(move || beats(never));
            std::thread::spawn(|| signal::wait_for(&[QUEUED], 3_600_000).is_ok());
            std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(3_600)));
            let mut wanted = libc::pollfd { fd: signals, events: libc::POLLIN, revents: 0 };
            i32::from(call!(SYS_poll, &raw mut wanted, 1, -1_i32).is_ok())
        });
        std::thread::sleep(std::time::Duration::from_micros(pause));
        done("kill", kill(child, libc::SIGKILL));
        must_equal("killed as it waits", wait(child), Ended::Killed(libc::SIGKILL));
        return sign_of_life();
    }
    let file = clock_file(0);
    let another = done("dup", call!(SYS_dup, file)) as i32;
    let is_closed = AtomicBool::new(false);
    set(file, 500_000 + random.below(1_000_000) as i64, 0);
    std::thread::scope(|scope| {
        let is_closed = &is_closed;
        // Who reads already goes on by the file; who comes later finds nothing.
        scope.spawn(move || {
            let mut bytes = [0; 8];
            let answer = read(file, &mut bytes);
            must("a clock that was closed meanwhile", answer == Ok(8) || answer == Err(libc::EBADF) && is_closed.load(Ordering::SeqCst));
        });
        random.dawdle();
        is_closed.store(true, Ordering::SeqCst);
        close_all(&[file]);
    });
    must_equal("nobody writes to a clock", write(another, &[0; 8]), Err(libc::EINVAL));
    close_all(&[another]);
    sign_of_life();
}
