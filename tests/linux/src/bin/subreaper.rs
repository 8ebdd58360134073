//! Orphans: who adopts them, what they are told, and groups that nobody is left to continue.

use linux_tests::process::{Ended, close_all, exit_now, fork, in_a_child, my_pid, pipe, read, wait, wait_for_any_of, wait_for_byte, write};
use linux_tests::{call, done, equal, must_equal, signal, sleep_ms};

fn main() {
    nearest();
    not_inherited();
    died_before();
    told_of_a_parents_end();
    stopped_orphans();
}

fn parent() -> i32 {
    done("getppid", call!(SYS_getppid)) as i32
}

fn adopt(on: bool) {
    done("prctl", call!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, u32::from(on), 0, 0, 0));
}

fn adopts() -> u32 {
    let mut on = 9_u32;
    done("prctl", call!(SYS_prctl, libc::PR_GET_CHILD_SUBREAPER, &raw mut on, 0, 0, 0));
    on
}

fn wait_until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep_ms(1);
    }
}

/// A grandchild whose parent ends at once; it ends with 0 if `adopter` becomes its parent.
fn orphan_of(adopter: i32) {
    must_equal(
        "middle",
        in_a_child(|| {
            let middle = my_pid();
            fork(|| {
                wait_until(|| parent() != middle);
                i32::from(parent() != adopter)
            });
            0
        }),
        Ended::Exited(0),
    );
}

fn reaped() -> Option<Ended> {
    wait_for_any_of(-1, 0).ok().flatten().map(|(_, ended)| ended)
}

fn nearest() {
    let ended = in_a_child(|| {
        must_equal("off", adopts(), 0);
        adopt(true);
        must_equal("on", adopts(), 1);
        let me = my_pid();
        orphan_of(me);
        must_equal("adopted", reaped(), Some(Ended::Exited(0)));
        // A nearer one comes first.
        must_equal(
            "nearer",
            in_a_child(|| {
                adopt(true);
                orphan_of(my_pid());
                i32::from(reaped() != Some(Ended::Exited(0)))
            }),
            Ended::Exited(0),
        );
        // One that adopts no more is passed over.
        must_equal(
            "passed over",
            in_a_child(|| {
                adopt(true);
                adopt(false);
                orphan_of(me);
                i32::from(wait_for_any_of(-1, 0) != Err(libc::ECHILD))
            }),
            Ended::Exited(0),
        );
        i32::from(reaped() != Some(Ended::Exited(0)))
    });
    equal("an orphan goes to the nearest ancestor that adopts", ended, Ended::Exited(0));
}

fn not_inherited() {
    let ended = in_a_child(|| {
        adopt(true);
        let off = in_a_child(|| adopts() as i32);
        i32::from(off != Ended::Exited(0) || adopts() != 1)
    });
    equal("a child does not adopt because its parent does", ended, Ended::Exited(0));
}

/// The adopter is told of those that had ended before they were orphans, and of those that end later.
fn died_before() {
    let ended = in_a_child(|| {
        adopt(true);
        signal::block(&[libc::SIGCHLD]);
        let middle = fork(|| {
            let child = fork(|| 6);
            let mut information = [0_i32; 32];
            done("look", call!(SYS_waitid, libc::P_PID, child, information.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT, 0));
            0
        });
        must_equal("middle", wait(middle), Ended::Exited(0));
        must_equal("zombie", reaped(), Some(Ended::Exited(6)));
        signal::set_disposition(libc::SIGCHLD, libc::SIG_IGN);
        must_equal("gone", wait_for_any_of(-1, 0), Err(libc::ECHILD));
        0
    });
    equal("an orphaned zombie is its adopter's", ended, Ended::Exited(0));
    let ended = in_a_child(|| {
        adopt(true);
        let (from, to) = pipe();
        let middle = fork(|| {
            fork(|| i32::from(!wait_for_byte(from)));
            0
        });
        must_equal("middle", wait(middle), Ended::Exited(0));
        // Whoever ignores the signal buries the adopted as well.
        signal::set_disposition(libc::SIGCHLD, libc::SIG_IGN);
        done("write", write(to, b"x"));
        i32::from(wait_for_any_of(-1, 0) != Err(libc::ECHILD))
    });
    equal("who ignores SIGCHLD has no adopted zombies either", ended, Ended::Exited(0));
}

fn told_of_a_parents_end() {
    let ended = in_a_child(|| {
        adopt(true);
        let (from, to) = pipe();
        let middle = fork(|| {
            fork(|| {
                signal::block(&[libc::SIGUSR2]);
                done("prctl", call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGUSR2, 0, 0, 0));
                done("write", write(to, b"x"));
                let told = signal::wait_for(&[libc::SIGUSR2], 5_000).map(|found| found.0);
                i32::from(told != Ok(libc::SIGUSR2))
            });
            i32::from(!wait_for_byte(from))
        });
        must_equal("middle", wait(middle), Ended::Exited(0));
        i32::from(reaped() != Some(Ended::Exited(0)))
    });
    equal("a child that asked is told of its parent's end", ended, Ended::Exited(0));
    let ended = in_a_child(|| {
        done("prctl", call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0));
        let inherited = in_a_child(|| {
            let mut number = 9_i32;
            done("prctl", call!(SYS_prctl, libc::PR_GET_PDEATHSIG, &raw mut number, 0, 0, 0));
            number
        });
        i32::from(inherited != Ended::Exited(0))
    });
    equal("a child of one that asked has not asked", ended, Ended::Exited(0));
    equal("no such signal: EINVAL", call!(SYS_prctl, libc::PR_SET_PDEATHSIG, 65, 0, 0, 0), Err(libc::EINVAL));
}

/// A stopped member of a group whose last link to its session ends: the group is hung up and continued.
fn stopped_orphans() {
    if my_pid() != 1 {
        adopt(true);
    }
    let (from, to) = pipe();
    let ended = in_a_child(|| {
        done("setsid", call!(SYS_setsid));
        let middle = fork(|| {
            let child = fork(|| {
                signal::block(&[libc::SIGHUP]);
                signal::raise(libc::SIGSTOP);
                let told = signal::wait_for(&[libc::SIGHUP], 5_000).map(|found| found.0);
                done("write", write(to, &[u8::from(told == Ok(libc::SIGHUP))]));
                exit_now(0)
            });
            done("setpgid", call!(SYS_setpgid, child, child));
            must_equal("stopped", wait_for_any_of(child, libc::WUNTRACED), Ok(Some((child, Ended::Stopped(libc::SIGSTOP)))));
            0
        });
        must_equal("middle", wait(middle), Ended::Exited(0));
        let mut answer = [0];
        done("read", read(from, &mut answer));
        i32::from(answer != [1])
    });
    equal("a stopped group that is orphaned is hung up and goes on", ended, Ended::Exited(0));
    equal("and its member is somebody else's child", reaped(), Some(Ended::Exited(0)));
    close_all(&[from, to]);
}
