//! Bytes to and from any space, whether a CPU uses it or not.
//!
//! Invariant: bytes move under the space's lock, through the pages themselves, with the rights that the program has.

use super::address::{PAGE, UserAddress, page_of};
use super::backing::{Contents, PageSource};
use super::shootdown::FlushBatch;
use super::space::{AddressSpace, Parts};
use super::{Access, Fault};
use crate::error::KernelError;
use crate::memory::Page;
use alloc::sync::Arc;
use sync::TaskContext;

/// Shared contents, and a place in them.
type SharedPlace = (Arc<dyn PageSource>, u64);

impl AddressSpace {
    /// Reads all of `into`, or fails (what was read by then is in it).
    pub fn read(&self, cx: &mut TaskContext, at: UserAddress, into: &mut [u8]) -> Result<(), KernelError> {
        check(at, into.len())?;
        self.edit(cx, |parts, batch, cx| {
            let mut done = 0;
            while done < into.len() {
                let (page, offset, length) = parts.reach(at, done, into.len(), Access::Read, batch, cx)?;
                page.read(offset, &mut into[done..done + length]);
                done += length;
            }
            Ok(())
        })
    }

    /// Writes all of `bytes`, or fails (what was written by then stays).
    pub fn write(&self, cx: &mut TaskContext, at: UserAddress, bytes: &[u8]) -> Result<(), KernelError> {
        check(at, bytes.len())?;
        self.edit(cx, |parts, batch, cx| {
            let mut done = 0;
            while done < bytes.len() {
                let (page, offset, length) = parts.reach(at, done, bytes.len(), Access::Write, batch, cx)?;
                page.write(offset, &bytes[done..done + length]);
                done += length;
            }
            Ok(())
        })
    }

    /// Does now what touching the page would do.
    pub fn bring_in(&self, cx: &mut TaskContext, at: UserAddress, write: bool) -> Result<(), KernelError> {
        let access = if write { Access::Write } else { Access::Read };
        self.edit(cx, |parts, batch, cx| parts.make_usable(at.as_u64(), access, batch, cx)).map_err(error_of)
    }

    /// What the byte at `at` is of a shared source: which, and where in it. `None` for what is private, `BadAddress` where a program
    /// can read nothing. Whoever keeps the source keeps its identity from being another's.
    pub fn shared_source(&self, cx: &mut TaskContext, at: UserAddress) -> Result<Option<SharedPlace>, KernelError> {
        self.edit(cx, |parts, _, _| {
            let region = parts.regions.find(at.as_u64()).ok_or(KernelError::BadAddress)?;
            if !region.protection.read {
                return Err(KernelError::BadAddress);
            }
            let Contents::Source { source, first_page, shared: true } = &region.contents else { return Ok(None) };
            Ok(Some((Arc::clone(source), first_page * PAGE + (at.as_u64() - region.start))))
        })
    }
}

fn check(at: UserAddress, length: usize) -> Result<(), KernelError> {
    if at.holds(length as u64) { Ok(()) } else { Err(KernelError::BadAddress) }
}

impl Parts {
    fn make_usable(&mut self, address: u64, access: Access, batch: &mut FlushBatch<'_>, cx: &mut TaskContext) -> Result<(), Fault> {
        if self.is_granted(page_of(address), access) { Ok(()) } else { self.fault(address, access, batch, cx) }
    }

    /// The page of byte `done` of `whole` bytes at `at`, where in the page that is, and how many bytes are in it.
    fn reach(
        &mut self,
        at: UserAddress,
        done: usize,
        whole: usize,
        access: Access,
        batch: &mut FlushBatch<'_>,
        cx: &mut TaskContext,
    ) -> Result<(Page, usize, usize), KernelError> {
        let address = at.as_u64() + done as u64;
        self.make_usable(address, access, batch, cx).map_err(error_of)?;
        let Some(place) = self.table.place(page_of(address)) else { return Err(KernelError::BadAddress) };
        let offset = (address % PAGE) as usize;
        Ok((place.share(), offset, (PAGE as usize - offset).min(whole - done)))
    }
}

const fn error_of(fault: Fault) -> KernelError {
    match fault {
        Fault::NoMemory => KernelError::NoMemory,
        Fault::NotMapped | Fault::Protected | Fault::NoContents => KernelError::BadAddress,
    }
}
