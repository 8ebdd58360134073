//! Which socket has which name.
//!
//! Invariant: a name belongs to one socket of a sort at a time, from its binding until it is closed.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use abi::Errno;
use sync::{SpinLock, TaskContext, order};

use super::address::Name;
use super::socket::{Socket, Sort};
use crate::fs::lookup::{self, Last};
use crate::fs::node::Identity;
use crate::fs::{Kind, View, permission};

const SHELVES: usize = 32;

/// What a socket is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The file that was made for it.
    File(Identity),
    /// A name of its own; each sort of sockets has its own names.
    Abstract(Sort, Vec<u8>),
}

type Shelf = SpinLock<BTreeMap<Key, Weak<Socket>>, order::SocketNames>;

static BOUND: [Shelf; SHELVES] = [const { SpinLock::new(BTreeMap::new()) }; SHELVES];

fn shelf(key: &Key) -> &'static Shelf {
    let mixed = match key {
        Key::File(identity) => identity.number,
        Key::Abstract(_, name) => name.iter().fold(0, |mixed: u64, byte| mixed.wrapping_mul(31).wrapping_add(u64::from(*byte))),
    };
    let [first, ..] = &BOUND;
    usize::try_from(mixed % SHELVES as u64).ok().and_then(|place| BOUND.get(place)).unwrap_or(first)
}

/// Gives a name to a socket, if no other has it.
pub fn give(cx: &TaskContext, key: &Key, socket: &Arc<Socket>) -> Result<(), Errno> {
    let mut shelf = shelf(key).lock(cx);
    if shelf.get(key).is_some_and(|holder| holder.strong_count() > 0) {
        return Err(Errno::EADDRINUSE);
    }
    shelf.insert(key.clone(), Arc::downgrade(socket));
    Ok(())
}

/// Takes a name back from its socket; connections to that are called the same, but do not have it.
pub fn take_back(key: &Key, socket: &Arc<Socket>) {
    let mut shelf = shelf(key).lock_without_context();
    if shelf.get(key).is_some_and(|holder| core::ptr::eq(holder.as_ptr(), Arc::as_ptr(socket))) {
        shelf.remove(key);
    }
}

fn holder(cx: &TaskContext, key: &Key) -> Option<Arc<Socket>> {
    shelf(key).lock(cx).get(key)?.upgrade()
}

/// The socket that a program means by a name, if it may send to it.
pub fn find(cx: &mut TaskContext, view: &View, name: &Name, sort: Sort) -> Result<Arc<Socket>, Errno> {
    let key = match name {
        Name::Abstract(name) => Key::Abstract(sort, name.clone()),
        Name::Path(path) => {
            let found = lookup::find(cx, view, path, Last::Follow)?;
            view.check(cx, &found.location, permission::WRITE)?;
            if found.location.node.kind() != Kind::Socket {
                return Err(Errno::ECONNREFUSED);
            }
            Key::File(found.location.node.identity())
        }
    };
    let socket = holder(cx, &key).ok_or(Errno::ECONNREFUSED)?;
    if socket.sort() == sort { Ok(socket) } else { Err(Errno::EPROTOTYPE) }
}
