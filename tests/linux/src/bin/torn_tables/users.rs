//! The threads of the program that ends: each uses its memory in its own way until there is none.
//!
//! Invariant: a word of an area is 0 or names its page, whoever wrote it; each thread writes only its own words.

use linux_tests::guarded::{self, code_for};
use linux_tests::memory::{PAGE, READ_WRITE, map, peek_word, poke, poke_word, protect, unmap};
use linux_tests::process::pipe;
use linux_tests::{call, done, must, must_equal};

use crate::board::Board;
use crate::ends::{self, End};

pub const PAGES: usize = 8;
/// Fixed: the visitor knows them, and no program has them at its start.
pub const PRIVATE: usize = 0x10_0000_0000;
pub const SHARED: usize = 0x11_0000_0000;
const CODE: usize = 0x12_0000_0000;
const OWN: usize = 0x13_0000_0000;
/// Never mapped.
pub const NOBODYS: usize = 0x14_0000_0000;
pub const PRIVATELY: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
pub const USERS: usize = 8;

type User = fn(usize);

/// Each is called again and again, with its number.
const ALL: [User; USERS] = [store, load, run, through_a_pipe, from_a_pipe, by_futexes, at_random, remap];

pub const fn mark(page: usize, turn: usize) -> u64 {
    ((page as u64 + 1) << 32) | (turn as u64 & 0xffff)
}

pub const fn is_of(page: usize, word: u64) -> bool {
    word == 0 || word >> 32 == page as u64 + 1
}

pub fn word(area: usize, page: usize, index: usize) -> u64 {
    peek_word(area + page * PAGE + index % 512 * 8)
}

/// The program that ends.
pub fn live(board: &'static Board, end: End) -> i32 {
    // A handler would be in the way of whoever is to die.
    if end != End::Fault {
        guarded::start();
    }
    let shared = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    for (at, flags) in [(PRIVATE, PRIVATELY), (SHARED, shared), (CODE, PRIVATELY)] {
        done("mmap", map(at, PAGES * PAGE, READ_WRITE, flags | libc::MAP_FIXED_NOREPLACE, -1, 0));
    }
    for page in 0..PAGES {
        code_for(page as u32 + 100).iter().enumerate().for_each(|(place, byte)| poke(CODE + page * PAGE + place, *byte));
    }
    done("mprotect", protect(CODE, PAGES * PAGE, libc::PROT_READ | libc::PROT_EXEC));
    for (number, user) in ALL.into_iter().enumerate() {
        std::thread::spawn(move || {
            loop {
                user(number);
                board.turns[number].count();
                // All of them, and the visitor, are to get their turn: what is torn is not to be worn out.
                std::thread::sleep(std::time::Duration::from_micros(200));
            }
        });
    }
    board.wait_until_all_are_busy();
    ends::bring_about(end)
}

thread_local! {
    static TURN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    static PIPE: (i32, i32) = pipe();
}

fn turn() -> usize {
    TURN.replace(TURN.get() + 1)
}

fn store(number: usize) {
    let turn = turn();
    for (page, area) in (0..PAGES).flat_map(|page| [(page, PRIVATE), (page, SHARED)]) {
        let at = area + page * PAGE + number * 8;
        poke_word(at, mark(page, turn));
        must_equal("what was stored", peek_word(at), mark(page, turn));
    }
    if turn % 8 == 7 {
        done("madvise", call!(SYS_madvise, PRIVATE, PAGES * PAGE, libc::MADV_DONTNEED));
    }
}

fn load(_: usize) {
    for (page, area) in (0..PAGES).flat_map(|page| [(page, PRIVATE), (page, SHARED)]) {
        (0..512).step_by(31).for_each(|index| must("a word is its page's", is_of(page, word(area, page, index))));
    }
}

fn run(_: usize) {
    let page = turn() % PAGES;
    must_equal("what was run", guarded::run(CODE + page * PAGE), Ok(page as u32 + 100));
    if page == 0 {
        // Its tables' entries go and come.
        done("mprotect", protect(CODE + PAGE, PAGE, libc::PROT_READ));
        done("mprotect", protect(CODE + PAGE, PAGE, libc::PROT_READ | libc::PROT_EXEC));
    }
}

/// Out of the area and back to another page of it.
fn through_a_pipe(number: usize) {
    let (turn, (out, into)) = (turn(), PIPE.with(|ends| *ends));
    let page = turn % PAGES;
    let (from, to) = (SHARED + page * PAGE + 4000, OWN + number * PAGES * PAGE);
    if turn == 0 {
        done("mmap", map(to, PAGE, READ_WRITE, PRIVATELY | libc::MAP_FIXED_NOREPLACE, -1, 0));
    }
    poke_word(from, mark(page, turn));
    must_equal("write", call!(SYS_write, into, from, 8), Ok(8));
    must_equal("read", call!(SYS_read, out, to, 8), Ok(8));
    must_equal("what went through a pipe", peek_word(to), mark(page, turn));
}

/// Whole pages, in pieces, where pages come and go.
fn from_a_pipe(number: usize) {
    let (out, into) = PIPE.with(|ends| *ends);
    let at = OWN + number * PAGES * PAGE;
    done("mmap", map(at, 2 * PAGE, READ_WRITE, PRIVATELY | libc::MAP_FIXED, -1, 0));
    let pieces = [[at, 104], [at + 104, PAGE]];
    must_equal("writev", call!(SYS_writev, into, [[SHARED, 104], [SHARED + PAGE, PAGE]].as_ptr(), 2), Ok(104 + PAGE));
    must_equal("readv", call!(SYS_readv, out, pieces.as_ptr(), 2), Ok(104 + PAGE));
    must("what came in pieces", is_of(0, peek_word(at)) && is_of(1, peek_word(at + 104)));
    done("munmap", unmap(at, 2 * PAGE));
}

fn by_futexes(_: usize) {
    for area in [PRIVATE, SHARED] {
        let at = area + turn() % PAGES * PAGE + 4088;
        let (short, wait) = ([0_u64, 1000], libc::FUTEX_WAIT);
        let waited = call!(SYS_futex, at, wait, 0, short.as_ptr());
        must(&format!("a wait at a word: {waited:?}"), waited == Err(libc::ETIMEDOUT));
        must_equal("a wake", call!(SYS_futex, at, libc::FUTEX_WAKE, 1), Ok(0));
    }
}

fn at_random(number: usize) {
    let at = OWN + number * PAGES * PAGE;
    done("mmap", map(at, 2 * PAGE, READ_WRITE, PRIVATELY | libc::MAP_FIXED, -1, 0));
    must_equal("getrandom", call!(SYS_getrandom, at + PAGE - 100, 200, 0), Ok(200));
    let first = done("open", call!(SYS_openat, libc::AT_FDCWD, c"/dev/zero".as_ptr(), libc::O_RDONLY));
    must_equal("read", call!(SYS_read, first, at, 2 * PAGE), Ok(2 * PAGE));
    must_equal("zero", peek_word(at + PAGE - 8), 0);
    done("close", call!(SYS_close, first));
}

fn remap(number: usize) {
    let (here, there) = (OWN + number * PAGES * PAGE, OWN + (number + 20) * PAGES * PAGE);
    done("mmap", map(here, 4 * PAGE, READ_WRITE, PRIVATELY | libc::MAP_FIXED, -1, 0));
    (0..4).for_each(|page| poke_word(here + page * PAGE, mark(page, 1)));
    let how = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    must_equal("mremap", call!(SYS_mremap, here, 4 * PAGE, 4 * PAGE, how, there), Ok(there));
    (0..4).for_each(|page| must_equal("what was moved", peek_word(there + page * PAGE), mark(page, 1)));
    done("munmap", unmap(there, 4 * PAGE));
}
