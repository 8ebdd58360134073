//! AddressSpace: regions and page table, changed together.
//!
//! Invariant: `edit` is the one way to change a space: alone, and not ended before every CPU has been told. Those that
//! `look` may be many; of them only faults change something, the entries of pages (see `table`).

use super::backing::Contents;
use super::limits::Limits;
use super::placement;
use super::program_break::Heap;
use super::regions::{Region, Regions};
use super::request::RegionInfo;
use super::resident::Resident;
use super::shootdown::FlushBatch;
use super::table::UserTable;
use super::{Access, Fault, UserAddress};
use crate::census::{Census, Counted};
use crate::error::KernelError;
use crate::memory::Room;
use crate::memory::Translation;
use crate::thread::{UserMemory, user};
use crate::wait::SharedMutex;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use sync::twin::{self, Twin};
use sync::{Counter, Once, TaskContext, order};

/// Address spaces in use.
pub static LIVING: Census = Census::new("address spaces");

pub struct AddressSpace {
    _counted: Counted,
    itself: Weak<AddressSpace>,
    pub(super) translation: Translation,
    /// What a personality hangs on it.
    attachment: Once<Arc<dyn Any + Send + Sync>>,
    resident: Arc<Resident>,
    /// A copy for those who only want to know, made when the lock is released.
    mapped_bytes: Counter,
    parts: SharedMutex<Parts, order::AddressSpaceParent>,
}

/// What the lock protects.
pub(super) struct Parts {
    pub regions: Regions,
    pub table: UserTable,
    pub heap: Heap,
    /// Mappings that may be anywhere are put below this, if there is room.
    pub ceiling: u64,
    pub limits: Limits,
    /// No large pages for this program, whatever it asks for.
    pub refuses_large: bool,
}

impl Parts {
    pub fn new() -> Result<Self, KernelError> {
        Ok(Parts {
            regions: Regions::new(),
            table: UserTable::new()?,
            heap: Heap::none(),
            ceiling: placement::HIGHEST_CEILING,
            limits: Limits::default(),
            refuses_large: false,
        })
    }
}

impl AddressSpace {
    pub fn new() -> Result<Arc<AddressSpace>, KernelError> {
        Ok(AddressSpace::of(Parts::new()?))
    }

    pub(super) fn of(parts: Parts) -> Arc<AddressSpace> {
        Arc::new_cyclic(|itself| AddressSpace {
            _counted: LIVING.count(),
            itself: Weak::clone(itself),
            attachment: Once::new(),
            translation: Translation::new(parts.table.root()),
            resident: Arc::clone(parts.table.resident()),
            mapped_bytes: Counter::new(parts.regions.mapped_bytes()),
            parts: SharedMutex::new(parts),
        })
    }

    /// Changes the space. When this returns, every CPU knows, and what was taken out has been given back; others are let at the
    /// space in between.
    // A batch is large: one on the stack at a time, not one for each edit of a function that makes several.
    #[inline(never)]
    pub(super) fn edit<R>(&self, cx: &mut TaskContext, change: impl FnOnce(&mut Parts, &mut FlushBatch<'_>, &mut TaskContext) -> R) -> R {
        let mut parts = self.parts.lock(cx);
        let mut batch = FlushBatch::new(&self.translation);
        let answer = change(&mut parts, &mut batch, cx);
        if twin::is(Twin::FreedBeforeForgotten) {
            batch.flush(cx);
        }
        batch.tell(cx);
        self.mapped_bytes.set(parts.regions.mapped_bytes());
        drop(parts);
        batch.give_back();
        answer
    }

    /// Looks at the space, or settles a fault in it, beside others who do.
    pub(super) fn look<R>(&self, cx: &mut TaskContext, work: impl FnOnce(&Parts, &mut TaskContext) -> R) -> R {
        let parts = self.parts.share(cx);
        work(&parts, cx)
    }

    pub(super) const fn itself(&self) -> &Weak<AddressSpace> {
        &self.itself
    }

    /// What a personality has hung on the space.
    pub fn attachment(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        self.attachment.get()
    }

    /// Hangs something on the space, for good. Answers what hangs there then: another's, if that came first.
    pub fn attach(&self, attachment: Arc<dyn Any + Send + Sync>) -> &Arc<dyn Any + Send + Sync> {
        self.attachment.get_or_set(attachment)
    }

    pub fn resident_pages(&self) -> usize {
        self.resident.pages()
    }

    pub fn mapped_bytes(&self) -> u64 {
        self.mapped_bytes.get()
    }

    /// All mappings, in ascending order.
    pub fn regions(&self, cx: &mut TaskContext) -> Result<Vec<RegionInfo>, KernelError> {
        self.look(cx, |parts, _| {
            let mut list = Vec::new();
            list.try_room_exact(parts.regions.count())?;
            list.extend(parts.regions.iter().map(|region| parts.describe(region)));
            Ok(list)
        })
    }

    /// Is every byte of it in some region?
    pub fn is_mapped(&self, cx: &mut TaskContext, at: UserAddress, length: u64) -> bool {
        let range = at.as_u64()..at.as_u64().saturating_add(length);
        at.holds(length) && self.look(cx, |parts, _| parts.regions.covers(range.clone()))
    }
}

impl Parts {
    fn describe(&self, region: &Region) -> RegionInfo {
        let (offset, name) = match &region.contents {
            Contents::Source { source, first_page, .. } => (first_page.saturating_mul(super::address::PAGE), source.name()),
            Contents::Anonymous if region.grows_to.is_some() => (0, String::from("[stack]")),
            Contents::Anonymous if self.heap.is_part_of(region) => (0, String::from("[heap]")),
            Contents::Anonymous => (0, String::new()),
        };
        RegionInfo {
            start: UserAddress::new(region.start),
            end: UserAddress::new(region.end),
            protection: region.protection,
            shared: region.contents.is_shared(),
            offset,
            name,
            grows_down: region.grows_to.is_some(),
        }
    }
}

impl UserMemory for AddressSpace {
    fn translation(&self) -> &Translation {
        &self.translation
    }

    fn fault(&self, cx: &mut TaskContext, address: u64, access: Access) -> Result<(), Fault> {
        AddressSpace::fault(self, cx, address, access)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        assert!(self.translation.cpus().is_empty(), "an address space was dropped that a CPU still uses");
    }
}

/// The space that this thread's program lives in.
pub fn current_space(cx: &TaskContext) -> Option<Arc<AddressSpace>> {
    borrowed_space(cx)?.itself.upgrade()
}

/// The same, for as long as the thread does not sleep.
pub fn borrowed_space(cx: &TaskContext) -> Option<&AddressSpace> {
    user::memory(cx)?.as_any().downcast_ref::<AddressSpace>()
}
