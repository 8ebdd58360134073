//! getdents and getdents64: the names in a directory.
//!
//! Invariant: an entry is given whole or not at all; the position after the last one given is where the next call goes on.

use alloc::vec::Vec;

use abi::Errno;
use libkernel::address_space::UserAddress;
use libkernel::address_space::user::{self, UserSlice};

use super::Caller;
use crate::error::errno;
use crate::fs::Kind;
use crate::fs::node::Entry;

/// The most bytes gathered for one call.
const LIMIT: usize = 32768;

/// How entries are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// `struct linux_dirent`: the type is the last byte.
    Old,
    /// `struct linux_dirent64`: the type stands before the name.
    New,
}

pub fn getdents(caller: &mut Caller<'_>, fd: i32, buffer: UserSlice) -> Result<usize, Errno> {
    list(caller, fd, buffer, Layout::Old)
}

pub fn getdents64(caller: &mut Caller<'_>, fd: i32, buffer: UserSlice) -> Result<usize, Errno> {
    list(caller, fd, buffer, Layout::New)
}

fn list(caller: &mut Caller<'_>, fd: i32, buffer: UserSlice, layout: Layout) -> Result<usize, Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    if open.kind() != Some(Kind::Directory) {
        return Err(Errno::ENOTDIR);
    }
    let room = buffer.length().min(LIMIT);
    let address: UserAddress = buffer.address();
    let file = open.file().clone();
    open.reposition(caller.cx, |cx, position| {
        let mut gathered = Vec::new();
        let mut next = position;
        let mut is_full = false;
        file.list(cx, position, &mut |entry| {
            is_full = !append(&mut gathered, room, entry, layout);
            if !is_full {
                next = entry.next;
            }
            !is_full
        })?;
        if gathered.is_empty() && is_full {
            return Err(Errno::EINVAL);
        }
        user::copy_out(cx, address, &gathered).map_err(errno)?;
        Ok((next, gathered.len()))
    })
}

/// Adds an entry if it fits into `room` bytes.
fn append(gathered: &mut Vec<u8>, room: usize, entry: Entry<'_>, layout: Layout) -> bool {
    let head = if layout == Layout::New { 19 } else { 18 };
    let tail = if layout == Layout::New { 1 } else { 2 };
    let length = (head + entry.name.len() + tail).next_multiple_of(8);
    let Ok(record_length) = u16::try_from(length) else { return false };
    if gathered.len() + length > room {
        return false;
    }
    let end = gathered.len() + length;
    gathered.extend_from_slice(&entry.number.to_ne_bytes());
    gathered.extend_from_slice(&entry.next.to_ne_bytes());
    gathered.extend_from_slice(&record_length.to_ne_bytes());
    if layout == Layout::New {
        gathered.push(entry.kind.entry_type());
    }
    gathered.extend_from_slice(entry.name);
    gathered.resize(end, 0);
    if let Some(last) = gathered.last_mut().filter(|_| layout == Layout::Old) {
        *last = entry.kind.entry_type();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: Entry<'static> = Entry { name: b"hello", number: 7, kind: Kind::Directory, next: 9 };

    #[test]
    fn a_new_entry_has_its_type_before_the_name_and_ends_at_a_multiple_of_eight() {
        let mut bytes = Vec::new();
        assert!(append(&mut bytes, 100, ENTRY, Layout::New));
        assert_eq!(bytes.len(), 32);
        assert_eq!((bytes[16], bytes[18], &bytes[19..25]), (32, 4, b"hello\0".as_slice()));
    }

    #[test]
    fn an_old_entry_has_its_type_in_the_last_byte() {
        let mut bytes = Vec::new();
        assert!(append(&mut bytes, 100, ENTRY, Layout::Old));
        assert_eq!((&bytes[18..24], bytes[31]), (b"hello\0".as_slice(), 4));
    }

    #[test]
    fn an_entry_that_does_not_fit_is_left_out_whole() {
        let mut bytes = Vec::new();
        assert!(!append(&mut bytes, 31, ENTRY, Layout::New) && bytes.is_empty());
    }
}
