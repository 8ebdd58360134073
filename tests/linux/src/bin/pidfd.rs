//! Processes by descriptor: opened, polled, waited for, signalled, their files taken.

use linux_tests::process::{Ended, close, close_all, exit_now, fork, in_a_child, kill, my_pid, pipe, read, wait, wait_for_byte, write};
use linux_tests::{Errno, call, check, done, equal, must, must_equal, signal, sleep_ms};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

const P_PIDFD: u32 = 3;

fn main() {
    opening();
    readiness();
    waiting();
    signals();
    taking_files();
    made_with_one();
    same_process_for_ever();
}

fn open(pid: i32, flags: i32) -> Result<i32, Errno> {
    call!(SYS_pidfd_open, pid, flags).map(|fd| fd as i32)
}

fn send(fd: i32, number: i32, information: usize, flags: u32) -> Result<usize, Errno> {
    call!(SYS_pidfd_send_signal, fd, number, information, flags)
}

/// What poll says within so many milliseconds.
fn poll(fd: i32, limit: i32) -> i16 {
    let mut asked = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: one element, ours.
    let found = unsafe { libc::poll(&mut asked, 1, limit) };
    must("poll works", found >= 0);
    asked.revents
}

/// Signal, code and status of the child that was waited for by descriptor.
fn waitid(fd: i32, options: i32) -> Result<[i32; 4], Errno> {
    let mut information = [0_i32; 32];
    call!(SYS_waitid, P_PIDFD, fd, information.as_mut_ptr(), options, 0)?;
    Ok([information[0], information[2], information[4], information[6]])
}

fn sleeper() -> i32 {
    fork(|| {
        loop {
            sleep_ms(1_000);
        }
    })
}

fn opening() {
    for pid in [0, -1, i32::MIN] {
        must_equal("no process", open(pid, 0), Err(libc::EINVAL));
    }
    equal("nobody has this number: ESRCH", open(0x3fff_ffff, 0), Err(libc::ESRCH));
    equal("unknown flags: EINVAL", open(my_pid(), 1), Err(libc::EINVAL));
    let number = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            number.store(done("gettid", call!(SYS_gettid)) as u32, SeqCst);
            while number.load(SeqCst) != 0 {
                sleep_ms(1);
            }
        });
        while number.load(SeqCst) == 0 {
            sleep_ms(1);
        }
        equal("a thread that is no process: ENOENT", open(number.load(SeqCst) as i32, 0), Err(libc::ENOENT));
        number.store(0, SeqCst);
    });
    let me = done("open", open(my_pid(), 0));
    equal("it is closed at exec", call!(SYS_fcntl, me, libc::F_GETFD), Ok(libc::FD_CLOEXEC as usize));
    equal("there is nothing to read: EINVAL", read(me, &mut [0; 8]), Err(libc::EINVAL));
    equal("nor to write: EINVAL", write(me, &[0; 8]), Err(libc::EINVAL));
    let link = done("link", std::fs::read_link(format!("/proc/self/fd/{me}")));
    check("its link says what it is", link.to_string_lossy().contains("pidfd"));
    done("close", close(me));
}

fn readiness() {
    let (from, to) = pipe();
    let child = fork(|| i32::from(!wait_for_byte(from)));
    let fd = done("open", open(child, 0));
    equal("a living process is not ready", poll(fd, 0), 0);
    done("write", write(to, b"x"));
    equal("a wait for its end ends", poll(fd, -1), libc::POLLIN);
    equal("a zombie can be opened", open(child, 0).map(|fd| close_all(&[fd])), Ok(()));
    must_equal("ended", wait(child), Ended::Exited(0));
    equal("once waited for it is hung up", poll(fd, 0), libc::POLLIN | libc::POLLHUP);
    equal("and cannot be opened: ESRCH", open(child, 0), Err(libc::ESRCH));
    close_all(&[from, to, fd]);
    let child = fork(|| {
        thread::spawn(|| {
            sleep_ms(30);
            exit_now(4);
        });
        done("exit", call!(SYS_exit, 0));
        0
    });
    let fd = done("open", open(child, 0));
    sleep_ms(5);
    equal("the end of the first thread is not the process's", poll(fd, 0), 0);
    equal("that comes later", poll(fd, -1), libc::POLLIN);
    equal("with the other's status", wait(child), Ended::Exited(4));
    done("close", close(fd));
    with_epoll();
}

fn with_epoll() {
    let child = sleeper();
    let (fd, epoll) = (done("open", open(child, 0)), done("epoll", call!(SYS_epoll_create1, 0)) as i32);
    let mut event = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 7 };
    done("add", call!(SYS_epoll_ctl, epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event));
    let ready = |limit: i32| {
        let mut found = libc::epoll_event { events: 0, u64: 0 };
        done("wait", call!(SYS_epoll_wait, epoll, &raw mut found, 1, limit))
    };
    must_equal("none yet", ready(0), 0);
    done("kill", kill(child, libc::SIGKILL));
    equal("epoll sees the end", ready(-1), 1);
    equal("at its edge, once", ready(0), 0);
    wait(child);
    close_all(&[fd, epoll]);
}

fn waiting() {
    let child = fork(|| 9);
    let fd = done("open", open(child, 0));
    let wanted = Ok([libc::SIGCHLD, libc::CLD_EXITED, child, 9]);
    equal("waitid by descriptor leaves the child with WNOWAIT", waitid(fd, libc::WEXITED | libc::WNOWAIT) == wanted, true);
    equal("and takes it", waitid(fd, libc::WEXITED) == wanted, true);
    equal("once: ECHILD", waitid(fd, libc::WEXITED), Err(libc::ECHILD));
    done("close", close(fd));
    equal("no descriptor: EBADF", waitid(fd, libc::WEXITED), Err(libc::EBADF));
    equal("a negative one: EINVAL", waitid(-1, libc::WEXITED), Err(libc::EINVAL));
    let (from, to) = pipe();
    equal("one of something else: EBADF", waitid(from, libc::WEXITED), Err(libc::EBADF));
    let me = done("open", open(my_pid(), 0));
    equal("a process that is no child: ECHILD", waitid(me, libc::WEXITED), Err(libc::ECHILD));
    let child = sleeper();
    let fd = done("open", open(child, libc::O_NONBLOCK));
    equal("nonblocking, and it lives: EAGAIN", waitid(fd, libc::WEXITED), Err(libc::EAGAIN));
    equal("WNOHANG: nothing", waitid(fd, libc::WEXITED | libc::WNOHANG), Ok([0; 4]));
    done("kill", kill(child, libc::SIGKILL));
    poll(fd, -1);
    let killed = Ok([libc::SIGCHLD, libc::CLD_KILLED, child, libc::SIGKILL]);
    equal("nonblocking, and it is dead", waitid(fd, libc::WEXITED) == killed, true);
    close_all(&[from, to, me, fd]);
}

fn signals() {
    let child = sleeper();
    let fd = done("open", open(child, 0));
    equal("signal 0 only asks", send(fd, 0, 0, 0), Ok(0));
    equal("no such signal: EINVAL", send(fd, 99, 0, 0), Err(libc::EINVAL));
    equal("unknown flags: EINVAL", send(fd, 0, 0, 8), Err(libc::EINVAL));
    equal("two flags: EINVAL", send(fd, 0, 0, 3), Err(libc::EINVAL));
    equal("no descriptor of a process: EBADF", send(0, 0, 0, 0), Err(libc::EBADF));
    equal("information that is nowhere: EFAULT", send(fd, libc::SIGTERM, 0x10, 0), Err(libc::EFAULT));
    // Signal, (errno), code.
    let mut information = [0_i32; 32];
    information[0] = libc::SIGTERM;
    information[2] = libc::SI_QUEUE;
    equal("information about another signal: EINVAL", send(fd, libc::SIGUSR1, information.as_ptr() as usize, 0), Err(libc::EINVAL));
    information[2] = libc::SI_USER;
    equal("nobody pretends to be kill: EPERM", send(fd, libc::SIGTERM, information.as_ptr() as usize, 0), Err(libc::EPERM));
    equal("a signal arrives", (send(fd, libc::SIGTERM, 0, 0), poll(fd, -1)), (Ok(0), libc::POLLIN));
    equal("a zombie may be signalled", send(fd, libc::SIGTERM, 0, 0), Ok(0));
    equal("it ended by it", wait(child), Ended::Killed(libc::SIGTERM));
    equal("once waited for: ESRCH", send(fd, libc::SIGTERM, 0, 0), Err(libc::ESRCH));
    done("close", close(fd));
    signal::block(&[libc::SIGUSR1]);
    let me = done("open", open(my_pid(), 0));
    information[0] = libc::SIGUSR1;
    information[2] = libc::SI_QUEUE;
    information[6] = 42;
    must_equal("queued", send(me, libc::SIGUSR1, information.as_ptr() as usize, 0), Ok(0));
    let (number, found) = done("wait", signal::wait_for(&[libc::SIGUSR1], 1_000));
    equal("information arrives with its signal", (number, found.si_code), (libc::SIGUSR1, libc::SI_QUEUE));
    must_equal("to the thread", send(me, libc::SIGUSR1, 0, 1), Ok(0));
    equal("a flag names the thread", signal::wait_for(&[libc::SIGUSR1], 1_000).map(|found| found.0), Ok(libc::SIGUSR1));
    done("close", close(me));
    let leader = fork(|| {
        done("setpgid", call!(SYS_setpgid, 0, 0));
        let fd = done("open", open(my_pid(), 0));
        let member = sleeper();
        signal::set_disposition(libc::SIGTERM, libc::SIG_IGN);
        done("send", send(fd, libc::SIGTERM, 0, 4));
        i32::from(wait(member) != Ended::Killed(libc::SIGTERM))
    });
    equal("a flag names the group", wait(leader), Ended::Exited(0));
}

fn taking_files() {
    let (from, to) = pipe();
    let (hold, held) = pipe();
    let child = fork(|| {
        let (inner_from, inner_to) = pipe();
        done("write", write(to, &[inner_from as u8]));
        done("write", write(inner_to, b"treasure"));
        i32::from(!wait_for_byte(hold))
    });
    let mut number = [0];
    done("read", read(from, &mut number));
    let fd = done("open", open(child, 0));
    let getfd = |theirs: i32, flags: u32| call!(SYS_pidfd_getfd, fd, theirs, flags).map(|fd| fd as i32);
    equal("flags: EINVAL", getfd(i32::from(number[0]), 1), Err(libc::EINVAL));
    equal("it has none of this number: EBADF", getfd(999, 0), Err(libc::EBADF));
    equal("not a process: EBADF", call!(SYS_pidfd_getfd, from, 0, 0), Err(libc::EBADF));
    let taken = done("getfd", getfd(i32::from(number[0]), 0));
    let mut bytes = [0; 8];
    done("read", read(taken, &mut bytes));
    equal("a descriptor of another process reads what that one would", &bytes, b"treasure");
    equal("it is closed at exec", call!(SYS_fcntl, taken, libc::F_GETFD), Ok(libc::FD_CLOEXEC as usize));
    done("write", write(held, b"x"));
    poll(fd, -1);
    equal("a dead process has none: ESRCH", getfd(0, 0), Err(libc::ESRCH));
    must_equal("ended", wait(child), Ended::Exited(0));
    close_all(&[from, to, hold, held, fd, taken]);
}

fn made_with_one() {
    let mut fd = -1_i32;
    let clone = |flags: i32, at: *mut i32| {
        let flags = flags | libc::SIGCHLD;
        match call!(SYS_clone, flags, 0, at, 0, 0)? {
            0 => exit_now(6),
            pid => Ok::<i32, Errno>(pid as i32),
        }
    };
    let child = done("clone", clone(libc::CLONE_PIDFD, &mut fd));
    equal(
        "clone gives a descriptor of the child",
        (poll(fd, -1), waitid(fd, libc::WEXITED)),
        (libc::POLLIN, Ok([libc::SIGCHLD, libc::CLD_EXITED, child, 6])),
    );
    equal("closed at exec", call!(SYS_fcntl, fd, libc::F_GETFD), Ok(libc::FD_CLOEXEC as usize));
    done("close", close(fd));
    let both = libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID;
    equal("one place for two answers: EINVAL", clone(both, &mut fd).map(|_| ()), Err(libc::EINVAL));
    let unwritable = 0x10 as *mut i32;
    equal("a place that is nowhere: EFAULT", clone(libc::CLONE_PIDFD, unwritable).map(|_| ()), Err(libc::EFAULT));
    equal("and no child", call!(SYS_wait4, -1_i32, 0, 0, 0), Err(libc::ECHILD));
    // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
    let mut words = [0_u64; 8];
    words[0] = libc::CLONE_PIDFD as u64;
    words[1] = (&raw mut fd) as u64;
    words[4] = libc::SIGCHLD as u64;
    match done("clone3", call!(SYS_clone3, words.as_ptr(), size_of_val(&words))) {
        0 => exit_now(8),
        child => equal("clone3 too", waitid(fd, libc::WEXITED), Ok([libc::SIGCHLD, libc::CLD_EXITED, child as i32, 8])),
    }
    done("close", close(fd));
}

/// Many processes come and go: an old descriptor never means a new process.
fn same_process_for_ever() {
    let first = fork(|| 0);
    let fd = done("open", open(first, 0));
    must_equal("ended", wait(first), Ended::Exited(0));
    for _ in 0..50 {
        must_equal("ended", in_a_child(|| 0), Ended::Exited(0));
    }
    equal("an old descriptor means nobody new", (send(fd, 0, 0, 0), waitid(fd, libc::WEXITED)), (Err(libc::ESRCH), Err(libc::ECHILD)));
    done("close", close(fd));
}
