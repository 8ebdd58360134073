//! bind: a socket gets its name.
//!
//! Invariant: a socket has one name for life; a file that was made for a name that it then did not get is gone again.

use alloc::format;
use alloc::sync::Arc;

use abi::Errno;
use abi::file::mode;
use sync::{Published, TaskContext};

use super::address::{Address, Name};
use super::names::{self, Key};
use super::socket::Socket;
use crate::fs::node::New;
use crate::fs::{Kind, View, change};

/// Numbers that have been tried as names.
static NEXT_NAME: Published<u64> = Published::<u64>::new(1);
/// Names that the kernel gives have five digits.
const GIVEN_NAMES: u64 = 1 << 20;

/// Gives a socket the name that its program chose. `mode` is the file's.
pub fn bind(cx: &mut TaskContext, socket: &Arc<Socket>, view: &View, name: Name, mode: u32) -> Result<(), Errno> {
    match &name {
        Name::Abstract(bytes) => {
            if socket.address(cx).is_some() {
                return Err(Errno::EINVAL);
            }
            let key = Key::Abstract(socket.sort(), bytes.clone());
            names::give(cx, &key, socket)?;
            settle(cx, socket, Address { name, key, _node: None })
        }
        Name::Path(path) => {
            let new = New { kind: Kind::Socket, mode: mode & mode::PERMISSIONS, user: 0, group: 0, device: 0, target: &[] };
            let in_use = |error| if error == Errno::EEXIST { Errno::EADDRINUSE } else { error };
            let node = change::make_node(cx, view, path, new).map_err(in_use)?;
            let key = Key::File(node.identity());
            let path = path.clone();
            let bound = names::give(cx, &key, socket).and_then(|()| settle(cx, socket, Address { name, key, _node: Some(node) }));
            if bound.is_err() {
                let _gone_meanwhile = change::remove(cx, view, &path, false);
            }
            bound
        }
    }
}

fn settle(cx: &mut TaskContext, socket: &Arc<Socket>, address: Address) -> Result<(), Errno> {
    let mut state = socket.state.lock(cx);
    if state.address.is_none() {
        state.address = Some(Arc::new(address));
        return Ok(());
    }
    drop(state);
    names::take_back(&address.key, socket);
    Err(Errno::EINVAL)
}

/// Gives a socket some abstract name, unless it has one.
pub fn bind_to_any(cx: &mut TaskContext, socket: &Arc<Socket>) -> Result<(), Errno> {
    for _ in 0..GIVEN_NAMES {
        if socket.address(cx).is_some() {
            return Ok(());
        }
        let name = format!("{:05x}", NEXT_NAME.fetch_add(1) % GIVEN_NAMES).into_bytes();
        let key = Key::Abstract(socket.sort(), name.clone());
        if names::give(cx, &key, socket).is_ok() {
            return match settle(cx, socket, Address { name: Name::Abstract(name), key, _node: None }) {
                Err(_named_meanwhile) => Ok(()),
                settled => settled,
            };
        }
    }
    Err(Errno::ENOSPC)
}
