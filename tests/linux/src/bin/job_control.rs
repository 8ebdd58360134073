//! Process groups and sessions: who belongs together, and who may say so.

use linux_tests::process::{Ended, Pid, close_all, fork, in_a_child, kill, my_pid, pipe, wait, wait_for_any_of, wait_for_byte, write};
use linux_tests::{Errno, call, check, done, equal, must, must_equal, signal, sleep_ms};

fn main() {
    // In a session of its own, so that nothing depends on who started this.
    let child = in_a_child(|| {
        must_equal("setsid", call!(SYS_setsid), Ok(my_pid() as usize));
        groups();
        group_of_children();
        sessions();
        refusals();
        signals_to_groups();
        stopped_groups();
        orphaned_groups();
        no_terminal();
        0
    });
    equal("all of it in a session of its own", child, Ended::Exited(0));
}

fn group_of(pid: Pid) -> Result<Pid, Errno> {
    call!(SYS_getpgid, pid).map(|group| group as Pid)
}

fn session_of(pid: Pid) -> Result<Pid, Errno> {
    call!(SYS_getsid, pid).map(|session| session as Pid)
}

fn set_group(pid: Pid, group: Pid) -> Result<usize, Errno> {
    call!(SYS_setpgid, pid, group)
}

/// A child that waits until it is let go.
struct Waiting {
    pid: Pid,
    gate: (i32, i32),
}

impl Waiting {
    fn new(before: impl FnOnce()) -> Self {
        let (gate, ready) = (pipe(), pipe());
        let pid = fork(|| {
            before();
            done("write", write(ready.1, b"x"));
            i32::from(!wait_for_byte(gate.0))
        });
        must("ready", wait_for_byte(ready.0));
        close_all(&[ready.0, ready.1]);
        Waiting { pid, gate }
    }

    fn let_go(self) -> Ended {
        let _it_may_be_dead = write(self.gate.1, b"x");
        let ended = wait(self.pid);
        close_all(&[self.gate.0, self.gate.1]);
        ended
    }
}

fn groups() {
    let me = my_pid();
    equal("a session's first process leads its group too", (group_of(0), session_of(0)), (Ok(me), Ok(me)));
    equal("getpgrp says the same", call!(SYS_getpgrp).map(|group| group as Pid), Ok(me));
    equal(
        "a child is in its parent's group and session",
        in_a_child(|| i32::from(group_of(0) != Ok(me) || session_of(0) != Ok(me))),
        Ended::Exited(0),
    );
    let child = in_a_child(|| {
        must_equal("setpgid", set_group(0, 0), Ok(0));
        must_equal("its own group", group_of(0), Ok(my_pid()));
        must_equal("in the same session", session_of(0), Ok(me));
        must_equal("and back", set_group(0, me), Ok(0));
        must_equal("group", group_of(0), Ok(me));
        0
    });
    equal("a process makes a group and leaves it", child, Ended::Exited(0));
}

fn group_of_children() {
    let (first, second) = (Waiting::new(|| ()), Waiting::new(|| ()));
    equal("a parent makes a group of its child", set_group(first.pid, first.pid), Ok(0));
    equal("and puts another in it", set_group(second.pid, first.pid), Ok(0));
    equal("both are there", [group_of(first.pid), group_of(second.pid)], [Ok(first.pid); 2]);
    let leader = first.pid;
    equal("the leader goes", first.let_go(), Ended::Exited(0));
    equal("the group stays", group_of(second.pid), Ok(leader));
    equal("until the last goes", (second.let_go(), kill(-leader, 0)), (Ended::Exited(0), Err(libc::ESRCH)));
}

fn sessions() {
    let me = my_pid();
    let child = in_a_child(|| {
        must_equal("setsid", call!(SYS_setsid).map(|session| session as Pid), Ok(my_pid()));
        must_equal("leads both", (group_of(0), session_of(0)), (Ok(my_pid()), Ok(my_pid())));
        must_equal("once", call!(SYS_setsid), Err(libc::EPERM));
        must_equal("not into another session's group", set_group(0, me), Err(libc::EPERM));
        0
    });
    equal("a new session", child, Ended::Exited(0));
}

fn refusals() {
    equal("a leader of a group starts no session: EPERM", call!(SYS_setsid), Err(libc::EPERM));
    equal("a leader of a session changes no group: EPERM", set_group(0, 0), Err(libc::EPERM));
    equal("less than no group: EINVAL", set_group(0, -1), Err(libc::EINVAL));
    equal(
        "nobody there: ESRCH",
        [set_group(0x3fff_ffff, 0), group_of(0x3fff_ffff).map(|_| 0), session_of(0x3fff_ffff).map(|_| 0)],
        [Err(libc::ESRCH); 3],
    );
    equal("not my child: ESRCH", set_group(1, 0), Err(libc::ESRCH));
    let child = Waiting::new(|| ());
    equal("no such group: EPERM", set_group(child.pid, 0x3fff_ffff), Err(libc::EPERM));
    must_equal("child", child.let_go(), Ended::Exited(0));
    let child = Waiting::new(|| must("setsid", call!(SYS_setsid).is_ok()));
    equal("a child with a session of its own: EPERM", set_group(child.pid, my_pid()), Err(libc::EPERM));
    must_equal("child", child.let_go(), Ended::Exited(0));
}

fn signals_to_groups() {
    let first = Waiting::new(|| must("setpgid", set_group(0, 0).is_ok()));
    let leader = first.pid;
    let others: Vec<Waiting> = (0..3).map(|_| Waiting::new(|| must("setpgid", set_group(0, leader).is_ok()))).collect();
    let bystander = Waiting::new(|| ());
    equal("a signal for a group", kill(-leader, libc::SIGTERM), Ok(0));
    let mut ends = vec![first.let_go()];
    ends.extend(others.into_iter().map(Waiting::let_go));
    equal("kills all in it", ends, vec![Ended::Killed(libc::SIGTERM); 4]);
    equal("and nobody else", bystander.let_go(), Ended::Exited(0));
    equal("a group that is gone: ESRCH", kill(-leader, libc::SIGTERM), Err(libc::ESRCH));
    let own = in_a_child(|| {
        must("setpgid", set_group(0, 0).is_ok());
        let child = Waiting::new(|| ());
        signal::set_disposition(libc::SIGUSR1, libc::SIG_IGN);
        must_equal("kill 0", kill(0, libc::SIGUSR1), Ok(0));
        must_equal("its own group, itself included", child.let_go(), Ended::Killed(libc::SIGUSR1));
        0
    });
    equal("signal to one's own group", own, Ended::Exited(0));
}

fn stopped_groups() {
    let first = Waiting::new(|| must("setpgid", set_group(0, 0).is_ok()));
    let leader = first.pid;
    let second = Waiting::new(|| must("setpgid", set_group(0, leader).is_ok()));
    done("kill", kill(-leader, libc::SIGSTOP));
    let mut stopped: Vec<_> = (0..2).filter_map(|_| wait_for_any_of(-leader, libc::WUNTRACED).ok().flatten()).collect();
    stopped.sort_by_key(|(pid, _)| *pid != leader);
    let both = vec![(leader, Ended::Stopped(libc::SIGSTOP)), (second.pid, Ended::Stopped(libc::SIGSTOP))];
    equal("a group stops together", stopped, both);
    let _into_the_pipe = write(first.gate.1, b"x");
    sleep_ms(10);
    equal("who is stopped does nothing", wait_for_any_of(leader, libc::WNOHANG), Ok(None));
    done("kill", kill(-leader, libc::SIGCONT));
    equal("and goes on together", (first.let_go(), second.let_go()), (Ended::Exited(0), Ended::Exited(0)));
}

/// A stopped group that nobody is left to wake is hung up on, and woken.
fn orphaned_groups() {
    let (from, to) = pipe();
    let parent = fork(|| {
        let child = fork(|| {
            must("setpgid", set_group(0, 0).is_ok());
            extern "C" fn hung_up(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
                let _last_words = write(PIPE.load(std::sync::atomic::Ordering::SeqCst), b"x");
                linux_tests::process::exit_now(0);
            }
            PIPE.store(to, std::sync::atomic::Ordering::SeqCst);
            signal::handle(libc::SIGHUP, hung_up, 0);
            signal::raise(libc::SIGSTOP);
            sleep_ms(2_000);
            0
        });
        must("stopped", matches!(wait_for_any_of(child, libc::WUNTRACED), Ok(Some((_, Ended::Stopped(_))))));
        0
    });
    must_equal("parent", wait(parent), Ended::Exited(0));
    close_all(&[to]);
    check("a stopped group that is left alone gets SIGHUP and SIGCONT", wait_for_byte(from));
    close_all(&[from]);
}

static PIPE: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(-1);

fn no_terminal() {
    equal("a session without a terminal: ENXIO", call!(SYS_open, c"/dev/tty".as_ptr(), libc::O_RDWR, 0), Err(libc::ENXIO));
    let (from, to) = pipe();
    let mut group = 0_i32;
    equal("a pipe is no terminal: ENOTTY", call!(SYS_ioctl, from, libc::TIOCGPGRP, &raw mut group), Err(libc::ENOTTY));
    close_all(&[from, to]);
}
