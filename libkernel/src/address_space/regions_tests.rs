//! Regions against an oracle: one entry per page.
//!
//! Invariant: the list's own invariants are checked after every step.

use super::*;
use crate::address_space::large::LargeUse;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::vec::Vec;

const PAGES: u64 = 40;

#[derive(Clone, Debug)]
enum Step {
    Put(Range<u64>, Protection),
    Remove(Range<u64>),
    Protect(Range<u64>, Protection),
}

fn range() -> impl Strategy<Value = Range<u64>> {
    (0..PAGES, 1..8_u64).prop_map(|(first, count)| first * PAGE..(first + count).min(PAGES) * PAGE)
}

fn protection() -> impl Strategy<Value = Protection> {
    prop_oneof![Just(Protection::NONE), Just(Protection::READ), Just(Protection::READ_WRITE)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (range(), protection()).prop_map(|(range, protection)| Step::Put(range, protection)),
        2 => range().prop_map(Step::Remove),
        2 => (range(), protection()).prop_map(|(range, protection)| Step::Protect(range, protection)),
    ]
}

fn pages(range: Range<u64>) -> impl Iterator<Item = u64> {
    range.step_by(PAGE as usize)
}

fn run(step: &Step, regions: &mut Regions, oracle: &mut BTreeMap<u64, Protection>) {
    let before = regions.count();
    match step {
        Step::Put(range, protection) => {
            let more = 1 + regions.growth_of_removal(range.clone());
            assert_eq!(regions.reserve(more), Ok(()));
            assert_eq!(regions.bytes_in(range.clone()) / PAGE, pages(range.clone()).filter(|at| oracle.contains_key(at)).count() as u64);
            regions.remove(range.clone());
            regions.insert(Region {
                start: range.start,
                end: range.end,
                protection: *protection,
                contents: Contents::Anonymous,
                grows_to: None,
                large: LargeUse::AsSystem,
            });
            oracle.extend(pages(range.clone()).map(|at| (at, *protection)));
            assert!(regions.count() <= before + more);
        }
        Step::Remove(range) => {
            let more = regions.growth_of_removal(range.clone());
            assert_eq!(regions.reserve(more), Ok(()));
            regions.remove(range.clone());
            oracle.retain(|at, _| !range.contains(at));
            assert!(regions.count() <= before + more);
        }
        Step::Protect(range, protection) => {
            let more = regions.growth_of_protection(range.clone());
            assert_eq!(regions.reserve(more), Ok(()));
            let covers = pages(range.clone()).all(|at| oracle.contains_key(&at));
            assert_eq!(regions.covers(range.clone()), covers);
            regions.protect(range.clone(), *protection);
            oracle.iter_mut().filter(|(at, _)| range.contains(at)).for_each(|(_, own)| *own = *protection);
            assert!(regions.count() <= before + more);
        }
    }
}

fn check(regions: &Regions, oracle: &BTreeMap<u64, Protection>) {
    let list: Vec<&Region> = regions.iter().collect();
    for pair in list.windows(2) {
        assert!(pair[0].end <= pair[1].start, "two regions overlap");
        assert!(!pair[0].joins(pair[1]), "two neighbours could be one");
    }
    let mapped: BTreeMap<u64, Protection> =
        list.iter().flat_map(|region| pages(region.range()).map(|at| (at, region.protection))).collect();
    assert_eq!(&mapped, oracle);
    assert_eq!(regions.mapped_bytes(), oracle.len() as u64 * PAGE);
    for at in pages(0..PAGES * PAGE) {
        assert_eq!(regions.find(at).map(|region| region.protection), oracle.get(&at).copied());
        if !oracle.contains_key(&at) {
            let gap = regions.gap_around(at..at + PAGE, 0..PAGES * PAGE);
            assert!(gap.contains(&at) && pages(gap).all(|at| !oracle.contains_key(&at)));
        }
    }
}

proptest! {
    #[test]
    fn regions_hold_what_one_entry_per_page_would_hold(steps in proptest::collection::vec(step(), 1..60)) {
        let mut regions = Regions::new();
        let mut oracle = BTreeMap::new();
        for step in &steps {
            run(step, &mut regions, &mut oracle);
            check(&regions, &oracle);
        }
    }
}

#[test]
fn a_stack_joins_nothing_and_only_its_lowest_part_grows() {
    let mut regions = Regions::new();
    assert_eq!(regions.reserve(4), Ok(()));
    let region = |start: u64, end: u64, grows_to| Region {
        start: start * PAGE,
        end: end * PAGE,
        protection: Protection::READ_WRITE,
        contents: Contents::Anonymous,
        grows_to,
        large: LargeUse::AsSystem,
    };
    regions.insert(region(10, 14, Some(2 * PAGE)));
    regions.insert(region(14, 16, None));
    assert_eq!(regions.count(), 2);
    regions.protect(12 * PAGE..13 * PAGE, Protection::READ);
    assert_eq!(regions.find(10 * PAGE).and_then(|region| region.grows_to), Some(2 * PAGE));
    assert_eq!(regions.find(13 * PAGE).and_then(|region| region.grows_to), None);
    regions.grow_down(9 * PAGE, 9 * PAGE);
    assert_eq!(regions.find(9 * PAGE).map(Region::range), Some(9 * PAGE..12 * PAGE));
}
