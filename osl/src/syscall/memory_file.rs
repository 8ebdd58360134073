//! memfd_create, and the seals of files in memory.
//!
//! Invariant: nobody but its maker knows a new file until the call has answered.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::{F_SEAL_EXEC, F_SEAL_SEAL, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC, MFD_HUGETLB, MFD_NOEXEC_SEAL, O_RDWR};
use libkernel::address_space::{UserAddress, user};

use super::{Caller, file};
use crate::error::errno;
use crate::file::OpenFile;
use crate::file::regular::RegularFile;
use crate::fs::{Found, Location, Node, tmpfs};

/// With the zero at its end; Linux puts `memfd:` before it and stays below 255.
const LONGEST_NAME: usize = 250;

/// man 2 memfd_create.
pub fn memfd_create(caller: &mut Caller<'_>, name: u64, flags: u32) -> Result<i32, Errno> {
    let known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
    if flags & MFD_HUGETLB != 0 {
        // As a Linux that has no such file system.
        return Err(Errno::ENOSYS);
    }
    if flags & !known != 0 || flags & (MFD_EXEC | MFD_NOEXEC_SEAL) == MFD_EXEC | MFD_NOEXEC_SEAL {
        return Err(Errno::EINVAL);
    }
    let name = user::copy_in_string(caller.cx, UserAddress::new(name), LONGEST_NAME).map_err(|error| match errno(error) {
        Errno::EFAULT => Errno::EFAULT,
        Errno::ENOMEM => Errno::ENOMEM,
        _ => Errno::EINVAL,
    })?;
    let (mode, seals) = match flags {
        _ if flags & MFD_NOEXEC_SEAL != 0 => (0o666, F_SEAL_EXEC),
        _ if flags & MFD_ALLOW_SEALING != 0 => (0o777, 0),
        _ => (0o777, F_SEAL_SEAL),
    };
    let credentials = caller.credentials();
    let node = tmpfs::nameless(caller.cx, mode, credentials.fsuid, credentials.fsgid, seals);
    let found = found_as(caller, node.clone(), &name);
    let open = OpenFile::new(Arc::new(RegularFile::new(node)), O_RDWR, Some(found), credentials);
    file::install(caller, open, flags & MFD_CLOEXEC != 0)
}

/// As if it had had this name in the root directory, and lost it: so it is shown in `/proc`, and so it can be run.
fn found_as(caller: &Caller<'_>, node: Arc<dyn Node>, name: &[u8]) -> Found {
    let root = caller.file_system().root(caller.cx);
    let name = [b"memfd:", name].concat();
    Found { location: Location { mount: root.mount.clone(), node }, entry: Some((root, name.into())) }
}

/// `F_ADD_SEALS`.
pub fn add_seals(caller: &mut Caller<'_>, open: &OpenFile, seals: u32) -> Result<u64, Errno> {
    open.check_write().map_err(|_| Errno::EPERM)?;
    let node = open.file().node().ok_or(Errno::EINVAL)?;
    node.add_seals(caller.cx, seals).map(|()| 0)
}

/// `F_GET_SEALS`.
pub fn seals(open: &OpenFile) -> Result<u64, Errno> {
    let node = open.file().node().ok_or(Errno::EINVAL)?;
    node.seals().map(|seals| u64::from(seals.get())).ok_or(Errno::EINVAL)
}
