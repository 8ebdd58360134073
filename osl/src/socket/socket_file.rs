//! SocketFile: a socket as an open file.
//!
//! Invariant: the socket is closed when its file is; nobody else makes an end of it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use abi::Errno;
use abi::socket::SIOCOUTQ;
use abi::terminal::request::FIONREAD;
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use super::node::SocketNode;
use super::send::{Sending, send};
use super::send_packet::peer_has_room;
use super::socket::{Phase, Shut, Socket, Sort};
use super::{close, receive};
use crate::credentials::Credentials;
use crate::error::errno;
use crate::file::Readiness;
use crate::file::file::{File, Manner, QueueOwner, Queues, written};
use crate::file::in_flight::InFlight;
use crate::fs::Attributes;
use crate::fs::buffer::{Sink, Source};
use crate::fs::node::{Node, Place, Written};

/// A socket that programs have descriptors for.
pub struct SocketFile {
    socket: Arc<Socket>,
    label: String,
    node: Arc<dyn Node>,
}

impl SocketFile {
    /// The file of a socket that has none yet.
    pub fn new(socket: Arc<Socket>, maker: &Credentials) -> Arc<Self> {
        let node = SocketNode::new(socket.number(), maker);
        Arc::new(Self { label: node.label(), node: Arc::new(node), socket })
    }

    /// The socket behind it.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }
}

impl File for SocketFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        self.node.attributes(cx)
    }

    fn node(&self) -> Option<&Arc<dyn Node>> {
        Some(&self.node)
    }

    fn read(&self, cx: &mut TaskContext, _at: u64, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        if into.remaining() == 0 {
            return Ok(0);
        }
        let manner = receive::Manner { nonblocking: manner.nonblocking, ..receive::Manner::default() };
        // Openings that came with the bytes have no receiver here.
        receive::receive(cx, &self.socket, into, manner).map(|received| received.count)
    }

    fn write(&self, cx: &mut TaskContext, _place: Place, manner: Manner, from: &mut dyn Source) -> Result<Written, Errno> {
        let sending = Sending { nonblocking: manner.nonblocking, ..Sending::default() };
        Ok(written(send(cx, &self.socket, from, sending)?))
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let state = self.socket.state.lock(cx);
        let mut ready = Readiness::empty();
        ready.set(Readiness::ERROR, state.error.is_some());
        let is_fresh = state.phase == Phase::Fresh && self.socket.sort().is_connected();
        ready.set(Readiness::HANG_UP, state.shut == Shut::all() || is_fresh);
        let can_receive = !state.queue.is_empty() || !state.pending.is_empty();
        if state.shut.contains(Shut::RECEIVE) {
            ready |= Readiness::READ_HANG_UP | Readiness::READ;
        }
        ready.set(Readiness::READ, can_receive || ready.contains(Readiness::READ));
        let can_send = state.phase != Phase::Listening && self.socket.is_writable();
        drop(state);
        ready.set(Readiness::WRITE, can_send && (self.socket.sort() != Sort::Datagram || peer_has_room(cx, &self.socket)));
        ready
    }

    fn queues(&self) -> Queues<'_> {
        self.socket.queues()
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.socket.clone())
    }

    fn events(&self) -> u64 {
        self.socket.events()
    }

    fn control(&self, cx: &mut TaskContext, request: u32, argument: UserAddress) -> Result<u64, Errno> {
        let state = self.socket.state.lock(cx);
        let is_listening = state.phase == Phase::Listening;
        let count = match (request, self.socket.sort()) {
            (FIONREAD | SIOCOUTQ, _) if is_listening => return Err(Errno::EINVAL),
            (FIONREAD, Sort::Datagram) => state.queue.front().map_or(0, |first| first.message.bytes.len()),
            (FIONREAD, _) => state.unread,
            (SIOCOUTQ, _) => usize::try_from(self.socket.outstanding.load()).unwrap_or(usize::MAX),
            _ => return Err(Errno::ENOTTY),
        };
        drop(state);
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        user::copy_out_value(cx, argument, &count).map_err(errno)?;
        Ok(0)
    }

    fn label(&self) -> Option<String> {
        Some(self.label.clone())
    }

    fn signals_broken_pipe(&self) -> bool {
        self.socket.sort() == Sort::Stream
    }

    fn is_keeper(&self) -> bool {
        true
    }

    fn for_each_held(&self, cx: &TaskContext, visit: &mut dyn FnMut(&InFlight)) {
        let state = self.socket.state.lock(cx);
        state.visit_files(visit);
        let pending: Vec<Arc<Socket>> = state.pending.iter().cloned().collect();
        drop(state);
        // Nobody else reaches what connections hold that nobody has accepted.
        for connection in pending {
            connection.state.lock(cx).visit_files(visit);
        }
    }

    fn let_go(&self, cx: &mut TaskContext) {
        let mut state = self.socket.state.lock(cx);
        let mut parcels = state.take_parcels();
        let pending: Vec<Arc<Socket>> = state.pending.iter().cloned().collect();
        drop(state);
        for connection in pending {
            parcels.extend(connection.state.lock(cx).take_parcels());
        }
        drop(parcels);
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        close::close(&self.socket);
    }
}
