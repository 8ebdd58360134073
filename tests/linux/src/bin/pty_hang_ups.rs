//! Whoever waits at one end of a pseudo-terminal when the other end goes, in every way to wait and to go, and at every moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use linux_tests::asleep::{ends_promptly, wait_until_asleep};
use linux_tests::process::{Ended, close, close_all, fork, kill, read, write};
use linux_tests::soak::Random;
use linux_tests::terminal::{Pty, ask, available, make_raw, names, open, poll, set, set_nonblocking, settle, slave_path};
use linux_tests::{Errno, call, done, must, must_equal};

const IN: u32 = libc::EPOLLIN as u32;
const PRIORITY: u32 = libc::EPOLLPRI as u32;
const EDGE: u32 = libc::EPOLLET as u32;

fn main() {
    at_the_near_end();
    at_the_far_end();
    writers_wake();
    watched_by_level();
    watched_by_edge();
    at_every_moment();
}

/// How one waits.
type Wait = (&'static str, fn(i32) -> i32);

const WAITS: [Wait; 6] = [
    ("read", |end| came_back(read(end, &mut [0; 40]))),
    ("poll", |end| 100 + i32::from(poll(end, libc::POLLIN, -1) & libc::POLLHUP != 0)),
    ("epoll", |end| waits_in_set(end, IN)),
    ("epoll, edge", |end| waits_in_set(end, IN | EDGE)),
    ("epoll, for nothing", |end| waits_in_set(end, 0)),
    ("write", |end| {
        loop {
            if let Err(errno) = write(end, &[b'w'; 4096]) {
                return errno;
            }
        }
    }),
];

/// An end of input and EIO are one: Linux wakes a reader once before the hang-up is there and once after it.
fn came_back(result: Result<usize, Errno>) -> i32 {
    match result {
        Ok(0) | Err(libc::EIO) => 50,
        Ok(_) => 51,
        Err(errno) => errno,
    }
}

fn waits_in_set(end: i32, events: u32) -> i32 {
    let watching = watch(&[(end, events)]);
    // Until the hang-up is there: an edge may come before it.
    while !seen(watching, -1).iter().any(|(_, events)| events & libc::EPOLLHUP as u32 != 0) {}
    close_all(&[watching]);
    100
}

fn watch(ends: &[(i32, u32)]) -> i32 {
    let watching = done("epoll_create1", call!(SYS_epoll_create1, 0)) as i32;
    for (end, events) in ends {
        let mut event = libc::epoll_event { events: *events, u64: *end as u64 };
        done("epoll_ctl", call!(SYS_epoll_ctl, watching, libc::EPOLL_CTL_ADD, *end, &raw mut event));
    }
    watching
}

fn seen(watching: i32, milliseconds: i32) -> Vec<(i32, u32)> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
    let count = done("epoll_wait", call!(SYS_epoll_wait, watching, events.as_mut_ptr(), 8, milliseconds));
    events[..count].iter().map(|event| (event.u64 as i32, event.events)).collect()
}

fn at_the_near_end() {
    for (name, waits) in WAITS {
        let pty = Pty::with(make_raw);
        let waiter = fork(|| {
            done("close", close(pty.master));
            waits(pty.slave)
        });
        wait_until_asleep(waiter);
        done("close", close(pty.master));
        let closed = ends_promptly(waiter, 0);
        done("close", close(pty.slave));
        std::mem::forget(pty);
        let pty = Pty::with(make_raw);
        let waiter = fork(|| waits(pty.slave));
        wait_until_asleep(waiter);
        done("TIOCVHANGUP", ask(pty.slave, libc::TIOCVHANGUP, 0));
        let hung_up = ends_promptly(waiter, 0);
        let pty = Pty::with(make_raw);
        let owner = fork(|| {
            done("close", close(pty.slave));
            loop {
                let _interrupted = call!(SYS_pause);
            }
        });
        done("close", close(pty.master));
        let waiter = fork(|| waits(pty.slave));
        wait_until_asleep(waiter);
        done("kill", kill(owner, libc::SIGKILL));
        let died = ends_promptly(waiter, 0);
        must_equal("owner", ends_promptly(owner, 0), Ended::Killed(libc::SIGKILL));
        done("close", close(pty.slave));
        std::mem::forget(pty);
        println!("{name} at the near end: the far end closed {closed:?}, a hang-up {hung_up:?}, its owner killed {died:?}");
    }
}

fn at_the_far_end() {
    for (name, waits) in WAITS.into_iter().take(5) {
        let pty = Pty::with(make_raw);
        let second = done("open", open(&slave_path(pty.master), libc::O_RDWR | libc::O_NOCTTY));
        let waiter = fork(|| {
            close_all(&[pty.slave, second]);
            waits(pty.master)
        });
        wait_until_asleep(waiter);
        done("close", close(second));
        wait_until_asleep(waiter);
        done("close", close(pty.slave));
        println!("{name} at the far end: when the last is closed {:?}", ends_promptly(waiter, 0));
        done("close", close(pty.master));
        std::mem::forget(pty);
    }
}

/// A writer that waits for room gets it when the other end reads, and who types when what is there is thrown away.
fn writers_wake() {
    let pty = Pty::with(make_raw);
    set_nonblocking(pty.slave, true);
    while write(pty.slave, &[b'w'; 4096]).is_ok() {
        settle();
    }
    set_nonblocking(pty.slave, false);
    let waiter = fork(|| i32::from(write(pty.slave, b"w") != Ok(1)));
    wait_until_asleep(waiter);
    must("there is something", !available(pty.master).is_empty());
    println!("a writer goes on after a read: {:?}", ends_promptly(waiter, 0));
    let pty = Pty::with(make_raw);
    set_nonblocking(pty.master, true);
    while write(pty.master, &[b'k'; 4096]).is_ok() {
        settle();
    }
    set_nonblocking(pty.master, false);
    let waiter = fork(|| i32::from(write(pty.master, b"k") != Ok(1)));
    wait_until_asleep(waiter);
    done("TCFLSH", ask(pty.slave, libc::TCFLSH, libc::TCIFLUSH as usize));
    println!("who types goes on after a flush: {:?}", ends_promptly(waiter, 0));
}

fn in_words(seen: &[(i32, u32)], pty: &Pty) -> Vec<String> {
    let end = |end: i32| if end == pty.master { "far" } else { "near" };
    let mut words: Vec<String> = seen.iter().map(|(at, events)| format!("{} {}", end(*at), names(*events as i16))).collect();
    words.sort();
    words
}

fn watched_by_level() {
    let pty = Pty::new();
    let watching = watch(&[(pty.master, IN | PRIORITY), (pty.slave, IN)]);
    let tells = |what: &str| {
        settle();
        println!("level, {what}: {:?}", in_words(&seen(watching, 0), &pty));
    };
    tells("nothing");
    done("write", write(pty.slave, b"out"));
    tells("written");
    tells("still");
    must_equal("read", read(pty.master, &mut [0; 2]), Ok(2));
    tells("some read");
    must_equal("read", read(pty.master, &mut [0; 2]), Ok(1));
    tells("all read");
    pty.types(b"half");
    let _echo = pty.shown();
    tells("half a line");
    pty.types(b"\n");
    let _echo = pty.shown();
    tells("a line");
    done("TCFLSH", ask(pty.slave, libc::TCFLSH, libc::TCIFLUSH as usize));
    tells("thrown away");
    done("TIOCPKT", set(pty.master, libc::TIOCPKT, 1));
    pty.types(b"\x13");
    tells("news");
    let _news = pty.shown();
    tells("told");
    done("close", close(pty.slave));
    tells("the near end closed");
    let _slave = done("open", open(&slave_path(pty.master), libc::O_RDWR | libc::O_NOCTTY));
    tells("and open again");
    close_all(&[watching]);
}

fn watched_by_edge() {
    let pty = Pty::new();
    let watching = watch(&[(pty.master, IN | EDGE), (pty.slave, IN | EDGE)]);
    let tells = |what: &str| {
        settle();
        println!("edge, {what}: {:?}", in_words(&seen(watching, 0), &pty));
    };
    tells("nothing");
    done("write", write(pty.slave, b"out"));
    tells("written");
    tells("still");
    must_equal("read", read(pty.master, &mut [0; 2]), Ok(2));
    tells("some read");
    done("write", write(pty.slave, b"more"));
    tells("more written");
    pty.types(b"half");
    let _echo = pty.shown();
    tells("half a line");
    pty.types(b"\n");
    let _echo = pty.shown();
    tells("a line");
    tells("still");
    pty.types(b"another\n");
    let _echo = pty.shown();
    tells("another line");
    done("close", close(pty.slave));
    tells("the near end closed");
    tells("still");
    close_all(&[watching]);
}

/// One end goes while the other is read, written and watched by others: each of them comes back.
fn at_every_moment() {
    let mut random = Random::new(7);
    for round in 0..300 {
        let pty = Pty::with(make_raw);
        let (goes, stays) = if round % 2 == 0 { (pty.master, pty.slave) } else { (pty.slave, pty.master) };
        let gone = AtomicBool::new(false);
        let (first, second) = (random.below(3000), random.below(3000));
        thread::scope(|scope| {
            scope.spawn(|| while !matches!(read(stays, &mut [0; 100]), Ok(0) | Err(libc::EIO)) {});
            scope.spawn(|| while poll(stays, libc::POLLIN, 10_000) & libc::POLLHUP == 0 {});
            scope.spawn(|| must_equal("the hang-up is seen", waits_in_set(stays, IN | EDGE), 100));
            scope.spawn(|| {
                (0..first).for_each(|_| std::hint::spin_loop());
                // Nobody reads any more what is typed for an end that is gone: not so much that it would have to wait for that.
                let most = if stays == pty.slave { usize::MAX } else { 100 };
                let mut written = 0;
                while written < most && !gone.load(Ordering::SeqCst) && write(stays, b"some bytes").is_ok() {
                    written += 1;
                    thread::yield_now();
                }
            });
            scope.spawn(|| {
                let _to_no_reader = write(goes, b"last words");
                (0..second).for_each(|_| std::hint::spin_loop());
                must("close", close(goes).is_ok());
                gone.store(true, Ordering::SeqCst);
            });
        });
        must("close", close(stays).is_ok());
        std::mem::forget(pty);
    }
    println!("whenever an end goes, everybody at the other comes back");
}
