//! Workers that do the same at the same time, each on a CPU of its own: threads of one process, or processes.
//!
//! Invariant: nobody begins before all are ready, nor tidies up before all have ended: only the work is counted, and only work
//! runs beside it.

use crate::system::{address, call, fail, must, now};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// As many as a team can have.
pub const MOST: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// Processes, each with an address space of its own.
    Separate,
    /// Threads in one address space.
    Shared,
}

/// What a worker does.
pub trait Work {
    /// What it works on.
    type Place;
    const NAME: &'static str;
    /// How many times `run` does it.
    const OPERATIONS: u64;
    fn prepare() -> Self::Place;
    fn run(place: &mut Self::Place);
    fn tidy(place: Self::Place);
}

/// Memory that all workers see, processes too.
struct Board {
    ready: AtomicU32,
    go: AtomicU32,
    done: AtomicU32,
    began: [AtomicU64; MOST],
    ended: [AtomicU64; MOST],
}

/// How many operations a second `width` workers do together, from the first one's beginning to the last one's end.
pub fn throughput<W: Work>(sharing: Sharing, width: usize) -> u64 {
    assert!((1..=MOST).contains(&width), "a team of {width}");
    let board = board();
    match sharing {
        Sharing::Shared => std::thread::scope(|scope| {
            for index in 0..width {
                scope.spawn(move || work::<W>(board, index, width));
            }
            start(board, width);
        }),
        Sharing::Separate => {
            let children: Vec<i32> = (0..width).map(|index| fork(|| work::<W>(board, index, width))).collect();
            start(board, width);
            children.into_iter().for_each(wait_for);
        }
    }
    let times = |times: &[AtomicU64; MOST]| times[..width].iter().map(|time| time.load(Ordering::Acquire)).collect::<Vec<_>>();
    let began = times(&board.began).into_iter().min().unwrap_or(0);
    let ended = times(&board.ended).into_iter().max().unwrap_or(0);
    give_back(board);
    let operations = u128::from(W::OPERATIONS) * width as u128;
    u64::try_from(operations * 1_000_000_000 / u128::from((ended - began).max(1))).unwrap_or(u64::MAX)
}

fn work<W: Work>(board: &Board, index: usize, width: usize) {
    stay_on(index);
    let mut place = W::prepare();
    board.ready.fetch_add(1, Ordering::AcqRel);
    wake(&board.ready);
    wait_while(&board.go, 0);
    board.began[index].store(nanoseconds(), Ordering::Release);
    W::run(&mut place);
    board.ended[index].store(nanoseconds(), Ordering::Release);
    board.done.fetch_add(1, Ordering::AcqRel);
    wake(&board.done);
    wait_for_all(&board.done, width);
    W::tidy(place);
}

fn start(board: &Board, width: usize) {
    wait_for_all(&board.ready, width);
    board.go.store(1, Ordering::Release);
    wake(&board.go);
}

fn wait_for_all(count: &AtomicU32, width: usize) {
    loop {
        let there = count.load(Ordering::Acquire);
        if there as usize == width {
            return;
        }
        wait_while(count, there);
    }
}

fn nanoseconds() -> u64 {
    u64::try_from(now().as_nanos()).unwrap_or(u64::MAX)
}

fn stay_on(cpu: usize) {
    let cpus = 1_u64 << cpu;
    must("sched_setaffinity", call(libc::SYS_sched_setaffinity, [0, 8, address(&cpus), 0, 0, 0]));
}

fn wait_while(word: &AtomicU32, value: u32) {
    while word.load(Ordering::Acquire) == value {
        // A change in between, or a signal: the loop looks again.
        let _ = call(libc::SYS_futex, [address(word), libc::FUTEX_WAIT as u64, u64::from(value), 0, 0, 0]);
    }
}

fn wake(word: &AtomicU32) {
    must("futex", call(libc::SYS_futex, [address(word), libc::FUTEX_WAKE as u64, i32::MAX as u64, 0, 0, 0]));
}

fn board() -> &'static Board {
    // SAFETY: new memory, shared with children, all zero, which is a board; given back by `give_back` only.
    unsafe {
        let at = libc::mmap(
            std::ptr::null_mut(),
            size_of::<Board>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if at == libc::MAP_FAILED { fail("no memory for the board") } else { &*at.cast::<Board>() }
    }
}

fn give_back(board: &'static Board) {
    // SAFETY: all workers have ended; nobody uses it any more.
    unsafe { libc::munmap(std::ptr::from_ref(board).cast_mut().cast(), size_of::<Board>()) };
}

fn fork(child: impl FnOnce()) -> i32 {
    // SAFETY: the process has one thread now.
    match unsafe { libc::fork() } {
        -1 => fail("fork"),
        0 => {
            child();
            // SAFETY: it ends the child at once, without what the parent has yet to do at its end.
            unsafe { libc::_exit(0) }
        }
        id => id,
    }
}

fn wait_for(child: i32) {
    let mut status = 0;
    // SAFETY: `status` is written to.
    if unsafe { libc::waitpid(child, &raw mut status, 0) } != child || status != 0 {
        fail("a worker failed");
    }
}
