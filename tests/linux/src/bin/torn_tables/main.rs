//! A program's tables are torn down while its threads still read, write, run, fault and have the kernel copy, and while other
//! processes copy from and to it.
//!
//! Invariant: whoever uses the memory finds the bytes that belong there or is refused; how the program ends is what ended it; and
//! nobody else hears of it.

mod board;
mod ends;
mod users;
mod visitor;

use linux_tests::memory::{PAGE, READ_WRITE, map};
use linux_tests::objects::Objects;
use linux_tests::process::{Ended, fork, kill, wait};
use linux_tests::{call, check, done, is_braid, must, must_equal};

use board::Board;
use ends::End;

const ROUNDS: usize = 2;
/// Status of the program that comes after an exec.
const AFTER: i32 = 7;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("after") => after(),
        _ => all(),
    }
}

fn all() {
    let board = Board::new();
    let before = is_braid().then(Objects::settled_but_pages);
    for (what, end, wanted) in ends::ALL {
        (0..ROUNDS).for_each(|_| round(board, what, end, wanted));
        check(what, true);
    }
    if let Some(before) = before {
        before.must_be_all_there_is();
    }
}

/// One program that ends so, and one that visits its memory meanwhile.
fn round(board: &'static Board, what: &str, end: End, wanted: Ended) {
    board.clear();
    let victim = fork(|| users::live(board, end));
    let visitor = fork(|| visitor::visit(board, victim));
    if end == End::Killed {
        board.wait_until_all_are_busy();
        done("kill", kill(victim, libc::SIGKILL));
    }
    let ended = wait(victim);
    board.is_over.store(1);
    must_equal("the visitor", wait(visitor), Ended::Exited(0));
    must_equal(what, ended, wanted);
}

/// What an exec begins: alone, and with nothing of the old memory.
fn after() {
    let tasks = done("task", std::fs::read_dir("/proc/self/task")).count();
    must_equal("threads after an exec", tasks, 1);
    let page = [0_u8; users::PAGES];
    for area in [users::PRIVATE, users::SHARED] {
        let there = call!(SYS_mincore, area, users::PAGES * PAGE, page.as_ptr());
        must_equal("the old memory after an exec", there, Err(libc::ENOMEM));
    }
    // Where the visitor does not write: it takes this program for the old one.
    let fresh = done("mmap", map(users::NOBODYS, users::PAGES * PAGE, READ_WRITE, users::PRIVATELY, -1, 0));
    must_equal("a place that is free", fresh, users::NOBODYS);
    must("new memory is zero", linux_tests::memory::bytes(fresh, users::PAGES * PAGE).iter().all(|byte| *byte == 0));
    std::process::exit(AFTER);
}
