//! Threads that fault in one space at the same time: nothing that one wrote is lost, and no frame.

use super::program::{at, context, frames_in_use, load, store, translate};
use crate::address_space::address::PAGE;
use crate::address_space::{Access, AddressSpace, Backing, MapRequest, Placement, Protection};
use crate::memory::on_host;
use machine::physical;
use std::thread;
use sync::{CpuId, Published, cpu};

const FIRST: u64 = 512 * 5 - 16;
const PAGES: u64 = 32;
const THREADS: u64 = 3;
const ROUNDS: u8 = 60;
/// Tests that wait for this one to end may play the lower ones.
const FIRST_CPU: usize = 40;

/// Writes a byte as a program does: until no fault comes.
fn insist(space: &AddressSpace, address: u64, byte: u8) {
    let mut cx = context();
    loop {
        if let Some(place) = translate(space, address, Access::Write) {
            return physical::write(place, byte);
        }
        assert_eq!(space.fault(&mut cx, address, Access::Write), Ok(()));
    }
}

/// All threads write to a page at the same time, each its own byte of it, then to the next page.
fn write_all(space: &AddressSpace, byte: u8) {
    let arrived: [Published<u64>; PAGES as usize] = core::array::from_fn(|_| Published::<u64>::new(0));
    thread::scope(|scope| {
        for number in 1..=THREADS {
            let arrived = &arrived;
            scope.spawn(move || {
                cpu::host::play(CpuId::new(FIRST_CPU + number as usize));
                for page in 0..PAGES {
                    arrived[page as usize].fetch_add(1);
                    while arrived[page as usize].load() < THREADS {
                        thread::yield_now();
                    }
                    insist(space, (FIRST + page) * PAGE + number, byte);
                }
            });
        }
    });
}

#[test]
fn threads_that_write_to_one_page_at_once_lose_nothing() {
    let _alone = on_host::alone();
    let before = frames_in_use();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let request = MapRequest {
        placement: Placement::Fixed(at(FIRST)),
        length: PAGES * PAGE,
        protection: Protection::READ_WRITE,
        backing: Backing::Anonymous,
    };
    assert_eq!(space.map(&mut cx, request), Ok(at(FIRST)));
    for round in 1..=ROUNDS {
        write_all(&space, round);
        assert_eq!(space.resident_pages(), PAGES as usize);
        let child = space.fork(&mut cx).unwrap();
        // Now every page is shared with the child, and the threads fight for the copies.
        write_all(&space, round + 100);
        for page in FIRST..FIRST + PAGES {
            for number in 1..=THREADS {
                assert_eq!(load(&space, &mut cx, page * PAGE + number), Ok(round + 100), "page {page}, thread {number}");
                assert_eq!(load(&child, &mut cx, page * PAGE + number), Ok(round), "page {page} of the child, thread {number}");
            }
        }
        assert_eq!(store(&child, &mut cx, FIRST * PAGE, 1), Ok(()));
        drop(child);
        assert_eq!(space.discard(&mut cx, at(FIRST + 8), 8 * PAGE), Ok(()));
    }
    drop(space);
    assert_eq!(frames_in_use(), before);
}
