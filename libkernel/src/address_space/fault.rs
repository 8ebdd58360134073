//! A page fault: gives a page, copies a page, or says no.
//!
//! Invariant: faults share the space with each other, and only with each other. What a fault adds, the region allows;
//! what it takes away (the page that a copy replaces), every CPU has forgotten before anyone can write to the copy.

use super::address::{PAGE, USER_END, page_of};
use super::backing::{Contents, PageSource};
use super::placement::STACK_GAP;
use super::regions::Region;
use super::request::Protection;
use super::shootdown::forget_here;
use super::space::{AddressSpace, Parts};
use super::table::flags;
use super::{Access, Fault};
use crate::error::KernelError;
use crate::memory::{Page, Translation};
use machine::addr::VirtAddr;
use machine::paging::{Entry, Flags};
use sync::TaskContext;

/// Why a fault was not settled by one who shares the space with others.
pub(super) enum Unsettled {
    Refused(Fault),
    /// A stack must grow first: for that one needs the space alone.
    StackMustGrow,
}

impl From<Fault> for Unsettled {
    fn from(fault: Fault) -> Self {
        Unsettled::Refused(fault)
    }
}

impl AddressSpace {
    /// Makes `address` usable for `access`, or says why not. Afterwards the access may still fault, if another thread
    /// was faster with less.
    pub fn fault(&self, cx: &mut TaskContext, address: u64, access: Access) -> Result<(), Fault> {
        self.settle(cx, address, |parts, cx| parts.fault(address, access, &self.translation, cx))
    }

    /// Does `work`, sharing the space with others; a stack that holds `address` is made longer if that is what it takes.
    pub(super) fn settle<R>(
        &self,
        cx: &mut TaskContext,
        address: u64,
        mut work: impl FnMut(&Parts, &mut TaskContext) -> Result<R, Unsettled>,
    ) -> Result<R, Fault> {
        loop {
            match self.look(cx, &mut work) {
                Ok(done) => return Ok(done),
                Err(Unsettled::Refused(fault)) => return Err(fault),
                Err(Unsettled::StackMustGrow) => self.edit(cx, |parts, _, _| parts.grow_stack(page_of(address).as_u64()))?,
            }
        }
    }
}

impl Parts {
    pub(super) fn fault(&self, address: u64, access: Access, translation: &Translation, cx: &mut TaskContext) -> Result<(), Unsettled> {
        if address >= USER_END {
            return Err(Fault::NotMapped.into());
        }
        let at = page_of(address);
        let region = self.region_at(at.as_u64())?;
        if !allows(region.protection, access) {
            return Err(Fault::Protected.into());
        }
        match self.table.entry(at) {
            None => self.bring(at, region, access, cx)?,
            Some(entry) if access == Access::Write && !entry.has(Flags::WRITABLE) => self.make_writable(at, region, translation, cx)?,
            // Another thread was faster, or rights were added that this CPU did not know of.
            Some(_) => forget_here(at),
        }
        Ok(())
    }

    /// The page at `at`, if it may be used so without a fault.
    pub(super) fn granted(&self, at: VirtAddr, access: Access, cx: &TaskContext) -> Option<Page> {
        let place = self.table.locked_place(at, cx)?;
        grants(place.entry(), access).then(|| place.share())
    }

    /// The region that holds `page`.
    fn region_at(&self, page: u64) -> Result<&Region, Unsettled> {
        match self.regions.at_or_above(page) {
            Some(region) if region.start <= page => Ok(region),
            Some(region) if region.grows_to.is_some_and(|lowest| lowest <= page) => Err(Unsettled::StackMustGrow),
            _ => Err(Fault::NotMapped.into()),
        }
    }

    /// The stack above `page` grows down to it, if it may; another thread may have seen to that.
    fn grow_stack(&mut self, page: u64) -> Result<(), Fault> {
        let region = self.regions.at_or_above(page).ok_or(Fault::NotMapped)?;
        if region.start <= page {
            return Ok(());
        }
        let missing = region.start - page;
        let may_grow = region.grows_to.is_some_and(|lowest| lowest <= page)
            // Nobody runs over a stack into what is closed: that may stand in the gap.
            && !self.regions.in_range(page.saturating_sub(STACK_GAP)..page).iter().any(|below| below.protection.is_any())
            && region.end - page <= self.limits.stack
            && self.check_growth(missing).is_ok();
        if !may_grow {
            return Err(Fault::NotMapped);
        }
        self.regions.grow_down(page, page);
        Ok(())
    }

    /// No page is there yet.
    fn bring(&self, at: VirtAddr, region: &Region, access: Access, cx: &mut TaskContext) -> Result<(), Fault> {
        let is_write = access == Access::Write;
        let (page, writable) = match &region.contents {
            Contents::Anonymous if self.wants_large(region) && self.bring_large(at, region) => return Ok(()),
            Contents::Anonymous => return self.bring_empty(at, region).map_err(no_memory),
            Contents::Source { source, shared: true, .. } => (page_of_source(&**source, region, at, is_write, cx)?, is_write),
            Contents::Source { source, .. } => {
                let original = page_of_source(&**source, region, at, false, cx)?;
                if is_write { (copy(&original)?, true) } else { (original, false) }
            }
        };
        self.table.put_first(at, page, flags(region.protection, writable)).map_err(no_memory)
    }

    /// The region may be written to, and the page there may not, yet.
    fn make_writable(&self, at: VirtAddr, region: &Region, translation: &Translation, cx: &mut TaskContext) -> Result<(), Fault> {
        let granted = flags(region.protection, true);
        if let Contents::Source { source, shared: true, .. } = &region.contents {
            let page = page_of_source(&**source, region, at, true, cx)?;
            let Some(place) = self.table.locked_place(at, cx) else { return Ok(()) };
            if !page.is_same(&place.share()) {
                drop(place.replace(page, granted, translation));
                return Ok(());
            }
            place.set_flags(granted);
        } else {
            let Some(original) = self.unshared(at, granted, cx) else { return Ok(()) };
            // The copy is made with no lock held: as long as the original has this share, nobody may write to it.
            let copy = copy(&original)?;
            let Some(place) = self.table.locked_place(at, cx) else { return Ok(()) };
            if place.share().is_same(&original) {
                drop(place.replace(copy, granted, translation));
                return Ok(());
            }
        }
        forget_here(at);
        Ok(())
    }

    /// Lets the page be written to if nobody shares it; otherwise it is to be copied.
    fn unshared(&self, at: VirtAddr, granted: Flags, cx: &TaskContext) -> Option<Page> {
        let place = self.table.locked_place(at, cx)?;
        if !place.entry().has(Flags::WRITABLE) && !place.is_large() && !place.is_sole_owner() {
            return Some(place.share());
        }
        place.set_flags(granted);
        forget_here(at);
        None
    }
}

const fn allows(protection: Protection, access: Access) -> bool {
    match access {
        Access::Read => protection.is_any(),
        Access::Write => protection.write,
        Access::Execute => protection.execute,
    }
}

fn grants(entry: Entry, access: Access) -> bool {
    entry.has(Flags::PRESENT)
        && match access {
            Access::Read => true,
            Access::Write => entry.has(Flags::WRITABLE),
            Access::Execute => !entry.has(Flags::NO_EXECUTE),
        }
}

fn copy(original: &Page) -> Result<Page, Fault> {
    let copy = Page::uninitialised().map_err(no_memory)?;
    copy.copy_from(original);
    Ok(copy)
}

fn page_of_source(source: &dyn PageSource, region: &Region, at: VirtAddr, for_write: bool, cx: &mut TaskContext) -> Result<Page, Fault> {
    let Contents::Source { first_page, .. } = &region.contents else { return Err(Fault::NoContents) };
    let index = first_page + (at.as_u64() - region.start) / PAGE;
    source.page(cx, index, for_write).map_err(|error| match error {
        KernelError::NoMemory => Fault::NoMemory,
        _ => Fault::NoContents,
    })
}

const fn no_memory(_: KernelError) -> Fault {
    Fault::NoMemory
}
