//! Another process, which copies from the one that ends, and to it.
//!
//! Invariant: it changes only words that nobody else writes.

use linux_tests::memory::PAGE;
use linux_tests::process::Pid;
use linux_tests::{Errno, call, fail, must};

use crate::board::Board;
use crate::users::{self, PAGES, PRIVATE, SHARED, USERS};

/// The words of the visitor, in each page.
const OURS: usize = 300;

/// Until it is over; the program that it visits may be gone before.
pub fn visit(board: &'static Board, victim: Pid) -> i32 {
    let mut words = vec![0_u64; PAGES * PAGE / 8];
    for turn in 0.. {
        for area in [PRIVATE, SHARED] {
            read_all(victim, area, &mut words);
            write_one(victim, area, turn);
        }
        let _text = std::fs::read(format!("/proc/{victim}/maps"));
        board.turns[USERS].count();
        if board.is_over.load() == 1 {
            return 0;
        }
        std::thread::sleep(std::time::Duration::from_micros(200));
    }
    0
}

fn read_all(victim: Pid, area: usize, words: &mut [u64]) {
    let (own, theirs) = ([words.as_mut_ptr() as usize, PAGES * PAGE], [area, PAGES * PAGE]);
    let read = granted(call!(SYS_process_vm_readv, victim, own.as_ptr(), 1, theirs.as_ptr(), 1, 0));
    must("whole pages", read.is_multiple_of(PAGE));
    for (index, word) in words.iter().take(read / 8).enumerate() {
        must("a word of another's page", users::is_of(index / 512, *word));
    }
}

fn write_one(victim: Pid, area: usize, turn: usize) {
    let page = turn % PAGES;
    let word = users::mark(page, turn);
    let (own, theirs) = ([&raw const word as usize, 8], [area + page * PAGE + OURS * 8, 8]);
    granted(call!(SYS_process_vm_writev, victim, own.as_ptr(), 1, theirs.as_ptr(), 1, 0));
}

/// Nothing when its memory is not there, yet or any more.
fn granted(answer: Result<usize, Errno>) -> usize {
    match answer {
        Ok(count) => count,
        Err(libc::ESRCH | libc::EFAULT) => 0,
        Err(errno) => fail(&format!("another's memory: errno {errno}")),
    }
}
