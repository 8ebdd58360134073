//! Signal storms at threads in every kind of wait: each queued signal arrives once, in order, with its value.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};

use linux_tests::process::{Ended, close_all, fork, my_pid, pipe, read, wait, write};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, fail, must, must_equal, signal};

const MOST_THREADS: usize = 6;
const QUEUED: i32 = 40;
const AWAITED: i32 = 41;

thread_local! {
    static OWN_NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// What each thread was told by its handler.
static TOLD: [AtomicU64; MOST_THREADS] = [const { AtomicU64::new(0) }; MOST_THREADS];
static OUT_OF_ORDER: AtomicBool = AtomicBool::new(false);

extern "C" fn told(_: i32, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel filled it in for this handler, with a value.
    let value = unsafe { (*information).si_value().sival_ptr as u64 };
    let before = TOLD[OWN_NUMBER.get().min(MOST_THREADS - 1)].fetch_add(1, Ordering::SeqCst);
    // Values count up, and one handler ends before the next begins.
    if before != value {
        OUT_OF_ORDER.store(true, Ordering::SeqCst);
    }
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn main() {
    // SA_RESTART for half of the waits would hide nothing: `told` counts either way.
    signal::handle(QUEUED, told, 0);
    signal::handle(libc::SIGUSR1, nothing, libc::SA_RESTART);
    soak("every queued signal arrived once, in order, with its value", |random| match random.below(4) {
        0 | 1 => at_threads(random),
        2 => awaited(random),
        _ => between_processes(random),
    });
}

fn queue_to(thread: i32, number: i32, value: u64) {
    let mut information = [0_u8; 128];
    information[0..4].copy_from_slice(&number.to_le_bytes());
    information[8..12].copy_from_slice(&libc::SI_QUEUE.to_le_bytes());
    information[24..32].copy_from_slice(&value.to_le_bytes());
    loop {
        match call!(SYS_rt_tgsigqueueinfo, my_pid(), thread, number, information.as_ptr()) {
            Ok(_) => return,
            Err(libc::EAGAIN) => std::thread::yield_now(),
            Err(errno) => fail(&format!("rt_tgsigqueueinfo: errno {errno}")),
        }
    }
}

/// Threads that wait in turn in every way there is, until they were told everything.
fn at_threads(random: &mut Random) {
    let (threads, each) = (1 + random.below(MOST_THREADS), 10 + random.below(120) as u64);
    let numbers: Vec<AtomicI32> = (0..threads).map(|_| AtomicI32::new(0)).collect();
    let (empty, kept_open) = pipe();
    TOLD.iter().for_each(|told| told.store(0, Ordering::SeqCst));
    std::thread::scope(|scope| {
        for (index, number) in numbers.iter().enumerate() {
            let mut own = random.fork();
            scope.spawn(move || {
                OWN_NUMBER.set(index);
                number.store(done("gettid", call!(SYS_gettid)) as i32, Ordering::SeqCst);
                while TOLD[index].load(Ordering::SeqCst) < each {
                    wait_somehow(&mut own, empty);
                }
                OWN_NUMBER.set(usize::MAX);
            });
        }
        for number in &numbers {
            let mut own = random.fork();
            scope.spawn(move || {
                while number.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                let thread = number.load(Ordering::SeqCst);
                for value in 0..each {
                    queue_to(thread, QUEUED, value);
                    if own.below(4) == 0 && value + 1 < each {
                        let _it_may_have_ended = call!(SYS_tgkill, my_pid(), thread, libc::SIGUSR1);
                    }
                    sign_of_life();
                    own.dawdle();
                }
            });
        }
    });
    close_all(&[empty, kept_open]);
    must("each in its order", !OUT_OF_ORDER.load(Ordering::SeqCst));
    for told in &TOLD[..threads] {
        must_equal("told", told.load(Ordering::SeqCst), each);
    }
}

/// One wait for nothing, with an end in case the last signal came just before it.
fn wait_somehow(random: &mut Random, empty: i32) {
    let short = libc::timespec { tv_sec: 0, tv_nsec: 3_000_000 };
    let mut wanted = libc::pollfd { fd: empty, events: libc::POLLIN, revents: 0 };
    let result = match random.below(6) {
        0 => call!(SYS_nanosleep, &raw const short, 0),
        1 => call!(SYS_poll, &raw mut wanted, 1, 3),
        2 => call!(SYS_futex, AtomicU32::new(0).as_ptr(), libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 0, &raw const short),
        3 => wait_in_epoll(empty),
        4 => {
            let mut set = [1_u64 << empty, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            call!(SYS_pselect6, empty + 1, set.as_mut_ptr(), 0, 0, &raw const short, 0)
        }
        _ => call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, 0, &raw const short, 0),
    };
    let ended_by_time_or_signal = matches!(result, Ok(0) | Err(libc::ETIMEDOUT | libc::EINTR));
    must("nothing but time or a signal ends a wait for nothing", ended_by_time_or_signal);
}

fn wait_in_epoll(empty: i32) -> Result<usize, i32> {
    let epoll = done("epoll_create1", call!(SYS_epoll_create1, 0)) as i32;
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    done("EPOLL_CTL_ADD", call!(SYS_epoll_ctl, epoll, libc::EPOLL_CTL_ADD, empty, &raw mut event));
    let result = call!(SYS_epoll_wait, epoll, &raw mut event, 1, 3);
    close_all(&[epoll]);
    result
}

/// Signals that are held back and taken by `rt_sigtimedwait`, which others interrupt.
fn awaited(random: &mut Random) {
    let each = 10 + random.below(100) as u64;
    let thread = AtomicI32::new(0);
    std::thread::scope(|scope| {
        let number = &thread;
        scope.spawn(move || {
            signal::block(&[AWAITED]);
            number.store(done("gettid", call!(SYS_gettid)) as i32, Ordering::SeqCst);
            let (set, mut information) = (1_u64 << (AWAITED - 1), [0_u8; 128]);
            let mut value = 0;
            while value < each {
                match call!(SYS_rt_sigtimedwait, &raw const set, information.as_mut_ptr(), 0, 8) {
                    Ok(_) => {
                        let found = u64::from_le_bytes(std::array::from_fn(|at| information[24 + at]));
                        must_equal("the next value", found, value);
                        value += 1;
                    }
                    Err(libc::EINTR) => {}
                    Err(errno) => fail(&format!("rt_sigtimedwait: errno {errno}")),
                }
            }
            signal::unblock(&[AWAITED]);
        });
        while thread.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        let thread = thread.load(Ordering::SeqCst);
        for value in 0..each {
            queue_to(thread, AWAITED, value);
            if random.below(4) == 0 && value + 1 < each {
                let _it_may_have_ended = call!(SYS_tgkill, my_pid(), thread, libc::SIGUSR1);
            }
            sign_of_life();
            random.dawdle();
        }
    });
}

/// A child that reads, waits and is interrupted all the time reads every byte; its own death is seen through the storm.
fn between_processes(random: &mut Random) {
    let (from, to) = pipe();
    let bytes = 50 + random.below(300);
    let child = fork(|| {
        let mut seen = 0;
        while seen < bytes {
            match read(from, &mut [0; 16]) {
                Ok(count) => seen += count,
                Err(errno) => fail(&format!("a read with SA_RESTART: errno {errno}")),
            }
        }
        i32::from(seen != bytes)
    });
    let mut left = bytes;
    while left > 0 {
        let piece = left.min(1 + random.below(16));
        left -= piece;
        must_equal("written", write(to, &vec![1; piece]), Ok(piece));
        for _ in 0..random.below(3) {
            let _it_may_have_ended = call!(SYS_kill, child, libc::SIGUSR1);
        }
        sign_of_life();
    }
    must_equal("the reader", wait(child), Ended::Exited(0));
    close_all(&[from, to]);
}
