//! Who is told when mappings change: the CPUs that run the program's threads at that time, and nobody else.
//!
//! Invariant: what is told does not depend on how many CPUs there are.

use linux_tests::memory::{anonymous, poke, protect, unmap};
use linux_tests::{allowed_cpus, check, done, equal, fail, pin_to};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

const PAGE: usize = 4096;
const ROUNDS: u64 = 100;

/// One line of /proc/tlb: all CPUs together, and each.
struct Line {
    all: u64,
    each: Vec<u64>,
}

fn line(name: &str) -> Line {
    let text = done("reading /proc/tlb", std::fs::read_to_string("/proc/tlb"));
    let Some(rest) = text.lines().find_map(|line| line.strip_prefix(name)) else { fail("a line is missing in /proc/tlb") };
    let numbers: Vec<u64> = rest.split_whitespace().map(|word| word.parse().unwrap_or(u64::MAX)).collect();
    Line { all: numbers[0], each: numbers[1..].to_vec() }
}

/// By how much the line grows meanwhile.
fn grown(name: &str, work: impl FnOnce()) -> Line {
    let before = line(name);
    work();
    let after = line(name);
    let each = after.each.iter().zip(&before.each).map(|(after, before)| after - before).collect();
    Line { all: after.all - before.all, each }
}

fn edit(rounds: u64) {
    for _ in 0..rounds {
        let place = anonymous(8);
        (0..8).for_each(|page| poke(place + page * PAGE, 1));
        done("mprotect", protect(place, 8 * PAGE, libc::PROT_READ));
        done("munmap", unmap(place, 8 * PAGE));
    }
}

/// A thread alone wanders over all CPUs meanwhile.
fn alone() {
    let cpus = allowed_cpus();
    let told = grown("knocks sent", || {
        for &cpu in &cpus {
            done("sched_setaffinity", pin_to(cpu));
            edit(ROUNDS);
        }
    });
    equal("a thread alone tells no other CPU", told.all, 0);
    done("sched_setaffinity", pin_to(cpus[0]));
    let batches = grown("batches", || edit(ROUNDS));
    equal("a range is told at once", batches.all, 2 * ROUNDS);
}

/// Others of the program on CPUs of their own: first those that run, the last one sleeps.
fn in_company(cpus: &[usize]) {
    let (stop, running) = (AtomicBool::new(false), AtomicUsize::new(0));
    let run_on = &cpus[1..cpus.len().min(3)];
    let sleep_on = cpus.get(3).copied();
    thread::scope(|scope| {
        let (stop, running) = (&stop, &running);
        let spin = |cpu: usize| {
            scope.spawn(move || {
                done("sched_setaffinity", pin_to(cpu));
                running.fetch_add(1, SeqCst);
                while !stop.load(SeqCst) {
                    std::hint::spin_loop();
                }
            })
        };
        let _runs: Vec<_> = run_on.iter().map(|&cpu| spin(cpu)).collect();
        let sleeper = sleep_on.map(|cpu| {
            scope.spawn(move || {
                done("sched_setaffinity", pin_to(cpu));
                running.fetch_add(1, SeqCst);
                thread::park();
            })
        });
        while running.load(SeqCst) < run_on.len() + usize::from(sleep_on.is_some()) {
            thread::yield_now();
        }
        // Until the last one sleeps.
        while sleep_on.is_some_and(|cpu| grown("letters answered", || edit(1)).each[cpu] != 0) {}
        let told = grown("letters answered", || edit(ROUNDS));
        let most = 2 * ROUNDS * run_on.len() as u64;
        check("those that run are told, once for each change", (1..=most).contains(&told.all));
        check("each of them is", run_on.iter().all(|&cpu| told.each[cpu] > 0));
        let others = cpus.iter().filter(|cpu| !run_on.contains(cpu)).map(|&cpu| told.each[cpu]).sum::<u64>();
        equal("one that sleeps is not told, nor are CPUs that the program does not use", others, 0);
        stop.store(true, SeqCst);
        if let Some(sleeper) = sleeper {
            sleeper.thread().unpark();
        }
    });
}

fn main() {
    alone();
    let cpus = allowed_cpus();
    if cpus.len() > 1 {
        done("sched_setaffinity", pin_to(cpus[0]));
        in_company(&cpus);
    }
    println!("ok");
}
