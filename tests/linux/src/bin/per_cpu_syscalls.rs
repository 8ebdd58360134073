//! A process on each CPU makes system calls as fast as it can: nothing of one call is seen by another (audit 1).

use linux_tests::process::{Ended, fork, my_pid, wait};
use linux_tests::{allowed_cpus, call, check, current_cpu, done, equal, must, must_equal, pin_to};

const TURNS: usize = 3_000;
/// So that there is always more than one process to a CPU.
const PER_CPU: usize = 2;

fn main() {
    let cpus = allowed_cpus();
    check("some CPU is allowed", !cpus.is_empty());
    let workers = |cpu: &usize| [*cpu; PER_CPU];
    let children: Vec<_> = cpus.iter().flat_map(workers).map(|cpu| fork(|| hammer(cpu))).collect();
    let ends: Vec<_> = children.into_iter().map(wait).collect();
    check("processes on every CPU get their own answers", ends.iter().all(|ended| *ended == Ended::Exited(0)));

    let threads: Vec<_> = cpus.into_iter().map(|cpu| std::thread::spawn(move || hammer_as_thread(cpu))).collect();
    let fine = threads.into_iter().all(|thread| thread.join().is_ok_and(|fine| fine));
    check("threads on every CPU get their own answers", fine);
    equal("a CPU that is not there: EINVAL", pin_to(1023), Err(libc::EINVAL));
}

/// Calls whose answers depend on who asks and with which arguments.
fn hammer(cpu: usize) -> i32 {
    let mine = my_pid() as usize;
    done("pinning", pin_to(cpu));
    let (from, to) = linux_tests::process::pipe();
    for turn in 0..TURNS {
        must_equal("getpid", call!(SYS_getpid), Ok(mine));
        must_equal("getcpu after pinning", current_cpu(), cpu);
        must_equal("a read of no descriptor", call!(SYS_read, 900 + turn, 0, 0), Err(libc::EBADF));
        let sent = (mine as u64) << 32 | turn as u64;
        must_equal("write", call!(SYS_write, to, &raw const sent, 8), Ok(8));
        let mut got = 0_u64;
        must_equal("read", call!(SYS_read, from, &raw mut got, 8), Ok(8));
        must_equal("what came through my pipe", got, sent);
        must_equal("lseek on a pipe", call!(SYS_lseek, from, turn, 0), Err(libc::ESPIPE));
        registers_survive(turn as u64);
    }
    0
}

fn hammer_as_thread(cpu: usize) -> bool {
    done("pinning", pin_to(cpu));
    let mine = call!(SYS_gettid);
    for turn in 0..TURNS {
        must_equal("gettid", call!(SYS_gettid), mine);
        must("allowed only here", turn % 100 != 0 || allowed_cpus() == [cpu]);
        must_equal("getcpu", current_cpu(), cpu);
    }
    true
}

/// A call changes RAX, RCX and R11 and no other register.
fn registers_survive(seed: u64) {
    let marks = [seed ^ 0x1111, seed ^ 0x2222, seed ^ 0x3333, seed ^ 0x4444, seed ^ 0x5555];
    let [mut r8, mut r9, mut r10, mut r12, mut r13] = marks;
    let result: u64;
    // SAFETY: getppid touches no memory.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") libc::SYS_getppid as u64 => result, inout("r8") r8, inout("r9") r9,
            inout("r10") r10, inout("r12") r12, inout("r13") r13, out("rcx") _, out("r11") _);
    }
    must("getppid", result > 0);
    must_equal("the registers across a call", [r8, r9, r10, r12, r13], marks);
}
