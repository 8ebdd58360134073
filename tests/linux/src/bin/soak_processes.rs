//! Forks, ends and waits in every mixture: each child is reported once, to the right parent, with its own status.

use std::sync::atomic::{AtomicUsize, Ordering};

use linux_tests::process::{Ended, Pid, close_all, exit_now, fork, kill, my_pid, pipe, wait, wait_for_any_of, wait_for_byte};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, fail, must, must_equal};

fn main() {
    if std::env::args().nth(1).as_deref() == Some("exit") {
        exit_now(42);
    }
    done("prctl", call!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1));
    soak("every child was reported once, with its own status", |random| match random.below(8) {
        0 | 1 => storm(random),
        2 => waited_for_by_threads(random),
        3 => orphans(random),
        4 => stopped_and_continued(random),
        5 => a_group_is_killed(random),
        6 => another_program(),
        _ => the_end_of_threads(random),
    });
}

/// The next child that ends, through interruptions; `None` when there is none left.
fn reap(which: Pid) -> Option<(Pid, Ended)> {
    loop {
        match wait_for_any_of(which, 0) {
            Ok(found) => return found,
            Err(libc::ECHILD) => return None,
            Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("wait4: errno {errno}")),
        }
    }
}

fn storm(random: &mut Random) {
    let count = 1 + random.below(12);
    let mut children: Vec<(Pid, i32)> = (0..count)
        .map(|number| {
            let mut own = random.fork();
            let status = (number * 7 + 1) as i32;
            let child = fork(|| {
                own.dawdle();
                status
            });
            random.dawdle();
            (child, status)
        })
        .collect();
    while let Some((pid, ended)) = reap(-1) {
        let Some(at) = children.iter().position(|(child, _)| *child == pid) else { fail(&format!("{pid} is no child, or came twice")) };
        must_equal("a child's status", ended, Ended::Exited(children.swap_remove(at).1));
    }
    must("no child is missing", children.is_empty());
}

/// Several threads wait for any child; each child goes to one of them.
fn waited_for_by_threads(random: &mut Random) {
    let (count, threads) = (2 + random.below(8), 2 + random.below(3));
    let seen: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
    let own = pipe();
    for number in 0..count {
        let mut dawdler = random.fork();
        fork(|| {
            let _until_all_threads_wait = wait_for_byte(own.0);
            dawdler.dawdle();
            number as i32
        });
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((_, ended)) = reap(-1) {
                    let Ended::Exited(number) = ended else { fail(&format!("{ended:?}")) };
                    seen[number as usize].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let go = vec![b'x'; count];
        random.dawdle();
        done("write", linux_tests::process::write(own.1, &go));
    });
    close_all(&[own.0, own.1]);
    must("each child went to one thread", seen.iter().all(|times| times.load(Ordering::Relaxed) == 1));
}

/// Children end before their own children, which come to us.
fn orphans(random: &mut Random) {
    let (families, each) = (1 + random.below(4), 1 + random.below(4));
    for _ in 0..families {
        let mut own = random.fork();
        fork(|| {
            for _ in 0..each {
                let mut dawdler = own.fork();
                fork(|| {
                    dawdler.dawdle();
                    7
                });
            }
            own.dawdle();
            3
        });
    }
    let (mut parents, mut orphans) = (0, 0);
    while let Some((_, ended)) = reap(-1) {
        match ended {
            Ended::Exited(3) => parents += 1,
            Ended::Exited(7) => orphans += 1,
            other => fail(&format!("{other:?}")),
        }
    }
    must_equal("parents", parents, families);
    must_equal("orphans", orphans, families * each);
}

fn stopped_and_continued(random: &mut Random) {
    let child = fork(|| {
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    });
    let next = |options: i32| loop {
        match wait_for_any_of(child, options) {
            Ok(Some((_, ended))) => return ended,
            Ok(None) | Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("wait4: errno {errno}")),
        }
    };
    for _ in 0..1 + random.below(4) {
        random.dawdle();
        done("kill", kill(child, libc::SIGSTOP));
        must_equal("stopped", next(libc::WUNTRACED), Ended::Stopped(libc::SIGSTOP));
        random.dawdle();
        done("kill", kill(child, libc::SIGCONT));
        must_equal("continued", next(libc::WCONTINUED), Ended::Continued);
        sign_of_life();
    }
    if random.below(2) == 0 {
        done("kill", kill(child, libc::SIGSTOP));
    }
    done("kill", kill(child, libc::SIGKILL));
    must_equal("killed", wait(child), Ended::Killed(libc::SIGKILL));
}

fn a_group_is_killed(random: &mut Random) {
    let leader = fork(|| {
        done("setpgid", call!(SYS_setpgid, 0, 0));
        loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        }
    });
    // Both sides do it, since nobody knows who is first.
    let _the_child_may_have = call!(SYS_setpgid, leader, leader);
    let members = random.below(5);
    for _ in 0..members {
        let member = fork(|| {
            let _as_above = call!(SYS_setpgid, 0, leader);
            std::thread::sleep(std::time::Duration::from_secs(1_000));
            0
        });
        done("setpgid", call!(SYS_setpgid, member, leader));
    }
    random.dawdle();
    done("kill", kill(-leader, libc::SIGKILL));
    let mut killed = 0;
    while let Some((_, ended)) = reap(-leader) {
        must_equal("killed", ended, Ended::Killed(libc::SIGKILL));
        killed += 1;
    }
    must_equal("members", killed, members + 1);
}

/// By `vfork` and `execve`.
fn another_program() {
    let status = done("spawn", std::process::Command::new("/proc/self/exe").arg("exit").status());
    must_equal("another program's status", status.code(), Some(42));
}

/// A process whose threads are in the middle of something ends in four ways.
fn the_end_of_threads(random: &mut Random) {
    let way = random.below(4);
    let mut own = random.fork();
    let child = fork(move || {
        let (empty, _kept_open) = pipe();
        for number in 0..1 + own.below(4) {
            let mut dawdler = own.fork();
            std::thread::spawn(move || match number % 3 {
                0 => std::thread::sleep(std::time::Duration::from_secs(1_000)),
                1 => drop(wait_for_byte(empty)),
                _ => loop {
                    dawdler.dawdle();
                },
            });
        }
        own.dawdle();
        match way {
            0 => exit_now(5),
            1 => {
                let path = c"/proc/self/exe";
                let arguments = [path.as_ptr(), c"exit".as_ptr(), std::ptr::null()];
                // SAFETY: the strings end with zero, the array with null.
                unsafe { libc::execv(path.as_ptr(), arguments.as_ptr()) };
                exit_now(6)
            }
            _ => {
                // The others take signals too, but nobody goes on who sees it sent.
                let _it_does_not_come_back = kill(my_pid(), if way == 2 { libc::SIGKILL } else { libc::SIGTERM });
                exit_now(7)
            }
        }
    });
    let wanted = [Ended::Exited(5), Ended::Exited(42), Ended::Killed(libc::SIGKILL), Ended::Killed(libc::SIGTERM)][way];
    must_equal("the end of a process with threads", wait(child), wanted);
}
