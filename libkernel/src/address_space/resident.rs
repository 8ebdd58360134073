//! How many pages a space has, counted without a line that all CPUs share.
//!
//! Invariant: only the sum means something: what one CPU counted in, another may count out.

use sync::{Counter, cpu};

const LINES: usize = 8;

#[repr(align(64))]
struct Line(Counter);

pub(super) struct Resident([Line; LINES]);

impl Resident {
    pub const fn new() -> Self {
        Resident([const { Line(Counter::new(0)) }; LINES])
    }

    pub fn count_in(&self, pages: usize) {
        self.0[cpu::current().index() % LINES].0.add(pages as u64);
    }

    pub fn count_out(&self, pages: usize) {
        self.0[cpu::current().index() % LINES].0.sub(pages as u64);
    }

    /// Exact when nobody counts meanwhile.
    pub fn pages(&self) -> usize {
        let sum = self.0.iter().fold(0, |sum: u64, line| sum.wrapping_add(line.0.get()));
        // One may be counted out here before it was seen to be counted in there.
        if sum > u64::MAX / 2 { 0 } else { sum as usize }
    }
}
