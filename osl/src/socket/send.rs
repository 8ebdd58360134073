//! Sending bytes through a stream, and what every way of sending needs.
//!
//! Invariant: bytes are copied before a lock is taken; a message is charged to its sender before it is queued.

use alloc::boxed::Box;
use alloc::sync::Arc;
use libkernel::memory::Room;

use abi::Errno;
use abi::socket::PeerCredentials;
use libkernel::wait::Deadline;
use sync::TaskContext;

use super::message::{Charge, Message, Queued, gather};
use super::parcel::Parcel;
use super::settings::deadline;
use super::socket::{Shut, Socket, real_credentials};
use super::{receive, send_packet};
use crate::fs::buffer::{self, Source};

/// The most bytes of one message of a stream.
const PIECE: usize = 32768;

/// How something is sent, and what with it.
#[derive(Default)]
pub struct Sending {
    pub nonblocking: bool,
    /// Who the sender says it is.
    pub credentials: Option<PeerCredentials>,
    pub parcel: Option<Box<Parcel>>,
}

/// Sends to the peer.
pub fn send(cx: &mut TaskContext, socket: &Arc<Socket>, from: &mut dyn Source, sending: Sending) -> Result<usize, Errno> {
    match socket.sort() {
        super::Sort::Stream => send_stream(cx, socket, from, sending),
        _ => send_packet::send_to(cx, socket, from, sending, None),
    }
}

fn send_stream(cx: &mut TaskContext, socket: &Arc<Socket>, from: &mut dyn Source, mut sending: Sending) -> Result<usize, Errno> {
    let peer = socket.peer(cx).ok_or(Errno::ENOTCONN)?;
    if socket.state.lock(cx).shut.contains(Shut::SEND) {
        return Err(Errno::EPIPE);
    }
    let until = deadline(&socket.settings.send_timeout);
    let total = from.remaining();
    let mut done = 0;
    while done < total {
        let half = usize::try_from(socket.settings.send_limit.load() / 2).unwrap_or(PIECE);
        let count = (total - done).min(PIECE).min(half);
        let sent = send_piece(cx, (socket, &peer), (from, count), &mut sending, until);
        match sent {
            Ok(()) => done += count,
            Err(error) => return buffer::partial(done, error),
        }
    }
    Ok(done)
}

fn send_piece(
    cx: &mut TaskContext,
    (socket, peer): (&Arc<Socket>, &Arc<Socket>),
    (from, count): (&mut dyn Source, usize),
    sending: &mut Sending,
    until: Deadline,
) -> Result<(), Errno> {
    let charge = reserve(cx, socket, count, sending.nonblocking, until)?;
    let bytes = gather(cx, from, count)?;
    let credentials = credentials(cx, sending, socket, peer);
    let message = Arc::new(Message { bytes, credentials, charge });
    let mut state = peer.state.lock(cx);
    if state.is_closed || state.shut.contains(Shut::RECEIVE) {
        return Err(Errno::EPIPE);
    }
    state.queue.try_room(1).map_err(|_| Errno::ENOBUFS)?;
    state.unread += count;
    state.queue.push_back(Queued { message, used: 0, parcel: sending.parcel.take() });
    drop(state);
    peer.one_arrived(cx);
    Ok(())
}

/// What a message says of its sender: his own word, or the truth where either side wants to have it told.
pub(super) fn credentials(cx: &TaskContext, sending: &Sending, socket: &Socket, peer: &Socket) -> Option<PeerCredentials> {
    let is_wanted = socket.settings.passes_credentials.is_set() || peer.settings.passes_credentials.is_set();
    sending.credentials.or_else(|| is_wanted.then(|| real_credentials(cx)))
}

/// Waits until so many bytes more may be on their way.
pub(super) fn reserve(
    cx: &mut TaskContext,
    socket: &Arc<Socket>,
    bytes: usize,
    nonblocking: bool,
    until: Deadline,
) -> Result<Charge, Errno> {
    let allowed = match may_send(cx, socket) {
        Some(allowed) => allowed,
        None if nonblocking => Err(Errno::EAGAIN),
        None => {
            let waited = socket.writable.wait_until_or(cx, until, true, |cx| may_send(cx, socket));
            waited.unwrap_or_else(|error| Err(receive::interrupted(error, until)))
        }
    };
    allowed.map(|()| Charge::new(socket, bytes))
}

fn may_send(cx: &TaskContext, socket: &Socket) -> Option<Result<(), Errno>> {
    let mut state = socket.state.lock(cx);
    if let Some(error) = state.error.take() {
        return Some(Err(error));
    }
    if state.shut.contains(Shut::SEND) {
        return Some(Err(Errno::EPIPE));
    }
    (socket.outstanding.load() < socket.settings.send_limit.load()).then_some(Ok(()))
}
