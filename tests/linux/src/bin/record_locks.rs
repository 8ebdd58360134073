//! Record locks: processes that wait for each other in a circle, and locks of openings.

use linux_tests::process::{Ended, fork, in_a_child, wait};
use linux_tests::{Errno, call, done, equal, must_equal, sleep_ms};
use std::thread;

const PATH: &str = "/tmp/record-locks\0";

fn main() {
    end_with_their_process();
    (2..=4).for_each(circle);
    apart_in_one_process();
    shared_by_duplicates_and_children();
    waited_for();
    against_a_process();
    what_an_opening_has();
    wrong_arguments();
    done("unlink", call!(SYS_unlink, PATH.as_ptr()));
}

fn open(flags: i32) -> i32 {
    done("open", call!(SYS_open, PATH.as_ptr(), flags | libc::O_CREAT, 0o644)) as i32
}

fn close(fd: i32) {
    done("close", call!(SYS_close, fd));
}

fn range(kind: i32, start: i64, length: i64) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: start, l_len: length, l_pid: 0 }
}

fn lock(fd: i32, command: i32, kind: i32, start: i64, length: i64) -> Result<usize, Errno> {
    let wanted = range(kind, start, length);
    call!(SYS_fcntl, fd, command, &raw const wanted)
}

/// Kind, start, length, and whether a process is named.
fn asked(fd: i32, command: i32, kind: i32, start: i64, length: i64) -> (i32, i64, i64, i32) {
    let mut answer = range(kind, start, length);
    done("fcntl", call!(SYS_fcntl, fd, command, &raw mut answer));
    (i32::from(answer.l_type), answer.l_start, answer.l_len, answer.l_pid.signum())
}

fn end_with_their_process() {
    let fd = open(libc::O_RDWR);
    let child = in_a_child(|| {
        done("lock", lock(fd, libc::F_SETLK, libc::F_WRLCK, 0, 0));
        0
    });
    equal("a child locks and ends", child, Ended::Exited(0));
    equal("nobody has what it locked", lock(fd, libc::F_SETLK, libc::F_WRLCK, 0, 0), Ok(0));
    close(fd);
}

/// Each has a byte and waits for the next one's.
fn circle(processes: i64) {
    let fd = open(libc::O_RDWR);
    let mut gates = [0_i32; 2];
    let mut ready = [0_i32; 2];
    done("pipe", call!(SYS_pipe2, gates.as_mut_ptr(), 0));
    done("pipe", call!(SYS_pipe2, ready.as_mut_ptr(), 0));
    let child = |own: i64| {
        fork(move || {
            done("a byte of one's own", lock(fd, libc::F_SETLK, libc::F_WRLCK, own, 1));
            done("write", call!(SYS_write, ready[1], b"x".as_ptr(), 1));
            done("read", call!(SYS_read, gates[0], [0_u8; 1].as_mut_ptr(), 1));
            match lock(fd, libc::F_SETLKW, libc::F_WRLCK, (own + 1) % processes, 1) {
                Ok(_) => 0,
                Err(libc::EDEADLK) => 1,
                Err(_) => 2,
            }
        })
    };
    let children: Vec<i32> = (0..processes).map(child).collect();
    for _ in 0..processes {
        done("read", call!(SYS_read, ready[0], [0_u8; 1].as_mut_ptr(), 1));
    }
    done("write", call!(SYS_write, gates[1], [0_u8; 8].as_ptr(), processes as usize));
    let mut ends: Vec<Ended> = children.into_iter().map(wait).collect();
    ends.sort_by_key(|end| format!("{end:?}"));
    let mut wanted = vec![Ended::Exited(0); processes as usize - 1];
    wanted.push(Ended::Exited(1));
    equal(&format!("of {processes} in a circle one is told, and the others go on"), ends, wanted);
    gates.into_iter().chain(ready).chain([fd]).for_each(close);
}

fn apart_in_one_process() {
    let (one, other) = (open(libc::O_RDWR), open(libc::O_RDWR));
    equal("an opening locks", lock(one, libc::F_OFD_SETLK, libc::F_WRLCK, 10, 10), Ok(0));
    equal("another of the same process may not", lock(other, libc::F_OFD_SETLK, libc::F_RDLCK, 15, 1), Err(libc::EAGAIN));
    equal("it may beside it", lock(other, libc::F_OFD_SETLK, libc::F_RDLCK, 20, 5), Ok(0));
    equal("it is told of no process", asked(other, libc::F_OFD_GETLK, libc::F_WRLCK, 0, 0), (libc::F_WRLCK, 10, 10, -1));
    equal("the first changes its own", lock(one, libc::F_OFD_SETLK, libc::F_RDLCK, 10, 5), Ok(0));
    equal("readers share", lock(other, libc::F_OFD_SETLK, libc::F_RDLCK, 10, 5), Ok(0));
    equal("the rest is locked still", lock(other, libc::F_OFD_SETLK, libc::F_RDLCK, 15, 1), Err(libc::EAGAIN));
    equal("until it is given back", lock(one, libc::F_OFD_SETLK, libc::F_UNLCK, 15, 5), Ok(0));
    equal("then it is free", lock(other, libc::F_OFD_SETLK, libc::F_WRLCK, 15, 1), Ok(0));
    [one, other].into_iter().for_each(close);
}

fn shared_by_duplicates_and_children() {
    let (one, other) = (open(libc::O_RDWR), open(libc::O_RDWR));
    let twin = done("dup", call!(SYS_dup, one)) as i32;
    done("lock", lock(one, libc::F_OFD_SETLK, libc::F_WRLCK, 0, 0));
    equal("a duplicate has the same lock", lock(twin, libc::F_OFD_SETLK, libc::F_WRLCK, 3, 4), Ok(0));
    close(twin);
    equal("it stays when the duplicate is closed", lock(other, libc::F_OFD_SETLK, libc::F_RDLCK, 0, 1), Err(libc::EAGAIN));
    let child = in_a_child(|| {
        must_equal("a child has it too", lock(one, libc::F_OFD_SETLK, libc::F_UNLCK, 0, 1), Ok(0));
        0
    });
    equal("a child gives back what the parent locked", child, Ended::Exited(0));
    equal("then it is free", lock(other, libc::F_OFD_SETLK, libc::F_RDLCK, 0, 1), Ok(0));
    close(one);
    equal("the last close gives all back", lock(other, libc::F_OFD_SETLK, libc::F_WRLCK, 0, 0), Ok(0));
    close(other);
}

fn waited_for() {
    let (one, other) = (open(libc::O_RDWR), open(libc::O_RDWR));
    done("lock", lock(one, libc::F_OFD_SETLK, libc::F_WRLCK, 0, 1));
    let waiter = thread::spawn(move || lock(other, libc::F_OFD_SETLKW, libc::F_WRLCK, 0, 1));
    sleep_ms(50);
    close(one);
    equal("who waits for an opening's lock gets it at its close", waiter.join().ok(), Some(Ok(0)));
    close(other);
}

fn against_a_process() {
    let (one, other) = (open(libc::O_RDWR), open(libc::O_RDWR));
    done("lock", lock(one, libc::F_SETLK, libc::F_WRLCK, 0, 4));
    equal("a process keeps its own openings out", lock(other, libc::F_OFD_SETLK, libc::F_RDLCK, 2, 1), Err(libc::EAGAIN));
    equal("and is named", asked(other, libc::F_OFD_GETLK, libc::F_RDLCK, 0, 0), (libc::F_WRLCK, 0, 4, 1));
    equal("beside it they may", lock(other, libc::F_OFD_SETLK, libc::F_WRLCK, 4, 4), Ok(0));
    equal("and keep it out", lock(one, libc::F_SETLK, libc::F_WRLCK, 0, 8), Err(libc::EAGAIN));
    equal("it is told of no process", asked(one, libc::F_GETLK, libc::F_RDLCK, 0, 0), (libc::F_WRLCK, 4, 4, -1));
    close(one);
    let again = open(libc::O_RDWR);
    equal(
        "a close takes the process's locks, not the opening's",
        asked(again, libc::F_OFD_GETLK, libc::F_WRLCK, 0, 0),
        (libc::F_WRLCK, 4, 4, -1),
    );
    [again, other].into_iter().for_each(close);
}

fn what_an_opening_has() {
    let fd = open(libc::O_RDWR);
    equal("an opening without locks", asked(fd, libc::F_OFD_GETLK, libc::F_UNLCK, 0, 0), (libc::F_UNLCK, 0, 0, 0));
    done("lock", lock(fd, libc::F_OFD_SETLK, libc::F_RDLCK, 7, 3));
    equal("what an opening has", asked(fd, libc::F_OFD_GETLK, libc::F_UNLCK, 0, 0), (libc::F_RDLCK, 7, 3, -1));
    equal("a process cannot ask so", lock(fd, libc::F_GETLK, libc::F_UNLCK, 0, 0), Err(libc::EINVAL));
    close(fd);
}

fn wrong_arguments() {
    let fd = open(libc::O_WRONLY);
    let mut named = range(libc::F_WRLCK, 0, 1);
    named.l_pid = 1;
    for command in [libc::F_OFD_GETLK, libc::F_OFD_SETLK, libc::F_OFD_SETLKW] {
        equal("a process is named", call!(SYS_fcntl, fd, command, &raw mut named), Err(libc::EINVAL));
        equal("a wild pointer", call!(SYS_fcntl, fd, command, 8), Err(libc::EFAULT));
        equal("no such kind", lock(fd, command, 9, 0, 1), Err(libc::EINVAL));
    }
    equal("a reader's lock of who may only write", lock(fd, libc::F_OFD_SETLK, libc::F_RDLCK, 0, 1), Err(libc::EBADF));
    close(fd);
}
