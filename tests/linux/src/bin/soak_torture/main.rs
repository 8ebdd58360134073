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

use linux_tests::objects::Objects;
use linux_tests::process::{close_all, pipe_with};
use linux_tests::scratch::Scratch;
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{done, fail, guarded, is_braid, monotonic};

use owner::Owner;
use slot::{FILE_BYTES, SLOTS};

/// Pages that may come and go besides: the library's heap, stacks that it keeps, what each CPU's part of the kernel's heap keeps.
const SLACK_PAGES: u64 = 2048;

fn main() {
    guarded::start();
    let scratch = Scratch::new("torture");
    let file = done("creating a file", File::options().read(true).write(true).create(true).truncate(true).open(scratch.path("shared")));
    done("setting its length", file.set_len(FILE_BYTES as u64));
    round(&mut Random::new(0), &file, 2);
    let before = is_braid().then(|| (Objects::of_one_thread(), free_pages()));
    soak("every byte and every refusal was right", |random| {
        let turns = 20 + random.below(100);
        round(random, &file, turns);
    });
    if let Some((objects, free)) = before {
        done("emptying the file", file.set_len(0));
        let _until_it_is_alone = Objects::of_one_thread();
        objects.must_be_all_there_is();
        eprintln!("{free} pages were free before, and {} are now", free_pages());
        must_have_free(free.saturating_sub(SLACK_PAGES));
    }
}

/// At once, or after the moment that the kernel needs to clear up.
fn must_have_free(pages: u64) {
    let until = monotonic() + 2_000_000_000;
    while free_pages() < pages {
        if monotonic() > until {
            fail(&format!("memory was lost: {} pages are free, and not {pages}", free_pages()));
        }
        std::thread::yield_now();
    }
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

/// 0 where nobody says.
fn free_pages() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("MemFree:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kibibytes| kibibytes.parse::<u64>().ok()).unwrap_or(0) / 4
}
