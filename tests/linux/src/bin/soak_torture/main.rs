//! Sixteen threads take mappings away under each other: each access gives the right bytes or the right refusal.
//!
//! Invariant: what is said of a slot while its number stands still is exactly what an access there finds; and whenever it
//! is looked, a slot holds nothing that was written to another one.

mod child;
mod owner;
mod slot;
mod visitor;

use std::fs::File;
use std::os::fd::AsRawFd;

use linux_tests::accounting::Memory;
use linux_tests::process::{Ended, close_all, fork, pipe_with, wait};
use linux_tests::scratch::Scratch;
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{done, guarded, must_equal};

use owner::Owner;
use slot::{FILE_BYTES, SLOTS};

/// So many threads in all that each of the kernel's lists of threads has had one: a list keeps its first piece.
const WARMING_ROUNDS: u64 = 6;

fn main() {
    guarded::start();
    let scratch = Scratch::new("torture");
    let file = done("creating a file", File::options().read(true).write(true).create(true).truncate(true).open(scratch.path("shared")));
    // What is looked at afterwards has been looked at before, and what comes with the first threads has come.
    let in_use = || {
        done("emptying the file", file.set_len(0));
        let memory = Memory::settled();
        done("setting its length", file.set_len(FILE_BYTES as u64));
        memory
    };
    in_use();
    in_child(|| (0..WARMING_ROUNDS).for_each(|seed| round(&mut Random::new(seed), &file, 4)));
    let before = in_use();
    in_child(|| {
        soak("every byte and every refusal was right", |random| {
            let turns = 20 + random.below(100);
            round(random, &file, turns);
        });
    });
    done("emptying the file", file.set_len(0));
    before.tell_growth();
    before.must_not_have_grown();
}

/// Its own memory, tables and threads go with it: what is more afterwards is lost.
fn in_child(work: impl FnOnce()) {
    let child = fork(|| {
        work();
        0
    });
    must_equal("a process with all threads", wait(child), Ended::Exited(0));
}

/// All threads at once; each has its own slot, and visits those of the others.
fn round(random: &mut Random, file: &File, turns: usize) {
    let descriptor = file.as_raw_fd();
    std::thread::scope(|scope| {
        for number in 0..SLOTS {
            let own = random.fork();
            scope.spawn(move || thread(number, descriptor, own, turns));
        }
    });
}

fn thread(number: usize, file: i32, mut random: Random, turns: usize) {
    let pipe = pipe_with(libc::O_NONBLOCK);
    let mut owner = Owner::new(number, file);
    for _ in 0..turns {
        match random.below(64) {
            0 => child::fork_and_check(),
            1..20 => owner.step(&mut random),
            _ => visitor::visit_often(&mut random, number, pipe),
        }
        sign_of_life();
    }
    owner.leave();
    close_all(&[pipe.0, pipe.1]);
}
