//! FileTable: what a program's descriptors mean.
//!
//! Invariant: an opening is never dropped while the lock is held, because closing may wake others and free memory.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::census::{Census, Counted};
use sync::{SpinLock, TaskContext, order};

use super::open_file::OpenFile;
use super::record_locks;

/// No table grows beyond this, whatever the limit of the process says (`/proc/sys/fs/nr_open`).
pub const HARD_LIMIT: usize = 1 << 20;

#[derive(Clone)]
struct Slot {
    open: Arc<OpenFile>,
    close_on_exec: bool,
}

/// The slots of a table; pure.
#[derive(Clone, Default)]
struct Slots {
    slots: Vec<Option<Slot>>,
    /// Every slot below is taken.
    lowest_free: usize,
}

impl Slots {
    fn slot(&self, fd: i32) -> Result<&Slot, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        self.slots.get(index).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    fn slot_mut(&mut self, fd: i32) -> Result<&mut Option<Slot>, Errno> {
        let index = usize::try_from(fd).map_err(|_| Errno::EBADF)?;
        self.slots.get_mut(index).filter(|slot| slot.is_some()).ok_or(Errno::EBADF)
    }

    fn grow_to_hold(&mut self, index: usize) -> Result<(), Errno> {
        let wanted = index + 1;
        if wanted > self.slots.len() {
            self.slots.try_reserve(wanted - self.slots.len()).map_err(|_| Errno::ENOMEM)?;
            self.slots.resize(wanted, None);
        }
        Ok(())
    }

    fn lowest_free_from(&self, from: usize) -> usize {
        let from = from.max(self.lowest_free);
        let free = self.slots.iter().enumerate().skip(from).find(|(_, slot)| slot.is_none());
        free.map_or(from.max(self.slots.len()), |(index, _)| index)
    }

    fn put(&mut self, index: usize, slot: Slot) -> Result<Option<Slot>, Errno> {
        self.grow_to_hold(index)?;
        let place = self.slots.get_mut(index).ok_or(Errno::EBADF)?;
        let before = place.replace(slot);
        if index == self.lowest_free {
            self.lowest_free += 1;
        }
        Ok(before)
    }

    fn take(&mut self, fd: i32) -> Result<Slot, Errno> {
        let slot = self.slot_mut(fd)?.take().ok_or(Errno::EBADF)?;
        self.lowest_free = self.lowest_free.min(usize::try_from(fd).unwrap_or(0));
        Ok(slot)
    }
}

/// Tables of descriptors.
pub static LIVING: Census = Census::new("file tables");

/// Descriptors, shared by the tasks that ask for it (`CLONE_FILES`).
pub struct FileTable {
    _counted: Counted,
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
        Self { _counted: LIVING.count(), slots: SpinLock::new(Slots { slots: Vec::new(), lowest_free: 0 }) }
    }

    /// A copy that changes on its own from now on (`fork`).
    pub fn duplicate(&self, cx: &TaskContext) -> Result<Self, Errno> {
        let slots = self.slots.lock(cx);
        let mut copy = Vec::new();
        copy.try_reserve_exact(slots.slots.len()).map_err(|_| Errno::ENOMEM)?;
        copy.extend(slots.slots.iter().cloned());
        Ok(Self { _counted: LIVING.count(), slots: SpinLock::new(Slots { slots: copy, lowest_free: slots.lowest_free }) })
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
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(HARD_LIMIT);
        let mut slots = self.slots.lock(cx);
        let index = slots.lowest_free_from(lowest);
        if index >= limit {
            return Err(Errno::EMFILE);
        }
        slots.put(index, Slot { open, close_on_exec })?;
        i32::try_from(index).map_err(|_| Errno::EMFILE)
    }

    /// Whether there is a free descriptor below `limit`.
    pub fn check_room(&self, cx: &TaskContext, limit: u64) -> Result<(), Errno> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(HARD_LIMIT);
        if self.slots.lock(cx).lowest_free_from(0) < limit { Ok(()) } else { Err(Errno::EMFILE) }
    }

    /// Gives this very descriptor; answers what it meant before.
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
        let before = self.slots.lock(cx).put(index, Slot { open, close_on_exec })?;
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
        if let Some(slot) = self.slots.lock(cx).slot_mut(fd)? {
            slot.close_on_exec = close;
        }
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
        used.filter_map(|(index, slot)| Some((i32::try_from(index).ok()?, slot.as_ref()?.close_on_exec))).collect()
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
    pub fn lock_owner(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }
}

impl Drop for FileTable {
    fn drop(&mut self) {
        let slots = core::mem::take(self.slots.get_mut());
        for slot in slots.slots.into_iter().flatten() {
            self.let_go(&slot.open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credentials;
    use crate::file::event::EventCounter;

    fn slot() -> Slot {
        let file = Arc::new(EventCounter::new(0, false));
        Slot { open: OpenFile::new(file, 0, None, Arc::new(Credentials::root())), close_on_exec: false }
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
    fn a_gap_stays_free_after_a_high_descriptor_was_given() {
        let mut slots = filled(3);
        assert!(slots.put(10, slot()).is_ok());
        assert_eq!(slots.lowest_free_from(0), 3);
        assert_eq!(slots.lowest_free_from(10), 11);
    }
}
