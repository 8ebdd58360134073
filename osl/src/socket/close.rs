//! close and shutdown: the end of a conversation, and how the other side hears of it.
//!
//! Invariant: a closed socket has no peer, no queue and no name, and gets none again.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::{PreemptOff, TaskContext};

use super::message::Queued;
use super::send_packet::wake_wanting;
use super::socket::{Phase, Shut, Socket};
use super::{names, registry};

/// The last opening of a socket is gone.
pub fn close(socket: &Arc<Socket>) {
    close_one(socket, false);
}

fn close_one(socket: &Arc<Socket>, nobody_accepted: bool) {
    let mut state = socket.state.lock_without_context();
    state.is_closed = true;
    state.shut = Shut::all();
    state.phase = Phase::Fresh;
    let queue: Vec<Queued> = core::mem::take(&mut state.queue).into();
    state.unread = 0;
    let pending = core::mem::take(&mut state.pending);
    let (peer, address) = (state.peer.take(), state.address.clone());
    let wanting = core::mem::take(&mut state.wanting);
    drop(state);
    if let Some(address) = address {
        names::take_back(&address.key, socket);
    }
    registry::remove(socket);
    let off = PreemptOff::new();
    if let Some(peer) = peer.as_ref().filter(|_| socket.sort().is_connected()) {
        let mut others = peer.state.lock_without_context();
        others.shut = Shut::all();
        if !queue.is_empty() || nobody_accepted {
            others.error = Some(Errno::ECONNRESET);
        }
        drop(others);
        peer.changed(&off);
    }
    socket.changed(&off);
    drop(off);
    wake_wanting(wanting);
    // It may be the last reference to it, and so to much else.
    drop(peer);
    for connection in pending {
        close_one(&connection, true);
    }
    drop(queue);
}

/// A connection that came to nothing: its client keeps no trace of it.
pub(super) fn discard(cx: &TaskContext, fresh: &Arc<Socket>) {
    let peer = fresh.state.lock(cx).peer.take();
    drop(peer);
    close(fresh);
}

/// Ends one direction, or both.
pub fn shutdown(cx: &mut TaskContext, socket: &Arc<Socket>, how: i32) -> Result<(), Errno> {
    let shut = match how {
        0 => Shut::RECEIVE,
        1 => Shut::SEND,
        2 => Shut::all(),
        _ => return Err(Errno::EINVAL),
    };
    let mut state = socket.state.lock(cx);
    state.shut |= shut;
    let peer = state.peer.clone().filter(|_| socket.sort().is_connected());
    drop(state);
    if let Some(peer) = peer {
        let mut others = peer.state.lock(cx);
        others.shut |= shut.of_peer();
        drop(others);
        peer.changed(cx);
    }
    let wanting = core::mem::take(&mut socket.state.lock(cx).wanting);
    socket.changed(cx);
    wake_wanting(wanting);
    Ok(())
}
