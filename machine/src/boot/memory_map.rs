//! The loader's memory map, made trustworthy: sorted, whole pages, nothing twice.
//!
//! Invariant: usable parts do not overlap each other nor anything reserved, whatever the map said.

use arrayvec::ArrayVec;
use core::ops::Range;

pub(super) const MAXIMUM_PARTS: usize = 128;
const PAGE: u64 = 4096;
/// No CPU addresses more.
const END_OF_MEMORY: u64 = 1 << 52;

pub(super) type Parts = ArrayVec<Range<u64>, MAXIMUM_PARTS>;

/// One line of the map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub start: u64,
    pub bytes: u64,
    pub usable: bool,
}

/// Collects lines; `usable` makes the result. Lines beyond the room for them are left out.
#[derive(Default)]
pub(super) struct MemoryMap {
    usable: Parts,
    reserved: Parts,
}

impl MemoryMap {
    pub fn add(&mut self, line: Line) {
        let end = line.start.saturating_add(line.bytes).min(END_OF_MEMORY);
        let start = line.start.min(end);
        let (list, part) = if line.usable {
            (&mut self.usable, start.next_multiple_of(PAGE)..end / PAGE * PAGE)
        } else {
            (&mut self.reserved, start / PAGE * PAGE..end.next_multiple_of(PAGE))
        };
        if part.start < part.end {
            let _ = list.try_push(part);
        }
    }

    pub fn usable(mut self) -> Parts {
        self.usable.sort_unstable_by_key(|part| part.start);
        self.reserved.sort_unstable_by_key(|part| part.start);
        let mut result = Parts::new();
        let mut from = 0;
        for part in &self.usable {
            let part = part.start.max(from)..part.end;
            from = from.max(part.end);
            self.push_unreserved(part, &mut result);
        }
        result
    }

    fn push_unreserved(&self, part: Range<u64>, result: &mut Parts) {
        let mut from = part.start;
        for hole in self.reserved.iter().filter(|hole| hole.end > part.start && hole.start < part.end) {
            push(from..hole.start, result);
            from = from.max(hole.end);
        }
        push(from..part.end, result);
    }
}

/// Appends, or grows the last part when they touch.
fn push(part: Range<u64>, result: &mut Parts) {
    if part.start >= part.end {
        return;
    }
    match result.last_mut() {
        Some(last) if last.end == part.start => last.end = part.end,
        _ => drop(result.try_push(part)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable(lines: &[(u64, u64, bool)]) -> Parts {
        let mut map = MemoryMap::default();
        lines.iter().for_each(|&(start, bytes, usable)| map.add(Line { start, bytes, usable }));
        map.usable()
    }

    #[test]
    fn parts_are_sorted_and_shrunk_to_whole_pages() {
        assert_eq!(usable(&[(0x10_0000, 0x2fff, true), (0x800, 0x9_f400, true)])[..], [0x1000..0x9_f000, 0x10_0000..0x10_2000]);
    }

    #[test]
    fn reserved_memory_wins_over_usable() {
        let lines = [(0x1000, 0xf000, true), (0x4800, 0x10, false), (0x8000, 0x2000, false)];
        assert_eq!(usable(&lines)[..], [0x1000..0x4000, 0x5000..0x8000, 0xa000..0x1_0000]);
    }

    #[test]
    fn memory_named_twice_is_had_once() {
        assert_eq!(
            usable(&[(0x1000, 0x4000, true), (0x3000, 0x4000, true), (0x2000, 0x1000, true)]).as_slice(),
            core::slice::from_ref(&(0x1000..0x7000))
        );
    }

    #[test]
    fn absurd_lines_do_no_harm() {
        assert!(usable(&[(u64::MAX, u64::MAX, true), (5, 0, true), (u64::MAX - 10, 5, false)]).is_empty());
        assert_eq!(usable(&[(0, u64::MAX, true)]).first(), Some(&(0..END_OF_MEMORY)));
        let many: std::vec::Vec<_> = (0..500).map(|index| (index * 0x4000, 0x1000, true)).collect();
        assert_eq!(usable(&many).len(), MAXIMUM_PARTS);
    }
}
