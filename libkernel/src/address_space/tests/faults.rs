//! Single rules of mappings and faults.

use super::program::{File, at, context, frames_in_use, load, run, store};
use crate::address_space::address::{LOWEST, PAGE, USER_END};
use crate::address_space::map::FEW_TABLES;
use crate::address_space::{AddressSpace, Backing, Fault, Limits, MapRequest, Placement, Protection, UserAddress};
use crate::error::KernelError;
use crate::memory::on_host;
use std::sync::Arc;
use sync::TaskContext;

fn request(placement: Placement, pages: u64) -> MapRequest {
    MapRequest { placement, length: pages * PAGE, protection: Protection::READ_WRITE, backing: Backing::Anonymous }
}

fn map(space: &AddressSpace, cx: &mut TaskContext, page: u64, pages: u64) {
    assert_eq!(space.map(cx, request(Placement::FixedNoReplace(at(page)), pages)), Ok(at(page)));
}

#[test]
fn nothing_is_mapped_where_null_pointers_hit_or_outside_the_user_half() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let mut try_at = |start, pages| space.map(&mut cx, request(Placement::Fixed(UserAddress::new(start)), pages));
    assert_eq!(try_at(0, 1), Err(KernelError::Forbidden));
    assert_eq!(try_at(LOWEST - PAGE, 2), Err(KernelError::Forbidden));
    assert_eq!(try_at(USER_END - PAGE, 2), Err(KernelError::NoMemory));
    assert_eq!(try_at(u64::MAX - PAGE + 1, 1), Err(KernelError::NoMemory));
    assert_eq!(try_at(LOWEST + 1, 1), Err(KernelError::Invalid));
    assert_eq!(try_at(LOWEST, u64::MAX / PAGE), Err(KernelError::NoMemory));
    assert_eq!(try_at(USER_END - PAGE, 1), Ok(UserAddress::new(USER_END - PAGE)));
    assert_eq!(load(&space, &mut cx, USER_END), Err(Fault::NotMapped));
    assert_eq!(load(&space, &mut cx, u64::MAX), Err(Fault::NotMapped));
}

#[test]
fn mappings_without_a_place_are_stacked_downwards_and_a_free_hint_is_taken() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let first = space.map(&mut cx, request(Placement::Anywhere(None), 3)).unwrap();
    let second = space.map(&mut cx, request(Placement::Anywhere(None), 2)).unwrap();
    assert_eq!(first.as_u64() - second.as_u64(), 2 * PAGE);
    let hint = UserAddress::new(0x1234_5000);
    assert_eq!(space.map(&mut cx, request(Placement::Anywhere(Some(hint)), 1)), Ok(hint));
    let third = space.map(&mut cx, request(Placement::Anywhere(Some(hint)), 1)).unwrap();
    assert_eq!(second.as_u64() - third.as_u64(), PAGE);
    assert_eq!(space.map(&mut cx, request(Placement::FixedNoReplace(hint), 1)), Err(KernelError::Exists));
}

#[test]
fn a_stack_grows_to_its_limit_and_keeps_its_distance() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let top = 0x7000_0000;
    assert_eq!(space.map_stack(&mut cx, UserAddress::new(top), 2 * PAGE, 1000 * PAGE, Protection::READ_WRITE), Ok(()));
    assert_eq!(store(&space, &mut cx, top - 500 * PAGE, 1), Ok(()));
    assert_eq!(load(&space, &mut cx, top - 499 * PAGE), Ok(0));
    assert_eq!(store(&space, &mut cx, top - 1001 * PAGE, 1), Err(Fault::NotMapped));
    map(&space, &mut cx, top / PAGE - 900, 1);
    assert_eq!(store(&space, &mut cx, top - 700 * PAGE, 1), Err(Fault::NotMapped));
    assert_eq!(store(&space, &mut cx, top - 643 * PAGE, 1), Ok(()));
    let regions = space.regions(&mut cx).unwrap();
    assert_eq!(regions.last().map(|region| (region.name.as_str(), region.grows_down)), Some(("[stack]", true)));
    let below = space.map(&mut cx, request(Placement::Anywhere(None), 1)).unwrap();
    assert!(below.as_u64() < top - (128 << 20));
}

#[test]
fn the_break_moves_only_through_free_memory() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let base = 0x50_0123;
    assert_eq!(space.set_break(&mut cx, Some(at(900))), UserAddress::new(0));
    space.set_break_base(&mut cx, UserAddress::new(base));
    assert_eq!(space.set_break(&mut cx, Some(UserAddress::new(base + 3 * PAGE))).as_u64(), base + 3 * PAGE);
    assert_eq!(store(&space, &mut cx, base + 3 * PAGE - 1, 7), Ok(()));
    assert_eq!(space.regions(&mut cx).unwrap()[0].name, "[heap]");
    map(&space, &mut cx, 0x510, 1);
    assert_eq!(space.set_break(&mut cx, Some(at(0x511))).as_u64(), base + 3 * PAGE);
    assert_eq!(space.set_break(&mut cx, Some(at(1))).as_u64(), base + 3 * PAGE);
    assert_eq!(space.set_break(&mut cx, Some(UserAddress::new(u64::MAX))).as_u64(), base + 3 * PAGE);
    assert_eq!(space.set_break(&mut cx, Some(UserAddress::new(base))).as_u64(), base);
    assert_eq!(load(&space, &mut cx, base + 2 * PAGE), Err(Fault::NotMapped));
    assert_eq!(space.set_break(&mut cx, None).as_u64(), base);
}

#[test]
fn limits_hold() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    space.set_limits(&mut cx, Limits { address_space: 10 * PAGE, data: 2 * PAGE, stack: u64::MAX, regions: 3 });
    map(&space, &mut cx, 100, 8);
    assert_eq!(space.map(&mut cx, request(Placement::Anywhere(None), 3)), Err(KernelError::NoMemory));
    assert_eq!(space.remap(&mut cx, at(100), 8 * PAGE, 11 * PAGE, true, None), Err(KernelError::NoMemory));
    assert_eq!(space.map(&mut cx, request(Placement::Fixed(at(99)), 10)), Ok(at(99)));
    assert_eq!(space.protect(&mut cx, at(102), PAGE, Protection::READ), Ok(()));
    assert_eq!(space.protect(&mut cx, at(105), PAGE, Protection::READ), Err(KernelError::NoMemory));
    assert_eq!(space.unmap(&mut cx, at(105), PAGE), Err(KernelError::NoMemory));
    assert_eq!(space.unmap(&mut cx, at(107), 2 * PAGE), Ok(()));
    space.set_break_base(&mut cx, at(200));
    assert_eq!(space.set_break(&mut cx, Some(UserAddress::new(200 * PAGE + 2 * PAGE + 1))), at(200));
}

#[test]
fn a_page_copied_for_a_child_is_copied_once() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    map(&space, &mut cx, 100, 1);
    assert_eq!(store(&space, &mut cx, 100 * PAGE, 1), Ok(()));
    let child = space.fork(&mut cx).unwrap();
    let before = frames_in_use();
    assert_eq!(store(&space, &mut cx, 100 * PAGE, 2), Ok(()));
    assert_eq!(frames_in_use(), before + 1);
    assert_eq!(store(&child, &mut cx, 100 * PAGE, 3), Ok(()));
    assert_eq!(frames_in_use(), before + 1, "the last owner copied its own page");
    assert_eq!((load(&space, &mut cx, 100 * PAGE), load(&child, &mut cx, 100 * PAGE)), (Ok(2), Ok(3)));
}

#[test]
fn a_source_that_may_not_be_changed_is_never_mapped_writable_and_shared() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let source: Arc<File> = Arc::new(File::new(2, false));
    let shared = |protection| MapRequest {
        placement: Placement::Fixed(at(100)),
        length: 3 * PAGE,
        protection,
        backing: Backing::Source { source: Arc::clone(&source) as _, first_page: 0, shared: true },
    };
    assert_eq!(space.map(&mut cx, shared(Protection::READ_WRITE)), Err(KernelError::Denied));
    assert_eq!(space.map(&mut cx, shared(Protection::READ)), Ok(at(100)));
    assert_eq!(space.protect(&mut cx, at(101), PAGE, Protection::READ_WRITE), Err(KernelError::Denied));
    assert_eq!(load(&space, &mut cx, 101 * PAGE), Ok(2));
    assert_eq!(store(&space, &mut cx, 101 * PAGE, 1), Err(Fault::Protected));
    assert_eq!(load(&space, &mut cx, 102 * PAGE), Err(Fault::NoContents));
    assert_eq!(run(&space, &mut cx, 101 * PAGE), Err(Fault::Protected));
    let found = space.shared_source(&mut cx, UserAddress::new(101 * PAGE + 5));
    assert!(found.is_ok_and(|found| found.is_some_and(|(_, offset)| offset == PAGE + 5)));
}

#[test]
fn a_transfer_crosses_pages_and_ends_at_the_first_that_is_not_there() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    map(&space, &mut cx, 100, 3);
    let bytes: [u8; 9000] = core::array::from_fn(|index| index as u8);
    let place = UserAddress::new(100 * PAGE + 100);
    assert_eq!(space.write(&mut cx, place, &bytes), Ok(()));
    let mut back = [0; 9000];
    assert_eq!(space.read(&mut cx, place, &mut back), Ok(()));
    assert!(back == bytes);
    assert_eq!(space.read(&mut cx, UserAddress::new(102 * PAGE), &mut back), Err(KernelError::BadAddress));
    assert_eq!(space.read(&mut cx, UserAddress::new(u64::MAX - 10), &mut back), Err(KernelError::BadAddress));
}

#[test]
fn tables_of_what_was_unmapped_are_given_back() {
    let _alone = on_host::alone();
    let without = frames_in_use();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let before = frames_in_use();
    for block in 1..200 {
        let page = block << 18;
        map(&space, &mut cx, page, 1);
        assert_eq!(store(&space, &mut cx, page * PAGE, 1), Ok(()));
        assert_eq!(space.unmap(&mut cx, at(page), PAGE), Ok(()));
    }
    assert!(frames_in_use() <= before + FEW_TABLES, "{} frames more", frames_in_use() - before);
    drop(space);
    assert_eq!(frames_in_use(), without);
}

#[test]
fn more_private_memory_than_there_is_is_refused_at_once() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    assert_eq!(space.map(&mut cx, request(Placement::Anywhere(None), 1 << 30)), Err(KernelError::NoMemory));
    let sparse = MapRequest { backing: Backing::SparseAnonymous, ..request(Placement::Anywhere(None), 1 << 30) };
    let at = space.map(&mut cx, sparse).unwrap();
    assert_eq!(store(&space, &mut cx, at.as_u64() + (1 << 41), 1), Ok(()));
    let untouchable = MapRequest { protection: Protection::NONE, ..request(Placement::Anywhere(None), 1 << 30) };
    assert!(space.map(&mut cx, untouchable).is_ok());
}

#[test]
fn a_row_of_touched_pages_brings_as_many_again() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    map(&space, &mut cx, 1024, 100);
    let mut brought = |page: u64| {
        let before = space.resident_pages();
        assert_eq!(store(&space, &mut cx, page * PAGE, 7), Ok(()));
        space.resident_pages() - before
    };
    // Up to what is there already, and to the end of the region.
    let touches = [
        (1024, 1),
        (1025, 2),
        (1026, 0),
        (1027, 4),
        (1031, 8),
        (1039, 16),
        (1055, 16),
        (1100, 1),
        (1099, 1),
        (1071, 16),
        (1087, 12),
        (1101, 16),
        (1117, 7),
    ];
    for (page, wanted) in touches {
        assert_eq!(brought(page), wanted, "at page {page}");
    }
    for page in 1024..1124 {
        let expected = if touches.iter().any(|touch| touch.0 == page) { 7 } else { 0 };
        assert_eq!(load(&space, &mut cx, page * PAGE), Ok(expected), "at page {page}");
    }
}

#[test]
fn no_page_comes_ahead_of_a_row_of_another_region_or_over_a_page_that_is_there() {
    let _alone = on_host::alone();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    map(&space, &mut cx, 1024, 4);
    for page in 1024..1028 {
        assert_eq!(store(&space, &mut cx, page * PAGE, 1), Ok(()));
    }
    let read_only = MapRequest { protection: Protection::READ, ..request(Placement::FixedNoReplace(at(1028)), 4) };
    assert_eq!(space.map(&mut cx, read_only), Ok(at(1028)));
    assert_eq!(load(&space, &mut cx, 1028 * PAGE), Ok(0));
    assert_eq!(space.resident_pages(), 5);
    assert_eq!(space.discard(&mut cx, at(1025), 2 * PAGE), Ok(()));
    assert_eq!(store(&space, &mut cx, 1025 * PAGE, 2), Ok(()));
    assert_eq!(store(&space, &mut cx, 1026 * PAGE, 3), Ok(()));
    assert_eq!((load(&space, &mut cx, 1027 * PAGE), load(&space, &mut cx, 1026 * PAGE)), (Ok(1), Ok(3)));
}
