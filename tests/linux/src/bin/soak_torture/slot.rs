//! What each thread says of its slot, for all others to read.
//!
//! Invariant: the number is odd while the owner changes anything; what was read between two equal even numbers was true
//! all the time. Addresses lie far below all that the kernel places itself, so nothing else ever comes there.

use std::sync::atomic::{AtomicU64, Ordering};

use linux_tests::guarded::{NOT_MAPPED, PROTECTED, Refusal};
use linux_tests::memory::PAGE;

pub const SLOTS: usize = 16;
/// Of one mapping.
pub const PAGES: usize = 4;
pub const BYTES: usize = PAGES * PAGE;
pub const FILE_BYTES: usize = SLOTS * BYTES;
/// Where a slot's mapping may be.
pub const PLACES: usize = 2;

/// In each page: code first, the owner's pattern, then sixteen bytes for each visitor.
pub const CODE: usize = 8;
pub const PATTERN_END: usize = 2048;
pub const VISITOR_BYTES: usize = 16;

const AREA: usize = 0x10_0000_0000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rights {
    Unmapped,
    None,
    Read,
    ReadWrite,
    ReadExecute,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Private,
    Shared,
    FilePrivate,
    FileShared,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    pub rights: Rights,
    pub kind: Kind,
    pub place: usize,
    /// Of the pattern: 1 to 15.
    pub turn: u8,
}

#[repr(align(64))]
pub struct Slot {
    number: AtomicU64,
    state: AtomicU64,
}

static ALL: [Slot; SLOTS] = [const { Slot { number: AtomicU64::new(0), state: AtomicU64::new(0) } }; SLOTS];

pub fn slot(number: usize) -> &'static Slot {
    &ALL[number]
}

impl Slot {
    /// The number, and what is said.
    pub fn look(&self) -> (u64, State) {
        let number = self.number.load(Ordering::SeqCst);
        (number, State::from_word(self.state.load(Ordering::SeqCst)))
    }

    /// Was what `look` said true until now?
    pub fn is_still(&self, number: u64) -> bool {
        number.is_multiple_of(2) && self.number.load(Ordering::SeqCst) == number
    }

    pub fn begin(&self) {
        self.number.fetch_add(1, Ordering::SeqCst);
    }

    pub fn end(&self, state: State) {
        self.state.store(state.word(), Ordering::SeqCst);
        self.number.fetch_add(1, Ordering::SeqCst);
    }
}

impl State {
    const fn word(self) -> u64 {
        self.rights as u64 | (self.kind as u64) << 8 | (self.place as u64) << 16 | (self.turn as u64) << 24
    }

    fn from_word(word: u64) -> Self {
        State {
            rights: [Rights::Unmapped, Rights::None, Rights::Read, Rights::ReadWrite, Rights::ReadExecute][(word & 7) as usize],
            kind: [Kind::Private, Kind::Shared, Kind::FilePrivate, Kind::FileShared][(word >> 8 & 3) as usize],
            place: (word >> 16 & 1) as usize,
            turn: (word >> 24 & 15) as u8,
        }
    }

    pub fn is_private(self) -> bool {
        matches!(self.kind, Kind::Private | Kind::FilePrivate)
    }

    /// What an access at `place` is answered with, if not with a byte.
    pub fn refusal(self, place: usize, allowed: &[Rights]) -> Option<Refusal> {
        if self.rights == Rights::Unmapped || place != self.place {
            Some(NOT_MAPPED)
        } else if allowed.contains(&self.rights) {
            None
        } else {
            Some(PROTECTED)
        }
    }
}

/// Even slots stand close together, odd ones have page tables of their own.
pub fn address(slot: usize, place: usize) -> usize {
    let first = if slot.is_multiple_of(2) { AREA + slot * 64 * PAGE } else { AREA + (slot + 1) * (4 << 20) };
    first + place * (PAGES + 1) * PAGE
}

/// Each byte of a slot says whose it is.
pub const fn pattern(slot: usize, turn: u8) -> u8 {
    (slot as u8) << 4 | turn
}

/// What the code there answers.
pub const fn answer(slot: usize, turn: u8) -> u32 {
    0x00c0_de00 | pattern(slot, turn) as u32
}

/// What a visitor writes, and where in a page. Never 0.
pub const fn mark(slot: usize, visitor: usize) -> u8 {
    ((slot * SLOTS + visitor) as u8).wrapping_mul(167) | 1
}

pub const fn column(visitor: usize) -> usize {
    PATTERN_END + visitor * VISITOR_BYTES
}
