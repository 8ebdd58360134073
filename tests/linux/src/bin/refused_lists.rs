//! Calls that make the kernel keep lists: where it has no room for one it says so, and what is there already stays right.
//!
//! The boots `tests/vm/refused-lists-*.boot` run it on a kernel that refuses by lot; elsewhere nothing is refused.

use std::io::Read;

use linux_tests::memory::{PAGE, READ, READ_WRITE, map, peek, poke, protect, unmap};
use linux_tests::process::{Ended, FAILED_QUIETLY, close, exit_now, my_pid, try_fork, wait};
use linux_tests::refused::{self, Case, granted};
use linux_tests::scratch::{Scratch, c};
use linux_tests::signal::{block, wait_for};
use linux_tests::{call, done, must, must_equal};

const CASES: [Case; 12] = [
    ("descriptors", descriptors),
    ("many at once are watched", watched),
    ("record locks", record_locks),
    ("signals that wait", signals),
    ("words that are waited for", futexes),
    ("pieces of buffers", pieces),
    ("pieces of mappings", mappings),
    ("lists of mappings", listed),
    ("descriptors on their way", passed),
    ("long command lines", command_lines),
    ("terminals", terminals),
    ("watches", watches),
];

fn main() {
    block(&[libc::SIGRTMIN()]);
    refused::all("refused-lists", &CASES);
}

fn give_up(descriptors: impl IntoIterator<Item = usize>) {
    descriptors.into_iter().for_each(|descriptor| {
        done("close", close(descriptor as i32));
    });
}

fn descriptors(_: &Scratch) {
    let (from, to) = pipe_if_granted();
    let wanted = [70, 140, 300, 600, 900];
    let got: Vec<usize> = wanted.into_iter().filter_map(|number| granted("dup2", call!(SYS_dup2, from, number))).collect();
    got.iter().for_each(|number| must("a descriptor that was asked for", wanted.contains(number)));
    give_up(got.into_iter().chain([from, to]));
}

/// A pipe takes no list; until there is one.
fn pipe_if_granted() -> (usize, usize) {
    let mut ends = [0_i32; 2];
    while granted("pipe2", call!(SYS_pipe2, ends.as_mut_ptr(), libc::O_NONBLOCK)).is_none() {}
    (ends[0] as usize, ends[1] as usize)
}

fn watched(_: &Scratch) {
    let (from, to) = pipe_if_granted();
    let mut list: Vec<libc::pollfd> = (0..300).map(|_| libc::pollfd { fd: to as i32, events: libc::POLLOUT, revents: 0 }).collect();
    if let Some(count) = granted("poll", call!(SYS_poll, list.as_mut_ptr(), list.len(), 0)) {
        must_equal("all can be written to", count, 300);
    }
    let mut set = [u64::MAX; 1];
    set[0] = 1 << to;
    if let Some(count) = granted("select", call!(SYS_select, to + 1, 0, set.as_mut_ptr(), 0, [0_u64; 2].as_ptr())) {
        must_equal("one can be written to", (count, set[0]), (1, 1 << to));
    }
    give_up([from, to]);
}

fn record_locks(scratch: &Scratch) {
    let name = c(&scratch.path("locked"));
    let Some(file) = granted("open", call!(SYS_open, name.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600)) else { return };
    for place in 0..20 {
        // SAFETY: all zero is a valid lock.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        (lock.l_type, lock.l_start, lock.l_len) = (libc::F_WRLCK as i16, place * 10, 5);
        granted("fcntl", call!(SYS_fcntl, file, libc::F_SETLK, &raw const lock));
    }
    give_up([file]);
}

fn signals(_: &Scratch) {
    // SAFETY: all zero is a valid siginfo_t.
    let mut information: libc::siginfo_t = unsafe { std::mem::zeroed() };
    information.si_code = libc::SI_QUEUE;
    let signal = libc::SIGRTMIN();
    let sent = (0..40).filter(|_| granted("sigqueue", call!(SYS_rt_sigqueueinfo, my_pid(), signal, &raw const information)).is_some());
    let sent = sent.count();
    let mut came = 0;
    while wait_for(&[signal], 0).is_ok() {
        came += 1;
    }
    must_equal("as many come as were sent", came, sent);
}

fn futexes(_: &Scratch) {
    let words = [0_u32; 64];
    let short = [0_u64, 1];
    for word in &words {
        match call!(SYS_futex, word as *const u32, libc::FUTEX_WAIT, 0, short.as_ptr()) {
            Err(libc::ETIMEDOUT | libc::ENOMEM) => {}
            other => must(&format!("a wait: {other:?}"), false),
        }
    }
    let lock = 0_u32;
    if granted("lock", call!(SYS_futex, &raw const lock, libc::FUTEX_LOCK_PI, 0, 0)).is_some() {
        must("unlock", call!(SYS_futex, &raw const lock, libc::FUTEX_UNLOCK_PI).is_ok());
    }
}

fn pieces(_: &Scratch) {
    let (from, to) = pipe_if_granted();
    let bytes = [9_u8; 400];
    let list: Vec<[usize; 2]> = (0..400).map(|index| [&raw const bytes[index] as usize, 1]).collect();
    if let Some(count) = granted("writev", call!(SYS_writev, to, list.as_ptr(), list.len())) {
        let mut back = [0_u8; 400];
        let whole = [[back.as_mut_ptr() as usize, 400]];
        while granted("readv", call!(SYS_readv, from, whole.as_ptr(), 1)).is_none() {}
        must("what went in pieces", back[..count].iter().all(|byte| *byte == 9));
    }
    let mut word = 0_u64;
    let (own, theirs) = ([&raw mut word as usize, 8], [bytes.as_ptr() as usize, 8]);
    let copied = call!(SYS_process_vm_readv, my_pid(), own.as_ptr(), 1, theirs.as_ptr(), 1, 0);
    must("a copy", copied == Err(libc::ENOMEM) || copied == Ok(8) && word == 0x0909_0909_0909_0909);
    give_up([from, to]);
}

fn mappings(_: &Scratch) {
    let Some(at) = granted("mmap", map(0, 200 * PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)) else { return };
    (0..200).for_each(|page| poke(at + page * PAGE, page as u8));
    (0..200).step_by(2).for_each(|page| {
        granted("mprotect", protect(at + page * PAGE, PAGE, READ));
    });
    (0..200).for_each(|page| must_equal("what was written", peek(at + page * PAGE), page as u8));
    done("munmap", unmap(at, 200 * PAGE));
}

fn listed(_: &Scratch) {
    let Ok(mut file) = std::fs::File::open("/proc/self/maps") else { return };
    let mut text = String::new();
    if file.read_to_string(&mut text).is_ok() {
        must("a list is whole", text.contains("[stack]") && text.ends_with('\n'));
    }
}

fn passed(_: &Scratch) {
    let mut ends = [0_i32; 2];
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK;
    if granted("socketpair", call!(SYS_socketpair, libc::AF_UNIX, kind, 0, ends.as_mut_ptr())).is_none() {
        return;
    }
    let mut control = [0_u64; 3];
    control[0] = 20;
    control[1] = libc::SOL_SOCKET as u64 | (libc::SCM_RIGHTS as u64) << 32;
    control[2] = ends[0] as u64;
    let piece = [control.as_ptr() as usize, 8];
    // SAFETY: all zero is a valid header.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = piece.as_ptr().cast_mut().cast();
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = 24;
    let sent = (0..5).filter(|_| granted("sendmsg", call!(SYS_sendmsg, ends[0], &raw const header, 0)).is_some()).count();
    let mut bytes = [0_u8; 64];
    let came = (0..5).filter(|_| granted("recv", call!(SYS_recvfrom, ends[1], bytes.as_mut_ptr(), 64, 0, 0, 0)).is_some()).count();
    must("no more come than were sent", came <= sent);
    give_up([ends[0] as usize, ends[1] as usize]);
}

fn command_lines(_: &Scratch) {
    let words: Vec<_> = [c"/bin/sh", c"-c", c"exit 5"].into_iter().map(|word| word.as_ptr()).collect();
    let mut list = words;
    list.extend((0..500).map(|_| c"another word".as_ptr()));
    list.push(std::ptr::null());
    let Some(child) = granted(
        "fork",
        try_fork(|| {
            let _it_goes_on_only_if_refused = call!(SYS_execve, list[0], list.as_ptr(), [0_usize].as_ptr());
            exit_now(FAILED_QUIETLY)
        }),
    ) else {
        return;
    };
    let ended = wait(child);
    must(&format!("its end: {ended:?}"), matches!(ended, Ended::Exited(5 | FAILED_QUIETLY | 1 | 2 | 127) | Ended::Killed(_)));
}

fn terminals(_: &Scratch) {
    let Some(master) = granted("open", call!(SYS_open, c"/dev/ptmx".as_ptr(), libc::O_RDWR | libc::O_NOCTTY | libc::O_NONBLOCK)) else {
        return;
    };
    let line = [b'x'; 200];
    granted("write", call!(SYS_write, master, line.as_ptr(), line.len()));
    give_up([master]);
}

fn watches(_: &Scratch) {
    let Some(poll) = granted("epoll_create1", call!(SYS_epoll_create1, 0)) else { return };
    let (from, to) = pipe_if_granted();
    let mut event = [0_u32; 3];
    event[0] = libc::EPOLLOUT as u32;
    if granted("epoll_ctl", call!(SYS_epoll_ctl, poll, libc::EPOLL_CTL_ADD, to, event.as_ptr())).is_some() {
        let mut found = [0_u32; 3];
        if let Some(count) = granted("epoll_wait", call!(SYS_epoll_wait, poll, found.as_mut_ptr(), 1, 0)) {
            must_equal("one can be written to", count, 1);
        }
    }
    give_up([poll, from, to]);
}
