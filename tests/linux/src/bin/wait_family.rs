//! The whole family of waits: kinds of children, what is left for another look, groups, threads, and what the parent's signal says.

use linux_tests::process::{Ended, close_all, exit_now, fork, in_a_child, kill, my_pid, pipe, wait, wait_for_any_of, wait_for_byte, write};
use linux_tests::{Errno, call, check, done, equal, must, must_equal, signal, sleep_ms};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

fn main() {
    signal::block(&[libc::SIGCHLD, libc::SIGUSR1]);
    kinds();
    looks();
    groups();
    told();
    not_told();
    own_signals();
    of_threads();
    everyone_once();
    exits_at_once();
    usage();
}

fn sleeper() -> i32 {
    fork(|| {
        loop {
            sleep_ms(1_000);
        }
    })
}

/// A child that sends this signal at its end (0: none).
fn child_sending(number: i32, status: i32) -> i32 {
    match done("clone", call!(SYS_clone, number, 0, 0, 0, 0)) {
        0 => exit_now(status),
        pid => pid as i32,
    }
}

fn kinds() {
    for number in [0, libc::SIGUSR1] {
        let child = child_sending(number, 4);
        must_equal("usual", wait_for_any_of(-1, libc::WNOHANG), Err(libc::ECHILD));
        must_equal("usual by name", wait_for_any_of(child, 0), Err(libc::ECHILD));
        must_equal("cloned", wait_for_any_of(-1, libc::__WCLONE), Ok(Some((child, Ended::Exited(4)))));
    }
    check("a child with another signal or none is waited for with __WCLONE", true);
    let (cloned, usual) = (child_sending(0, 5), fork(|| 6));
    must_equal("usual", wait_for_any_of(usual, libc::__WCLONE), Err(libc::ECHILD));
    let mut both: Vec<_> = (0..2).filter_map(|_| wait_for_any_of(-1, libc::__WALL).ok().flatten()).collect();
    both.sort_unstable_by_key(|(pid, _)| *pid);
    let mut wanted = vec![(cloned, Ended::Exited(5)), (usual, Ended::Exited(6))];
    wanted.sort_unstable_by_key(|(pid, _)| *pid);
    equal("__WALL takes both kinds", both, wanted);
    let _usr1_was_sent = signal::wait_for(&[libc::SIGUSR1], 0);
}

/// Code and status that waitid finds; `None` for nothing yet.
fn waitid(kind: u32, id: i32, options: i32) -> Result<Option<(i32, i32)>, Errno> {
    let mut information = [0_i32; 32];
    call!(SYS_waitid, kind, id, information.as_mut_ptr(), options, 0)?;
    must("the signal's own", information[0] == 0 || information[0] == libc::SIGCHLD);
    Ok((information[0] != 0).then_some((information[2], information[6])))
}

fn looks() {
    let child = sleeper();
    done("kill", kill(child, libc::SIGSTOP));
    let stopped = Ok(Some((libc::CLD_STOPPED, libc::SIGSTOP)));
    for _ in 0..2 {
        must_equal("look", waitid(libc::P_PID, child, libc::WSTOPPED | libc::WNOWAIT), stopped);
    }
    must_equal("take", waitid(libc::P_PID, child, libc::WSTOPPED), stopped);
    equal("a stop is seen again with WNOWAIT, and taken once", waitid(libc::P_PID, child, libc::WSTOPPED | libc::WNOHANG), Ok(None));
    done("kill", kill(child, libc::SIGCONT));
    let continued = Ok(Some((libc::CLD_CONTINUED, libc::SIGCONT)));
    must_equal("look", waitid(libc::P_ALL, 0, libc::WCONTINUED | libc::WNOWAIT), continued);
    must_equal("take", waitid(libc::P_ALL, 0, libc::WCONTINUED), continued);
    equal("so is going on", waitid(libc::P_ALL, 0, libc::WCONTINUED | libc::WNOHANG), Ok(None));
    done("kill", kill(child, libc::SIGSTOP));
    must_equal("look", waitid(libc::P_ALL, 0, libc::WSTOPPED | libc::WNOWAIT), stopped);
    done("kill", kill(child, libc::SIGKILL));
    let killed = Ok(Some((libc::CLD_KILLED, libc::SIGKILL)));
    must_equal("look", waitid(libc::P_PID, child, libc::WEXITED | libc::WNOWAIT), killed);
    equal("a dead child can stop no more: ECHILD", waitid(libc::P_PID, child, libc::WSTOPPED | libc::WNOHANG), Err(libc::ECHILD));
    must_equal("take", waitid(libc::P_PID, child, libc::WEXITED), killed);
    for (kind, id, options) in [
        (9, 0, libc::WEXITED),
        (libc::P_PID, 0, libc::WEXITED),
        (libc::P_PID, -1, libc::WEXITED),
        (libc::P_PGID, -1, libc::WEXITED),
        (libc::P_ALL, 0, libc::WNOHANG),
        (libc::P_ALL, 0, 0x40),
    ] {
        must_equal("wrong", waitid(kind, id, options), Err(libc::EINVAL));
    }
    check("waitid with what it does not know: EINVAL", true);
    equal("wait4 for the lowest number: ESRCH", wait_for_any_of(i32::MIN, 0), Err(libc::ESRCH));
}

fn groups() {
    let (from, to) = pipe();
    let leader = fork(|| i32::from(!wait_for_byte(from)));
    done("setpgid", call!(SYS_setpgid, leader, leader));
    let member = fork(|| i32::from(!wait_for_byte(from)));
    done("setpgid", call!(SYS_setpgid, member, leader));
    let other = fork(|| 0);
    must_equal("own group", waitid(libc::P_PGID, 0, libc::WEXITED), Ok(Some((libc::CLD_EXITED, 0))));
    must_equal("only that", waitid(libc::P_PID, other, libc::WEXITED), Err(libc::ECHILD));
    must_equal("not yet", waitid(libc::P_PGID, leader, libc::WEXITED | libc::WNOHANG), Ok(None));
    done("write", write(to, b"xx"));
    let ended = Ok(Some((libc::CLD_EXITED, 0)));
    let both = [waitid(libc::P_PGID, leader, libc::WEXITED), waitid(libc::P_PGID, leader, libc::WEXITED)];
    equal("two of a group", both, [ended, ended]);
    equal("then nobody is left of it", waitid(libc::P_PGID, leader, libc::WEXITED), Err(libc::ECHILD));
    close_all(&[from, to]);
}

/// What SIGCHLD says: code, whether it names the child and the user, status.
fn next_told(child: i32) -> Option<(i32, bool, i32)> {
    let (_, information) = signal::wait_for(&[libc::SIGCHLD], 2_000).ok()?;
    // SAFETY: information of SIGCHLD.
    let (pid, uid, status) = unsafe { (information.si_pid(), information.si_uid(), information.si_status()) };
    Some((information.si_code, pid == child && uid as usize == call!(SYS_getuid).unwrap_or(9), status))
}

fn told() {
    while signal::wait_for(&[libc::SIGCHLD], 0).is_ok() {}
    let child = fork(|| 12);
    equal("an exit is told with its status", next_told(child), Some((libc::CLD_EXITED, true, 12)));
    wait(child);
    let child = sleeper();
    done("kill", kill(child, libc::SIGSTOP));
    equal("a stop with its signal", next_told(child), Some((libc::CLD_STOPPED, true, libc::SIGSTOP)));
    done("kill", kill(child, libc::SIGCONT));
    equal("going on", next_told(child), Some((libc::CLD_CONTINUED, true, libc::SIGCONT)));
    done("kill", kill(child, libc::SIGKILL));
    equal("a kill with its signal", next_told(child), Some((libc::CLD_KILLED, true, libc::SIGKILL)));
    wait(child);
    let busy = fork(|| {
        let until = linux_tests::monotonic() + 60_000_000;
        while linux_tests::now(libc::CLOCK_PROCESS_CPUTIME_ID) < 40_000_000 && linux_tests::monotonic() < until * 2 {}
        0
    });
    let (_, information) = done("told", signal::wait_for(&[libc::SIGCHLD], 20_000));
    // SAFETY: information of SIGCHLD.
    let ticks = unsafe { information.si_utime() + information.si_stime() };
    check("with the time that the child used, in hundredths", (2..1_000).contains(&ticks));
    wait(busy);
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn not_told() {
    signal::handle(libc::SIGCHLD, nothing, libc::SA_NOCLDSTOP);
    let child = sleeper();
    done("kill", kill(child, libc::SIGSTOP));
    must_equal("stopped", wait_for_any_of(child, libc::WUNTRACED), Ok(Some((child, Ended::Stopped(libc::SIGSTOP)))));
    done("kill", kill(child, libc::SIGCONT));
    must_equal("continued", wait_for_any_of(child, libc::WCONTINUED), Ok(Some((child, Ended::Continued))));
    equal("with SA_NOCLDSTOP nobody is told of stops", signal::wait_for(&[libc::SIGCHLD], 5).map(|_| ()), Err(libc::EAGAIN));
    done("kill", kill(child, libc::SIGKILL));
    equal("but of the end", next_told(child), Some((libc::CLD_KILLED, true, libc::SIGKILL)));
    wait(child);
    signal::handle(libc::SIGCHLD, nothing, libc::SA_NOCLDWAIT);
    let child = fork(|| 0);
    equal("with SA_NOCLDWAIT the end is told", next_told(child), Some((libc::CLD_EXITED, true, 0)));
    equal("and there is nobody to wait for", wait_for_any_of(child, 0), Err(libc::ECHILD));
    let child = child_sending(libc::SIGUSR1, 0);
    equal("unless it sends another signal", wait_for_any_of(child, libc::__WALL), Ok(Some((child, Ended::Exited(0)))));
    must_equal("sent", signal::wait_for(&[libc::SIGUSR1], 2_000).map(|found| found.0), Ok(libc::SIGUSR1));
    signal::set_disposition(libc::SIGCHLD, libc::SIG_DFL);
}

fn own_signals() {
    let child = child_sending(libc::SIGUSR1, 3);
    let (number, information) = done("told", signal::wait_for(&[libc::SIGUSR1], 2_000));
    // SAFETY: information of a child's end.
    let (pid, status) = unsafe { (information.si_pid(), information.si_status()) };
    equal(
        "a child may send another signal at its end",
        (number, information.si_code, pid == child, status),
        (libc::SIGUSR1, libc::CLD_EXITED, true, 3),
    );
    wait_for_any_of(child, libc::__WALL).ok();
    let child = child_sending(0, 0);
    must_equal("waited", wait_for_any_of(child, libc::__WALL), Ok(Some((child, Ended::Exited(0)))));
    equal("or none", signal::wait_for(&[libc::SIGUSR1, libc::SIGCHLD], 3).map(|_| ()), Err(libc::EAGAIN));
}

fn of_threads() {
    let (from, to) = pipe();
    let made = AtomicU32::new(0);
    thread::scope(|scope| {
        let maker = scope.spawn(|| {
            let child = fork(|| i32::from(!wait_for_byte(from)));
            made.store(child as u32, SeqCst);
            while made.load(SeqCst) != 0 {
                sleep_ms(1);
            }
            wait_for_any_of(child, libc::__WNOTHREAD)
        });
        while made.load(SeqCst) == 0 {
            sleep_ms(1);
        }
        let child = made.load(SeqCst) as i32;
        equal("with __WNOTHREAD another thread's child is none of mine", wait_for_any_of(child, libc::__WNOTHREAD), Err(libc::ECHILD));
        equal("without, it is", wait_for_any_of(child, libc::WNOHANG), Ok(None));
        done("write", write(to, b"x"));
        made.store(0, SeqCst);
        equal("its maker waits for it", maker.join().ok(), Some(Ok(Some((child, Ended::Exited(0))))));
    });
    let maker = thread::spawn(|| fork(|| 5)).join().unwrap_or(0);
    equal("the child of a thread that has gone is the process's", wait(maker), Ended::Exited(5));
    close_all(&[from, to]);
}

fn everyone_once() {
    const CHILDREN: usize = 60;
    let mut children: Vec<i32> = (0..CHILDREN).map(|_| fork(|| 0)).collect();
    let mut seen: Vec<i32> = thread::scope(|scope| {
        let reaper = || std::iter::from_fn(|| wait_for_any_of(-1, 0).ok().flatten()).map(|(child, _)| child).collect::<Vec<_>>();
        let reapers: Vec<_> = (0..4).map(|_| scope.spawn(reaper)).collect();
        reapers.into_iter().filter_map(|reaper| reaper.join().ok()).flatten().collect()
    });
    children.sort_unstable();
    seen.sort_unstable();
    equal("four threads that wait get each child once", seen, children);
}

/// Every thread of a child asks for its end at once, with its own status, while the parent waits already.
fn exits_at_once() {
    for _ in 0..20 {
        let ended = in_a_child(|| {
            let gate = AtomicU32::new(0);
            thread::scope(|scope| {
                for status in 1..=4 {
                    let gate = &gate;
                    scope.spawn(move || {
                        gate.fetch_add(1, SeqCst);
                        while gate.load(SeqCst) < 4 {
                            thread::yield_now();
                        }
                        exit_now(status);
                    });
                }
            });
            0
        });
        must("one of them", matches!(ended, Ended::Exited(1..=4)));
    }
    check("when all threads end a process at once, one status is told", true);
    must_equal("nobody is left", wait_for_any_of(-1, libc::__WALL), Err(libc::ECHILD));
    must("a living process", my_pid() > 0);
}

fn usage() {
    let mut usage = [0_i64; 18];
    let child = fork(|| {
        let page = linux_tests::memory::anonymous(600);
        // From the last to the first: pages that come ahead of their touch would not be counted.
        (0..600).rev().for_each(|index| linux_tests::memory::poke(page + index * 4096, 1));
        (0..5).for_each(|_| sleep_ms(1));
        in_a_child(|| 0);
        0
    });
    done("wait4", call!(SYS_wait4, child, 0, 0, usage.as_mut_ptr()));
    check("wait4 tells the most memory that a child had", usage[4] >= 2_400);
    check("its page faults", usage[8] >= 600);
    check("how often it slept", usage[16] >= 5);
    let mut all = [0_i64; 18];
    done("getrusage", call!(SYS_getrusage, -1_i32, all.as_mut_ptr()));
    check("and all of it is in the sum over the children", all[4] >= usage[4] && all[8] >= usage[8] && all[16] >= usage[16]);
}
