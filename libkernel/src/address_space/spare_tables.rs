//! Tables for large pages that may have to become small ones, so that this cannot fail.
//!
//! Invariant: there are as many as the space has large pages. Those who share the space only add some; they are taken
//! by one who has it alone. The first word of each names the next.

use machine::addr::PhysAddr;
use machine::physical;
use sync::Published;

/// 0: there is none.
pub(super) struct SpareTables(Published<u64>);

impl SpareTables {
    pub const fn none() -> Self {
        SpareTables(Published::<u64>::new(0))
    }

    pub fn add(&self, table: PhysAddr) {
        let mut first = self.0.load();
        loop {
            physical::write(table, first);
            match self.0.compare_exchange(first, table.as_u64()) {
                Ok(_) => return,
                Err(actual) => first = actual,
            }
        }
    }

    /// Nobody else takes one meanwhile.
    pub fn take(&self) -> PhysAddr {
        let first = self.0.load();
        assert!(first != 0, "a large page has no table that it could be split into");
        self.0.store(physical::read(PhysAddr::new(first)));
        PhysAddr::new(first)
    }
}
