//! Where the buckets stand: each address space has its own, made when a thread first waits there; memory that spaces share has one
//! table for all.
//!
//! Invariant: a word of private memory falls into the table of its space, a word of shared contents into the common one; so processes
//! that share nothing never meet at a lock.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use libkernel::memory::Room;

use abi::Errno;
use libkernel::address_space::{AddressSpace, PageSource, UserAddress, borrowed_space, current_space};
use libkernel::thread::registers::USER_END;
use sync::TaskContext;

use super::bucket::Key;
use super::waiter::Line;
use crate::error::errno;

/// Bytes of a futex; its address is a multiple of them.
pub const WORD_BYTES: u64 = 4;
/// Buckets of one space; a power of two. Model checkers make them anew for each execution.
const OF_SPACE: usize = if cfg!(any(loom, shuttle)) { 4 } else { 64 };
/// Buckets of all shared memory; a power of two.
const OF_ALL: usize = 256;
/// Places in the common table have this bit.
const COMMON: usize = 1;

sync::shared_array! {
    static SHARED: [Line; OF_ALL] = Line::new();
}

/// The buckets of one address space.
pub struct Table(Box<[Line]>);

/// A word, and what keeps it the same word while someone waits for it.
pub struct Word {
    /// Which word.
    pub key: Key,
    _contents: Option<Arc<dyn PageSource>>,
}

/// A word wherever it is looked at from: with its space's table.
#[derive(Clone)]
pub struct Home {
    /// Which word.
    pub key: Key,
    table: Option<Arc<Table>>,
}

impl Table {
    fn new() -> Result<Arc<Self>, Errno> {
        let mut lines = Vec::new();
        lines.try_room_exact(OF_SPACE).map_err(|_| Errno::ENOMEM)?;
        lines.resize_with(OF_SPACE, Line::new);
        Ok(Arc::new(Self(lines.into_boxed_slice())))
    }
}

impl Word {
    /// The word at an address of the running program. `is_private`: only threads of this memory are concerned.
    pub fn at(cx: &mut TaskContext, address: UserAddress, is_private: bool) -> Result<Self, Errno> {
        if !address.as_u64().is_multiple_of(WORD_BYTES) {
            return Err(Errno::EINVAL);
        }
        if address.as_u64() > USER_END {
            return Err(Errno::EFAULT);
        }
        let space = if is_private { None } else { current_space(cx) };
        let shared = space.map_or(Ok(None), |space| space.shared_source(cx, address)).map_err(errno)?;
        Ok(match shared {
            Some((contents, offset)) => Self { key: Key { memory: contents.identity(), offset }, _contents: Some(contents) },
            None => Self { key: Key { memory: 0, offset: address.as_u64() }, _contents: None },
        })
    }
}

impl Key {
    /// The place of the bucket that waiters for the word are in.
    pub fn place(self) -> usize {
        let mixed = (self.memory as u64 ^ self.offset.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = usize::try_from(mixed >> 48).unwrap_or(0);
        if self.memory == 0 { (mixed % OF_SPACE) << 1 } else { (mixed % OF_ALL) << 1 | COMMON }
    }
}

impl Home {
    /// A word of the running program.
    pub fn of(cx: &TaskContext, key: Key) -> Result<Self, Errno> {
        let table = if key.memory == 0 { Some(own_table(cx)?) } else { None };
        Ok(Self { key, table })
    }

    /// Its bucket.
    pub fn line(&self) -> Option<&Line> {
        self.line_at(self.key.place())
    }

    /// A bucket at a place that its waiters may be in.
    pub fn line_at(&self, place: usize) -> Option<&Line> {
        if place & COMMON != 0 { SHARED.get(place >> 1) } else { self.table.as_ref()?.0.get(place >> 1) }
    }
}

/// The bucket at a place, as the running thread sees it: `None` where nobody of its space has waited yet.
pub fn line_at(cx: &TaskContext, place: usize) -> Option<&Line> {
    if place & COMMON != 0 {
        return SHARED.get(place >> 1);
    }
    let table = borrowed_space(cx)?.attachment()?.downcast_ref::<Table>()?;
    table.0.get(place >> 1)
}

/// The same for who is going to wait there.
pub fn line_to_wait(cx: &TaskContext, place: usize) -> Result<&Line, Errno> {
    if let Some(line) = line_at(cx, place) {
        return Ok(line);
    }
    own_table(cx)?;
    line_at(cx, place).ok_or(Errno::EFAULT)
}

fn own_table(cx: &TaskContext) -> Result<Arc<Table>, Errno> {
    let space: &AddressSpace = borrowed_space(cx).ok_or(Errno::EFAULT)?;
    let attached: &Arc<dyn Any + Send + Sync> = match space.attachment() {
        Some(attached) => attached,
        None => space.attach(Table::new()?),
    };
    attached.clone().downcast::<Table>().map_err(|_| Errno::EFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_shared_words_never_fall_into_the_same_table() {
        for offset in (0..4096).step_by(4) {
            assert_eq!(Key { memory: 0, offset }.place() & COMMON, 0);
            assert_eq!(Key { memory: 64, offset }.place() & COMMON, COMMON);
            assert!(Key { memory: 0, offset }.place() >> 1 < OF_SPACE);
        }
    }

    #[test]
    fn neighbouring_words_spread_over_the_buckets() {
        let places: alloc::collections::BTreeSet<_> =
            (0..64).map(|word| Key { memory: 0, offset: 0x7f00_0000 + word * 64 }.place()).collect();
        assert!(places.len() > OF_SPACE / 3, "{}", places.len());
    }
}
