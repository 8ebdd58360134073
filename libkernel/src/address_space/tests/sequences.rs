//! Any sequence of edits, forks, reads and writes, against the oracle.

use super::oracle::{self, Shared, Space};
use super::program::{File, at, context, frames_in_use, load, run, store, translate};
use crate::address_space::address::PAGE;
use crate::address_space::{Access, AddressSpace, Backing, Fault, MapRequest, Placement, Protection};
use crate::memory::on_host;
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;
use sync::TaskContext;

/// Around a border between two last-level tables, so that tables come and go.
const FIRST: u64 = 512 * 3 - 12;
const PAGES: u64 = 24;
const FILE_PAGES: u64 = 8;
const MOST_SPACES: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Anonymous,
    SharedAnonymous,
    Private(u64),
    Shared(u64),
}

#[derive(Clone, Debug)]
enum Step {
    Map(usize, u64, u64, Protection, Kind),
    Unmap(usize, u64, u64),
    Protect(usize, u64, u64, Protection),
    Discard(usize, u64, u64),
    Remap(usize, u64, u64, u64, Option<u64>),
    Fork(usize),
    End(usize),
    Write(usize, u64, u8),
    Transfer(usize, u64, u8),
    Read(usize, u64),
    Run(usize, u64),
}

fn protection() -> impl Strategy<Value = Protection> {
    prop_oneof![
        1 => Just(Protection::NONE),
        2 => Just(Protection::READ),
        4 => Just(Protection::READ_WRITE),
        1 => Just(Protection::READ_EXECUTE),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Anonymous),
        1 => Just(Kind::SharedAnonymous),
        2 => (0..FILE_PAGES).prop_map(Kind::Private),
        2 => (0..FILE_PAGES).prop_map(Kind::Shared),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let space = || 0..MOST_SPACES;
    let page = || FIRST..FIRST + PAGES;
    let count = || 1..7_u64;
    prop_oneof![
        4 => (space(), page(), count(), protection(), kind()).prop_map(|(s, p, n, r, k)| Step::Map(s, p, n, r, k)),
        2 => (space(), page(), count()).prop_map(|(s, p, n)| Step::Unmap(s, p, n)),
        2 => (space(), page(), count(), protection()).prop_map(|(s, p, n, r)| Step::Protect(s, p, n, r)),
        1 => (space(), page(), count()).prop_map(|(s, p, n)| Step::Discard(s, p, n)),
        2 => (space(), page(), count(), count(), proptest::option::of(page()))
            .prop_map(|(s, p, n, m, t)| Step::Remap(s, p, n, m, t)),
        1 => space().prop_map(Step::Fork),
        1 => space().prop_map(Step::End),
        6 => (space(), page(), 1..=u8::MAX).prop_map(|(s, p, b)| Step::Write(s, p, b)),
        2 => (space(), page(), 1..=u8::MAX).prop_map(|(s, p, b)| Step::Transfer(s, p, b)),
        4 => (space(), page()).prop_map(|(s, p)| Step::Read(s, p)),
        1 => (space(), page()).prop_map(|(s, p)| Step::Run(s, p)),
    ]
}

struct World {
    cx: TaskContext,
    spaces: Vec<(Arc<AddressSpace>, Space)>,
    file: Arc<File>,
    file_bytes: Rc<Shared>,
}

fn pages(from: u64, count: u64) -> core::ops::Range<u64> {
    from..from + count
}

impl World {
    fn new() -> Self {
        let bytes = (0..FILE_PAGES).map(|index| (index, index as u8 + 1)).collect();
        World {
            cx: context(),
            spaces: [(AddressSpace::new().unwrap(), Space::new())].into(),
            file: Arc::new(File::new(FILE_PAGES as u8, true)),
            file_bytes: Rc::new(Shared { bytes: RefCell::new(bytes), length: FILE_PAGES }),
        }
    }

    fn run(&mut self, step: &Step) {
        let (Step::Map(number, ..)
        | Step::Unmap(number, ..)
        | Step::Protect(number, ..)
        | Step::Discard(number, ..)
        | Step::Remap(number, ..)
        | Step::Fork(number)
        | Step::End(number)
        | Step::Write(number, ..)
        | Step::Transfer(number, ..)
        | Step::Read(number, ..)
        | Step::Run(number, ..)) = step;
        let number = number % self.spaces.len();
        match *step {
            Step::Map(_, page, count, protection, kind) => self.map(number, page, count, protection, kind),
            Step::Remap(_, page, count, new, target) => self.remap(number, page, count, new, target),
            Step::Fork(_) => self.fork(number),
            Step::End(_) if self.spaces.len() > 1 => drop(self.spaces.remove(number)),
            Step::End(_) => {}
            _ => self.edit(number, step),
        }
    }

    fn map(&mut self, number: usize, page: u64, count: u64, protection: Protection, kind: Kind) {
        let file = |first_page, shared| Backing::Source { source: Arc::clone(&self.file) as _, first_page, shared };
        let zeroes = Rc::new(Shared { bytes: RefCell::default(), length: u64::MAX });
        let (backing, source, shared) = match kind {
            Kind::Anonymous => (Backing::Anonymous, None, false),
            Kind::SharedAnonymous => (Backing::SharedAnonymous, Some((zeroes, 0)), true),
            Kind::Private(first) => (file(first, false), Some((Rc::clone(&self.file_bytes), first)), false),
            Kind::Shared(first) => (file(first, true), Some((Rc::clone(&self.file_bytes), first)), true),
        };
        let request = MapRequest { placement: Placement::Fixed(at(page)), length: count * PAGE, protection, backing };
        let (space, oracle) = &mut self.spaces[number];
        assert_eq!(space.map(&mut self.cx, request), Ok(at(page)));
        let first = oracle::Page { protection, own: None, source, shared };
        oracle.extend(pages(page, count).map(|at| (at, first.fresh_after(at - page))));
    }

    fn edit(&mut self, number: usize, step: &Step) {
        let World { cx, spaces, .. } = self;
        let (space, oracle) = &mut spaces[number];
        match *step {
            Step::Unmap(_, page, count) => {
                assert_eq!(space.unmap(cx, at(page), count * PAGE), Ok(()));
                oracle.retain(|at, _| !pages(page, count).contains(at));
            }
            Step::Protect(_, page, count, protection) => {
                let all = pages(page, count).all(|page| oracle.contains_key(&page));
                assert_eq!(space.protect(cx, at(page), count * PAGE, protection).is_ok(), all);
                let touched = oracle.range_mut(pages(page, count)).filter(|_| all);
                touched.for_each(|(_, page)| page.protection = protection);
            }
            Step::Discard(_, page, count) => {
                let all = pages(page, count).all(|page| oracle.contains_key(&page));
                assert_eq!(space.discard(cx, at(page), count * PAGE).is_ok(), all);
                oracle.range_mut(pages(page, count)).for_each(|(_, page)| page.discard());
            }
            Step::Write(_, page, byte) => {
                let expected = expected(oracle, page, Access::Write);
                assert_eq!(store(space, cx, page * PAGE, byte), expected.map(drop));
                written(oracle, page, byte, expected.is_ok());
            }
            Step::Transfer(_, page, byte) => {
                let expected = expected(oracle, page, Access::Write);
                assert_eq!(space.write(cx, at(page), &[byte]).is_ok(), expected.is_ok());
                written(oracle, page, byte, expected.is_ok());
            }
            Step::Read(_, page) => assert_eq!(load(space, cx, page * PAGE), expected(oracle, page, Access::Read)),
            Step::Run(_, page) => {
                assert_eq!(run(space, cx, page * PAGE), expected(oracle, page, Access::Execute).map(drop));
            }
            _ => {}
        }
    }

    fn remap(&mut self, number: usize, page: u64, count: u64, new: u64, target: Option<u64>) {
        let World { cx, spaces, .. } = self;
        let (space, oracle) = &mut spaces[number];
        let place = target.map(at);
        let moved = space.remap(cx, at(page), count * PAGE, new * PAGE, true, place);
        let Ok(to) = moved else { return };
        assert!(pages(page, count).all(|page| oracle.contains_key(&page)), "what was not mapped was moved");
        let to = to.as_u64() / PAGE;
        let old: Vec<oracle::Page> = pages(page, count).filter_map(|page| oracle.remove(&page)).collect();
        oracle.retain(|at, _| !pages(to, new).contains(at));
        for index in 0..new {
            let page = old.get(index as usize).cloned().unwrap_or_else(|| old[0].fresh_after(index));
            oracle.insert(to + index, page);
        }
    }

    fn fork(&mut self, number: usize) {
        if self.spaces.len() == MOST_SPACES {
            return;
        }
        let (space, oracle) = &self.spaces[number];
        let child = space.fork(&mut self.cx).unwrap();
        let oracle = oracle.clone();
        self.spaces.push((child, oracle));
    }

    /// No table may ever grant more than the region does, or show other contents.
    fn check(&mut self) {
        for (space, oracle) in &self.spaces {
            let mapped: u64 = oracle.len() as u64 * PAGE;
            assert_eq!(space.mapped_bytes(), mapped);
            for page in FIRST - 2..FIRST + PAGES + 8 {
                for access in [Access::Read, Access::Write, Access::Execute] {
                    let Some(place) = translate(space, page * PAGE, access) else { continue };
                    let expected = expected(oracle, page, access);
                    assert_eq!(Ok(machine::physical::read::<u8>(place)), expected, "page {page} grants {access:?}");
                }
            }
        }
    }

    fn read_all(&mut self) {
        for (space, oracle) in &self.spaces {
            for page in FIRST..FIRST + PAGES {
                assert_eq!(load(space, &mut self.cx, page * PAGE), expected(oracle, page, Access::Read), "page {page}");
            }
        }
    }
}

fn written(oracle: &mut Space, page: u64, byte: u8, happened: bool) {
    if let Some(page) = oracle.get_mut(&page).filter(|_| happened) {
        page.write(byte);
    }
}

fn expected(oracle: &Space, page: u64, access: Access) -> Result<u8, Fault> {
    let page = oracle.get(&page).ok_or(Fault::NotMapped)?;
    let allowed = match access {
        Access::Read => page.protection.is_any(),
        Access::Write => page.protection.write,
        Access::Execute => page.protection.execute,
    };
    if allowed { page.read().ok_or(Fault::NoContents) } else { Err(Fault::Protected) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_shows_what_one_byte_per_page_would_show(steps in proptest::collection::vec(step(), 1..70)) {
        let _alone = on_host::alone();
        let before = frames_in_use();
        let mut world = World::new();
        for step in &steps {
            world.run(step);
            world.check();
        }
        world.read_all();
        drop(world);
        prop_assert_eq!(frames_in_use(), before, "frames were lost");
    }
}
