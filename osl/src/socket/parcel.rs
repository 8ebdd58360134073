//! Parcel: the open files that come with a message.
//!
//! Invariant: what a user has in parcels is counted from the packing until the parcel is opened or lost.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::census::{Census, Counted};
use sync::{SpinLock, TaskContext, order};

use crate::file::OpenFile;
use crate::file::in_flight::InFlight;

/// How many files each user has in parcels; only messages with files in them take the lock.
static USERS: SpinLock<BTreeMap<u32, u64>, order::Parcels> = SpinLock::new(BTreeMap::new());
/// Messages with files in them.
pub static LIVING: Census = Census::new("parcels");

/// The open files in one message.
pub struct Parcel {
    files: Vec<InFlight>,
    user: u32,
    _counted: Counted,
}

impl Parcel {
    /// Packs files for a message of this user's, who may have `most` of them on their way.
    pub fn pack(cx: &TaskContext, files: Vec<Arc<OpenFile>>, user: u32, most: u64) -> Result<Box<Self>, Errno> {
        let mut users = USERS.lock(cx);
        let count = users.entry(user).or_insert(0);
        if *count > most {
            return Err(Errno::ETOOMANYREFS);
        }
        *count += files.len() as u64;
        drop(users);
        Ok(Box::new(Self { files: files.into_iter().map(InFlight::new).collect(), user, _counted: LIVING.count() }))
    }

    /// What is in it.
    pub fn files(&self) -> &[InFlight] {
        &self.files
    }

    /// One more reference to each.
    pub fn share(&self) -> Vec<Arc<OpenFile>> {
        self.files.iter().filter_map(InFlight::share).collect()
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        let mut users = USERS.lock_without_context();
        if let Some(count) = users.get_mut(&self.user) {
            *count = count.saturating_sub(self.files.len() as u64);
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}
