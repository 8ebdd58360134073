//! CPU numbers, and sets of them.
//!
//! Invariant: a `CpuId` is below `MAXIMUM_CPUS`, so it may index any per-CPU array.

/// The most CPUs that this kernel brings up. One machine word of set bits.
#[cfg(not(any(loom, shuttle)))]
pub const MAXIMUM_CPUS: usize = 64;
/// What a model checker can bear.
#[cfg(any(loom, shuttle))]
pub const MAXIMUM_CPUS: usize = 4;

/// A CPU by its dense number: 0 is the boot CPU. Not the APIC id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CpuId(u32);

impl CpuId {
    pub const BOOT: CpuId = CpuId(0);

    #[inline]
    pub const fn new(index: usize) -> Self {
        assert!(index < MAXIMUM_CPUS, "a CPU number beyond MAXIMUM_CPUS");
        CpuId(index as u32)
    }

    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of CPUs, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct CpuSet(u64);

impl CpuSet {
    pub const EMPTY: CpuSet = CpuSet(0);

    pub const fn single(cpu: CpuId) -> Self {
        CpuSet(1 << cpu.0)
    }

    /// CPUs 0 to `count - 1`; all 64 for anything larger.
    pub const fn all_below(count: usize) -> Self {
        if count >= MAXIMUM_CPUS { CpuSet(u64::MAX) } else { CpuSet((1 << count) - 1) }
    }

    pub const fn from_bits(bits: u64) -> Self {
        CpuSet(bits)
    }

    pub const fn bits(self) -> u64 {
        self.0
    }

    pub const fn contains(self, cpu: CpuId) -> bool {
        self.0 & (1 << cpu.0) != 0
    }

    pub const fn insert(&mut self, cpu: CpuId) {
        self.0 |= 1 << cpu.0;
    }

    pub const fn remove(&mut self, cpu: CpuId) {
        self.0 &= !(1 << cpu.0);
    }

    #[must_use]
    pub const fn with(self, cpu: CpuId) -> Self {
        CpuSet(self.0 | 1 << cpu.0)
    }

    #[must_use]
    pub const fn without(self, cpu: CpuId) -> Self {
        CpuSet(self.0 & !(1 << cpu.0))
    }

    #[must_use]
    pub const fn difference(self, other: CpuSet) -> Self {
        CpuSet(self.0 & !other.0)
    }

    #[must_use]
    pub const fn union(self, other: CpuSet) -> Self {
        CpuSet(self.0 | other.0)
    }

    #[must_use]
    pub const fn intersect(self, other: CpuSet) -> Self {
        CpuSet(self.0 & other.0)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The lowest member.
    pub const fn first(self) -> Option<CpuId> {
        if self.0 == 0 { None } else { Some(CpuId(self.0.trailing_zeros())) }
    }

    /// Members in ascending order.
    pub const fn iter(self) -> Members {
        Members(self)
    }
}

impl FromIterator<CpuId> for CpuSet {
    fn from_iter<I: IntoIterator<Item = CpuId>>(cpus: I) -> Self {
        cpus.into_iter().fold(CpuSet::EMPTY, CpuSet::with)
    }
}

impl IntoIterator for CpuSet {
    type Item = CpuId;
    type IntoIter = Members;

    fn into_iter(self) -> Members {
        self.iter()
    }
}

/// Walks a `CpuSet` in ascending order.
pub struct Members(CpuSet);

impl Iterator for Members {
    type Item = CpuId;

    fn next(&mut self) -> Option<CpuId> {
        let cpu = self.0.first()?;
        self.0.remove(cpu);
        Some(cpu)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_set_gives_back_its_members_in_order() {
        let set: CpuSet = [63, 0, 7].map(CpuId::new).into_iter().collect();
        assert_eq!(set.iter().map(CpuId::index).collect::<Vec<_>>(), [0, 7, 63]);
        assert_eq!((set.count(), set.first()), (3, Some(CpuId::BOOT)));
        assert!(set.without(CpuId::new(7)) == CpuSet::single(CpuId::BOOT).with(CpuId::new(63)));
    }

    #[test]
    fn all_below_the_maximum_is_every_cpu() {
        assert_eq!(CpuSet::all_below(64).count(), 64);
        assert_eq!(CpuSet::all_below(1000).count(), 64);
        assert_eq!(CpuSet::all_below(3).bits(), 0b111);
        assert!(CpuSet::all_below(0).is_empty());
    }

    #[test]
    #[should_panic(expected = "beyond MAXIMUM_CPUS")]
    fn a_cpu_number_beyond_the_maximum_is_refused() {
        CpuId::new(64);
    }
}
