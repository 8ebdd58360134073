//! Tables against an oracle: a map from addresses to entries.
//!
//! Invariant: each test has a root and frames of its own.

use super::*;
use crate::paging::fake_frames::FakeFrames;
use crate::paging::release::{detach_tables, free_root};
use crate::paging::visit;
use proptest::prelude::*;
use std::collections::BTreeMap;

const PAGE: u64 = 4096;
const USER_PAGE: Flags = Flags::PRESENT.union(Flags::USER).union(Flags::NO_EXECUTE);

fn root(frames: &mut FakeFrames) -> PhysAddr {
    let Some(root) = frames.take() else { panic!("no frame for a root") };
    root
}

#[derive(Clone, Debug)]
enum Step {
    Map(u64, u64),
    Unmap(u64),
    Protect(u64),
    Clear(u64, u64),
    Look(u64),
}

/// Pages that share tables at every level, and some that share none.
fn page() -> impl Strategy<Value = u64> {
    (prop_oneof![Just(0_u64), Just(1), Just(255)], prop_oneof![Just(0_u64), Just(511)], 0_u64..3, 0_u64..6)
        .prop_map(|(root, third, second, first)| root << 39 | third << 30 | second << 21 | first << 12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (page(), 1_u64..1 << 20).prop_map(|(at, frame)| Step::Map(at, frame * PAGE)),
        2 => page().prop_map(Step::Unmap),
        2 => page().prop_map(Step::Protect),
        1 => (page(), page()).prop_map(|(one, other)| Step::Clear(one.min(other), one.max(other))),
        2 => page().prop_map(Step::Look),
    ]
}

fn run(step: &Step, root: PhysAddr, oracle: &mut BTreeMap<u64, Entry>, frames: &mut FakeFrames) {
    match *step {
        Step::Map(at, to) => {
            let entry = Entry::new(PhysAddr::new(to), USER_PAGE | Flags::WRITABLE);
            let before = replace(root, VirtAddr::new(at), entry, frames);
            assert_eq!(before, Ok(oracle.insert(at, entry).unwrap_or(Entry::EMPTY)));
        }
        Step::Unmap(at) => assert_eq!(unmap(root, VirtAddr::new(at)), oracle.remove(&at)),
        Step::Protect(at) => {
            let by = |entry: Entry| entry.with_flags(entry.flags() - Flags::WRITABLE);
            let before = change(root, VirtAddr::new(at), by);
            assert_eq!(before, oracle.get(&at).copied());
            oracle.entry(at).and_modify(|entry| *entry = by(*entry));
        }
        Step::Clear(from, to) => {
            let emptied = visit::<()>(root, from..to, &mut |_, slot| {
                slot.store(Entry::EMPTY);
                Ok(())
            });
            assert_eq!(emptied, Ok(()));
            detach_tables(root, from..to, &mut |detached| frames.give(detached.table));
            oracle.retain(|at, _| !(from..to).contains(at));
        }
        Step::Look(at) => assert_eq!(lookup(root, VirtAddr::new(at)), oracle.get(&at).copied()),
    }
}

fn all(root: PhysAddr) -> BTreeMap<u64, Entry> {
    let mut found = BTreeMap::new();
    let seen = visit::<()>(root, 0..1 << 47, &mut |at, slot| {
        found.insert(at.as_u64(), slot.load());
        Ok(())
    });
    assert_eq!(seen, Ok(()));
    found
}

proptest! {
    #[test]
    fn tables_hold_what_a_plain_map_would_hold(steps in proptest::collection::vec(step(), 1..80)) {
        let mut frames = FakeFrames::new();
        let root = root(&mut frames);
        let mut oracle = BTreeMap::new();
        for step in &steps {
            run(step, root, &mut oracle, &mut frames);
        }
        prop_assert_eq!(all(root), oracle);
        let cleared = visit::<()>(root, 0..1 << 47, &mut |_, slot| { slot.store(Entry::EMPTY); Ok(()) });
        prop_assert!(cleared.is_ok());
        free_root(root, &mut frames);
        prop_assert!(frames.taken.is_empty(), "tables were lost");
    }
}

#[test]
fn a_map_without_frames_fails_and_loses_nothing() {
    let mut frames = FakeFrames::new();
    let root = root(&mut frames);
    for left in 0..3 {
        frames.left = left;
        let at = VirtAddr::new((left as u64 + 1) << 39);
        assert_eq!(map(root, at, PhysAddr::new(PAGE), USER_PAGE, &mut frames), Err(NoFrames));
        assert_eq!(lookup(root, at), None);
    }
    free_root(root, &mut frames);
    assert!(frames.taken.is_empty());
}

#[test]
fn a_failing_visitor_ends_the_walk() {
    let mut frames = FakeFrames::new();
    let root = root(&mut frames);
    for page in 0..10 {
        assert_eq!(map(root, VirtAddr::new(page * PAGE), PhysAddr::new(PAGE), USER_PAGE, &mut frames), Ok(()));
    }
    let mut seen = 0;
    let answer = visit(root, 2 * PAGE..9 * PAGE, &mut |at, _| {
        seen += 1;
        if at.as_u64() == 4 * PAGE { Err("here") } else { Ok(()) }
    });
    assert_eq!((answer, seen), (Err("here"), 3));
}

#[test]
fn marks_of_a_cpu_survive_a_protection() {
    let mut frames = FakeFrames::new();
    let root = root(&mut frames);
    let at = VirtAddr::new(7 * PAGE);
    assert_eq!(map(root, at, PhysAddr::new(PAGE), USER_PAGE | Flags::WRITABLE, &mut frames), Ok(()));
    let Some(slot) = slot(root, at) else { panic!("mapped, and not there") };
    slot.add_flags(Flags::DIRTY | Flags::ACCESSED);
    slot.remove_flags(Flags::WRITABLE);
    assert_eq!(slot.load().flags(), USER_PAGE | Flags::DIRTY | Flags::ACCESSED);
}
