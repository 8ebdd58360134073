//! Thousands of sleeping children, and fork bombs: fork refuses at some time, everybody else goes on, and all of it comes back.
//!
//! Usage: `fork_flood [CHILDREN [root]]`. On a Linux host nobody is forked: only the lines are printed. A bomb of root's, which no limit
//! holds back, is set off only when asked for: it goes on until memory is full, for minutes.

use linux_tests::process::{Ended, Pid, fork, in_a_child, kill, try_fork, wait};
use linux_tests::{call, check, done, is_braid, must, sleep_ms};

const USER: u32 = 4_712;
/// Processes of the user whose bomb is set off.
const USER_LIMIT: u64 = 120;

fn main() {
    let children = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(400);
    if is_braid() {
        flood(children);
    }
    check("many children, or as many as there is room for", true);
    if is_braid() {
        limited();
    }
    check("a user's limit of processes holds", true);
    if is_braid() {
        bomb(true);
    }
    check("a fork bomb without rights is got rid of", true);
    if is_braid() && std::env::args().nth(2).is_some() {
        bomb(false);
    }
    check("and programs run as before", in_a_child(|| 5) == Ended::Exited(5));
}

fn number_after(file: &str, name: &str) -> u64 {
    let text = done(file, std::fs::read_to_string(file));
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}

fn free_kilobytes() -> u64 {
    number_after("/proc/meminfo", "MemFree:")
}

fn sleep_for_ever() -> i32 {
    loop {
        let _a_signal_came = call!(SYS_pause);
    }
}

fn flood(wanted: usize) {
    let before = free_kilobytes();
    let mut alive = Vec::new();
    while alive.len() < wanted {
        match try_fork(sleep_for_ever) {
            Ok(child) => alive.push(child),
            Err(error) => {
                must("fork refuses for lack of something", [libc::EAGAIN, libc::ENOMEM].contains(&error));
                break;
            }
        }
    }
    eprintln!("{} children, {} KiB of {before} free", alive.len(), free_kilobytes());
    must("many children", alive.len() > 100);
    end(alive);
    let after = free_kilobytes();
    eprintln!("{after} KiB free after");
    must("memory comes back", after * 10 > before * 7);
}

fn end(children: Vec<Pid>) {
    children.iter().for_each(|child| must("kill", kill(*child, libc::SIGKILL).is_ok()));
    children.into_iter().for_each(|child| must("it is killed", wait(child) == Ended::Killed(libc::SIGKILL)));
}

fn limited() {
    let ended = in_a_child(|| {
        let few = [20_u64; 2];
        done("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_NPROC, few.as_ptr()));
        done("setresuid", call!(SYS_setresuid, USER, USER, USER));
        let mut alive = Vec::new();
        let error = loop {
            match try_fork(sleep_for_ever) {
                Ok(child) => alive.push(child),
                Err(error) => break error,
            }
        };
        must("nineteen besides itself", alive.len() == 19);
        end(alive);
        i32::from(error != libc::EAGAIN)
    });
    must("EAGAIN at the limit", ended == Ended::Exited(0));
}

/// Every process forks two others for ever.
fn explode() -> i32 {
    loop {
        let _as_long_as_it_goes = try_fork(explode);
        let _the_same = call!(SYS_sched_yield);
    }
}

fn bomb(as_user: bool) {
    let before = free_kilobytes();
    let parent = fork(|| {
        done("setpgid", call!(SYS_setpgid, 0, 0));
        if as_user {
            done("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_NPROC, [USER_LIMIT, USER_LIMIT].as_ptr()));
            done("setresuid", call!(SYS_setresuid, USER, USER, USER));
        }
        explode()
    });
    sleep_ms(1500);
    must("another program can still be run", matches!(try_fork(|| 0).map(wait), Ok(Ended::Exited(0)) | Err(_)));
    let mut left = true;
    for _ in 0..200 {
        // Each pass meets those that the pass before was too late for.
        left = kill(-parent, libc::SIGKILL).is_ok();
        if !left {
            break;
        }
        while let Ok(Some(_)) = linux_tests::process::wait_for_any_of(-1, libc::WNOHANG) {}
        sleep_ms(10);
    }
    while let Ok(Some(_)) = linux_tests::process::wait_for_any_of(-1, libc::WNOHANG) {}
    must("nobody of the bomb is left", !left);
    sleep_ms(50);
    let after = free_kilobytes();
    eprintln!("{before} KiB free before the bomb, {after} after");
    must("memory comes back", after * 10 > before * 7);
}
