//! Any sequence of edits, forks, reads and writes, against the oracle.

use super::oracle::{self, Shared, Space};
use super::program::{File, at, context, frames_in_use, load, run, store, table_of, translate};
use super::steps::{
    FILE_PAGES, FIRST, FIRST_OF_LARGE, HEAP, HEAP_PAGES, Kind, MOST_SPACES, PAGES, SCALE, STACK_PAGES, STACK_TOP, Step, Where, step,
};
use crate::address_space::address::PAGE;
use crate::address_space::large::{self, Custom};
use crate::address_space::{Access, AddressSpace, Backing, Fault, MapRequest, Placement, Protection};
use crate::error::KernelError;
use crate::memory::large_page::MAPPED;
use crate::memory::on_host;
use machine::paging::Flags;
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::vec::Vec;
use sync::TaskContext;

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
        let (space, mut cx) = (AddressSpace::new().unwrap(), context());
        space.set_break_base(&mut cx, at(HEAP));
        assert_eq!(space.map_stack(&mut cx, at(STACK_TOP), PAGE, STACK_PAGES * PAGE, Protection::READ_WRITE), Ok(()));
        World {
            cx,
            spaces: [(space, Space::from([(STACK_TOP - 1, private())]))].into(),
            file: Arc::new(File::new(FILE_PAGES as u8, true)),
            file_bytes: Rc::new(Shared { bytes: RefCell::new(bytes), length: Cell::new(FILE_PAGES) }),
        }
    }

    fn run(&mut self, step: &Step) {
        let (Step::Map(number, ..)
        | Step::Unmap(number, ..)
        | Step::Protect(number, ..)
        | Step::Discard(number, ..)
        | Step::Remap(number, ..)
        | Step::Break(number, ..)
        | Step::Stack(number, ..)
        | Step::Fork(number)
        | Step::End(number)
        | Step::Write(number, ..)
        | Step::Transfer(number, ..)
        | Step::Read(number, ..)
        | Step::Run(number, ..)) = step
        else {
            return if let Step::Resize(length) = step {
                self.resize(*length)
            };
        };
        let number = number % self.spaces.len();
        match *step {
            Step::Map(_, place, count, protection, kind) => self.map(number, place, count, protection, kind),
            Step::Remap(_, page, count, new, may_move, target) => self.remap(number, (page, count), new, may_move, target),
            Step::Break(_, count) => self.move_break(number, count),
            Step::Stack(_, depth, byte) => self.touch_stack(number, depth, byte),
            Step::Fork(_) => self.fork(number),
            Step::End(_) if self.spaces.len() > 1 => drop(self.spaces.remove(number)),
            Step::End(_) => {}
            _ => self.edit(number, step),
        }
    }

    fn map(&mut self, number: usize, place: Where, count: u64, protection: Protection, kind: Kind) {
        let file = |first_page, shared| Backing::Source { source: Arc::clone(&self.file) as _, first_page, shared };
        let zeroes = Rc::new(Shared { bytes: RefCell::default(), length: Cell::new(u64::MAX) });
        let (backing, source, shared) = match kind {
            Kind::Anonymous => (Backing::Anonymous, None, false),
            Kind::SharedAnonymous => (Backing::SharedAnonymous, Some((zeroes, 0)), true),
            Kind::Private(first) => (file(first, false), Some((Rc::clone(&self.file_bytes), first)), false),
            Kind::Shared(first) => (file(first, true), Some((Rc::clone(&self.file_bytes), first)), true),
        };
        let (space, oracle) = &mut self.spaces[number];
        let is_free = |page: u64| oracle.range(pages(page, count)).next().is_none();
        let (placement, expected) = match place {
            Where::Fixed(page) => (Placement::Fixed(at(page)), Some(Ok(at(page)))),
            Where::FixedNoReplace(page) => {
                (Placement::FixedNoReplace(at(page)), Some(if is_free(page) { Ok(at(page)) } else { Err(KernelError::Exists) }))
            }
            Where::Hint(page) => (Placement::Anywhere(Some(at(page))), is_free(page).then(|| Ok(at(page)))),
            Where::Anywhere => (Placement::Anywhere(None), None),
        };
        let answer = space.map(&mut self.cx, MapRequest { placement, length: count * PAGE, protection, backing });
        let Ok(start) = answer else { return assert_eq!(Some(answer), expected) };
        let page = start.as_u64() / PAGE;
        assert!(expected.map_or_else(|| is_free(page), |expected| expected == answer), "{place:?} became {page:#x}");
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

    fn resize(&mut self, length: u64) {
        self.file.resize(&mut self.cx, length);
        self.file_bytes.bytes.borrow_mut().retain(|index, _| *index < length);
        let longer = length >= self.file_bytes.length.replace(length);
        for (_, oracle) in &mut self.spaces {
            // Copies of pages that the file does not have any more go with them; what it never had, nobody copied.
            let gone = oracle.values_mut().filter(|page| !longer && !page.shared && page.shows(&self.file_bytes, length));
            gone.for_each(oracle::Page::discard);
        }
    }

    fn move_break(&mut self, number: usize, count: u64) {
        let (space, oracle) = &mut self.spaces[number];
        assert_eq!(space.set_break(&mut self.cx, Some(at(HEAP + count))), at(HEAP + count));
        oracle.retain(|page, _| !(HEAP + count..HEAP + HEAP_PAGES).contains(page));
        pages(HEAP, count).for_each(|page| {
            oracle.entry(page).or_insert_with(private);
        });
    }

    /// So many pages below its top: all in between are there then.
    fn touch_stack(&mut self, number: usize, depth: u64, byte: u8) {
        let (space, oracle) = &mut self.spaces[number];
        let done = store(space, &mut self.cx, (STACK_TOP - depth) * PAGE, byte);
        if depth > STACK_PAGES {
            return assert_eq!(done, Err(Fault::NotMapped));
        }
        assert_eq!(done, Ok(()));
        (STACK_TOP - depth..STACK_TOP).for_each(|page| {
            oracle.entry(page).or_insert_with(private);
        });
        written(oracle, STACK_TOP - depth, byte, true);
    }

    fn remap(&mut self, number: usize, (page, count): (u64, u64), new: u64, may_move: bool, target: Option<u64>) {
        let World { cx, spaces, .. } = self;
        let (space, oracle) = &mut spaces[number];
        let place = target.map(at);
        let moved = space.remap(cx, at(page), count * PAGE, new * PAGE, may_move, place);
        let Ok(to) = moved else { return };
        if target.is_none() && new <= count {
            // Only cut: what is kept may have gaps behind its first page, and what goes too.
            assert!(oracle.contains_key(&page) && to == at(page), "what was not mapped was cut");
            return oracle.retain(|at, _| !pages(page + new, count - new).contains(at));
        }
        assert!(pages(page, count).all(|page| oracle.contains_key(&page)), "what was not mapped was moved");
        let to = to.as_u64() / PAGE;
        assert!(to == page || target.map_or(may_move, |target| target == to), "it moved from {page} to {to}");
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
    fn check(&mut self, step: u64) {
        for (space, oracle) in &self.spaces {
            assert_eq!(space.mapped_bytes(), oracle.len() as u64 * PAGE);
            let listed = space.regions(&mut self.cx).unwrap();
            let in_regions = listed.iter().flat_map(|region| {
                let pages = region.start.as_u64() / PAGE..region.end.as_u64() / PAGE;
                pages.map(|page| (page, region.protection, region.shared))
            });
            assert!(
                in_regions.eq(oracle.iter().map(|(at, page)| (*at, page.protection, page.shared))),
                "the list is not what was asked for"
            );
            for (page, flags) in table_of(space) {
                assert!(oracle.contains_key(&page), "page {page:#x} is in the table and nowhere else");
                if (page - page.min(FIRST_OF_LARGE)) % step > 1 {
                    continue;
                }
                assert!(flags.contains(Flags::PRESENT) || !flags.contains(Flags::WRITABLE | Flags::USER), "page {page:#x} is {flags:?}");
                for access in [Access::Read, Access::Write, Access::Execute] {
                    let Some(place) = translate(space, page * PAGE, access) else { continue };
                    let expected = expected(oracle, page, access);
                    assert_eq!(Ok(machine::physical::read::<u8>(place)), expected, "page {page} grants {access:?}");
                }
            }
        }
    }

    /// What is told to be in memory is what the table has; what is shared may be there all the same.
    fn check_presence(&mut self) {
        for (space, oracle) in &self.spaces {
            let there: BTreeSet<u64> = table_of(space).into_iter().map(|(page, _)| page).collect();
            for (&page, expected) in oracle {
                let told = space.pages_in_memory(&mut self.cx, at(page), 1).unwrap() == [1];
                assert!(told >= there.contains(&page), "page {page:#x} is there, and not told");
                assert!(!told || expected.shared || there.contains(&page), "page {page:#x} is told, and not there");
            }
            let outside = (FIRST..FIRST + PAGES).find(|page| !oracle.contains_key(page));
            let told = outside.map(|page| space.pages_in_memory(&mut self.cx, at(page), 1));
            assert!(told.is_none_or(|told| told == Err(KernelError::NoMemory)), "nothing is mapped there");
        }
    }

    fn read_all(&mut self) {
        for (space, oracle) in &self.spaces {
            let all: Vec<u64> = oracle.keys().copied().chain(FIRST..FIRST + PAGES).collect();
            for page in all {
                assert_eq!(load(space, &mut self.cx, page * PAGE), expected(oracle, page, Access::Read), "page {page}");
            }
        }
    }
}

/// Zeroes of its own, as a heap and a stack have.
fn private() -> oracle::Page {
    oracle::Page { protection: Protection::READ_WRITE, own: None, source: None, shared: false }
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
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]
    #[test]
    fn any_sequence_shows_what_one_byte_per_page_would_show(steps in proptest::collection::vec(step(), 1..70)) {
        let _alone = on_host::alone();
        let before = frames_in_use();
        let mut world = World::new();
        for step in &steps {
            world.run(step);
            world.check(1);
        }
        world.check_presence();
        world.read_all();
        drop(world);
        prop_assert_eq!(frames_in_use(), before, "frames were lost");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn and_so_does_any_with_large_pages(steps in proptest::collection::vec(step(), 1..50)) {
        let _alone = on_host::alone();
        let before = frames_in_use();
        large::set_custom(Custom::Always);
        let mut world = World::new();
        for step in steps {
            world.run(&step.scaled());
            world.check(SCALE / 2);
        }
        world.check(1);
        world.check_presence();
        world.read_all();
        drop(world);
        large::set_custom(Custom::WhenWanted);
        prop_assert_eq!(frames_in_use(), before, "frames were lost");
        prop_assert_eq!(MAPPED.get(), 0);
    }
}
