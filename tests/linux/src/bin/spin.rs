//! A program that never sleeps, on every CPU: the others still get on.

use linux_tests::process::{Ended, Pid, close_all, fork, kill, pipe, wait, wait_for_byte, write};
use linux_tests::{allowed_cpus, call, check, done, equal, monotonic, must, must_equal, pin_to, sleep_ms};

fn main() {
    let cpus = allowed_cpus();
    let spinning: Vec<Pid> = cpus.iter().map(|cpu| spin_on(*cpu)).collect();
    let before = monotonic();
    sleep_ms(10);
    check("a sleeper wakes beside them", monotonic() - before < 2_000_000_000);
    getting_on(&cpus);
    talking(&cpus);
    equal("all of them still spin", spinning.iter().filter(|pid| kill(**pid, 0).is_ok()).count(), cpus.len());
    done("kill", kill(spinning[0], libc::SIGSTOP));
    let ends: Vec<Ended> = spinning
        .iter()
        .map(|pid| {
            done("kill", kill(*pid, libc::SIGKILL));
            wait(*pid)
        })
        .collect();
    check("and die when killed", ends.iter().all(|ended| *ended == Ended::Killed(libc::SIGKILL)));
    fairness(cpus[0]);
    handlers_of_spinners(cpus[0]);
}

fn spin_on(cpu: usize) -> Pid {
    let (from, to) = pipe();
    let pid = fork(|| {
        done("pin", pin_to(cpu));
        done("write", write(to, b"x"));
        loop {
            std::hint::spin_loop();
        }
    });
    must("spins", wait_for_byte(from));
    close_all(&[from, to]);
    pid
}

/// Children that work on each of the busy CPUs.
fn getting_on(cpus: &[usize]) {
    let work = |cpu: usize| {
        done("pin", pin_to(cpu));
        (0..100_u64).for_each(|turn| must_equal("getppid", call!(SYS_getppid).is_ok(), turn < 100));
        0
    };
    let children: Vec<Pid> = cpus.iter().map(|cpu| fork(|| work(*cpu))).collect();
    check("children work on every busy CPU", children.into_iter().all(|child| wait(child) == Ended::Exited(0)));
}

/// Two that wait for each other, on a busy CPU.
fn talking(cpus: &[usize]) {
    let (there, back) = (pipe(), pipe());
    let last = *cpus.last().unwrap_or(&0);
    let child = fork(|| {
        done("pin", pin_to(last));
        (0..30).for_each(|_| {
            must("ping", wait_for_byte(there.0));
            done("pong", write(back.1, b"x"));
        });
        0
    });
    for _ in 0..30 {
        done("ping", write(there.1, b"x"));
        must("pong", wait_for_byte(back.0));
    }
    equal("two that wait for each other get on", wait(child), Ended::Exited(0));
    close_all(&[there.0, there.1, back.0, back.1]);
}

/// Nanoseconds that a child has run, once it is dead.
fn time_of(pid: Pid) -> u64 {
    done("kill", kill(pid, libc::SIGKILL));
    let mut usage = [0_u64; 18];
    done("wait4", call!(SYS_wait4, pid, 0, 0, usage.as_mut_ptr()));
    (usage[0] + usage[2]) * 1_000_000_000 + (usage[1] + usage[3]) * 1_000
}

fn fairness(cpu: usize) {
    let pair = [spin_on(cpu), spin_on(cpu)];
    sleep_ms(300);
    let times = pair.map(time_of);
    let (least, most) = (times[0].min(times[1]), times[0].max(times[1]));
    check("two on one CPU share it", least * 4 >= most);
}

/// A process that makes no system call at all takes its signals.
fn handlers_of_spinners(cpu: usize) {
    extern "C" fn leave(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
        linux_tests::process::exit_now(17);
    }
    linux_tests::signal::handle(libc::SIGUSR1, leave, 0);
    let pid = spin_on(cpu);
    done("kill", kill(pid, libc::SIGUSR1));
    equal("a spinner's handler runs", wait(pid), Ended::Exited(17));
}
