//! A page fault: gives a page, copies a page, or says no.
//!
//! Invariant: what a fault adds, the region allows; what it takes away (the page that a copy replaces), every CPU has
//! forgotten before the program goes on.

use super::address::{PAGE, USER_END, page_of};
use super::backing::{Contents, PageSource};
use super::placement::STACK_GAP;
use super::regions::Region;
use super::request::Protection;
use super::shootdown::{FlushBatch, forget_here};
use super::space::Parts;
use super::table::flags;
use super::{Access, Fault};
use crate::error::KernelError;
use crate::memory::Page;
use machine::addr::VirtAddr;
use machine::paging::{Entry, Flags};
use sync::TaskContext;

impl Parts {
    pub(super) fn fault(&mut self, address: u64, access: Access, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<(), Fault> {
        if address >= USER_END {
            return Err(Fault::NotMapped);
        }
        let at = page_of(address);
        let region = self.region_for(at)?;
        if !allows(region.protection, access) {
            return Err(Fault::Protected);
        }
        match self.table.place(at).map(|place| place.entry()) {
            None => self.bring(at, &region, access, cx),
            Some(entry) if access == Access::Write && !entry.has(Flags::WRITABLE) => self.make_writable(at, &region, batch, cx),
            Some(entry) => {
                // Another thread was faster, or rights were added that this CPU did not know of.
                self.set_flags(at, region.protection, entry.has(Flags::WRITABLE));
                Ok(())
            }
        }
    }

    /// May the page at `at` be used so without a fault?
    pub(super) fn is_granted(&mut self, at: VirtAddr, access: Access) -> bool {
        self.table.place(at).is_some_and(|place| grants(place.entry(), access))
    }

    /// The region that holds `at`, a stack being made longer if that is what it takes.
    fn region_for(&mut self, at: VirtAddr) -> Result<Region, Fault> {
        let page = at.as_u64();
        let region = self.regions.at_or_above(page).ok_or(Fault::NotMapped)?;
        if region.start <= page {
            return Ok(region.clone());
        }
        let missing = region.start - page;
        let may_grow = region.grows_to.is_some_and(|lowest| lowest <= page)
            && self.regions.is_free(page.saturating_sub(STACK_GAP)..page)
            && region.end - page <= self.limits.stack
            && self.check_growth(missing).is_ok();
        if !may_grow {
            return Err(Fault::NotMapped);
        }
        self.regions.grow_down(page, page);
        self.regions.find(page).cloned().ok_or(Fault::NotMapped)
    }

    /// No page is there yet.
    fn bring(&mut self, at: VirtAddr, region: &Region, access: Access, cx: &mut TaskContext) -> Result<(), Fault> {
        let is_write = access == Access::Write;
        let (page, writable) = match &region.contents {
            Contents::Anonymous => (Page::zeroed().map_err(no_memory)?, true),
            Contents::Source { source, shared: true, .. } => (page_of_source(&**source, region, at, is_write, cx)?, is_write),
            Contents::Source { source, .. } => {
                let original = page_of_source(&**source, region, at, false, cx)?;
                if is_write { (copy(&original)?, true) } else { (original, false) }
            }
        };
        self.table.put(at, page, flags(region.protection, writable)).map_err(no_memory)
    }

    /// The region may be written to, and the page there may not, yet.
    fn make_writable(&mut self, at: VirtAddr, region: &Region, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<(), Fault> {
        let Some(place) = self.table.place(at) else { return Ok(()) };
        let new = match &region.contents {
            Contents::Source { source, shared: true, .. } => {
                let page = page_of_source(&**source, region, at, true, cx)?;
                if page.is_same(&place.share()) { None } else { Some(page) }
            }
            _ if place.is_sole_owner() => None,
            _ => Some(copy(&place.share())?),
        };
        match new {
            None => self.set_flags(at, region.protection, true),
            Some(page) => {
                let (old, entry) = place.exchange(page, flags(region.protection, true));
                batch.release_page(cx, at, old, entry.has(Flags::PRESENT));
            }
        }
        Ok(())
    }

    fn set_flags(&mut self, at: VirtAddr, protection: Protection, writable: bool) {
        if let Some(place) = self.table.place(at) {
            place.set_flags(flags(protection, writable));
            forget_here(at);
        }
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
