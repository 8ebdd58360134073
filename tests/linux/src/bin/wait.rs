//! wait4 and waitid: every end of a child is seen once, by its parent.

use linux_tests::process::{Ended, close_all, exit_now, fork, in_a_child, kill, my_pid, pipe, wait, wait_for_any_of, wait_for_byte, write};
use linux_tests::{Errno, call, check, done, equal, must, must_equal, signal, sleep_ms};

fn main() {
    statuses();
    nothing_to_wait_for();
    without_waiting();
    by_name_and_by_group();
    stops();
    waitid();
    ignored_children();
    orphans();
    zombie_storm();
    two_waiters();
    wait_ends_when_the_child_does();
    usage();
}

fn statuses() {
    equal("an exited child gives its status", in_a_child(|| 7), Ended::Exited(7));
    equal("a status is eight bits", in_a_child(|| 256 + 3), Ended::Exited(3));
    for number in [libc::SIGTERM, libc::SIGKILL, libc::SIGUSR1, libc::SIGSEGV, libc::SIGABRT] {
        let ended = in_a_child(|| {
            signal::set_disposition(libc::SIGSEGV, libc::SIG_DFL);
            signal::raise(number);
            0
        });
        must_equal("killed by its own signal", ended, Ended::Killed(number));
    }
    check("a killed child gives its signal", true);
}

fn nothing_to_wait_for() {
    equal("no children: ECHILD", wait_for_any_of(-1, 0), Err(libc::ECHILD));
    equal("no children: ECHILD without waiting too", wait_for_any_of(-1, libc::WNOHANG), Err(libc::ECHILD));
    equal("not my child: ECHILD", wait_for_any_of(1, 0), Err(libc::ECHILD));
    let child = fork(|| 0);
    wait(child);
    equal("a child waited for is gone", wait_for_any_of(child, 0), Err(libc::ECHILD));
    equal("unknown options: EINVAL", wait_for_any_of(-1, 0x4000_0000 | 0x10), Err(libc::EINVAL));
    equal("nowhere to put the status: EFAULT", status_to_nowhere(), Err(libc::EFAULT));
}

fn status_to_nowhere() -> Result<usize, Errno> {
    let child = fork(|| 0);
    let result = call!(SYS_wait4, child, 0x10, 0, 0);
    let _gone_already = wait_for_any_of(child, 0);
    result
}

fn without_waiting() {
    let (from, to) = pipe();
    let child = fork(|| i32::from(!wait_for_byte(from)));
    equal("WNOHANG and a living child: none", wait_for_any_of(child, libc::WNOHANG), Ok(None));
    done("write", write(to, b"x"));
    equal("then it ends", wait(child), Ended::Exited(0));
    close_all(&[from, to]);
}

fn by_name_and_by_group() {
    let (first, second) = (fork(|| 1), fork(|| 2));
    equal("the second child by its name", wait(second), Ended::Exited(2));
    equal("then the first", wait_for_any_of(-1, 0), Ok(Some((first, Ended::Exited(1)))));
    let child = fork(|| 3);
    done("setpgid", call!(SYS_setpgid, child, child).or_else(|errno| if errno == libc::EACCES { Ok(0) } else { Err(errno) }));
    equal("none in my own group", wait_for_any_of(0, libc::WNOHANG), Err(libc::ECHILD));
    equal("a child by its group", wait_for_any_of(-child, 0), Ok(Some((child, Ended::Exited(3)))));
}

fn stops() {
    let child = fork(|| {
        signal::raise(libc::SIGSTOP);
        5
    });
    equal(
        "a stopped child is seen with WUNTRACED",
        wait_for_any_of(child, libc::WUNTRACED),
        Ok(Some((child, Ended::Stopped(libc::SIGSTOP)))),
    );
    equal("once", wait_for_any_of(child, libc::WUNTRACED | libc::WNOHANG), Ok(None));
    done("kill", kill(child, libc::SIGCONT));
    let seen = wait_for_any_of(child, libc::WCONTINUED);
    must("continued, or over already", matches!(seen, Ok(Some((pid, Ended::Continued | Ended::Exited(5)))) if pid == child));
    if seen == Ok(Some((child, Ended::Continued))) {
        must_equal("over", wait(child), Ended::Exited(5));
    }
    check("it goes on, and ends", true);
    let child = fork(|| {
        signal::raise(libc::SIGSTOP);
        0
    });
    done("wait", wait_for_any_of(child, libc::WUNTRACED));
    done("kill", kill(child, libc::SIGKILL));
    equal("SIGKILL ends a stopped child", wait(child), Ended::Killed(libc::SIGKILL));
}

/// The fields of siginfo_t that waitid fills: signal, code, pid, status.
fn waitid_for(kind: u32, id: i32, options: i32) -> Result<[i32; 4], Errno> {
    let mut information = [0_i32; 32];
    call!(SYS_waitid, kind, id, information.as_mut_ptr(), options, 0)?;
    Ok([information[0], information[2], information[4], information[6]])
}

fn waitid() {
    let child = fork(|| 9);
    let wanted = Ok([libc::SIGCHLD, libc::CLD_EXITED, child, 9]);
    must_equal("WNOWAIT looks", waitid_for(libc::P_PID, child, libc::WEXITED | libc::WNOWAIT), wanted);
    equal("waitid leaves the child with WNOWAIT", waitid_for(libc::P_ALL, 0, libc::WEXITED), wanted);
    let child = fork(|| {
        signal::raise(libc::SIGKILL);
        0
    });
    equal(
        "waitid tells a kill",
        waitid_for(libc::P_PID, child, libc::WEXITED),
        Ok([libc::SIGCHLD, libc::CLD_KILLED, child, libc::SIGKILL]),
    );
    equal("waitid and no child: ECHILD", waitid_for(libc::P_ALL, 0, libc::WEXITED), Err(libc::ECHILD));
    equal("waitid for nothing: EINVAL", waitid_for(libc::P_ALL, 0, 0), Err(libc::EINVAL));
    let child = fork(|| {
        sleep_ms(1000);
        0
    });
    equal("waitid with WNOHANG finds none yet", waitid_for(libc::P_PID, child, libc::WEXITED | libc::WNOHANG), Ok([0; 4]));
    done("kill", kill(child, libc::SIGKILL));
    wait(child);
}

fn ignored_children() {
    equal(
        "who ignores SIGCHLD has no zombies",
        in_a_child(|| {
            signal::set_disposition(libc::SIGCHLD, libc::SIG_IGN);
            for _ in 0..10 {
                fork(|| 0);
            }
            i32::from(wait_for_any_of(-1, 0) != Err(libc::ECHILD))
        }),
        Ended::Exited(0),
    );
}

fn orphans() {
    // Process 1 is given all orphans; elsewhere one has to ask for those of one's own children.
    if my_pid() != 1 {
        done("prctl", call!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    }
    let (from, to) = pipe();
    let adopter = my_pid();
    let middle = fork(|| {
        let parent = my_pid();
        fork(|| {
            while call!(SYS_getppid) == Ok(parent as usize) {
                sleep_ms(1);
            }
            must_equal("its new parent", call!(SYS_getppid), Ok(adopter as usize));
            done("write", write(to, b"x"));
            5
        });
        exit_now(0)
    });
    wait(middle);
    must_equal("close", linux_tests::process::close(to), Ok(0));
    check("an orphan gets another parent and lives on", wait_for_byte(from));
    close_all(&[from]);
    equal("whoever adopts an orphan can wait for it", ended_by(wait_for_any_of(-1, 0)), Some(Ended::Exited(5)));
    let middle = fork(|| {
        // This one has ended before its parent has, and nobody has waited for it.
        let child = fork(|| 6);
        must("ended", wait_and_keep(child));
        exit_now(0)
    });
    wait(middle);
    equal("also for one that had ended before", ended_by(wait_for_any_of(-1, 0)), Some(Ended::Exited(6)));
    equal("once", wait_for_any_of(-1, 0), Err(libc::ECHILD));
}

fn ended_by(found: Result<Option<(i32, Ended)>, i32>) -> Option<Ended> {
    found.ok().flatten().map(|(_, ended)| ended)
}

fn wait_and_keep(child: i32) -> bool {
    let mut information = [0_u32; 32];
    call!(SYS_waitid, libc::P_PID, child, information.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT, 0) == Ok(0)
}

fn zombie_storm() {
    let children: Vec<_> = (0..150).map(|number| (fork(|| number % 50), number % 50)).collect();
    for (child, status) in children.iter().rev() {
        must_equal("status", wait(*child), Ended::Exited(*status));
    }
    check("150 zombies, waited for backwards, give 150 statuses", true);
    let mut children: Vec<_> = (0..150).map(|_| fork(|| 4)).collect();
    while let Ok(Some((child, ended))) = wait_for_any_of(-1, 0) {
        must_equal("status", ended, Ended::Exited(4));
        children.retain(|other| *other != child);
    }
    check("150 more, waited for in any order, come once each", children.is_empty());
}

fn two_waiters() {
    let children: Vec<_> = (0..40).map(|_| fork(|| 0)).collect();
    let reaper = || std::iter::from_fn(|| wait_for_any_of(-1, 0).ok().flatten()).map(|(child, _)| child).collect::<Vec<_>>();
    let other = std::thread::spawn(reaper);
    let mut seen = reaper();
    seen.extend(other.join().unwrap_or_default());
    seen.sort_unstable();
    equal("two threads that wait share the children", seen, children);
}

fn wait_ends_when_the_child_does() {
    for turn in 0..200 {
        let child = fork(|| {
            if turn % 2 == 0 {
                std::thread::yield_now();
            }
            0
        });
        must_equal("ended", wait(child), Ended::Exited(0));
    }
    check("200 times, a wait begun while the child ends returns", true);
}

fn usage() {
    let child = fork(|| {
        let until = linux_tests::monotonic() + 30_000_000;
        while linux_tests::monotonic() < until {}
        0
    });
    let mut usage = [0_u64; 18];
    done("wait4", call!(SYS_wait4, child, 0, 0, usage.as_mut_ptr()));
    let microseconds = (usage[0] + usage[2]) * 1_000_000 + usage[1] + usage[3];
    check("wait4 tells how long the child ran", (1..10_000_000).contains(&microseconds));
}
