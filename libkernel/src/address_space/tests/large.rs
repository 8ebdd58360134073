//! Single rules of large pages.

use super::program::{at, context, frames_in_use, load, store, translate};
use crate::address_space::address::PAGE;
use crate::address_space::large::{self, Custom, LargeUse};
use crate::address_space::{Access, AddressSpace, Backing, MapRequest, Placement, Protection, UserAddress};
use crate::memory::large_page::{FRAMES, LARGE_BYTES, MAPPED};
use crate::memory::{Page, on_host};
use machine::addr::VirtAddr;
use machine::physical;
use std::sync::Arc;
use std::thread;
use std::vec::Vec;
use sync::{CpuId, Published, TaskContext, cpu};

/// The first page of a large one.
const FIRST: u64 = 512 * 7;
const COUNT: u64 = 4 * 512;

/// A little more than whole large pages on both sides.
fn wanted(cx: &mut TaskContext) -> Arc<AddressSpace> {
    let space = AddressSpace::new().unwrap();
    let request = MapRequest {
        placement: Placement::Fixed(at(FIRST - 3)),
        length: (COUNT + 6) * PAGE,
        protection: Protection::READ_WRITE,
        backing: Backing::Anonymous,
    };
    assert_eq!(space.map(cx, request), Ok(at(FIRST - 3)));
    assert_eq!(space.use_large(cx, at(FIRST - 3), (COUNT + 6) * PAGE, LargeUse::Wanted), Ok(()));
    space
}

#[test]
fn who_asks_gets_a_large_page_and_others_small_ones() {
    let _alone = on_host::alone();
    let mut cx = context();
    let before = frames_in_use();
    let space = wanted(&mut cx);
    assert_eq!(store(&space, &mut cx, (FIRST + 700) * PAGE, 1), Ok(()));
    assert_eq!((space.resident_pages(), MAPPED.get()), (FRAMES, 1));
    assert_eq!(store(&space, &mut cx, (FIRST - 1) * PAGE, 1), Ok(()));
    assert_eq!((space.resident_pages(), MAPPED.get()), (FRAMES + 1, 1));
    assert_eq!(space.use_large(&mut cx, at(FIRST + 1030), PAGE, LargeUse::Refused), Ok(()));
    assert_eq!(store(&space, &mut cx, (FIRST + 1100) * PAGE, 1), Ok(()));
    assert_eq!((space.resident_pages(), MAPPED.get()), (FRAMES + 2, 1));
    large::set_custom(Custom::Never);
    assert_eq!(store(&space, &mut cx, FIRST * PAGE, 1), Ok(()));
    assert_eq!((space.resident_pages(), MAPPED.get()), (FRAMES + 3, 1));
    large::set_custom(Custom::WhenWanted);
    space.refuse_large(&mut cx, true);
    assert_eq!(store(&space, &mut cx, (FIRST + 3 * 512) * PAGE, 1), Ok(()));
    assert_eq!((space.resident_pages(), MAPPED.get()), (FRAMES + 4, 1));
    drop(space);
    assert_eq!((frames_in_use(), MAPPED.get()), (before, 0));
}

#[test]
fn a_part_that_goes_leaves_the_rest_as_it_was() {
    let _alone = on_host::alone();
    let mut cx = context();
    let before = frames_in_use();
    let space = wanted(&mut cx);
    for page in FIRST..FIRST + COUNT {
        assert_eq!(store(&space, &mut cx, page * PAGE, page as u8), Ok(()));
    }
    assert_eq!(MAPPED.get(), 4);
    assert_eq!(space.unmap(&mut cx, at(FIRST + 10), 600 * PAGE), Ok(()));
    assert_eq!((MAPPED.get(), space.resident_pages()), (2, 4 * FRAMES - 600));
    assert_eq!(space.protect(&mut cx, at(FIRST + 1024), 512 * PAGE, Protection::READ), Ok(()));
    assert_eq!((MAPPED.get(), translate(&space, (FIRST + 1024) * PAGE, Access::Write)), (2, None));
    assert_eq!(space.protect(&mut cx, at(FIRST + 1024), 1024 * PAGE, Protection::READ_WRITE), Ok(()));
    assert_eq!(store(&space, &mut cx, (FIRST + 1025) * PAGE, 77), Ok(()));
    let child = space.fork(&mut cx).unwrap();
    assert_eq!(MAPPED.get(), 0);
    assert_eq!(store(&child, &mut cx, (FIRST + 1026) * PAGE, 78), Ok(()));
    for page in (FIRST..FIRST + 10).chain(FIRST + 610..FIRST + 1025).chain(FIRST + 1027..FIRST + COUNT) {
        assert_eq!((load(&space, &mut cx, page * PAGE), load(&child, &mut cx, page * PAGE)), (Ok(page as u8), Ok(page as u8)));
    }
    assert_eq!(load(&space, &mut cx, (FIRST + 1026) * PAGE), Ok((FIRST + 1026) as u8));
    drop((space, child));
    assert_eq!((frames_in_use(), MAPPED.get()), (before, 0));
}

#[test]
fn memory_that_is_short_gives_small_pages() {
    let _alone = on_host::alone();
    let mut cx = context();
    let space = wanted(&mut cx);
    let mut hoard: Vec<Page> = core::iter::from_fn(|| Page::uninitialised().ok()).collect();
    hoard.truncate(hoard.len() - 1000);
    assert_eq!(store(&space, &mut cx, FIRST * PAGE, 1), Ok(()));
    assert_eq!((space.resident_pages(), MAPPED.get()), (1, 0));
}

#[test]
fn another_space_reads_and_writes_the_right_part() {
    let _alone = on_host::alone();
    let mut cx = context();
    let space = wanted(&mut cx);
    let place = UserAddress::new((FIRST + 512) * PAGE - 2);
    assert_eq!(space.write(&mut cx, place, &[1, 2, 3, 4]), Ok(()));
    assert_eq!((load(&space, &mut cx, place.as_u64()), load(&space, &mut cx, place.as_u64() + 3)), (Ok(1), Ok(4)));
    let mut back = [0; 4];
    assert_eq!(space.read(&mut cx, place, &mut back), Ok(()));
    assert_eq!((back, MAPPED.get()), ([1, 2, 3, 4], 2));
}

/// Writes as a program does: until no fault comes.
fn insist(space: &AddressSpace, address: u64, byte: u8) {
    let mut cx = context();
    loop {
        if let Some(place) = translate(space, address, Access::Write) {
            return physical::write(place, byte);
        }
        assert_eq!(space.fault(&mut cx, address, Access::Write), Ok(()));
    }
}

#[test]
fn threads_that_want_one_large_page_at_once_get_one() {
    let _alone = on_host::alone();
    let mut cx = context();
    let before = frames_in_use();
    for round in 0..40_u8 {
        let space = wanted(&mut cx);
        let arrived = Published::<u64>::new(0);
        thread::scope(|scope| {
            for number in 1..=3 {
                let (space, arrived) = (&space, &arrived);
                scope.spawn(move || {
                    cpu::host::play(CpuId::new(number as usize));
                    arrived.fetch_add(1);
                    while arrived.load() < 3 {
                        thread::yield_now();
                    }
                    (0..COUNT).step_by(128).for_each(|page| insist(space, (FIRST + page) * PAGE + number, round));
                });
            }
        });
        assert_eq!((MAPPED.get(), space.resident_pages()), (4, COUNT as usize));
        for page in (0..COUNT).step_by(128) {
            for number in 1..=3 {
                assert_eq!(load(&space, &mut cx, (FIRST + page) * PAGE + number), Ok(round));
            }
        }
        assert!(VirtAddr::new(FIRST * PAGE).is_aligned(LARGE_BYTES));
    }
    assert_eq!(frames_in_use(), before);
}
