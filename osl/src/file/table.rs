//! FileTable: what a program's descriptors mean.
//!
//! Invariant: an opening is never dropped while the lock is held, because closing may wake others and free memory.

use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use libkernel::census::{Census, Counted};
use sync::{Published, SpinLock, TaskContext, order};

use super::open_file::OpenFile;
use super::record_locks::{self, LockOwner};

/// No table grows beyond this, whatever the limit of the process says (`/proc/sys/fs/nr_open`).
pub const HARD_LIMIT: usize = 1 << 20;

#[derive(Clone)]
struct Slot {
    open: Arc<OpenFile>,
    close_on_exec: bool,
}

/// What stands at a number.
#[derive(Clone, Default)]
enum Place {
    #[default]
    Free,
    /// A program is about to be told of it.
    Promised,
    Taken(Slot),
}

impl Place {
    const fn slot(&self) -> Option<&Slot> {
        if let Place::Taken(slot) = self { Some(slot) } else { None }
    }

    fn into_slot(self) -> Option<Slot> {
        if let Place::Taken(slot) = self { Some(slot) } else { None }
    }
}

/// The slots of a table; pure.
#[derive(Default)]
struct Slots {
    slots: Vec<Place>,
    /// Every slot below is taken.
    lowest_free: usize,
}

impl Slots {
    fn slot(&self, fd: i32) -> Result<&Slot, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        self.slots.get(index).and_then(Place::slot).ok_or(Errno::EBADF)
    }

    fn place_mut(&mut self, fd: i32) -> Result<&mut Place, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        self.slots.get_mut(index).ok_or(Errno::EBADF)
    }

    fn slot_mut(&mut self, fd: i32) -> Result<&mut Slot, Errno> {
        match self.place_mut(fd)? {
            Place::Taken(slot) => Ok(slot),
            _ => Err(Errno::EBADF),
        }
    }

    fn grow_to_hold(&mut self, index: usize) -> Result<(), Errno> {
        let wanted = index + 1;
        if wanted > self.slots.len() {
            self.slots.try_room(wanted - self.slots.len()).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(wanted, Place::Free);
        }
        Ok(())
    }

    fn lowest_free_from(&self, from: usize) -> usize {
        let from = from.max(self.lowest_free);
        let free = self.slots.iter().enumerate().skip(from).find(|(_, place)| matches!(place, Place::Free));
        free.map_or(from.max(self.slots.len()), |(index, _)| index)
    }

    fn put(&mut self, index: usize, new: Place) -> Result<Option<Slot>, Errno> {
        self.grow_to_hold(index)?;
        let place = self.slots.get_mut(index).ok_or(Errno::EBADF)?;
        let before = core::mem::replace(place, new);
        if index == self.lowest_free {
            self.lowest_free += 1;
        }
        Ok(before.into_slot())
    }

    /// The lowest free place that is at least `lowest` and below `limit`.
    fn put_into_free(&mut self, lowest: usize, limit: u64, new: Place) -> Result<i32, Errno> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(HARD_LIMIT);
        let index = self.lowest_free_from(lowest);
        if index >= limit {
            return Err(Errno::EMFILE);
        }
        self.put(index, new)?;
        i32::try_from(index).map_err(|_| Errno::EMFILE)
    }

    fn is_promised(&self, index: usize) -> bool {
        matches!(self.slots.get(index), Some(Place::Promised))
    }

    fn take(&mut self, fd: i32) -> Result<Slot, Errno> {
        self.slot_mut(fd)?;
        let slot = self.free(fd)?.into_slot();
        slot.ok_or(Errno::EBADF)
    }

    fn free(&mut self, fd: i32) -> Result<Place, Errno> {
        let place = core::mem::take(self.place_mut(fd)?);
        self.lowest_free = self.lowest_free.min(usize::try_from(fd).unwrap_or(0));
        Ok(place)
    }

    /// A copy, in which nothing is promised.
    fn copy(&self) -> Result<Self, Errno> {
        let mut slots = Vec::new();
        slots.try_room_exact(self.slots.len()).map_err(|_| Errno::ENOMEM)?;
        slots.extend(self.slots.iter().map(|place| place.slot().cloned().map_or(Place::Free, Place::Taken)));
        let promised = self.slots.iter().position(|place| matches!(place, Place::Promised));
        Ok(Self { slots, lowest_free: promised.map_or(self.lowest_free, |first| first.min(self.lowest_free)) })
    }
}

/// Tables of descriptors.
pub static LIVING: Census = Census::new("file tables");
static NEXT_NUMBER: Published<u64> = Published::<u64>::new(1);

/// Descriptors, shared by the tasks that ask for it (`CLONE_FILES`).
pub struct FileTable {
    _counted: Counted,
    /// Which table it is, wherever it is moved to: the one that ends takes it out of its `Arc`.
    number: u64,
    slots: SpinLock<Slots, order::FileTable>,
}

impl Default for FileTable {
    fn default() -> Self {
        Self::new()
    }
}

impl FileTable {
    /// A table with nothing open.
    pub fn new() -> Self {
        Self::of(Slots { slots: Vec::new(), lowest_free: 0 })
    }

    /// A copy that changes on its own from now on (`fork`).
    pub fn duplicate(&self, cx: &TaskContext) -> Result<Self, Errno> {
        let copy = self.slots.lock(cx).copy()?;
        Ok(Self::of(copy))
    }

    fn of(slots: Slots) -> Self {
        Self { _counted: LIVING.count(), number: NEXT_NUMBER.fetch_add(1), slots: SpinLock::new(slots) }
    }

    /// What a descriptor means.
    pub fn get(&self, cx: &TaskContext, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        Ok(self.slots.lock(cx).slot(fd)?.open.clone())
    }

    /// As `get`, but a descriptor that only names a file (`O_PATH`) does not count.
    pub fn get_usable(&self, cx: &TaskContext, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        let open = self.get(cx, fd)?;
        if open.is_path_only() { Err(Errno::EBADF) } else { Ok(open) }
    }

    /// Gives the lowest free descriptor that is at least `lowest` and below `limit`.
    pub fn insert(&self, cx: &TaskContext, open: Arc<OpenFile>, close_on_exec: bool, lowest: usize, limit: u64) -> Result<i32, Errno> {
        self.slots.lock(cx).put_into_free(lowest, limit, Place::Taken(Slot { open, close_on_exec }))
    }

    /// As `insert`, of something that is known later.
    pub(super) fn promise(&self, cx: &TaskContext, limit: u64) -> Result<i32, Errno> {
        self.slots.lock(cx).put_into_free(0, limit, Place::Promised)
    }

    pub(super) fn keep_promise(&self, cx: &TaskContext, fd: i32, open: Arc<OpenFile>, close_on_exec: bool) {
        if let Ok(place) = self.slots.lock(cx).place_mut(fd) {
            *place = Place::Taken(Slot { open, close_on_exec });
        }
    }

    pub(super) fn break_promise(&self, fd: i32) {
        // There was nothing.
        let _place = self.slots.lock_without_context().free(fd);
    }

    /// Whether there is a free descriptor below `limit`.
    pub fn check_room(&self, cx: &TaskContext, limit: u64) -> Result<(), Errno> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(HARD_LIMIT);
        if self.slots.lock(cx).lowest_free_from(0) < limit { Ok(()) } else { Err(Errno::EMFILE) }
    }

    /// Gives this very descriptor; answers what it meant before. `EBUSY` where another thread was promised it.
    pub fn insert_at(
        &self,
        cx: &TaskContext,
        open: Arc<OpenFile>,
        close_on_exec: bool,
        fd: i32,
        limit: u64,
    ) -> Result<Option<Arc<OpenFile>>, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        if index >= usize::try_from(limit).unwrap_or(usize::MAX).min(HARD_LIMIT) {
            return Err(Errno::EBADF);
        }
        let mut slots = self.slots.lock(cx);
        if slots.is_promised(index) {
            return Err(Errno::EBUSY);
        }
        let before = slots.put(index, Place::Taken(Slot { open, close_on_exec }))?;
        drop(slots);
        Ok(before.map(|slot| slot.open))
    }

    /// Takes a descriptor away; the answer is the opening it had, to be dropped by the caller.
    pub fn remove(&self, cx: &TaskContext, fd: i32) -> Result<Arc<OpenFile>, Errno> {
        Ok(self.slots.lock(cx).take(fd)?.open)
    }

    /// Whether the descriptor ends when another program starts.
    pub fn is_close_on_exec(&self, cx: &TaskContext, fd: i32) -> Result<bool, Errno> {
        Ok(self.slots.lock(cx).slot(fd)?.close_on_exec)
    }

    /// Sets that.
    pub fn set_close_on_exec(&self, cx: &TaskContext, fd: i32, close: bool) -> Result<(), Errno> {
        self.slots.lock(cx).slot_mut(fd)?.close_on_exec = close;
        Ok(())
    }

    /// Closes what does not survive the start of another program.
    pub fn close_for_exec(&self, cx: &TaskContext) {
        for (fd, close) in self.open_descriptors(cx) {
            if close && let Ok(gone) = self.remove(cx, fd) {
                self.let_go(&gone);
            }
        }
    }

    /// Closes everything.
    pub fn close_all(&self, cx: &TaskContext) {
        for (fd, _) in self.open_descriptors(cx) {
            if let Ok(gone) = self.remove(cx, fd) {
                self.let_go(&gone);
            }
        }
    }

    /// Every open descriptor, and whether it ends at exec.
    pub fn open_descriptors(&self, cx: &TaskContext) -> Vec<(i32, bool)> {
        let slots = self.slots.lock(cx);
        let used = slots.slots.iter().enumerate();
        used.filter_map(|(index, slot)| Some((i32::try_from(index).ok()?, slot.slot()?.close_on_exec))).collect()
    }

    /// A descriptor is gone: the locks that the table has on its file go too, whatever other descriptors it has for it.
    fn let_go(&self, open: &OpenFile) {
        if let Some(node) = open.file().node() {
            record_locks::owner_ended(node.identity(), self.lock_owner());
        }
    }

    /// Roughly how many pages its descriptors hold in the kernel.
    pub fn weight(&self, cx: &TaskContext) -> u64 {
        self.slots.lock(cx).slots.len() as u64
    }

    /// The table as an owner of record locks.
    pub fn lock_owner(&self) -> LockOwner {
        LockOwner::Files(self.number)
    }
}

impl Drop for FileTable {
    fn drop(&mut self) {
        let slots = core::mem::take(self.slots.get_mut());
        for slot in slots.slots.into_iter().filter_map(Place::into_slot) {
            self.let_go(&slot.open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credentials;
    use crate::file::event::EventCounter;

    fn slot() -> Place {
        let file = Arc::new(EventCounter::new(0, false));
        Place::Taken(Slot { open: OpenFile::new(file, 0, None, Arc::new(Credentials::root())), close_on_exec: false })
    }

    fn filled(count: usize) -> Slots {
        let mut slots = Slots::default();
        for index in 0..count {
            assert!(slots.put(index, slot()).is_ok_and(|before| before.is_none()));
        }
        slots
    }

    #[test]
    fn the_lowest_free_descriptor_is_given() {
        let mut slots = filled(5);
        assert_eq!(slots.lowest_free_from(0), 5);
        assert!(slots.take(3).is_ok() && slots.take(1).is_ok());
        assert_eq!(slots.lowest_free_from(0), 1);
        assert_eq!(slots.lowest_free_from(2), 3);
        assert_eq!(slots.lowest_free_from(100), 100);
    }

    #[test]
    fn closing_twice_is_ebadf_and_so_are_negative_numbers() {
        let mut slots = filled(2);
        assert!(slots.take(1).is_ok());
        assert_eq!(slots.take(1).err(), Some(Errno::EBADF));
        assert_eq!(slots.take(-1).err(), Some(Errno::EBADF));
        assert_eq!(slots.slot(7).err(), Some(Errno::EBADF));
    }

    #[test]
    fn a_promised_descriptor_means_nothing_and_is_nobody_elses() {
        let mut slots = filled(2);
        assert_eq!(slots.put_into_free(0, 8, Place::Promised), Ok(2));
        assert_eq!(slots.put_into_free(0, 8, slot()), Ok(3), "the next is another");
        assert_eq!(slots.slot(2).err(), Some(Errno::EBADF));
        assert_eq!(slots.take(2).err(), Some(Errno::EBADF), "nobody closes it");
        assert!(slots.is_promised(2));
        let copy = slots.copy();
        assert_eq!(copy.map(|mut copy| copy.put_into_free(0, 8, slot())), Ok(Ok(2)), "a copy of the table promises nothing");
        assert!(slots.free(2).is_ok());
        assert_eq!(slots.put_into_free(0, 8, slot()), Ok(2));
    }

    #[test]
    fn a_gap_stays_free_after_a_high_descriptor_was_given() {
        let mut slots = filled(3);
        assert!(slots.put(10, slot()).is_ok());
        assert_eq!(slots.lowest_free_from(0), 3);
        assert_eq!(slots.lowest_free_from(10), 11);
    }
}
