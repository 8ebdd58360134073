//! Signals: handlers run at the right time with the right information, and leave everything as it was.

use linux_tests::process::{Ended, close_all, fork, in_a_child, kill, my_pid, pipe, read, wait, write};
use linux_tests::signal::{
    block, change_mask, contains, handle, handle_masking, pending, raise, set_disposition, set_timer, suspend_with, unblock,
};
use linux_tests::{call, check, done, equal, memory, monotonic, must, must_equal, signal, sleep_ms};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering::SeqCst};

static CALLS: AtomicU32 = AtomicU32::new(0);
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);
static ADDRESS: AtomicUsize = AtomicUsize::new(0);
static STACK: AtomicUsize = AtomicUsize::new(0);

extern "C" fn note(number: i32, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let local = 0_u8;
    STACK.store(&raw const local as usize, SeqCst);
    SIGNAL.store(number, SeqCst);
    // SAFETY: the kernel hands a handler with SA_SIGINFO its information.
    unsafe {
        CODE.store((*information).si_code, SeqCst);
        SENDER.store((*information).si_pid(), SeqCst);
        ADDRESS.store((*information).si_addr() as usize, SeqCst);
    }
    CALLS.fetch_add(1, SeqCst);
}

fn calls() -> u32 {
    CALLS.swap(0, SeqCst)
}

fn main() {
    handlers();
    masks();
    dispositions();
    interrupted_calls();
    other_stack();
    nesting();
    faults();
    registers_survive();
    children();
    timers();
    queues();
    to_threads();
    storm();
}

fn handlers() {
    handle(libc::SIGUSR1, note, 0);
    raise(libc::SIGUSR1);
    equal("a handler runs before the call returns", (calls(), SIGNAL.load(SeqCst)), (1, libc::SIGUSR1));
    equal("and knows who sent it", (SENDER.load(SeqCst), CODE.load(SeqCst)), (my_pid(), libc::SI_TKILL));
    done("kill", kill(my_pid(), libc::SIGUSR1));
    equal("kill says SI_USER", (calls(), CODE.load(SeqCst)), (1, libc::SI_USER));
    equal("a signal that is none: EINVAL", kill(my_pid(), 65), Err(libc::EINVAL));
    equal("signal 0 only asks", (kill(my_pid(), 0), calls()), (Ok(0), 0));
    equal("nobody there: ESRCH", kill(0x3fff_ffff, 0), Err(libc::ESRCH));
    handle(libc::SIGUSR2, note, libc::SA_RESETHAND);
    raise(libc::SIGUSR2);
    let killed = in_a_child(|| {
        raise(libc::SIGUSR2);
        0
    });
    equal("SA_RESETHAND: once only", (calls(), killed), (1, Ended::Killed(libc::SIGUSR2)));
    equal("SIGKILL cannot be handled", signal::try_disposition(libc::SIGKILL, libc::SIG_IGN), Err(libc::EINVAL));
    equal("nor SIGSTOP", signal::try_disposition(libc::SIGSTOP, libc::SIG_IGN), Err(libc::EINVAL));
}

fn masks() {
    block(&[libc::SIGUSR1]);
    raise(libc::SIGUSR1);
    raise(libc::SIGUSR1);
    equal("a blocked signal waits", (calls(), contains(&pending(), libc::SIGUSR1)), (0, true));
    unblock(&[libc::SIGUSR1]);
    equal("and comes once when let in", (calls(), contains(&pending(), libc::SIGUSR1)), (1, false));
    block(&[libc::SIGKILL, libc::SIGSTOP]);
    let mask = change_mask(libc::SIG_BLOCK, &[]);
    check("SIGKILL and SIGSTOP cannot be blocked", !contains(&mask, libc::SIGKILL) && !contains(&mask, libc::SIGSTOP));
    block(&[libc::SIGUSR1]);
    raise(libc::SIGUSR1);
    equal("sigsuspend lets it in and says EINTR", (suspend_with(&[]), calls()), (libc::EINTR, 1));
    let mask = change_mask(libc::SIG_BLOCK, &[]);
    check("and puts the mask back", contains(&mask, libc::SIGUSR1));
    let child = in_a_child(|| {
        raise(libc::SIGUSR1);
        let inherited = contains(&change_mask(libc::SIG_BLOCK, &[]), libc::SIGUSR1);
        i32::from(!inherited || !contains(&pending(), libc::SIGUSR1))
    });
    must_equal("mask", child, Ended::Exited(0));
    check("a child inherits the mask, and what waits for it does not come here", !contains(&pending(), libc::SIGUSR1));
    unblock(&[libc::SIGUSR1]);
}

fn dispositions() {
    set_disposition(libc::SIGUSR1, libc::SIG_IGN);
    raise(libc::SIGUSR1);
    equal("an ignored signal does nothing", calls(), 0);
    for number in [libc::SIGCHLD, libc::SIGURG, libc::SIGWINCH, libc::SIGCONT] {
        set_disposition(number, libc::SIG_DFL);
        raise(number);
    }
    check("four signals are ignored by default", true);
    for number in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGALRM, libc::SIGUSR1, libc::SIGPIPE, libc::SIGTERM, 34, 64] {
        let ended = in_a_child(|| {
            set_default(number);
            raise(number);
            0
        });
        must_equal("default action", ended, Ended::Killed(number));
    }
    check("the others kill", true);
}

/// Past libc, which keeps signal 34 for itself.
fn set_default(number: i32) {
    done("rt_sigaction", call!(SYS_rt_sigaction, number, [0_u64; 4].as_ptr(), 0, 8));
}

fn interrupted_calls() {
    let (from, to) = pipe();
    handle(libc::SIGUSR1, note, 0);
    let parent = my_pid();
    // Again and again: the first may come before the read begins.
    let child = fork(|| {
        loop {
            sleep_ms(20);
            done("kill", kill(parent, libc::SIGUSR1));
        }
    });
    equal("a signal ends a read: EINTR", read(from, &mut [0]), Err(libc::EINTR));
    done("kill", kill(child, libc::SIGKILL));
    wait(child);
    must("handled", calls() >= 1);
    handle(libc::SIGUSR1, note, libc::SA_RESTART);
    let child = fork(|| {
        sleep_ms(20);
        done("kill", kill(parent, libc::SIGUSR1));
        sleep_ms(20);
        done("write", write(to, b"x"));
        0
    });
    equal("with SA_RESTART it goes on", (read(from, &mut [0]), wait(child), calls()), (Ok(1), Ended::Exited(0), 1));
    close_all(&[from, to]);
    let (asked, mut left) = ([10_u64, 0], [0_u64; 2]);
    let sleep = || call!(SYS_nanosleep, asked.as_ptr(), left.as_mut_ptr());
    equal("a signal ends a sleep, SA_RESTART or not", with_alarms(sleep), Err(libc::EINTR));
    check("and says how much was left", (5..10).contains(&left[0]));
    equal("pause", with_alarms(|| call!(SYS_pause)), Err(libc::EINTR));
    equal("poll, SA_RESTART or not", with_alarms(|| call!(SYS_poll, 0, 0, -1_i32)), Err(libc::EINTR));
}

/// Calls while a timer interrupts again and again (the first time may be before the call begins).
fn with_alarms(call: impl FnOnce() -> Result<usize, i32>) -> Result<usize, i32> {
    handle(libc::SIGALRM, note, libc::SA_RESTART);
    set_timer(20, 20);
    let result = call();
    set_timer(0, 0);
    must("handled", calls() >= 1);
    result
}

fn other_stack() {
    let at = memory::anonymous(8);
    let stack = libc::stack_t { ss_sp: at as *mut libc::c_void, ss_flags: 0, ss_size: 8 * memory::PAGE };
    done("sigaltstack", call!(SYS_sigaltstack, &raw const stack, 0));
    handle(libc::SIGUSR1, note, libc::SA_ONSTACK);
    raise(libc::SIGUSR1);
    let on_it = (at..at + 8 * memory::PAGE).contains(&STACK.load(SeqCst));
    equal("SA_ONSTACK: on the other stack", (on_it, calls()), (true, 1));
    handle(libc::SIGUSR1, note, 0);
    raise(libc::SIGUSR1);
    let on_it = (at..at + 8 * memory::PAGE).contains(&STACK.load(SeqCst));
    equal("without it: on this one", (on_it, calls()), (false, 1));
    let small = libc::stack_t { ss_size: 100, ..stack };
    equal("a stack too small: ENOMEM", call!(SYS_sigaltstack, &raw const small, 0), Err(libc::ENOMEM));
}

static DEPTH: AtomicU32 = AtomicU32::new(0);
static DEEPEST: AtomicU32 = AtomicU32::new(0);

extern "C" fn nest(number: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let depth = DEPTH.fetch_add(1, SeqCst) + 1;
    DEEPEST.fetch_max(depth, SeqCst);
    if depth < 5 {
        raise(number);
    }
    DEPTH.fetch_sub(1, SeqCst);
    CALLS.fetch_add(1, SeqCst);
}

fn nesting() {
    handle(libc::SIGUSR1, nest, libc::SA_NODEFER);
    raise(libc::SIGUSR1);
    equal("SA_NODEFER: five deep", (DEEPEST.swap(0, SeqCst), calls()), (5, 5));
    handle(libc::SIGUSR2, note, 0);
    handle_masking(libc::SIGUSR1, raise_other, 0, &[libc::SIGUSR2]);
    raise(libc::SIGUSR1);
    equal("what a handler masks comes after it", (DEEPEST.load(SeqCst), calls()), (0, 1));
    handle(libc::SIGUSR1, raise_other, 0);
    raise(libc::SIGUSR1);
    equal("what it does not mask comes within", (DEEPEST.load(SeqCst), calls()), (1, 1));
}

extern "C" fn raise_other(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    raise(libc::SIGUSR2);
    DEEPEST.store(CALLS.load(SeqCst), SeqCst);
}

extern "C" fn map_what_is_missing(number: i32, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    note(number, information, context);
    let page = ADDRESS.load(SeqCst) & !(memory::PAGE - 1);
    done("mprotect", memory::protect(page, memory::PAGE, memory::READ_WRITE));
}

fn faults() {
    let at = memory::anonymous(1);
    done("mprotect", memory::protect(at, memory::PAGE, memory::READ));
    handle(libc::SIGSEGV, map_what_is_missing, 0);
    memory::poke(at + 5, 9);
    let seen = (ADDRESS.load(SeqCst), CODE.load(SeqCst), calls());
    equal("a handler mends a fault, and the instruction runs again", (seen, memory::peek(at + 5)), ((at + 5, 2, 1), 9));
    set_disposition(libc::SIGSEGV, libc::SIG_DFL);
    let divide = in_a_child(|| {
        // SAFETY: divides by zero on purpose; the process dies of it.
        unsafe { std::arch::asm!("xor edx, edx", "xor ecx, ecx", "mov eax, 1", "div ecx", out("eax") _, out("ecx") _, out("edx") _) };
        0
    });
    equal("a division by zero: SIGFPE", divide, Ended::Killed(libc::SIGFPE));
    let undefined = in_a_child(|| {
        // SAFETY: an undefined instruction on purpose; the process dies of it.
        unsafe { std::arch::asm!("ud2") };
        0
    });
    equal("an undefined instruction: SIGILL", undefined, Ended::Killed(libc::SIGILL));
    let breakpoint = in_a_child(|| {
        // SAFETY: a breakpoint on purpose; the process dies of it.
        unsafe { std::arch::asm!("int3") };
        0
    });
    equal("a breakpoint: SIGTRAP", breakpoint, Ended::Killed(libc::SIGTRAP));
    let privileged = in_a_child(|| {
        // SAFETY: refused by the CPU; the process dies of it.
        unsafe { std::arch::asm!("cli") };
        0
    });
    equal("a privileged instruction: SIGSEGV", privileged, Ended::Killed(libc::SIGSEGV));
    block(&[libc::SIGSEGV]);
    let blocked = memory::fate_of(|| memory::poke(memory::NOWHERE, 1));
    unblock(&[libc::SIGSEGV]);
    equal("a fault kills even if blocked", blocked, Ended::Killed(libc::SIGSEGV));
}

fn registers_survive() {
    handle(libc::SIGALRM, note, 0);
    set_timer(1, 1);
    let until = monotonic() + 60_000_000;
    let mut turns = 0_u64;
    while monotonic() < until {
        let (mut sum, mut low, mut high) = (0_u64, 1.5_f64, turns as f64);
        for step in 0..2_000 {
            sum = std::hint::black_box(sum).wrapping_mul(31).wrapping_add(step);
            (low, high) = (high * 0.5, low + 1.0);
        }
        must("the same sum each time", sum == sum_of_steps());
        must("finite", low.is_finite() && high.is_finite());
        turns += 1;
    }
    set_timer(0, 0);
    check("handlers at any instruction change no register", calls() >= 3 && turns > 0);
}

fn sum_of_steps() -> u64 {
    (0..2_000).fold(0_u64, |sum, step| sum.wrapping_mul(31).wrapping_add(step))
}

fn children() {
    handle(libc::SIGCHLD, note, libc::SA_RESTART);
    let child = fork(|| 0);
    must_equal("wait", wait(child), Ended::Exited(0));
    equal("a child that ends sends SIGCHLD", (calls(), SENDER.load(SeqCst), CODE.load(SeqCst)), (1, child, libc::CLD_EXITED));
    handle(libc::SIGCHLD, note, libc::SA_NOCLDSTOP);
    let child = fork(|| {
        raise(libc::SIGSTOP);
        0
    });
    done("wait", linux_tests::process::wait_for_any_of(child, libc::WUNTRACED));
    equal("SA_NOCLDSTOP: none for a stop", calls(), 0);
    done("kill", kill(child, libc::SIGCONT));
    wait(child);
    equal("one for the end", calls(), 1);
    set_disposition(libc::SIGCHLD, libc::SIG_DFL);
}

fn timers() {
    handle(libc::SIGALRM, note, libc::SA_RESTART);
    let before = monotonic();
    set_timer(10, 5);
    while CALLS.load(SeqCst) < 4 {
        done("pause", call!(SYS_pause).or(Ok::<_, i32>(0)));
    }
    set_timer(0, 0);
    check("a timer comes again and again, not too early", monotonic() - before >= 24_000_000);
    calls();
    must_equal("alarm", call!(SYS_alarm, 100), Ok(0));
    equal("alarm gives what was left of the last", call!(SYS_alarm, 0), Ok(100));
    sleep_ms(10);
    equal("and 0 takes it back", calls(), 0);
}

fn queues() {
    block(&[libc::SIGUSR1, libc::SIGRTMIN() + 1]);
    (0..3).for_each(|_| raise(libc::SIGRTMIN() + 1));
    let count = (0..4).filter(|_| signal::wait_for(&[libc::SIGRTMIN() + 1], 0).is_ok()).count();
    equal("a real-time signal sent three times comes three times", count, 3);
    equal("waiting for a signal in vain: EAGAIN", signal::wait_for(&[libc::SIGUSR1], 10).map(|_| ()), Err(libc::EAGAIN));
    let parent = my_pid();
    let child = fork(|| {
        sleep_ms(10);
        done("kill", kill(parent, libc::SIGUSR1));
        0
    });
    let came = signal::wait_for(&[libc::SIGUSR1], 10_000);
    // SAFETY: a signal sent by kill has a sender.
    let sender = came.map(|(number, information)| (number, unsafe { information.si_pid() }));
    equal("a signal waited for says who sent it", sender, Ok((libc::SIGUSR1, child)));
    wait(child);
    unblock(&[libc::SIGUSR1, libc::SIGRTMIN() + 1]);
}

fn to_threads() {
    handle(libc::SIGUSR1, note, 0);
    block(&[libc::SIGUSR1]);
    let (from, to) = pipe();
    let thread = std::thread::spawn(move || {
        unblock(&[libc::SIGUSR1]);
        done("write", write(to, &[1]));
        while CALLS.load(SeqCst) == 0 {
            sleep_ms(1);
        }
    });
    must_equal("read", read(from, &mut [0]), Ok(1));
    done("kill", kill(my_pid(), libc::SIGUSR1));
    check("a signal for the process goes to a thread that lets it in", thread.join().is_ok() && calls() == 1);
    close_all(&[from, to]);
    unblock(&[libc::SIGUSR1]);
}

fn storm() {
    handle(libc::SIGUSR1, note, libc::SA_RESTART);
    let parent = my_pid();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            fork(|| {
                (0..500).for_each(|_| must("sent", kill(parent, libc::SIGUSR1).is_ok()));
                0
            })
        })
        .collect();
    let fine = senders.into_iter().all(|sender| wait(sender) == Ended::Exited(0));
    check("2,000 signals from four processes", fine && (1..=2_000).contains(&calls()));
}
