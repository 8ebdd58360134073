//! What a sequence may consist of: steps over few pages, or the same over many times as many.

use crate::address_space::Protection;
use proptest::prelude::*;
use std::vec;

/// Around a border between two last-level tables, so that tables come and go.
pub const FIRST: u64 = 512 * 3 - 12;
pub const PAGES: u64 = 24;
pub const FILE_PAGES: u64 = 8;
pub const MOST_SPACES: usize = 3;
/// The heap, and a stack that may grow so far: elsewhere, and edited in no other way.
pub const HEAP: u64 = 100;
pub const HEAP_PAGES: u64 = 8;
pub const STACK_TOP: u64 = 0x7_0000;
pub const STACK_PAGES: u64 = 30;

/// In the run with large pages so many pages are one: whole large pages come and go, and parts of them.
pub const SCALE: u64 = 128;
pub const FIRST_OF_LARGE: u64 = 512 * 3 - 2 * SCALE;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Anonymous,
    SharedAnonymous,
    Private(u64),
    Shared(u64),
}

#[derive(Clone, Copy, Debug)]
pub enum Where {
    Fixed(u64),
    FixedNoReplace(u64),
    Anywhere,
    Hint(u64),
}

#[derive(Clone, Debug)]
pub enum Step {
    Map(usize, Where, u64, Protection, Kind),
    Unmap(usize, u64, u64),
    Protect(usize, u64, u64, Protection),
    Discard(usize, u64, u64),
    Remap(usize, u64, u64, u64, bool, Option<u64>),
    Break(usize, u64),
    Stack(usize, u64, u8),
    Resize(u64),
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

fn place() -> impl Strategy<Value = Where> {
    let page = || FIRST..FIRST + PAGES;
    prop_oneof![
        6 => page().prop_map(Where::Fixed),
        2 => page().prop_map(Where::FixedNoReplace),
        1 => Just(Where::Anywhere),
        1 => page().prop_map(Where::Hint),
    ]
}

pub fn step() -> impl Strategy<Value = Step> {
    let space = || 0..MOST_SPACES;
    let page = || FIRST..FIRST + PAGES;
    let count = || 1..7_u64;
    prop_oneof![
        5 => (space(), place(), count(), protection(), kind()).prop_map(|(s, p, n, r, k)| Step::Map(s, p, n, r, k)),
        2 => (space(), page(), count()).prop_map(|(s, p, n)| Step::Unmap(s, p, n)),
        2 => (space(), page(), count(), protection()).prop_map(|(s, p, n, r)| Step::Protect(s, p, n, r)),
        1 => (space(), page(), count()).prop_map(|(s, p, n)| Step::Discard(s, p, n)),
        3 => (space(), page(), count(), count(), any::<bool>(), proptest::option::of(page()))
            .prop_map(|(s, p, n, m, f, t)| Step::Remap(s, p, n, m, f, t)),
        1 => (space(), 0..=HEAP_PAGES).prop_map(|(s, n)| Step::Break(s, n)),
        1 => (space(), 1..STACK_PAGES + 8, 1..=u8::MAX).prop_map(|(s, n, b)| Step::Stack(s, n, b)),
        1 => (0..=FILE_PAGES).prop_map(Step::Resize),
        1 => space().prop_map(Step::Fork),
        1 => space().prop_map(Step::End),
        6 => (space(), page(), 1..=u8::MAX).prop_map(|(s, p, b)| Step::Write(s, p, b)),
        2 => (space(), page(), 1..=u8::MAX).prop_map(|(s, p, b)| Step::Transfer(s, p, b)),
        4 => (space(), page()).prop_map(|(s, p)| Step::Read(s, p)),
        1 => (space(), page()).prop_map(|(s, p)| Step::Run(s, p)),
    ]
}

impl Step {
    /// The same, of so many times as many pages.
    pub fn scaled(self) -> Step {
        let at = |page: u64| FIRST_OF_LARGE + (page - FIRST) * SCALE;
        let count = |pages: u64| pages * SCALE;
        match self {
            // Whole large pages, often.
            Step::Map(s, place, n, r, k) => Step::Map(s, place.scaled(at), count(2 * n), r, k),
            Step::Unmap(s, p, n) => Step::Unmap(s, at(p), count(n)),
            Step::Protect(s, p, n, r) => Step::Protect(s, at(p), count(n), r),
            Step::Discard(s, p, n) => Step::Discard(s, at(p), count(n)),
            Step::Remap(s, p, n, m, f, t) => Step::Remap(s, at(p), count(n), count(m), f, t.map(at)),
            Step::Write(s, p, b) => Step::Write(s, at(p), b),
            Step::Transfer(s, p, b) => Step::Transfer(s, at(p), b),
            Step::Read(s, p) => Step::Read(s, at(p)),
            Step::Run(s, p) => Step::Run(s, at(p)),
            other => other,
        }
    }
}

impl Where {
    pub fn scaled(self, at: impl Fn(u64) -> u64) -> Where {
        match self {
            Where::Fixed(page) => Where::Fixed(at(page)),
            Where::FixedNoReplace(page) => Where::FixedNoReplace(at(page)),
            Where::Hint(page) => Where::Hint(at(page)),
            Where::Anywhere => Where::Anywhere,
        }
    }
}
