//! A session on a pseudo-terminal of its own, and the jobs of its leader.

use crate::process::{Ended, Pid, child_must_succeed, close_all, fork, pipe, read, wait_for_any_of, wait_for_byte, write};
use crate::signal::set_disposition;
use crate::terminal::{Pty, ask, set};
use crate::{Errno, call, done, fail, must};

const KEY_SIGNALS: [i32; 6] = [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGHUP];

/// Runs `body` in the leader of a new session that a new terminal controls. It may change the terminal from the background.
#[track_caller]
pub fn in_a_session(what: &str, body: impl FnOnce(&Pty)) {
    child_must_succeed(what, || {
        let pty = Pty::new();
        lead(&pty);
        body(&pty);
        // Closing the far end would hang up on the leader itself.
        std::mem::forget(pty);
    });
    println!("{what}: all seen");
}

/// The caller leads a new session that this terminal controls.
#[track_caller]
pub fn lead(pty: &Pty) {
    done("setsid", call!(SYS_setsid));
    done("TIOCSCTTY", ask(pty.slave, libc::TIOCSCTTY, 0));
    set_disposition(libc::SIGTTOU, libc::SIG_IGN);
}

/// A child that begins when it is told to.
pub struct Job {
    pub pid: Pid,
    gate: (i32, i32),
}

impl Job {
    /// In a group of its own.
    #[track_caller]
    pub fn new(body: impl FnOnce() -> i32) -> Self {
        Self::of_group(0, body)
    }

    /// In a group that is there, or with 0 in its own. Keys have their usual effect on it.
    #[track_caller]
    pub fn of_group(group: Pid, body: impl FnOnce() -> i32) -> Self {
        let (gate, ready) = (pipe(), pipe());
        let pid = fork(|| {
            done("setpgid", call!(SYS_setpgid, 0, group));
            KEY_SIGNALS.iter().for_each(|signal| set_disposition(*signal, libc::SIG_DFL));
            done("write", write(ready.1, b"x"));
            must("begins", wait_for_byte(gate.0));
            close_all(&[gate.0, gate.1, ready.0, ready.1]);
            body()
        });
        must("ready", wait_for_byte(ready.0));
        close_all(&[ready.0, ready.1, gate.0]);
        Job { pid, gate }
    }

    /// Begins, in the background.
    #[track_caller]
    pub fn begin(&self) {
        done("write", write(self.gate.1, b"x"));
    }

    /// Begins, and stops or ends.
    #[track_caller]
    pub fn fares(&self) -> Ended {
        self.begin();
        self.stands()
    }

    /// Waits until it has stopped or ended.
    #[track_caller]
    pub fn stands(&self) -> Ended {
        loop {
            match wait_for_any_of(self.pid, libc::WUNTRACED) {
                Ok(Some((_, ended))) => return ended,
                Ok(None) | Err(libc::EINTR) => continue,
                Err(errno) => fail(&format!("waiting for a job: errno {errno}")),
            }
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        close_all(&[self.gate.1]);
    }
}

/// Makes a group the one that reads.
pub fn put_in_front(terminal: i32, group: Pid) -> Result<usize, Errno> {
    set(terminal, libc::TIOCSPGRP, group)
}

/// A read as the status of a process: the count above 200, or the errno.
pub fn reads(descriptor: i32) -> i32 {
    as_status(read(descriptor, &mut [0; 40]))
}

pub fn as_status(result: Result<usize, Errno>) -> i32 {
    match result {
        Ok(count) => 200 + count as i32,
        Err(errno) => errno,
    }
}
