//! Programs that this tool starts, and that never outlive it.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// The child is killed when the thread that starts it ends, gets a process group of its own (so that Ctrl-C reaches it only
/// through us), takes signals even where this tool has blocked them or was started with some ignored, and inherits no descriptor
/// but its three streams.
pub fn dies_with_us(command: &mut Command) {
    command.process_group(0);
    let prepare = || {
        // SAFETY: between fork and exec only async-signal-safe calls are made; the empty set is plain data.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
            // A shell starts what runs in the background with SIGINT ignored. SIGKILL and SIGSTOP refuse.
            for signal in 1..=libc::SIGRTMAX() {
                libc::signal(signal, libc::SIG_DFL);
            }
            libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        }
        Ok(())
    };
    // SAFETY: the closure above makes async-signal-safe calls only and allocates nothing.
    unsafe { command.pre_exec(prepare) };
}

/// Gives the child a copy of one of our descriptors under a fixed number.
pub fn inherits(command: &mut Command, ours: i32, theirs: i32) {
    let prepare = move || {
        // SAFETY: dup2 and fcntl are async-signal-safe; a wrong descriptor is an error value.
        let copied = unsafe { if ours == theirs { libc::fcntl(theirs, libc::F_SETFD, 0) } else { libc::dup2(ours, theirs) } };
        if copied < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: the closure above makes async-signal-safe calls only and allocates nothing.
    unsafe { command.pre_exec(prepare) };
}

/// Waits for the end, but not beyond `deadline`: then the child is killed and None comes back.
pub fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                stop(child);
                return None;
            }
        }
    }
}

/// Kills the child's whole process group and reaps the child. A child that is gone already is no error.
pub fn stop(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        // SAFETY: kill takes any number; the child is not reaped yet, so its group is still its own.
        unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
    }
    let _already_gone = child.kill();
    let _already_reaped = child.wait();
}

/// The status as a shell would say it: 128 + n for a signal.
pub fn shell_status(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => (code & 0xff) as u8,
        (None, Some(signal)) => (128 + signal) as u8,
        (None, None) => 255,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        dies_with_us(&mut command);
        command.spawn().unwrap()
    }

    #[test]
    fn statuses_are_said_as_a_shell_says_them() {
        let soon = Instant::now() + Duration::from_secs(20);
        assert_eq!(shell_status(wait_until(&mut shell("exit 7"), soon).unwrap()), 7);
        assert_eq!(shell_status(wait_until(&mut shell("kill -9 $$"), soon).unwrap()), 137);
    }

    #[test]
    fn a_child_takes_signals_that_we_ignore() {
        // SAFETY: nobody here sends or awaits the signal.
        unsafe { libc::signal(libc::SIGUSR2, libc::SIG_IGN) };
        let soon = Instant::now() + Duration::from_secs(20);
        assert_eq!(shell_status(wait_until(&mut shell("kill -USR2 $$; exit 3"), soon).unwrap()), 140);
    }

    #[test]
    fn a_child_that_does_not_end_is_killed_at_the_deadline() {
        let mut child = shell("sleep 1000; true");
        assert!(wait_until(&mut child, Instant::now() + Duration::from_millis(50)).is_none());
        assert!(child.try_wait().unwrap().is_some());
    }
}
