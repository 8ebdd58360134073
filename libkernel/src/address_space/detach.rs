//! What is attached as a whole is detached as a whole.
//!
//! Invariant: what is found is taken out under the same lock, so two that look for the same never both find it.

use super::address::{PAGE, Span, USER_END, UserAddress};
use super::backing::Contents;
use super::regions::Region;
use super::space::{AddressSpace, Parts};
use crate::error::KernelError;
use core::ops::Range;
use sync::TaskContext;

/// A source's identity and its length in bytes.
type Found = (usize, u64);

impl AddressSpace {
    /// Takes out all of the first attached source whose first page stands at `at`, or would if that part were still there.
    pub fn detach(&self, cx: &mut TaskContext, at: UserAddress) -> Result<(), KernelError> {
        let start = at.as_u64();
        self.edit(cx, |parts, batch, cx| {
            let (identity, length) = parts.attached_from(start).ok_or(KernelError::Invalid)?;
            let end = start.saturating_add(length).min(USER_END);
            parts.reserve_regions(0)?;
            let mut from = start;
            while let Some(range) = parts.part_of_source(start, from..end, identity) {
                parts.clear(Span { start: range.start, end: range.end }, batch, cx);
                from = range.end;
            }
            Ok(())
        })
    }
}

impl Parts {
    fn attached_from(&self, start: u64) -> Option<Found> {
        let regions = self.regions.in_range(start..USER_END).iter();
        regions.filter(|region| is_laid_from(region, start)).find_map(attached)
    }

    /// The first region in `range` that shows this source, laid from `start`.
    fn part_of_source(&self, start: u64, range: Range<u64>, identity: usize) -> Option<Range<u64>> {
        let is_part = |region: &&Region| is_laid_from(region, start) && attached(region).is_some_and(|found| found.0 == identity);
        self.regions.in_range(range).iter().find(is_part).map(Region::range)
    }
}

fn attached(region: &Region) -> Option<Found> {
    let Contents::Source { source, .. } = &region.contents else { return None };
    Some((source.identity(), source.attached()?.length()))
}

/// Would its source's first page be at `start`?
fn is_laid_from(region: &Region, start: u64) -> bool {
    let Contents::Source { first_page, .. } = &region.contents else { return false };
    region.start.checked_sub(start).is_some_and(|distance| Some(distance) == first_page.checked_mul(PAGE))
}
