//! epoll: level and edge, once and exclusive, sets in sets, and files that come and go while someone waits.

use linux_tests::process::{Ended, in_a_child, pipe, pipe_with};
use linux_tests::{Errno, call, check, done, equal, must, must_equal, sleep_ms};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const IN: u32 = libc::EPOLLIN as u32;
const OUT: u32 = libc::EPOLLOUT as u32;
const EDGE: u32 = libc::EPOLLET as u32;
const ONCE: u32 = libc::EPOLLONESHOT as u32;
const EXCLUSIVE: u32 = libc::EPOLLEXCLUSIVE as u32;
/// Longer than anything here takes: a wait that comes back only then has lost its wake.
const LOST: i32 = 20_000;

fn main() {
    level();
    edge();
    once();
    changes();
    hang_up();
    nested();
    loops();
    exclusive();
    closed_while_watched();
    two_descriptors_of_one_opening();
    added_while_waiting();
    a_watched_end_that_closes();
    fan_in();
    more_than_fit();
    each_edge_to_one();
    timeouts();
    wrong_arguments();
    inherited();
}

fn set() -> i32 {
    done("epoll_create1", call!(SYS_epoll_create1, libc::EPOLL_CLOEXEC)) as i32
}

fn control(set: i32, operation: i32, fd: i32, events: u32, data: u64) -> Result<usize, Errno> {
    let mut event = libc::epoll_event { events, u64: data };
    call!(SYS_epoll_ctl, set, operation, fd, &raw mut event)
}

fn add(set: i32, fd: i32, events: u32) {
    done("epoll_ctl add", control(set, libc::EPOLL_CTL_ADD, fd, events, fd as u64));
}

fn wait(set: i32, most: usize, milliseconds: i32) -> Vec<(u64, u32)> {
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; most];
    let count = done("epoll_wait", call!(SYS_epoll_wait, set, events.as_mut_ptr(), most, milliseconds));
    events[..count].iter().map(|event| (event.u64, event.events)).collect()
}

fn write(fd: i32) {
    must_equal("write", linux_tests::process::write(fd, b"x"), Ok(1));
}

fn read(fd: i32) {
    must_equal("read", linux_tests::process::read(fd, &mut [0]), Ok(1));
}

fn close(fds: &[i32]) {
    linux_tests::process::close_all(fds);
}

fn event_counter() -> i32 {
    done("eventfd", call!(SYS_eventfd2, 0, libc::EFD_NONBLOCK)) as i32
}

fn level() {
    let (set, (from, to)) = (set(), pipe());
    add(set, from, IN);
    equal("nothing is ready", wait(set, 8, 0), vec![]);
    write(to);
    equal("a level is told", wait(set, 8, 0), vec![(from as u64, IN)]);
    equal("and told again while it lasts", wait(set, 8, 0), vec![(from as u64, IN)]);
    read(from);
    equal("and no longer", wait(set, 8, 0), vec![]);
    close(&[set, from, to]);
}

fn edge() {
    let (set, (from, to)) = (set(), pipe());
    add(set, from, IN | EDGE);
    write(to);
    equal("an edge is told", wait(set, 8, 0), vec![(from as u64, IN)]);
    equal("once", wait(set, 8, 0), vec![]);
    write(to);
    equal("more bytes are a new edge, read or not", wait(set, 8, 0), vec![(from as u64, IN)]);
    read(from);
    equal("a read is none", wait(set, 8, 0), vec![]);
    must_equal("modify", control(set, libc::EPOLL_CTL_MOD, from, IN | EDGE, 5), Ok(0));
    equal("what is there when the watch is renewed is told", wait(set, 8, 0), vec![(5, IN)]);
    close(&[set, from, to]);
}

fn once() {
    let (set, (from, to)) = (set(), pipe());
    add(set, from, IN | ONCE);
    write(to);
    equal("a single shot is told", wait(set, 8, 0), vec![(from as u64, IN)]);
    write(to);
    equal("and then nothing", wait(set, 8, 0), vec![]);
    must_equal("modify", control(set, libc::EPOLL_CTL_MOD, from, IN | ONCE, 6), Ok(0));
    equal("until it is loaded again", wait(set, 8, 0), vec![(6, IN)]);
    close(&[set, from, to]);
}

fn changes() {
    let (set, (from, to)) = (set(), pipe());
    add(set, to, OUT);
    equal("there is room", wait(set, 8, 0), vec![(to as u64, OUT)]);
    must_equal("modify", control(set, libc::EPOLL_CTL_MOD, to, 0, 9), Ok(0));
    equal("nothing is asked", wait(set, 8, 0), vec![]);
    must_equal("delete", control(set, libc::EPOLL_CTL_DEL, to, 0, 0), Ok(0));
    equal("deleted twice", control(set, libc::EPOLL_CTL_DEL, to, 0, 0), Err(libc::ENOENT));
    equal("changed without being there", control(set, libc::EPOLL_CTL_MOD, to, OUT, 0), Err(libc::ENOENT));
    add(set, to, OUT);
    equal("added twice", control(set, libc::EPOLL_CTL_ADD, to, OUT, 0), Err(libc::EEXIST));
    close(&[set, from, to]);
}

fn hang_up() {
    let (set, (from, to)) = (set(), pipe());
    add(set, from, 0);
    close(&[to]);
    equal("a hang-up is told unasked", wait(set, 8, 0), vec![(from as u64, libc::EPOLLHUP as u32)]);
    close(&[set, from]);
}

fn nested() {
    let (outer, inner, (from, to)) = (set(), set(), pipe());
    add(inner, from, IN);
    add(outer, inner, IN);
    equal("an inner set with nothing ready is not ready", wait(outer, 8, 0), vec![]);
    let waiter = std::thread::spawn(move || wait(outer, 8, LOST));
    sleep_ms(10);
    write(to);
    equal("who waits for the outer set hears of the inner one's file", waiter.join().ok(), Some(vec![(inner as u64, IN)]));
    equal("and finds it there", wait(inner, 8, 0), vec![(from as u64, IN)]);
    let mut poll = libc::pollfd { fd: outer, events: libc::POLLIN, revents: 0 };
    equal("poll on the outer set sees it", call!(SYS_poll, &raw mut poll, 1, 0), Ok(1));
    read(from);
    equal("and sees it go", call!(SYS_poll, &raw mut poll, 1, 0), Ok(0));
    close(&[outer, inner, from, to]);
}

fn loops() {
    let (one, other) = (set(), set());
    equal("a set in itself", control(one, libc::EPOLL_CTL_ADD, one, IN, 0), Err(libc::EINVAL));
    add(one, other, IN);
    equal("two sets in each other", control(other, libc::EPOLL_CTL_ADD, one, IN, 0), Err(libc::ELOOP));
    close(&[one, other]);
}

fn exclusive() {
    let (one, other, (from, to)) = (set(), set(), pipe());
    add(one, from, IN | EXCLUSIVE);
    add(other, from, IN | EXCLUSIVE);
    let waiters = [one, other].map(|set| std::thread::spawn(move || wait(set, 1, LOST).len()));
    sleep_ms(10);
    write(to);
    sleep_ms(10);
    write(to);
    // At least one hears of each write, and the bytes stay: in the end both have heard.
    must("all wake", waiters.into_iter().all(|waiter| waiter.join().is_ok_and(|count| count == 1)));
    check("two sets share a file exclusively", true);
    equal("an exclusive watch is not changed", control(one, libc::EPOLL_CTL_MOD, from, IN | EXCLUSIVE, 0), Err(libc::EINVAL));
    equal("nor into a common one", control(one, libc::EPOLL_CTL_MOD, from, IN, 0), Err(libc::EINVAL));
    must_equal("delete", control(one, libc::EPOLL_CTL_DEL, from, 0, 0), Ok(0));
    equal("nor is it a single shot", control(one, libc::EPOLL_CTL_ADD, from, IN | EXCLUSIVE | ONCE, 0), Err(libc::EINVAL));
    equal("nor of a set", control(one, libc::EPOLL_CTL_ADD, other, IN | EXCLUSIVE, 0), Err(libc::EINVAL));
    close(&[one, other, from, to]);
}

fn closed_while_watched() {
    let (set, (from, to)) = (set(), pipe());
    add(set, from, IN);
    write(to);
    close(&[from]);
    equal("a file that is closed leaves the set", wait(set, 8, 0), vec![]);
    close(&[set, to]);
}

fn two_descriptors_of_one_opening() {
    let (set, (from, to)) = (set(), pipe());
    let copy = done("dup", call!(SYS_dup, from)) as i32;
    add(set, from, IN);
    add(set, copy, IN);
    write(to);
    let told: BTreeSet<u64> = wait(set, 8, 0).into_iter().map(|(data, _)| data).collect();
    equal("both descriptors of an opening are told", told, [from as u64, copy as u64].into());
    close(&[from]);
    equal("and the closed one as long as the other is open", wait(set, 8, 0).len(), 2);
    close(&[set, copy, to]);
}

/// The file is added after the wait has begun, and written to at once or a little later.
fn added_while_waiting() {
    let (set, (from, to)) = (set(), pipe());
    let turn = Arc::new(AtomicU64::new(0));
    let waiter = {
        let turn = turn.clone();
        std::thread::spawn(move || {
            for _ in 0..200 {
                turn.fetch_add(1, SeqCst);
                must_equal("the late file is told", wait(set, 1, LOST).len(), 1);
                read(from);
                must_equal("delete", control(set, libc::EPOLL_CTL_DEL, from, 0, 0), Ok(0));
                turn.fetch_add(1, SeqCst);
            }
        })
    };
    for round in 0..200 {
        while turn.load(SeqCst) != round * 2 + 1 {
            std::thread::yield_now();
        }
        if round % 3 != 0 {
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
        add(set, from, IN);
        if round % 2 != 0 {
            std::thread::sleep(std::time::Duration::from_micros(50));
        }
        write(to);
        while turn.load(SeqCst) == round * 2 + 1 {
            std::thread::yield_now();
        }
    }
    check("a file added while someone waits is waited for", waiter.join().is_ok());
    close(&[set, from, to]);
}

fn a_watched_end_that_closes() {
    let (set, (from, to), (other_from, other_to)) = (set(), pipe(), pipe());
    add(set, to, OUT | EDGE);
    must_equal("room is told once", wait(set, 8, 0).len(), 1);
    add(set, other_from, IN);
    let waiter = std::thread::spawn(move || wait(set, 8, LOST));
    sleep_ms(10);
    close(&[to]);
    let mut poll = libc::pollfd { fd: from, events: libc::POLLIN, revents: 0 };
    must_equal("the reader hears of the end", call!(SYS_poll, &raw mut poll, 1, LOST), Ok(1));
    check("who waits for a pipe's end does not keep it open", poll.revents & libc::POLLHUP != 0);
    write(other_to);
    equal("and goes on waiting for the rest", waiter.join().ok(), Some(vec![(other_from as u64, IN)]));
    close(&[set, from, other_from, other_to]);
}

/// Many writers, one set, several waiters: every byte is read exactly once.
fn fan_in() {
    const WRITERS: usize = 8;
    const BYTES: u64 = 300;
    let set = set();
    let pipes: Vec<(i32, i32)> = (0..WRITERS).map(|_| pipe_with(libc::O_NONBLOCK)).collect();
    pipes.iter().for_each(|(from, _)| add(set, *from, IN));
    let taken = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let taken = taken.clone();
            std::thread::spawn(move || {
                while taken.load(SeqCst) < WRITERS as u64 * BYTES {
                    for (fd, _) in wait(set, 4, 20) {
                        let bytes = linux_tests::process::read(fd as i32, &mut [0; 7]).unwrap_or(0);
                        taken.fetch_add(bytes as u64, SeqCst);
                    }
                }
            })
        })
        .collect();
    let writers: Vec<_> = pipes
        .iter()
        .map(|&(_, to)| {
            std::thread::spawn(move || {
                for turn in 0..BYTES {
                    write(to);
                    if turn % 16 == 0 {
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    let done = writers.into_iter().chain(readers).all(|thread| thread.join().is_ok());
    check("many files, several waiters: nothing is lost", done && taken.load(SeqCst) == WRITERS as u64 * BYTES);
    pipes.iter().for_each(|&(from, to)| close(&[from, to]));
    close(&[set]);
}

/// Edge-triggered single shots that several threads wait for: each event goes to one of them.
fn each_edge_to_one() {
    const EVENTS: u64 = 300;
    let (set, counter) = (set(), event_counter());
    add(set, counter, IN | EDGE | ONCE);
    let taken = Arc::new(AtomicU64::new(0));
    let waiters: Vec<_> = (0..4)
        .map(|_| {
            let taken = taken.clone();
            std::thread::spawn(move || {
                while taken.load(SeqCst) < EVENTS {
                    if wait(set, 1, 20).is_empty() {
                        continue;
                    }
                    let mut count = 0_u64;
                    if call!(SYS_read, counter, &raw mut count, 8).is_ok() {
                        taken.fetch_add(count, SeqCst);
                    }
                    must_equal("loaded again", control(set, libc::EPOLL_CTL_MOD, counter, IN | EDGE | ONCE, 0), Ok(0));
                }
            })
        })
        .collect();
    for _ in 0..EVENTS {
        must_equal("write", call!(SYS_write, counter, &raw const ONE, 8), Ok(8));
        std::thread::yield_now();
    }
    check("single shots loaded again lose no event", waiters.into_iter().all(|waiter| waiter.join().is_ok()));
    equal("and double none", taken.load(SeqCst), EVENTS);
    close(&[set, counter]);
}

static ONE: u64 = 1;

/// Files that are ready all the time do not hide others.
fn more_than_fit() {
    let set = set();
    let pipes: Vec<_> = (0..5).map(|_| pipe()).collect();
    for &(from, to) in &pipes {
        add(set, from, IN);
        write(to);
    }
    let told: BTreeSet<u64> = (0..3).flat_map(|_| wait(set, 2, 0)).map(|(data, _)| data).collect();
    equal("three looks at two of five show all", told.len(), 5);
    pipes.iter().for_each(|&(from, to)| close(&[from, to]));
    close(&[set]);
}

fn timeouts() {
    let set = set();
    equal("no time at all", wait(set, 1, 0), vec![]);
    let began = linux_tests::monotonic();
    equal("a little time", wait(set, 1, 20), vec![]);
    check("is not shortened", linux_tests::monotonic() - began >= 20_000_000);
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let span = [0_i64, 1_000_000_000];
    let malformed = call!(SYS_epoll_pwait2, set, &raw mut event, 1, span.as_ptr(), 0, 0);
    equal("a malformed span", malformed, Err(libc::EINVAL));
    close(&[set]);
}

fn wrong_arguments() {
    let set = set();
    equal("a flag that is none", call!(SYS_epoll_create1, 1), Err(libc::EINVAL));
    equal("a size of nothing", call!(SYS_epoll_create, 0), Err(libc::EINVAL));
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    equal("room for none", call!(SYS_epoll_wait, set, &raw mut event, 0, 0), Err(libc::EINVAL));
    equal("room for less than none", call!(SYS_epoll_wait, set, &raw mut event, -1_i32, 0), Err(libc::EINVAL));
    equal("room for more than there is", call!(SYS_epoll_wait, set, &raw mut event, i32::MAX, 0), Err(libc::EINVAL));
    equal("not a set", call!(SYS_epoll_wait, 0, &raw mut event, 1, 0), Err(libc::EINVAL));
    equal("not a descriptor", call!(SYS_epoll_wait, 777, &raw mut event, 1, 0), Err(libc::EBADF));
    equal("watching no descriptor", control(set, libc::EPOLL_CTL_ADD, 777, IN, 0), Err(libc::EBADF));
    equal("an operation that is none", control(set, 9, 0, IN, 0), Err(libc::EINVAL));
    let file = done("open", call!(SYS_open, c"/tmp".as_ptr(), libc::O_DIRECTORY, 0)) as i32;
    equal("a directory is not polled", control(set, libc::EPOLL_CTL_ADD, file, IN, 0), Err(libc::EPERM));
    close(&[set, file]);
}

fn inherited() {
    let (set, (from, to)) = (set(), pipe());
    add(set, from, IN);
    write(to);
    let child = in_a_child(|| {
        must_equal("the child sees the same", wait(set, 1, 0).len(), 1);
        0
    });
    equal("a set is shared with a child", child, Ended::Exited(0));
    must("the parent sees it too", wait(set, 1, 0).len() == 1);
    close(&[set, from, to]);
}
