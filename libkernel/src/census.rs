//! How many kernel objects of each kind live.
//!
//! Invariant: an object counts from the making of its `Counted` to its drop; no CPU writes to a number of another's but
//! by a thread that moved, and the sum over all CPUs is right at any moment when nothing is made or dropped.

use sync::{Counter, CpuId, MAXIMUM_CPUS, PerCpu, cpu};

/// One kind of object. Lives beside the kind, as a `static`.
pub struct Census {
    name: &'static str,
    changes: PerCpu<Counter>,
}

/// Held by an object as long as it lives.
#[must_use]
pub struct Counted(&'static Census);

impl Census {
    /// `name` in the plural, as reports print it.
    pub const fn new(name: &'static str) -> Self {
        Census { name, changes: PerCpu::new([const { Counter::new(0) }; MAXIMUM_CPUS]) }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// One more.
    pub fn count(&'static self) -> Counted {
        self.changes.of(cpu::current()).increment();
        Counted(self)
    }

    /// All that live now.
    pub fn living(&self) -> u64 {
        self.changes.iter_all().fold(0, |sum, (_, change): (CpuId, &Counter)| sum.wrapping_add(change.get()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Wraps where an object dies on another CPU than it was made on; the sum does not mind.
        self.0.changes.of(cpu::current()).sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_counted_no_more() {
        static MEN: Census = Census::new("men");
        let (one, other) = (MEN.count(), MEN.count());
        assert_eq!(MEN.living(), 2);
        drop(one);
        assert_eq!(MEN.living(), 1);
        drop(other);
        assert_eq!(MEN.living(), 0);
    }
}
