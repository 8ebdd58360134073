//! What a thread does in the slots of others: read, write, execute, and have the kernel copy.
//!
//! Invariant: between two equal even numbers of the slot every answer is exactly what its owner said; at other times it is
//! a refusal, or something of this slot and no other.

use linux_tests::guarded::{NOT_MAPPED, PROTECTED, Refusal, load, run, store};
use linux_tests::memory::PAGE;
use linux_tests::soak::Random;
use linux_tests::{call, fail, must};

use super::slot::{CODE, PAGES, PATTERN_END, PLACES, Rights, SLOTS, State, address, answer, column, mark, pattern, slot};

const READABLE: [Rights; 3] = [Rights::Read, Rights::ReadWrite, Rights::ReadExecute];
const WRITABLE: [Rights; 1] = [Rights::ReadWrite];
const EXECUTABLE: [Rights; 1] = [Rights::ReadExecute];

/// Whom, where, and what was said of it.
struct Visit {
    slot: usize,
    number: u64,
    state: State,
    place: usize,
    page: usize,
    visitor: usize,
}

/// Many at one slot: who comes again finds what its CPU remembers.
pub fn visit_often(random: &mut Random, visitor: usize, pipe: (i32, i32)) {
    let target = random.below(SLOTS);
    (0..40).for_each(|_| visit(random, target, visitor, pipe));
}

fn visit(random: &mut Random, target: usize, visitor: usize, pipe: (i32, i32)) {
    let (number, state) = slot(target).look();
    let place = random.below(PLACES);
    let page = address(target, place) + random.below(PAGES) * PAGE;
    let visit = Visit { slot: target, number, state, place, page, visitor };
    match random.below(8) {
        0..3 => visit.load(CODE + random.below((PATTERN_END - CODE) / 8) * 8),
        3 | 4 => visit.store(),
        5 => visit.run(),
        6 => visit.copy_out(random, pipe),
        _ => visit.copy_in(pipe),
    }
}

impl Visit {
    #[track_caller]
    fn wrong(&self, what: &str) -> ! {
        let Visit { slot, state, place, page, .. } = self;
        fail(&format!("slot {slot}, said to be {state:?}, at place {place}, {page:#x}: {what}"))
    }

    /// Exactly what was said, if that is still true; and something possible in any case.
    #[track_caller]
    fn judge<T: PartialEq + std::fmt::Debug>(
        &self,
        got: Result<T, Refusal>,
        allowed: &[Rights],
        right: Option<T>,
        is_possible: impl Fn(&T) -> bool,
    ) {
        if slot(self.slot).is_still(self.number) {
            match (self.state.refusal(self.place, allowed), &got) {
                (Some(refusal), Err(found)) if refusal == *found => {}
                (None, Ok(found)) if right.as_ref().is_none_or(|right| right == found) => {}
                (expected, _) => self.wrong(&format!("{got:?} instead of {expected:?} or {right:?}")),
            }
        }
        let is_possible = match &got {
            Ok(found) => is_possible(found),
            Err(refusal) => [NOT_MAPPED, PROTECTED].contains(refusal),
        };
        if !is_possible {
            self.wrong(&format!("{got:?} can never be"));
        }
    }

    fn is_of_this_slot(&self, byte: u8) -> bool {
        byte == 0 || (byte & 15 != 0 && usize::from(byte >> 4) == self.slot)
    }

    fn load(&self, offset: usize) {
        self.judge(load(self.page + offset), &READABLE, Some(pattern(self.slot, self.state.turn)), |byte| self.is_of_this_slot(*byte));
    }

    /// What was written is there as long as nobody changes anything.
    fn store(&self) {
        let at = self.page + column(self.visitor);
        self.judge(store(at, mark(self.slot, self.visitor)), &WRITABLE, Some(()), |()| true);
        let back = load(at);
        let (mine, is_refused) = (mark(self.slot, self.visitor), self.state.refusal(self.place, &WRITABLE).is_some());
        let right = (!is_refused).then_some(mine);
        self.judge(back, &READABLE, right, |byte| [0, mine].contains(byte));
    }

    fn run(&self) {
        let is_possible = |found: &u32| (1..16).any(|turn| answer(self.slot, turn) == *found);
        self.judge(run(self.page), &EXECUTABLE, Some(answer(self.slot, self.state.turn)), is_possible);
    }

    /// The kernel reads: into a pipe, and back from there.
    fn copy_out(&self, random: &mut Random, pipe: (i32, i32)) {
        let length = 8 * (1 + random.below(8));
        let from = self.page + CODE + random.below((PATTERN_END - CODE) / 8 - 8) * 8;
        let parts = [
            libc::iovec { iov_base: from as *mut _, iov_len: length / 2 },
            libc::iovec { iov_base: (from + length / 2) as *mut _, iov_len: length - length / 2 },
        ];
        let written = if random.below(2) == 0 {
            call!(SYS_write, pipe.1, from, length)
        } else {
            call!(SYS_writev, pipe.1, parts.as_ptr(), parts.len())
        };
        let (mut buffer, expected) = ([0_u8; 64], self.state.refusal(self.place, &READABLE));
        let is_still = slot(self.slot).is_still(self.number);
        match written {
            Ok(count) => {
                must("what was written comes out", call!(SYS_read, pipe.0, buffer.as_mut_ptr(), buffer.len()) == Ok(count));
                if is_still && (count != length || expected.is_some()) {
                    self.wrong(&format!("write gave {count} of {length}, and should be {expected:?}"));
                }
                let bytes = buffer[..count].iter().step_by(8);
                let right = pattern(self.slot, self.state.turn);
                if !bytes.clone().all(|byte| if is_still { *byte == right } else { self.is_of_this_slot(*byte) }) {
                    self.wrong(&format!("write gave {:?}", bytes.collect::<Vec<_>>()));
                }
            }
            Err(libc::EFAULT) if !is_still || expected.is_some() => {}
            Err(errno) => self.wrong(&format!("write: errno {errno}")),
        }
    }

    /// The kernel writes, out of a pipe.
    fn copy_in(&self, pipe: (i32, i32)) {
        let (at, bytes) = (self.page + column(self.visitor), [mark(self.slot, self.visitor); 8]);
        must("a pipe takes eight bytes", call!(SYS_write, pipe.1, bytes.as_ptr(), bytes.len()) == Ok(8));
        let taken = call!(SYS_read, pipe.0, at, bytes.len());
        let is_still = slot(self.slot).is_still(self.number);
        let expected = self.state.refusal(self.place, &WRITABLE);
        match taken {
            Ok(8) if !is_still || expected.is_none() => {}
            Err(libc::EFAULT) if !is_still || expected.is_some() => {}
            other => self.wrong(&format!("read gave {other:?}, and should be {expected:?}")),
        }
        // What was not taken out may still be there.
        let mut left = [0_u8; 16];
        while call!(SYS_read, pipe.0, left.as_mut_ptr(), left.len()).is_ok() {}
    }
}
