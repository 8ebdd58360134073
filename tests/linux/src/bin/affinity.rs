//! Where a thread runs and how urgently: said, kept, and acted on at once.

use linux_tests::process::{Ended, close_all, fork, in_a_child, kill, pipe, wait, wait_for_byte, write};
use linux_tests::{allowed_cpus, call, check, current_cpu, done, equal, is_root, must, must_equal, pin_to, sleep_ms};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};

fn main() {
    moves_at_once();
    moves_others();
    has_moved_on_return();
    inherited();
    threads_each();
    wrong_arguments();
    nice();
    policies();
    priorities();
    yielding();
}

fn moves_at_once() {
    let cpus = allowed_cpus();
    for turn in 0..200 {
        let cpu = cpus[turn % cpus.len()];
        done("sched_setaffinity", pin_to(cpu));
        must_equal("on the new CPU right after the call", current_cpu(), cpu);
        must_equal("and nowhere else", allowed_cpus(), vec![cpu]);
    }
    check("a thread that binds itself to a CPU is there at once", true);
    allow(0, &cpus);
    equal("all again", allowed_cpus(), cpus);
}

fn allow(thread: i32, cpus: &[usize]) {
    let mut mask = [0_u64; 16];
    cpus.iter().for_each(|cpu| mask[cpu / 64] |= 1 << (cpu % 64));
    done("sched_setaffinity", call!(SYS_sched_setaffinity, thread, 128, mask.as_ptr()));
}

fn moves_others() {
    let (cpus, (from, to)) = (allowed_cpus(), pipe());
    let target = *cpus.last().unwrap_or(&0);
    let child = fork(|| {
        must("told", wait_for_byte(from));
        i32::from(current_cpu() != target)
    });
    allow(child, &[target]);
    done("write", write(to, b"x"));
    equal("a sleeping process wakes where it was sent", wait(child), Ended::Exited(0));
    close_all(&[from, to]);
    let child = fork(|| {
        while current_cpu() != target || allowed_cpus() != [target] {}
        sleep_ms(5);
        must_equal("still", current_cpu(), target);
        0
    });
    allow(child, &[cpus[0]]);
    sleep_ms(10);
    allow(child, &[target]);
    equal("a running process goes where it is sent", wait(child), Ended::Exited(0));
}

/// A thread that runs all the time is where it was sent when the call that sent it returns.
fn has_moved_on_return() {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    static RUNNER: AtomicI32 = AtomicI32::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    const TURNS: usize = 200;
    let cpus = allowed_cpus();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            RUNNER.store(call!(SYS_gettid).map_or(0, |id| id as i32), SeqCst);
            while !STOP.load(SeqCst) {
                let before = TURN.load(SeqCst);
                let here = current_cpu();
                // Between two looks at the same turn it was bound to one CPU.
                if before != 0 && before == TURN.load(SeqCst) {
                    must_equal("the CPU that another bound it to", here, cpus[before % cpus.len()]);
                }
            }
        });
        while RUNNER.load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        for turn in 1..TURNS {
            TURN.store(0, SeqCst);
            allow(RUNNER.load(SeqCst), &[cpus[turn % cpus.len()]]);
            TURN.store(turn, SeqCst);
            std::thread::yield_now();
        }
        STOP.store(true, SeqCst);
    });
    check("a running thread has moved when the call returns", true);
}

fn inherited() {
    let cpus = allowed_cpus();
    done("pin", pin_to(cpus[0]));
    let child = in_a_child(|| i32::from(allowed_cpus() != [cpus[0]]));
    equal("a child inherits where it may run", child, Ended::Exited(0));
    allow(0, &cpus);
}

fn threads_each() {
    let cpus = allowed_cpus();
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = cpus
        .iter()
        .map(|cpu| {
            let (cpu, stop) = (*cpu, stop.clone());
            std::thread::spawn(move || {
                done("pin", pin_to(cpu));
                while !stop.load(SeqCst) {
                    must_equal("the CPU of this thread", current_cpu(), cpu);
                }
            })
        })
        .collect();
    sleep_ms(30);
    stop.store(true, SeqCst);
    check("each thread stays on its own CPU", threads.into_iter().all(|thread| thread.join().is_ok()));
    equal("and the first is not bound", allowed_cpus(), cpus);
}

fn wrong_arguments() {
    let empty = [0_u64; 16];
    equal("no CPU at all: EINVAL", call!(SYS_sched_setaffinity, 0, 128, empty.as_ptr()), Err(libc::EINVAL));
    equal("a mask that is nowhere: EFAULT", call!(SYS_sched_setaffinity, 0, 128, 0x10), Err(libc::EFAULT));
    equal("nobody there: ESRCH", call!(SYS_sched_setaffinity, 0x3fff_ffff, 128, [1_u64; 16].as_ptr()), Err(libc::ESRCH));
    equal("an answer too small: EINVAL", call!(SYS_sched_getaffinity, 0, 1, empty.as_ptr()), Err(libc::EINVAL));
    equal("an answer to nowhere: EFAULT", call!(SYS_sched_getaffinity, 0, 128, 0x10), Err(libc::EFAULT));
    equal("CPUs that are not there do no harm beside one that is", with_absent_cpus(), Ok(0));
}

fn with_absent_cpus() -> Result<usize, i32> {
    let cpus = allowed_cpus();
    let result = call!(SYS_sched_setaffinity, 0, 128, [u64::MAX; 16].as_ptr());
    let now = allowed_cpus();
    must("all that are", cpus.iter().all(|cpu| now.contains(cpu)) && now.len() < 1024);
    allow(0, &cpus);
    result
}

/// getpriority, as the kernel says it: 20 - nice.
fn nice_of_me() -> i32 {
    20 - done("getpriority", call!(SYS_getpriority, libc::PRIO_PROCESS, 0)) as i32
}

fn nice() {
    let child = in_a_child(|| {
        let before = nice_of_me();
        must_equal("setpriority", call!(SYS_setpriority, libc::PRIO_PROCESS, 0, 7_i32), Ok(0));
        must_equal("nice", nice_of_me(), 7.max(before));
        must_equal("too far is as far as it goes", call!(SYS_setpriority, libc::PRIO_PROCESS, 0, 100_i32), Ok(0));
        must_equal("nice", nice_of_me(), 19);
        must_equal("child", in_a_child(|| i32::from(nice_of_me() != 19)), Ended::Exited(0));
        if is_root() {
            must_equal("root takes it back", call!(SYS_setpriority, libc::PRIO_PROCESS, 0, -5_i32), Ok(0));
            must_equal("nice", nice_of_me(), -5);
            must("another user", call!(SYS_setuid, 65534).is_ok());
        }
        must_equal("others may not", call!(SYS_setpriority, libc::PRIO_PROCESS, 0, -10_i32), Err(libc::EACCES));
        0
    });
    equal("nice: set, limited, inherited; only root goes back", child, Ended::Exited(0));
    equal("of whom: EINVAL", call!(SYS_getpriority, 9, 0), Err(libc::EINVAL));
    equal("nobody there: ESRCH", call!(SYS_getpriority, libc::PRIO_PROCESS, 0x3fff_ffff), Err(libc::ESRCH));
}

fn set_policy(policy: i32, priority: i32) -> Result<usize, i32> {
    call!(SYS_sched_setscheduler, 0, policy, &raw const priority)
}

fn policy() -> (Result<usize, i32>, i32) {
    let mut priority = -1;
    done("sched_getparam", call!(SYS_sched_getparam, 0, &raw mut priority));
    (call!(SYS_sched_getscheduler, 0), priority)
}

fn policies() {
    equal("a thread begins as SCHED_OTHER", policy(), (Ok(libc::SCHED_OTHER as usize), 0));
    equal("SCHED_OTHER has no priorities: EINVAL", set_policy(libc::SCHED_OTHER, 1), Err(libc::EINVAL));
    equal("SCHED_FIFO has no priority 0: EINVAL", set_policy(libc::SCHED_FIFO, 0), Err(libc::EINVAL));
    equal("nor 100: EINVAL", set_policy(libc::SCHED_FIFO, 100), Err(libc::EINVAL));
    equal("no such policy: EINVAL", set_policy(77, 0), Err(libc::EINVAL));
    let child = in_a_child(|| {
        for batch in [libc::SCHED_BATCH, libc::SCHED_OTHER, libc::SCHED_IDLE] {
            must_equal("set", set_policy(batch, 0), Ok(0));
            must_equal("kept", policy(), (Ok(batch as usize), 0));
        }
        if is_root() {
            for (policy_, priority) in [(libc::SCHED_FIFO, 10), (libc::SCHED_RR, 20), (libc::SCHED_OTHER, 0)] {
                must_equal("set", set_policy(policy_, priority), Ok(0));
                must_equal("kept", policy(), (Ok(policy_ as usize), priority));
            }
            must("another user", call!(SYS_setuid, 65534).is_ok());
        }
        must_equal("only root", set_policy(libc::SCHED_FIFO, 10), Err(libc::EPERM));
        0
    });
    equal("policies are kept; only root gets the urgent ones", child, Ended::Exited(0));
}

fn priorities() {
    let range = |policy: i32| (call!(SYS_sched_get_priority_min, policy), call!(SYS_sched_get_priority_max, policy));
    equal("SCHED_OTHER: 0", range(libc::SCHED_OTHER), (Ok(0), Ok(0)));
    equal("SCHED_FIFO: 1 to 99", range(libc::SCHED_FIFO), (Ok(1), Ok(99)));
    equal("SCHED_RR: 1 to 99", range(libc::SCHED_RR), (Ok(1), Ok(99)));
    equal("no such policy: EINVAL", range(77), (Err(libc::EINVAL), Err(libc::EINVAL)));
}

/// Two processes on one CPU that only yield both get on.
fn yielding() {
    let cpus = allowed_cpus();
    let turns = || {
        done("pin", pin_to(cpus[0]));
        (0..50).for_each(|_| must("sched_yield", call!(SYS_sched_yield) == Ok(0)));
        0
    };
    let busy = fork(|| {
        done("pin", pin_to(cpus[0]));
        loop {
            std::hint::spin_loop();
        }
    });
    let pair = [fork(turns), fork(turns)];
    check("two that yield get on beside one that does not", pair.into_iter().all(|child| wait(child) == Ended::Exited(0)));
    done("kill", kill(busy, libc::SIGKILL));
    wait(busy);
}
