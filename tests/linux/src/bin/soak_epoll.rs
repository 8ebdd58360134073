//! Many sources into few epolls: every byte and every count that was written comes out, however it is waited for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linux_tests::process::{close, close_all, pipe, pipe_with, read, write};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, fail, must, must_equal};

const READ: u32 = libc::EPOLLIN as u32;
const EDGE: u32 = libc::EPOLLET as u32;
const ONCE: u32 = libc::EPOLLONESHOT as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;

fn main() {
    soak("every event came to somebody who waited for it", |random| match random.below(5) {
        0 | 1 => fan_in(random),
        2 => counters(random),
        3 => late(random),
        _ => closed_while_waited_for(random),
    });
}

fn epoll() -> i32 {
    done("epoll_create1", call!(SYS_epoll_create1, 0)) as i32
}

fn control(epoll: i32, operation: i32, descriptor: i32, events: u32) -> Result<usize, i32> {
    let mut event = libc::epoll_event { events, u64: descriptor as u64 };
    call!(SYS_epoll_ctl, epoll, operation, descriptor, &raw mut event)
}

fn add(epoll: i32, descriptor: i32, events: u32) {
    done("EPOLL_CTL_ADD", control(epoll, libc::EPOLL_CTL_ADD, descriptor, events));
}

/// The next descriptor that has something, or `None` when time is up.
fn next(epoll: i32, milliseconds: i32) -> Option<(i32, u32)> {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    loop {
        match call!(SYS_epoll_wait, epoll, &raw mut event, 1, milliseconds) {
            Ok(0) => return None,
            Ok(_) => return Some((event.u64 as i32, event.events)),
            Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("epoll_wait: errno {errno}")),
        }
    }
}

/// Reads until nothing is there; how many bytes that was, and whether the end was seen.
fn drain(descriptor: i32, buffer: &mut [u8]) -> (u64, bool) {
    let mut bytes = 0;
    loop {
        match read(descriptor, buffer) {
            Ok(0) => return (bytes, true),
            Ok(count) => bytes += count as u64,
            Err(libc::EAGAIN) => return (bytes, false),
            Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("reading: errno {errno}")),
        }
    }
}

/// Writers on pipes of their own; readers on one epoll, or on one each with all pipes in it.
fn fan_in(random: &mut Random) {
    let (writers, readers, pieces) = (1 + random.below(6), 1 + random.below(3), 5 + random.below(40));
    let events = [READ, READ | EDGE, READ | EDGE | ONCE][random.below(3)];
    let pipes: Vec<(i32, i32)> = (0..writers).map(|_| pipe_with(libc::O_NONBLOCK)).collect();
    let shared = epoll();
    pipes.iter().for_each(|(from, _)| add(shared, *from, events));
    let (sent, seen, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reading: Vec<_> = (0..readers)
            .map(|_| {
                let (seen, is_over) = (&seen, &is_over);
                scope.spawn(move || {
                    let mut buffer = [0; 700];
                    while !is_over.load(Ordering::SeqCst) {
                        let Some((descriptor, _)) = next(shared, 2_000) else { continue };
                        let (bytes, _) = drain(descriptor, &mut buffer);
                        seen.fetch_add(bytes, Ordering::SeqCst);
                        if events & ONCE != 0 {
                            done("EPOLL_CTL_MOD", control(shared, libc::EPOLL_CTL_MOD, descriptor, events));
                        }
                    }
                })
            })
            .collect();
        let writing: Vec<_> = (pipes.iter())
            .map(|&(_, to)| {
                let (mut own, sent) = (random.fork(), &sent);
                scope.spawn(move || {
                    for _ in 0..pieces {
                        let piece = vec![1; 1 + own.below(900)];
                        if let Ok(count) = write(to, &piece) {
                            sent.fetch_add(count as u64, Ordering::SeqCst);
                        }
                        sign_of_life();
                        own.dawdle();
                    }
                })
            })
            .collect();
        writing.into_iter().for_each(|writer| done("a writer", writer.join()));
        wait_until_equal(&sent, &seen);
        is_over.store(true, Ordering::SeqCst);
        // One byte for each reader that still waits; whoever reads it counts it.
        while !reading.iter().all(|reader| reader.is_finished()) {
            let _a_full_pipe_is_as_good = write(pipes[0].1, b"x");
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
    });
    close_all(&[shared]);
    pipes.iter().for_each(|(from, to)| close_all(&[*from, *to]));
}

/// What was written is there to be seen: it comes without anything more being written.
fn wait_until_equal(sent: &AtomicU64, seen: &AtomicU64) {
    let sent = sent.load(Ordering::SeqCst);
    let began = linux_tests::monotonic();
    while seen.load(Ordering::SeqCst) != sent {
        must("everything written was read within a minute", linux_tests::monotonic() - began < 60_000_000_000);
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
}

/// Many add to one eventfd, each reader waits on an epoll of its own, exclusively: the sum is right.
fn counters(random: &mut Random) {
    let (writers, readers, each) = (1 + random.below(5), 1 + random.below(4), 10 + random.below(100) as u64);
    let flags = libc::EFD_NONBLOCK | if random.below(2) == 0 { libc::EFD_SEMAPHORE } else { 0 };
    let counter = done("eventfd", call!(SYS_eventfd2, 0, flags)) as i32;
    let events = READ | [0, EXCLUSIVE][random.below(2)];
    let (sum, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..readers {
            let (sum, is_over) = (&sum, &is_over);
            scope.spawn(move || {
                let own = epoll();
                add(own, counter, events);
                while !is_over.load(Ordering::SeqCst) {
                    if next(own, 50).is_none() {
                        continue;
                    }
                    let mut value = [0; 8];
                    match read(counter, &mut value) {
                        Ok(8) => drop(sum.fetch_add(u64::from_le_bytes(value), Ordering::SeqCst)),
                        Err(libc::EAGAIN | libc::EINTR) => {}
                        other => fail(&format!("reading an eventfd: {other:?}")),
                    }
                }
                close_all(&[own]);
            });
        }
        let writing: Vec<_> = (0..writers)
            .map(|_| {
                let mut own = random.fork();
                scope.spawn(move || {
                    for _ in 0..each {
                        must_equal("adding", write(counter, &1_u64.to_le_bytes()), Ok(8));
                        sign_of_life();
                        own.dawdle();
                    }
                })
            })
            .collect();
        writing.into_iter().for_each(|writer| done("a writer", writer.join()));
        wait_until_equal(&AtomicU64::new(writers as u64 * each), &sum);
        is_over.store(true, Ordering::SeqCst);
    });
    close_all(&[counter]);
}

/// Files that are added to an epoll while somebody waits on it already.
fn late(random: &mut Random) {
    let shared = epoll();
    let (from, to) = pipe();
    let turns = 5 + random.below(40);
    let turn = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let waited = &turn;
        scope.spawn(move || {
            for _ in 0..turns {
                waited.fetch_add(1, Ordering::SeqCst);
                must_equal("what came", next(shared, 60_000).map(|(descriptor, _)| descriptor), Some(from));
                must_equal("a byte", done("read", read(from, &mut [0])), 1);
                done("EPOLL_CTL_DEL", control(shared, libc::EPOLL_CTL_DEL, from, 0));
                waited.fetch_add(1, Ordering::SeqCst);
            }
        });
        for number in 0..turns as u64 {
            while turn.load(Ordering::SeqCst) != 2 * number + 1 {
                std::thread::yield_now();
            }
            random.dawdle();
            let before = random.below(2) == 0;
            if before {
                done("write", write(to, b"x"));
            }
            add(shared, from, READ);
            if !before {
                random.dawdle();
                done("write", write(to, b"x"));
            }
            while turn.load(Ordering::SeqCst) == 2 * number + 1 {
                std::thread::yield_now();
            }
            sign_of_life();
        }
    });
    close_all(&[shared, from, to]);
}

/// A writer that closes is heard of by whoever waits; an epoll that is waited on keeps no file open.
fn closed_while_waited_for(random: &mut Random) {
    let shared = epoll();
    let count = 1 + random.below(5);
    let pipes: Vec<(i32, i32)> = (0..count).map(|_| pipe()).collect();
    pipes.iter().for_each(|(from, _)| add(shared, *from, READ));
    let (other_from, other_to) = pipe();
    add(shared, other_to, EDGE);
    std::thread::scope(|scope| {
        let closers: Vec<_> = (pipes.iter())
            .map(|&(_, to)| {
                let mut own = random.fork();
                scope.spawn(move || {
                    own.dawdle();
                    done("close", close(to));
                })
            })
            .collect();
        let mut own = random.fork();
        scope.spawn(move || {
            own.dawdle();
            done("close", close(other_to));
            let mut wanted = libc::pollfd { fd: other_from, events: libc::POLLIN, revents: 0 };
            let found = call!(SYS_poll, &raw mut wanted, 1, 60_000);
            must("the last writer is gone", found == Ok(1) && wanted.revents & libc::POLLHUP != 0);
        });
        for _ in 0..count {
            let Some((descriptor, events)) = next(shared, 60_000) else { fail("nobody heard of the end of a pipe") };
            must("it hangs up", events & libc::EPOLLHUP as u32 != 0);
            must_equal("the end", read(descriptor, &mut [0]), Ok(0));
            done("EPOLL_CTL_DEL", control(shared, libc::EPOLL_CTL_DEL, descriptor, 0));
        }
        closers.into_iter().for_each(|closer| done("a closer", closer.join()));
    });
    close_all(&[shared, other_from]);
    pipes.iter().for_each(|(from, _)| close_all(&[*from]));
}
