//! connect: two sockets find each other.
//!
//! Invariant: both ends of a stream become connected in one step, under both locks.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::{TaskContext, lock_pair};

use super::address::Name;
use super::message::Queued;
use super::send_packet::wake_wanting;
use super::settings::deadline;
use super::socket::{Phase, Shut, Socket, Sort};
use super::{bind, close, names, receive};
use crate::fs::View;

/// Connects to the socket of that name; waits for a place in its list.
pub fn connect(cx: &mut TaskContext, socket: &Arc<Socket>, view: &View, name: &Name, nonblocking: bool) -> Result<(), Errno> {
    if socket.settings.passes_credentials.is_set() {
        bind::bind_to_any(cx, socket)?;
    }
    if socket.sort() == Sort::Datagram {
        return connect_datagram(cx, socket, view, name);
    }
    let until = deadline(&socket.settings.send_timeout);
    loop {
        let listener = names::find(cx, view, name, socket.sort())?;
        let fresh = Socket::accepted_from(cx, &listener, socket);
        let attempt = match attempt(cx, socket, &listener, &fresh) {
            None if nonblocking => Some(Err(Errno::EAGAIN)),
            None => {
                let waited = listener.writable.wait_until_or(cx, until, true, |cx| attempt(cx, socket, &listener, &fresh));
                Some(waited.unwrap_or_else(|error| Err(receive::interrupted(error, until))))
            }
            done => done,
        };
        match attempt {
            Some(Ok(())) => {
                listener.one_arrived(cx);
                socket.has_room(cx);
                return Ok(());
            }
            Some(Err(error)) => {
                close::discard(cx, &fresh);
                // It was closed between its finding and now: perhaps another has the name already.
                if error != Errno::ESTALE {
                    return Err(error);
                }
            }
            None => {}
        }
    }
}

/// One look at both: nothing while the list is full, `ESTALE` when the listener is gone.
fn attempt(cx: &TaskContext, socket: &Arc<Socket>, listener: &Arc<Socket>, fresh: &Arc<Socket>) -> Option<Result<(), Errno>> {
    if Arc::ptr_eq(socket, listener) {
        let is_listening = socket.state.lock(cx).phase == Phase::Listening;
        return Some(Err(if is_listening { Errno::EINVAL } else { Errno::ECONNREFUSED }));
    }
    let (mut own, mut others) = lock_pair(&socket.state, &listener.state, cx);
    if others.is_closed {
        return Some(Err(Errno::ESTALE));
    }
    if others.phase != Phase::Listening || others.shut.contains(Shut::RECEIVE) {
        return Some(Err(Errno::ECONNREFUSED));
    }
    if others.pending.len() > others.backlog {
        return None;
    }
    match own.phase {
        Phase::Fresh => {}
        Phase::Connected => return Some(Err(Errno::EISCONN)),
        Phase::Listening => return Some(Err(Errno::EINVAL)),
    }
    own.phase = Phase::Connected;
    own.peer = Some(fresh.clone());
    own.peer_credentials = others.peer_credentials;
    others.pending.push_back(fresh.clone());
    Some(Ok(()))
}

fn connect_datagram(cx: &mut TaskContext, socket: &Arc<Socket>, view: &View, name: &Name) -> Result<(), Errno> {
    let peer = names::find(cx, view, name, Sort::Datagram)?;
    let state = peer.state.lock(cx);
    let is_taken = state.peer.is_some() && !state.is_peer(socket);
    drop(state);
    if is_taken {
        return Err(Errno::EPERM);
    }
    replace_peer(cx, socket, Some(peer));
    Ok(())
}

/// Ends a datagram socket's connection (`AF_UNSPEC`).
pub fn disconnect(cx: &mut TaskContext, socket: &Arc<Socket>) {
    replace_peer(cx, socket, None);
}

fn replace_peer(cx: &mut TaskContext, socket: &Arc<Socket>, peer: Option<Arc<Socket>>) {
    let mut state = socket.state.lock(cx);
    state.phase = if peer.is_some() { Phase::Connected } else { Phase::Fresh };
    let is_same = match (&state.peer, &peer) {
        (Some(before), Some(now)) => Arc::ptr_eq(before, now),
        (None, _) => true,
        _ => false,
    };
    let before = core::mem::replace(&mut state.peer, peer);
    let queue: Vec<Queued> = if is_same { Vec::new() } else { state.queue.drain(..).collect() };
    state.unread = if is_same { state.unread } else { 0 };
    let wanting = if is_same { Vec::new() } else { core::mem::take(&mut state.wanting) };
    drop(state);
    socket.has_room(cx);
    wake_wanting(wanting);
    let Some(before) = before.filter(|_| !is_same) else { return };
    // What the former peer had sent is lost; if it still talks to this socket only, it hears of that.
    let mut others = before.state.lock(cx);
    if !queue.is_empty() && !others.is_closed && others.is_peer(socket) {
        others.error = Some(Errno::ECONNRESET);
    }
    drop(others);
    before.changed(cx);
    drop(queue);
}
