//! Sequences: the area in a program's memory where its thread finds its CPU and names its restartable sequences.
//!
//! Invariant: changed by the task itself only, or by its maker before it runs. While there is an area, the task's thread tells of its
//! absences.

use abi::sequence::NO_CPU;
use sync::Published;

/// What a thread registered with `rseq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Where the area begins; never 0.
    pub area: u64,
    /// Bytes of the area, as they were said.
    pub length: u32,
    /// What stands before every place where an aborted sequence goes on.
    pub signature: u32,
}

/// A task's registration, and what its program knows.
pub struct Sequences {
    /// 0: nothing is registered.
    area: Published<u64>,
    length: Published<u32>,
    signature: Published<u32>,
    /// The number of the CPU that stands in the area.
    told: Published<u32>,
}

impl Sequences {
    /// Nothing is registered.
    pub const fn new() -> Self {
        Self {
            area: Published::<u64>::new(0),
            length: Published::<u32>::new(0),
            signature: Published::<u32>::new(0),
            told: Published::<u32>::new(NO_CPU),
        }
    }

    /// What is registered.
    pub fn registration(&self) -> Option<Registration> {
        let area = self.area.load();
        (area != 0).then(|| Registration { area, length: self.length.load(), signature: self.signature.load() })
    }

    /// Registers this, or nothing; the area has not been written yet.
    pub fn register(&self, wanted: Option<Registration>) {
        let none = Registration { area: 0, length: 0, signature: 0 };
        let wanted = wanted.unwrap_or(none);
        self.length.store(wanted.length);
        self.signature.store(wanted.signature);
        self.told.store(NO_CPU);
        self.area.store(wanted.area);
    }

    /// Whether this CPU's number stands in the area.
    pub fn knows(&self, cpu: u32) -> bool {
        self.told.load() == cpu
    }

    /// This CPU's number was written to the area.
    pub fn told(&self, cpu: u32) {
        self.told.store(cpu);
    }
}

impl Default for Sequences {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_registration_has_been_told_nothing() {
        let sequences = Sequences::new();
        assert_eq!(sequences.registration(), None);
        let wanted = Registration { area: 64, length: 32, signature: 7 };
        sequences.register(Some(wanted));
        sequences.told(3);
        assert!(sequences.knows(3) && !sequences.knows(2));
        assert_eq!(sequences.registration(), Some(wanted));
        sequences.register(None);
        assert!(sequences.registration().is_none() && !sequences.knows(3));
    }
}
