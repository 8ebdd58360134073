//! A miniature kernel under random schedules: the real park word, a run queue per CPU, stealing, idle
//! CPUs and their interrupts, preemption anywhere, spurious wakes, a pipe that threads wait for.
//!
//! Run with `RUSTFLAGS="--cfg shuttle" cargo test -p sync --release --test shuttle_mini_kernel`. Each
//! mistake that the kernel could make is put in once, and must be found.
#![cfg(shuttle)]

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use std::collections::VecDeque;
use std::sync::Arc;
use sync::{Park, ParkState};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Mistake {
    None,
    PreemptionParks,
    IdleLooksThenFlags,
    QueuedBeforeSaved,
    RegistersAfterLooking,
    NoKnock,
}

const CPUS: usize = 3;
/// Even ones write to the pipe, odd ones read; the pipe holds one item.
const THREADS: usize = 4;
const ITEMS: usize = 2;
const SCHEDULES: usize = 20_000;

#[derive(Default)]
struct Cpu {
    queue: Mutex<VecDeque<usize>>,
    idle: AtomicBool,
    interrupt: Mutex<bool>,
    halted: Condvar,
}

#[derive(Clone, Copy, Default)]
enum At {
    #[default]
    Trying,
    Registered,
    Prepared,
    Resumed,
}

#[derive(Default)]
struct Thread {
    park: Park,
    running: AtomicBool,
    context: Mutex<(At, usize)>,
}

struct Kernel {
    mistake: Mistake,
    cpus: [Cpu; CPUS],
    threads: [Thread; THREADS],
    pipe_full: Mutex<bool>,
    waiting: [Mutex<Vec<usize>>; 2],
    exited: AtomicUsize,
}

enum Left {
    Asleep,
    Preempted,
    Exited,
}

impl Kernel {
    fn new(mistake: Mistake) -> Arc<Kernel> {
        Arc::new(Kernel {
            mistake,
            cpus: Default::default(),
            threads: Default::default(),
            pipe_full: Mutex::new(false),
            waiting: Default::default(),
            exited: AtomicUsize::new(0),
        })
    }

    fn knock(&self, cpu: usize) {
        *self.cpus[cpu].interrupt.lock().unwrap() = true;
        self.cpus[cpu].halted.notify_one();
    }

    fn enqueue(&self, thread: usize) {
        let cpu = thread_rng().gen_range(0..CPUS);
        self.cpus[cpu].queue.lock().unwrap().push_back(thread);
        if self.mistake != Mistake::NoKnock && self.cpus[cpu].idle.load(SeqCst) {
            self.knock(cpu);
        }
    }

    fn wake(&self, thread: usize) {
        let park = &self.threads[thread].park;
        if self.mistake == Mistake::QueuedBeforeSaved && park.peek() == ParkState::Parking {
            park.finish();
            return self.enqueue(thread);
        }
        if park.wake() {
            self.enqueue(thread);
        }
    }

    fn wake_all(&self, side: usize) {
        let woken = std::mem::take(&mut *self.waiting[side].lock().unwrap());
        woken.into_iter().for_each(|thread| self.wake(thread));
    }

    /// Can a thread of this side go on? `act`: then it does.
    fn ready(&self, side: usize, act: bool) -> bool {
        let mut full = self.pipe_full.lock().unwrap();
        let ready = *full == (side == 1);
        *full ^= ready && act;
        ready
    }

    fn register(&self, side: usize, thread: usize) {
        self.waiting[side].lock().unwrap().push(thread);
    }

    /// Runs a thread on this CPU until it leaves it.
    fn run(&self, number: usize) -> Left {
        let thread = &self.threads[number];
        assert!(!thread.running.swap(true, SeqCst), "thread {number} runs on two CPUs");
        let (mut at, mut done) = *thread.context.lock().unwrap();
        let left = loop {
            if preempted() {
                break Left::Preempted;
            }
            match self.step(number, &mut at, &mut done) {
                Some(left) => break left,
                None => continue,
            }
        };
        *thread.context.lock().unwrap() = (at, done);
        thread.running.store(false, SeqCst);
        left
    }

    fn step(&self, number: usize, at: &mut At, done: &mut usize) -> Option<Left> {
        let (park, side) = (&self.threads[number].park, number % 2);
        match *at {
            At::Trying if self.ready(side, true) => {
                *done += 1;
                self.wake_all(1 - side);
                return (*done == ITEMS).then_some(Left::Exited);
            }
            At::Trying if self.mistake == Mistake::RegistersAfterLooking => {
                self.register(side, number);
                if park.prepare() {
                    *at = At::Resumed;
                    return Some(Left::Asleep);
                }
                park.finish();
            }
            At::Trying => {
                self.register(side, number);
                *at = At::Registered;
            }
            At::Registered => *at = if park.prepare() { At::Prepared } else { At::Resumed },
            At::Prepared => {
                *at = At::Resumed;
                return (!self.ready(side, false)).then_some(Left::Asleep);
            }
            At::Resumed => {
                park.finish();
                self.waiting[side].lock().unwrap().retain(|other| *other != number);
                *at = At::Trying;
            }
        }
        None
    }

    fn next(&self, me: usize) -> Option<usize> {
        let own = self.cpus[me].queue.lock().unwrap().pop_front();
        own.or_else(|| self.cpus[thread_rng().gen_range(0..CPUS)].queue.lock().unwrap().pop_back())
    }

    fn cpu(&self, me: usize) {
        loop {
            if let Some(thread) = self.next(me) {
                self.leave(thread, self.run(thread));
                if thread_rng().gen_bool(0.1) {
                    self.wake(thread_rng().gen_range(0..THREADS)); // spurious
                }
            } else if self.exited.load(SeqCst) == THREADS {
                return;
            } else {
                self.idle(&self.cpus[me]);
            }
        }
    }

    fn leave(&self, thread: usize, left: Left) {
        let park = &self.threads[thread].park;
        let queue_again = match left {
            Left::Asleep => park.switched_out(true),
            Left::Preempted => park.switched_out(self.mistake == Mistake::PreemptionParks),
            Left::Exited => {
                if self.exited.fetch_add(1, SeqCst) + 1 == THREADS {
                    (0..CPUS).for_each(|cpu| self.knock(cpu));
                }
                false
            }
        };
        if queue_again {
            self.enqueue(thread);
        }
    }

    fn idle(&self, cpu: &Cpu) {
        let before = cpu.queue.lock().unwrap().is_empty();
        thread::yield_now();
        cpu.idle.store(true, SeqCst);
        let empty = if self.mistake == Mistake::IdleLooksThenFlags { before } else { cpu.queue.lock().unwrap().is_empty() };
        if empty && self.exited.load(SeqCst) < THREADS {
            let mut came = cpu.interrupt.lock().unwrap();
            while !*came {
                came = cpu.halted.wait(came).unwrap();
            }
            *came = false;
        }
        cpu.idle.store(false, SeqCst);
    }
}

fn preempted() -> bool {
    thread_rng().gen_bool(0.15)
}

fn boot(mistake: Mistake) {
    let kernel = Kernel::new(mistake);
    for thread in 0..THREADS {
        kernel.cpus[thread % CPUS].queue.lock().unwrap().push_back(thread);
    }
    let start = |cpu| {
        let kernel = kernel.clone();
        thread::spawn(move || kernel.cpu(cpu))
    };
    let others: Vec<_> = (1..CPUS).map(start).collect();
    kernel.cpu(0);
    others.into_iter().for_each(|cpu| cpu.join().unwrap());
    let left = *kernel.pipe_full.lock().unwrap();
    assert!(!left, "a byte too many went into the pipe: {left}");
}

fn at_random(mistake: Mistake) {
    shuttle::check_random(move || boot(mistake), SCHEDULES);
}

#[test]
fn every_thread_ends_under_random_schedules() {
    at_random(Mistake::None);
}

#[test]
fn every_thread_ends_under_priority_schedules() {
    shuttle::check_pct(|| boot(Mistake::None), SCHEDULES, 3);
}

#[test]
#[should_panic(expected = "deadlock")]
fn preemption_that_parks_is_found() {
    at_random(Mistake::PreemptionParks);
}

#[test]
#[should_panic(expected = "deadlock")]
fn an_idle_cpu_that_looks_before_its_flag_is_found() {
    at_random(Mistake::IdleLooksThenFlags);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_missing_knock_is_found() {
    at_random(Mistake::NoKnock);
}

/// The schedule decides how it shows: the thread is seen on two CPUs, has run a turn too many at the end, or is lost.
#[test]
fn a_thread_queued_before_it_is_saved_is_found() {
    let Err(found) = std::panic::catch_unwind(|| at_random(Mistake::QueuedBeforeSaved)) else {
        panic!("a thread was queued before its context was saved, and nothing was found");
    };
    let message = found.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(
        ["runs on two CPUs", "a byte too many", "deadlock"].iter().any(|sign| message.contains(sign)),
        "found something else: {message}"
    );
}

#[test]
#[should_panic(expected = "deadlock")]
fn registering_after_looking_is_found() {
    at_random(Mistake::RegistersAfterLooking);
}
