//! Bytes to and from any space, whether a CPU uses it or not.
//!
//! Invariant: the bytes of a page move while the space is shared, so nothing in it is taken away meanwhile; through the
//! pages themselves, with the rights that the program has.

use super::address::{PAGE, UserAddress, page_of};
use super::backing::{Contents, PageSource};
use super::fault::Unsettled;
use super::space::{AddressSpace, Parts};
use super::{Access, Fault};
use crate::error::KernelError;
use crate::memory::{Page, Translation};
use alloc::sync::Arc;
use core::ops::Range;
use sync::TaskContext;

/// Shared contents, and a place in them.
type SharedPlace = (Arc<dyn PageSource>, u64);

impl AddressSpace {
    /// Reads all of `into`, or fails (what was read by then is in it).
    pub fn read(&self, cx: &mut TaskContext, at: UserAddress, into: &mut [u8]) -> Result<(), KernelError> {
        check(at, into.len())?;
        self.each_piece(cx, at, into.len(), Access::Read, |page, offset, piece| page.read(offset, &mut into[piece]))
    }

    /// Writes all of `bytes`, or fails (what was written by then stays).
    pub fn write(&self, cx: &mut TaskContext, at: UserAddress, bytes: &[u8]) -> Result<(), KernelError> {
        check(at, bytes.len())?;
        self.each_piece(cx, at, bytes.len(), Access::Write, |page, offset, piece| page.write(offset, &bytes[piece]))
    }

    /// Calls `work` with each page of the `whole` bytes at `at`, where in the page they are, and which of the bytes that is.
    fn each_piece(
        &self,
        cx: &mut TaskContext,
        at: UserAddress,
        whole: usize,
        access: Access,
        mut work: impl FnMut(&Page, usize, Range<usize>),
    ) -> Result<(), KernelError> {
        let mut done = 0;
        while done < whole {
            let address = at.as_u64() + done as u64;
            let offset = (address % PAGE) as usize;
            let length = (PAGE as usize - offset).min(whole - done);
            let moved = self.settle(cx, address, |parts, cx| {
                let page = parts.reach(address, access, &self.translation, cx)?;
                work(&page, offset, done..done + length);
                Ok(())
            });
            moved.map_err(error_of)?;
            done += length;
        }
        Ok(())
    }

    /// Does now what touching the page would do.
    pub fn bring_in(&self, cx: &mut TaskContext, at: UserAddress, write: bool) -> Result<(), KernelError> {
        let access = if write { Access::Write } else { Access::Read };
        self.settle(cx, at.as_u64(), |parts, cx| parts.reach(at.as_u64(), access, &self.translation, cx).map(drop)).map_err(error_of)
    }

    /// What the byte at `at` is of a shared source: which, and where in it. `None` for what is private, `BadAddress` where a program
    /// can read nothing, or only zeroes. Whoever keeps the source keeps its identity from being another's.
    pub fn shared_source(&self, cx: &mut TaskContext, at: UserAddress) -> Result<Option<SharedPlace>, KernelError> {
        self.look(cx, |parts, _| {
            let region = parts.regions.find(at.as_u64()).ok_or(KernelError::BadAddress)?;
            if !region.protection.read {
                return Err(KernelError::BadAddress);
            }
            if let (Contents::Anonymous, false) = (&region.contents, region.protection.write) {
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
    /// The page that `address` is in, usable for `access`.
    fn reach(&self, address: u64, access: Access, translation: &Translation, cx: &mut TaskContext) -> Result<Page, Unsettled> {
        loop {
            if let Some(page) = self.granted(page_of(address), access, cx) {
                return Ok(page);
            }
            self.fault(address, access, translation, cx)?;
        }
    }
}

const fn error_of(fault: Fault) -> KernelError {
    match fault {
        Fault::NoMemory => KernelError::NoMemory,
        Fault::NotMapped | Fault::Protected | Fault::NoContents => KernelError::BadAddress,
    }
}
