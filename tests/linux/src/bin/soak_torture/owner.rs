//! What a thread does with its own slot: map, write, protect, move, shorten, discard, unmap.
//!
//! Invariant: before the slot is called still, every byte of it has been checked against what its owner knows.

use linux_tests::guarded::code_for;
use linux_tests::memory::{PAGE, READ, READ_WRITE, map, peek, poke, protect, unmap};
use linux_tests::soak::Random;
use linux_tests::{call, done, fail, must_equal};

use super::slot::{
    BYTES, CODE, Kind, PAGES, PATTERN_END, PLACES, Rights, SLOTS, Slot, State, VISITOR_BYTES, address, answer, mark, pattern, slot,
};

pub struct Owner {
    number: usize,
    slot: &'static Slot,
    file: i32,
    /// The pattern in the slot's part of the file; 0 before there is one.
    in_file: u8,
    state: State,
}

const fn protection(rights: Rights) -> i32 {
    match rights {
        Rights::Unmapped | Rights::None => libc::PROT_NONE,
        Rights::Read => READ,
        Rights::ReadWrite => READ_WRITE,
        Rights::ReadExecute => libc::PROT_READ | libc::PROT_EXEC,
    }
}

impl Owner {
    /// The file's part may have something of an earlier round: it is read.
    pub fn new(number: usize, file: i32) -> Self {
        let mut first = [0_u8];
        done("pread", call!(SYS_pread64, file, first.as_mut_ptr(), 1, number * BYTES + CODE));
        let slot = slot(number);
        Owner { number, slot, file, in_file: first[0] & 15, state: slot.look().1 }
    }

    fn at(&self) -> usize {
        address(self.number, self.state.place)
    }

    pub fn step(&mut self, random: &mut Random) {
        self.slot.begin();
        if self.state.rights == Rights::Unmapped {
            self.map(random, true);
        } else {
            self.change(random);
        }
        self.slot.end(self.state);
        random.dawdle();
    }

    fn change(&mut self, random: &mut Random) {
        match random.below(16) {
            0..3 => self.unmap(),
            3 => self.map(random, false),
            4..6 => self.relocate(),
            6 => self.shorten(),
            7 => self.discard(),
            8 => self.rewrite(),
            9 => self.protect(Rights::None),
            10 | 11 => self.protect(Rights::ReadWrite),
            12 | 13 => self.protect(Rights::Read),
            _ => self.protect(Rights::ReadExecute),
        }
    }

    /// A new mapping, where none is or over the one there is.
    fn map(&mut self, random: &mut Random, anew: bool) {
        let kind = [Kind::Private, Kind::Private, Kind::Shared, Kind::FilePrivate, Kind::FileShared][random.below(5)];
        if anew {
            self.state.place = random.below(PLACES);
        }
        let (flags, file) = match kind {
            Kind::Private => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1),
            Kind::Shared => (libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1),
            Kind::FilePrivate => (libc::MAP_PRIVATE, self.file),
            Kind::FileShared => (libc::MAP_SHARED, self.file),
        };
        let offset = if file == -1 { 0 } else { self.number * BYTES };
        let fixed = if anew { libc::MAP_FIXED_NOREPLACE } else { libc::MAP_FIXED };
        must_equal("a mapping's place", map(self.at(), BYTES, READ_WRITE, flags | fixed, file, offset), Ok(self.at()));
        self.state.kind = kind;
        self.state.rights = Rights::ReadWrite;
        self.expect(if file == -1 { 0 } else { self.in_file }, 0..PAGES);
        self.write(random.below(15) as u8 + 1);
    }

    fn write(&mut self, turn: u8) {
        let byte = pattern(self.number, turn);
        for page in (self.at()..self.at() + BYTES).step_by(PAGE) {
            code_for(answer(self.number, turn)).iter().enumerate().for_each(|(index, byte)| poke(page + index, *byte));
            (CODE..PATTERN_END).step_by(8).for_each(|place| poke(page + place, byte));
        }
        self.state.turn = turn;
        if self.state.kind == Kind::FileShared {
            self.in_file = turn;
        }
    }

    /// The pages hold the pattern of that turn (nothing at turn 0), and of visitors only what is theirs here.
    fn expect(&self, turn: u8, pages: std::ops::Range<usize>) {
        let byte = if turn == 0 { 0 } else { pattern(self.number, turn) };
        for page in pages.map(|page| self.at() + page * PAGE) {
            for place in (CODE..PATTERN_END).step_by(8) {
                let found = peek(page + place);
                if found != byte {
                    fail(&format!("slot {}, {:?}: byte {place} is {found:#x}, not {byte:#x}", self.number, self.state));
                }
            }
            for visitor in 0..SLOTS {
                for place in (0..VISITOR_BYTES).map(|index| super::slot::column(visitor) + index) {
                    let found = peek(page + place);
                    if found != 0 && found != mark(self.number, visitor) {
                        fail(&format!("slot {}, {:?}: byte {place} is {found:#x}, by nobody", self.number, self.state));
                    }
                }
            }
        }
    }

    fn protect(&mut self, rights: Rights) {
        done("mprotect", protect(self.at(), BYTES, protection(rights)));
        self.state.rights = rights;
        if rights == Rights::None {
            return;
        }
        self.expect(self.state.turn, 0..PAGES);
        // Others write to the file's pages through nothing but this mapping.
        if rights != Rights::ReadWrite {
            let sum =
                || (0..BYTES).step_by(3).fold(0_u64, |sum, place| sum.wrapping_mul(31).wrapping_add(u64::from(peek(self.at() + place))));
            must_equal("what nobody may write", sum(), sum());
        }
    }

    fn relocate(&mut self) {
        let to = address(self.number, 1 - self.state.place);
        let how = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        must_equal("mremap", call!(SYS_mremap, self.at(), BYTES, BYTES, how, to), Ok(to));
        self.state.place = 1 - self.state.place;
        if self.state.rights != Rights::None {
            self.expect(self.state.turn, 0..PAGES);
        }
    }

    /// Half of it goes, and comes anew.
    fn shorten(&mut self) {
        if self.state.kind != Kind::Private {
            return self.rewrite();
        }
        self.protect_quietly(Rights::ReadWrite);
        must_equal("shortening", call!(SYS_mremap, self.at(), BYTES, BYTES / 2, 0), Ok(self.at()));
        must_equal("lengthening", call!(SYS_mremap, self.at(), BYTES / 2, BYTES, 0), Ok(self.at()));
        self.expect(self.state.turn, 0..PAGES / 2);
        self.expect(0, PAGES / 2..PAGES);
        self.write(self.state.turn);
    }

    /// What is private is as it was when it was mapped.
    fn discard(&mut self) {
        // Visitors must not run the zeroes that come.
        self.protect_quietly(Rights::ReadWrite);
        done("madvise", call!(SYS_madvise, self.at(), BYTES, libc::MADV_DONTNEED));
        let turn = match self.state.kind {
            Kind::Private => 0,
            Kind::FilePrivate => self.in_file,
            Kind::Shared | Kind::FileShared => self.state.turn,
        };
        self.expect(turn, 0..PAGES);
        self.write(self.state.turn);
    }

    fn rewrite(&mut self) {
        self.protect_quietly(Rights::ReadWrite);
        self.expect(self.state.turn, 0..PAGES);
        self.write(self.state.turn % 15 + 1);
    }

    fn protect_quietly(&mut self, rights: Rights) {
        done("mprotect", protect(self.at(), BYTES, protection(rights)));
        self.state.rights = rights;
    }

    fn unmap(&mut self) {
        done("munmap", unmap(self.at(), BYTES));
        self.state.rights = Rights::Unmapped;
    }

    /// For the end of a round.
    pub fn leave(&mut self) {
        self.slot.begin();
        if self.state.rights != Rights::Unmapped {
            self.unmap();
        }
        self.slot.end(self.state);
    }
}
