//! listen and accept: others connect to a socket, and are let in.
//!
//! Invariant: who waits for a place in the list of connections is woken after each that leaves it.

use alloc::sync::Arc;

use abi::Errno;
use sync::TaskContext;

use super::settings::deadline;
use super::socket::{Phase, Shut, Socket, effective_credentials};
use super::{receive, settings::Settings};

/// No list is longer (`net.core.somaxconn`).
const LONGEST: usize = 4096;

/// Lets others connect.
pub fn listen(cx: &mut TaskContext, socket: &Arc<Socket>, backlog: i32) -> Result<(), Errno> {
    if !socket.sort().is_connected() {
        return Err(Errno::EOPNOTSUPP);
    }
    let credentials = effective_credentials(cx);
    let mut state = socket.state.lock(cx);
    if state.address.is_none() || state.phase == Phase::Connected {
        return Err(Errno::EINVAL);
    }
    state.phase = Phase::Listening;
    state.backlog = usize::try_from(backlog).map_or(LONGEST, |backlog| backlog.min(LONGEST));
    state.peer_credentials = credentials;
    drop(state);
    socket.has_room(cx);
    Ok(())
}

/// The next connection.
pub fn accept(cx: &mut TaskContext, listener: &Arc<Socket>, nonblocking: bool) -> Result<Arc<Socket>, Errno> {
    if !listener.sort().is_connected() {
        return Err(Errno::EOPNOTSUPP);
    }
    let accepted = match next(cx, listener) {
        Some(accepted) => accepted,
        None if nonblocking => Err(Errno::EAGAIN),
        None => {
            let Settings { receive_timeout, .. } = &listener.settings;
            let until = deadline(receive_timeout);
            let look = |cx: &mut TaskContext| next(cx, listener).or_else(|| is_shut(cx, listener).then_some(Err(Errno::EINVAL)));
            let waited = listener.readable.wait_until_or(cx, until, true, look);
            waited.unwrap_or_else(|error| Err(receive::interrupted(error, until)))
        }
    };
    if accepted.is_ok() {
        listener.has_room(cx);
    }
    accepted
}

fn next(cx: &TaskContext, listener: &Socket) -> Option<Result<Arc<Socket>, Errno>> {
    let mut state = listener.state.lock(cx);
    if state.phase != Phase::Listening {
        return Some(Err(Errno::EINVAL));
    }
    state.pending.pop_front().map(Ok)
}

fn is_shut(cx: &TaskContext, listener: &Socket) -> bool {
    listener.state.lock(cx).shut.contains(Shut::RECEIVE)
}
