//! Sequences that are disturbed: by signals, other threads, moves and barriers; and sums that are exact all the same.

use crate::area::{Area, Line, abort_address, thread_number};
use linux_tests::signal::handle;
use linux_tests::{allowed_cpus, call, check, done, equal, must_equal, pin_to, sleep_ms};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};

const REGISTER_BARRIER: usize = 1 << 8;
const BARRIER: usize = 1 << 7;

pub fn all() {
    signals();
    others();
    moves();
    barriers();
    sums();
}

pub fn allow(thread: i32, cpus: &[usize]) {
    let mut mask = [0_u64; 16];
    cpus.iter().for_each(|cpu| mask[cpu / 64] |= 1 << (cpu % 64));
    done("sched_setaffinity", call!(SYS_sched_setaffinity, thread, 128, mask.as_ptr()));
}

pub fn alarm_soon() {
    // Again and again: the first may come before the sequence has begun.
    let timer = [0_u64, 20_000, 0, 20_000];
    done("setitimer", call!(SYS_setitimer, 0, timer.as_ptr(), 0));
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn looks(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands over a context that lives as long as the handler runs.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    SEEN.store(context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize, SeqCst);
}

fn signals() {
    let area = Area::registered();
    handle(libc::SIGALRM, looks, 0);
    alarm_soon();
    let inside = AtomicU32::new(0);
    while SEEN.load(SeqCst) == 0 {
        inside.store(0, SeqCst);
        must_equal("aborted", area.stay(&inside), 0);
    }
    check("a signal ends a sequence", inside.load(SeqCst) == 1);
    let seen = SEEN.load(SeqCst);
    let code = crate::area::endless().start;
    // Other threads may have disturbed it before, just outside.
    check("its handler finds it ended", seen == abort_address() || !(code..code + crate::area::endless().length).contains(&seen));
    done("setitimer", call!(SYS_setitimer, 0, [0_u64; 4].as_ptr(), 0));
    equal("and it is in none", area.section.load(SeqCst), 0);
    area.give_up();
}

/// Another thread goes in circles in a sequence; `disturb` gets its number again and again until it has left.
fn until_disturbed(cpu: Option<usize>, mut disturb: impl FnMut(i32)) -> bool {
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    static NUMBER: AtomicI32 = AtomicI32::new(0);
    INSIDE.store(0, SeqCst);
    let thread = std::thread::spawn(move || {
        let area = Area::registered();
        cpu.map(pin_to);
        NUMBER.store(thread_number(), SeqCst);
        let left = area.stay(&INSIDE);
        let is_right = cpu.is_some() || area.cpu.load(SeqCst) < 64;
        area.give_up();
        left == 0 && is_right
    });
    while INSIDE.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    while !thread.is_finished() {
        disturb(NUMBER.load(SeqCst));
    }
    thread.join().unwrap_or(false)
}

fn others() {
    let cpus = allowed_cpus();
    done("sched_setaffinity", pin_to(cpus[0]));
    check("another thread on its CPU ends a sequence", until_disturbed(Some(cpus[0]), |_| sleep_ms(1)));
    allow(0, &cpus);
}

fn moves() {
    let cpus = allowed_cpus();
    let mut turn = 0;
    let ends = until_disturbed(None, |thread| {
        turn += 1;
        let mut mask = [0_u64; 16];
        let cpu = cpus[turn % cpus.len()];
        mask[cpu / 64] = 1 << (cpu % 64);
        // It may have ended meanwhile.
        let _ = call!(SYS_sched_setaffinity, thread, 128, mask.as_ptr());
        std::thread::yield_now();
    });
    check("a move ends a sequence", ends);
}

fn barriers() {
    let barrier = |command: usize, flags: usize, cpu: usize| call!(SYS_membarrier, command, flags, cpu);
    let both = BARRIER | REGISTER_BARRIER;
    equal("barriers for sequences are served", barrier(0, 0, 0).map(|served| served & both), Ok(both));
    equal("not registered", barrier(BARRIER, 0, 0), Err(libc::EPERM));
    equal("registered", barrier(REGISTER_BARRIER, 0, 0), Ok(0));
    equal("and kept", barrier(1 << 9, 0, 0).map(|kept| kept & both), Ok(REGISTER_BARRIER));
    equal("unknown flags", barrier(BARRIER, 2, 0), Err(libc::EINVAL));
    equal("a CPU to register", barrier(REGISTER_BARRIER, 1, 0), Err(libc::EINVAL));
    equal("a CPU that is not there", barrier(BARRIER, 1, 100_000), Ok(0));
    let cpus = allowed_cpus();
    check("a barrier ends a sequence", until_disturbed(None, |_| must_equal("barrier", barrier(BARRIER, 0, 0), Ok(0))));
    let last = cpus[cpus.len() - 1];
    check("one of its CPU too", until_disturbed(Some(last), |_| must_equal("barrier", barrier(BARRIER, 1, last), Ok(0))));
}

const THREADS: usize = 8;
const ROUNDS: u64 = 20_000;
const ENOUGH_ABORTS: u64 = 20;
static ABORTS: AtomicU64 = AtomicU64::new(0);
static ADDED: AtomicU64 = AtomicU64::new(0);

fn count(counters: &[Line]) {
    let area = Area::registered();
    let mut round = 0;
    while round < ROUNDS || ABORTS.load(SeqCst) < ENOUGH_ABORTS {
        round += 1;
        let dawdle = if round % 64 == 0 { 4000 } else { 20 };
        while !area.add(counters, dawdle) {
            ABORTS.fetch_add(1, SeqCst);
        }
    }
    ADDED.fetch_add(round, SeqCst);
    area.give_up();
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn sums() {
    handle(libc::SIGUSR1, nothing, libc::SA_RESTART);
    let counters: Vec<Line> = (0..1024).map(|_| Line(AtomicU64::new(0))).collect();
    let numbers: Vec<AtomicI32> = (0..THREADS).map(|_| AtomicI32::new(0)).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|index| {
                let (counters, numbers) = (&counters, &numbers);
                scope.spawn(move || {
                    numbers[index].store(thread_number(), SeqCst);
                    count(counters);
                })
            })
            .collect();
        scope.spawn(|| disturb(&numbers, &over));
        while !workers.iter().all(|worker| worker.is_finished()) {
            sleep_ms(1);
        }
        over.store(true, SeqCst);
    });
    let sum: u64 = counters.iter().map(|line| line.0.load(SeqCst)).sum();
    equal("what each counted on its CPU's counter is there", sum, ADDED.load(SeqCst));
    check("though they were disturbed", ABORTS.load(SeqCst) >= ENOUGH_ABORTS);
}

/// Sends the workers from CPU to CPU, and signals to them.
fn disturb(numbers: &[AtomicI32], over: &AtomicBool) {
    let cpus = allowed_cpus();
    let process = done("getpid", call!(SYS_getpid));
    let mut turn = 0;
    while !over.load(SeqCst) {
        turn += 1;
        let thread = numbers[turn % numbers.len()].load(SeqCst);
        if thread != 0 {
            let mut mask = [0_u64; 16];
            mask[0] = 1 << (cpus[turn * 7 % cpus.len()] % 64);
            // It may have ended meanwhile.
            let _ = call!(SYS_sched_setaffinity, thread, 128, mask.as_ptr());
            let _ = call!(SYS_tgkill, process, thread, libc::SIGUSR1);
        }
        sleep_ms(1);
    }
}
