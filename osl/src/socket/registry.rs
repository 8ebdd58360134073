//! All sockets there are, for `/proc/net/unix`.
//!
//! Invariant: making or closing a socket takes one of many locks, chosen by its number.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use sync::{Published, SpinLock, TaskContext, order};

use super::socket::Socket;

const SHELVES: usize = 32;

type Shelf = SpinLock<BTreeMap<u64, Weak<Socket>>, order::SocketNames>;

static ALL: [Shelf; SHELVES] = [const { SpinLock::new(BTreeMap::new()) }; SHELVES];
static NEXT_NUMBER: Published<u64> = Published::<u64>::new(1);

/// A number that no other socket has.
pub fn new_number() -> u64 {
    NEXT_NUMBER.fetch_add(1)
}

fn shelf(number: u64) -> Option<&'static Shelf> {
    ALL.get(usize::try_from(number % SHELVES as u64).ok()?)
}

/// One more.
pub fn add(socket: &Arc<Socket>) {
    if let Some(shelf) = shelf(socket.number()) {
        shelf.lock_without_context().insert(socket.number(), Arc::downgrade(socket));
    }
}

/// One less.
pub fn remove(socket: &Socket) {
    if let Some(shelf) = shelf(socket.number()) {
        let gone = shelf.lock_without_context().remove(&socket.number());
        drop(gone);
    }
}

/// Those that live now, in the order of their numbers.
pub fn all(cx: &TaskContext) -> Vec<Arc<Socket>> {
    let mut all: Vec<Arc<Socket>> = Vec::new();
    for shelf in &ALL {
        let shelf = shelf.lock(cx);
        all.extend(shelf.values().filter_map(Weak::upgrade));
    }
    all.sort_unstable_by_key(|socket| socket.number());
    all
}
