//! Children, their ends, and pipes between them.

use crate::{Errno, FAILED, answer, call, done, fail};

pub type Pid = i32;

/// How a child ended, or why it stands still.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Exited(i32),
    Killed(i32),
    Stopped(i32),
    Continued,
}

impl Ended {
    fn from_status(status: i32) -> Self {
        if libc::WIFEXITED(status) {
            Ended::Exited(libc::WEXITSTATUS(status))
        } else if libc::WIFSIGNALED(status) {
            Ended::Killed(libc::WTERMSIG(status))
        } else if libc::WIFSTOPPED(status) {
            Ended::Stopped(libc::WSTOPSIG(status))
        } else {
            Ended::Continued
        }
    }
}

/// The status of a child that could not do its work, and was in its right not to.
pub const FAILED_QUIETLY: i32 = 98;

/// Ends this process at once: no buffers, no destructors.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: no memory is involved.
    unsafe { libc::_exit(status) }
}

/// A child that runs `body` and ends with what it returns.
#[track_caller]
pub fn fork(body: impl FnOnce() -> i32) -> Pid {
    done("fork", try_fork(body))
}

/// `fork` that may be refused.
pub fn try_fork(body: impl FnOnce() -> i32) -> Result<Pid, Errno> {
    // SAFETY: the child goes on in a copy of this thread; these programs fork while other threads hold
    // no lock that the child takes.
    match answer(unsafe { libc::fork() })? {
        0 => exit_now(body()),
        pid => Ok(pid),
    }
}

pub fn wait_for_any_of(which: Pid, options: i32) -> Result<Option<(Pid, Ended)>, Errno> {
    let mut status = 0;
    // SAFETY: `status` is ours.
    let pid = answer(unsafe { libc::waitpid(which, &mut status, options) })?;
    Ok((pid != 0).then(|| (pid, Ended::from_status(status))))
}

/// Waits for one child, through interruptions.
#[track_caller]
pub fn wait(pid: Pid) -> Ended {
    loop {
        match wait_for_any_of(pid, 0) {
            Ok(Some((_, ended))) => return ended,
            Ok(None) | Err(libc::EINTR) => continue,
            Err(errno) => fail(&format!("waiting for a child: errno {errno}")),
        }
    }
}

/// Runs `body` in a child and waits for its end.
#[track_caller]
pub fn in_a_child(body: impl FnOnce() -> i32) -> Ended {
    wait(fork(body))
}

/// Runs `body` in a child that has to find nothing wrong.
#[track_caller]
pub fn child_must_succeed(what: &str, body: impl FnOnce()) {
    let ended = in_a_child(|| {
        body();
        0
    });
    if ended == Ended::Exited(FAILED) {
        exit_now(FAILED);
    }
    crate::must_equal(what, ended, Ended::Exited(0));
}

pub fn my_pid() -> Pid {
    std::process::id() as Pid
}

pub fn kill(pid: Pid, signal: i32) -> Result<usize, Errno> {
    call!(SYS_kill, pid, signal)
}

/// Two ends of a pipe: read, write.
#[track_caller]
pub fn pipe() -> (i32, i32) {
    pipe_with(0)
}

#[track_caller]
pub fn pipe_with(flags: i32) -> (i32, i32) {
    let mut ends = [0_i32; 2];
    done("pipe2", call!(SYS_pipe2, ends.as_mut_ptr(), flags));
    (ends[0], ends[1])
}

pub fn read(descriptor: i32, buffer: &mut [u8]) -> Result<usize, Errno> {
    call!(SYS_read, descriptor, buffer.as_mut_ptr(), buffer.len())
}

pub fn write(descriptor: i32, bytes: &[u8]) -> Result<usize, Errno> {
    call!(SYS_write, descriptor, bytes.as_ptr(), bytes.len())
}

pub fn close(descriptor: i32) -> Result<usize, Errno> {
    call!(SYS_close, descriptor)
}

/// Closes descriptors that are known to be open.
#[track_caller]
pub fn close_all(descriptors: &[i32]) {
    for descriptor in descriptors {
        done("close", close(*descriptor));
    }
}

/// Reads to the end.
#[track_caller]
pub fn read_all(descriptor: i32) -> Vec<u8> {
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match read(descriptor, &mut part) {
            Ok(0) => return all,
            Ok(count) => all.extend_from_slice(&part[..count]),
            Err(libc::EINTR) => continue,
            Err(errno) => fail(&format!("reading: errno {errno}")),
        }
    }
}

/// Blocks until the other end writes a byte or goes away.
#[track_caller]
pub fn wait_for_byte(descriptor: i32) -> bool {
    loop {
        match read(descriptor, &mut [0]) {
            Ok(count) => return count == 1,
            Err(libc::EINTR) => continue,
            Err(errno) => fail(&format!("waiting for a byte: errno {errno}")),
        }
    }
}

/// Is the process there, a zombie included?
pub fn exists(pid: Pid) -> bool {
    kill(pid, 0).is_ok()
}
