//! Sending messages that stay whole: datagrams and sequenced packets.
//!
//! Invariant: a sender that finds a queue full is written down in it under its lock, so that whoever shortens the queue wakes it.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use libkernel::wait::Deadline;
use sync::{PreemptOff, TaskContext};

use super::address::Name;
use super::message::{Message, Queued, gather};
use super::parcel::Parcel;
use super::send::{Sending, credentials, reserve};
use super::settings::deadline;
use super::socket::{Phase, Shut, Socket, Sort, State};
use super::{bind, names, receive};
use crate::fs::View;
use crate::fs::buffer::Source;

/// A socket takes no more datagrams of strangers when it has more than this (`net.unix.max_dgram_qlen`).
pub const LONGEST_QUEUE: usize = 10;
/// What the kernel keeps of a sender's limit for itself.
const RESERVED: u64 = 32;

/// Sends one message to the peer, or to whoever has the name.
pub fn send_to(
    cx: &mut TaskContext,
    socket: &Arc<Socket>,
    from: &mut dyn Source,
    mut sending: Sending,
    to: Option<(&View, Name)>,
) -> Result<usize, Errno> {
    if to.is_none() && socket.sort() == Sort::Packet {
        check_packet(cx, socket)?;
    }
    if to.is_none() && socket.peer(cx).is_none() {
        return Err(Errno::ENOTCONN);
    }
    if socket.sort() == Sort::Datagram && socket.settings.passes_credentials.is_set() {
        bind::bind_to_any(cx, socket)?;
    }
    let total = from.remaining();
    if total as u64 > socket.settings.send_limit.load().saturating_sub(RESERVED) {
        return Err(Errno::EMSGSIZE);
    }
    let until = deadline(&socket.settings.send_timeout);
    let charge = reserve(cx, socket, total, sending.nonblocking, until)?;
    let bytes = gather(cx, from, total)?;
    let mut parcel = sending.parcel.take();
    let mut letter = Some((bytes, charge));
    loop {
        let receiver = match &to {
            Some((view, name)) => names::find(cx, view, name, socket.sort())?,
            None => socket.peer(cx).ok_or(Errno::ECONNRESET)?,
        };
        let credentials = credentials(cx, &sending, socket, &receiver);
        let Some((bytes, charge)) = letter.take() else { return Ok(total) };
        let message = Arc::new(Message { bytes, credentials, charge });
        match deliver(cx, socket, &receiver, (&message, &mut parcel), sending.nonblocking, until) {
            Ok(()) => return Ok(total),
            Err(Errno::ESTALE) if to.is_some() => letter = Arc::into_inner(message).map(|message| (message.bytes, message.charge)),
            Err(Errno::ESTALE) => return Err(forget_peer(cx, socket, &receiver)),
            Err(error) => return Err(error),
        }
    }
}

fn check_packet(cx: &TaskContext, socket: &Socket) -> Result<(), Errno> {
    let mut state = socket.state.lock(cx);
    match state.error.take() {
        Some(error) => Err(error),
        None if state.phase != Phase::Connected => Err(Errno::ENOTCONN),
        None => Ok(()),
    }
}

fn deliver(
    cx: &mut TaskContext,
    socket: &Arc<Socket>,
    receiver: &Arc<Socket>,
    (message, parcel): (&Arc<Message>, &mut Option<Box<Parcel>>),
    nonblocking: bool,
    until: Deadline,
) -> Result<(), Errno> {
    let mut offer = |cx: &TaskContext| put(&mut receiver.state.lock(cx), socket, receiver, message, parcel);
    let put = match offer(cx) {
        Some(put) => put,
        None if nonblocking => Err(Errno::EAGAIN),
        None => {
            let waited = socket.writable.wait_until_or(cx, until, true, |cx| offer(cx));
            waited.unwrap_or_else(|error| Err(receive::interrupted(error, until)))
        }
    };
    if put.is_ok() {
        receiver.one_arrived(cx);
    }
    put
}

/// One look at a receiver's queue: nothing while it is full, `ESTALE` when the receiver is gone.
fn put(
    state: &mut State,
    socket: &Arc<Socket>,
    receiver: &Arc<Socket>,
    message: &Arc<Message>,
    parcel: &mut Option<Box<Parcel>>,
) -> Option<Result<(), Errno>> {
    if state.is_closed {
        return Some(Err(if socket.sort() == Sort::Packet { Errno::EPIPE } else { Errno::ESTALE }));
    }
    let is_mutual = state.is_peer(socket);
    if state.peer.is_some() && !is_mutual {
        return Some(Err(Errno::EPERM));
    }
    if state.shut.contains(Shut::RECEIVE) {
        return Some(Err(Errno::EPIPE));
    }
    if !is_mutual && !Arc::ptr_eq(socket, receiver) && state.queue.len() > LONGEST_QUEUE {
        want(state, socket);
        return None;
    }
    if state.queue.try_room(1).is_err() {
        return Some(Err(Errno::ENOBUFS));
    }
    state.unread += message.bytes.len();
    state.queue.push_back(Queued { message: message.clone(), used: 0, parcel: parcel.take() });
    Some(Ok(()))
}

/// Notes that a sender waits for this queue to become shorter.
fn want(state: &mut State, sender: &Arc<Socket>) {
    // Senders that are gone leave nothing behind, however many there were.
    state.wanting.retain(|noted| noted.strong_count() > 0);
    let is_noted = state.wanting.iter().any(|noted| core::ptr::eq(noted.as_ptr(), Arc::as_ptr(sender)));
    if !is_noted {
        state.wanting.push(Arc::downgrade(sender));
    }
}

/// Senders that waited for a queue to become shorter look again.
pub fn wake_wanting(wanting: Vec<Weak<Socket>>) {
    for sender in wanting.into_iter().filter_map(|sender| sender.upgrade()) {
        // No longer: the last reference to it may be this one.
        sender.has_room(&PreemptOff::new());
    }
}

/// Whether a poll of a connected sender shows room at its peer; if not, it is told when there is.
pub fn peer_has_room(cx: &TaskContext, socket: &Arc<Socket>) -> bool {
    let Some(peer) = socket.peer(cx).filter(|peer| !Arc::ptr_eq(peer, socket)) else { return true };
    let mut state = peer.state.lock(cx);
    let is_full = !state.is_closed && !state.is_peer(socket) && state.queue.len() > LONGEST_QUEUE;
    if is_full {
        want(&mut state, socket);
    }
    drop(state);
    !is_full
}

/// The peer is gone: a datagram socket has none from now on.
fn forget_peer(cx: &mut TaskContext, socket: &Arc<Socket>, gone: &Arc<Socket>) -> Errno {
    let mut state = socket.state.lock(cx);
    if !state.is_peer(gone) {
        return Errno::ECONNRESET;
    }
    let peer = state.peer.take();
    state.phase = Phase::Fresh;
    let lost = core::mem::take(&mut state.queue);
    state.unread = 0;
    let wanting = core::mem::take(&mut state.wanting);
    drop(state);
    drop(peer);
    drop(lost);
    socket.has_room(cx);
    wake_wanting(wanting);
    Errno::ECONNREFUSED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_that_are_gone_are_not_kept_for_a_queue_that_stays_full() {
        let receiver = Socket::new(Sort::Datagram);
        for _ in 0..100 {
            let sender = Socket::new(Sort::Datagram);
            want(&mut receiver.state.lock_without_context(), &sender);
        }
        assert_eq!(receiver.state.lock_without_context().wanting.len(), 1);
    }
}
