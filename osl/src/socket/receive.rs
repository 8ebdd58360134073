//! Receiving: bytes of a stream, or one message at a time.
//!
//! Invariant: one receiver at a time copies from the front of a queue, and what it copies leaves the queue only after that; so a page
//! that is not there loses nothing and changes no order.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::socket::PeerCredentials;
use libkernel::error::KernelError;
use libkernel::wait::Deadline;
use sync::TaskContext;

use super::address::Address;
use super::message::{Message, Queued};
use super::send_packet::{LONGEST_QUEUE, wake_wanting};
use super::settings::deadline;
use super::socket::{Phase, Shut, Socket, Sort, State};
use crate::error::errno;
use crate::file::OpenFile;
use crate::fs::buffer::Sink;

/// How something is received.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    pub nonblocking: bool,
    /// It stays in the queue.
    pub peek: bool,
    /// A stream is waited for until there is as much as is asked for.
    pub all: bool,
}

/// What was received besides the bytes.
#[derive(Default)]
pub struct Received {
    /// How many bytes were copied.
    pub count: usize,
    /// How many the message had.
    pub length: usize,
    pub sender: Option<Arc<Address>>,
    pub credentials: Option<PeerCredentials>,
    pub files: Vec<Arc<OpenFile>>,
    has_any: bool,
}

/// Whether a call has what it came for.
type IsDone = bool;

/// Receives; nothing at the end of a stream.
pub fn receive(cx: &mut TaskContext, socket: &Arc<Socket>, into: &mut dyn Sink, manner: Manner) -> Result<Received, Errno> {
    check(cx, socket)?;
    let received = receive_here(cx, socket, into, manner);
    // One arrival woke one receiver; what that left, were it for want of memory, is for the next.
    pass_on(cx, socket);
    received
}

fn receive_here(cx: &mut TaskContext, socket: &Arc<Socket>, into: &mut dyn Sink, manner: Manner) -> Result<Received, Errno> {
    let until = deadline(&socket.settings.receive_timeout);
    let wanted = into.remaining();
    let enough = if manner.all { wanted } else { low_water(socket).min(wanted) }.max(1);
    let mut got = Received::default();
    loop {
        let is_stream = socket.sort() == Sort::Stream;
        let guard = socket.reading.lock(cx);
        let taken =
            if is_stream { take_bytes(cx, socket, into, manner, &mut got) } else { take_message(cx, socket, into, manner, &mut got) };
        drop(guard);
        if taken? || got.count >= enough || got.has_any && manner.peek {
            break;
        }
        let is_more = match look(cx, socket, manner) {
            Some(is_more) => is_more,
            None if manner.nonblocking => Err(Errno::EAGAIN),
            None => {
                let waited = socket.readable.wait_until_or(cx, until, true, |cx| look(cx, socket, Manner { nonblocking: false, ..manner }));
                waited.unwrap_or_else(|error| Err(interrupted(error, until)))
            }
        };
        match is_more {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) if got.has_any => break,
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn low_water(socket: &Socket) -> usize {
    usize::try_from(socket.settings.low_water.load()).unwrap_or(usize::MAX)
}

fn check(cx: &TaskContext, socket: &Socket) -> Result<(), Errno> {
    match (socket.sort(), socket.state.lock(cx).phase) {
        (Sort::Datagram, _) | (_, Phase::Connected) => Ok(()),
        (Sort::Stream, _) => Err(Errno::EINVAL),
        (Sort::Packet, _) => Err(Errno::ENOTCONN),
    }
}

/// What ends a wait: whether there is more, that there is nothing to come, or an error.
fn look(cx: &TaskContext, socket: &Socket, manner: Manner) -> Option<Result<bool, Errno>> {
    let mut state = socket.state.lock(cx);
    // A stream gives first what came before its end.
    let tells_error = state.queue.is_empty() || socket.sort() != Sort::Stream;
    if let Some(error) = state.error.take_if(|_| tells_error) {
        return Some(Err(error));
    }
    if !state.queue.is_empty() {
        return Some(Ok(true));
    }
    // A datagram socket that shall not wait says so even when nothing can come any more.
    let says_end = socket.sort() != Sort::Datagram || !manner.nonblocking;
    (state.shut.contains(Shut::RECEIVE) && says_end).then_some(Ok(false))
}

/// What an ended wait means to the program: a call with a timeout is not begun again.
pub fn interrupted(error: KernelError, until: Deadline) -> Errno {
    match error {
        KernelError::TimedOut => Errno::EAGAIN,
        KernelError::Interrupted if until == Deadline::NEVER => Errno::ERESTARTSYS,
        error => errno(error),
    }
}

fn pass_on(cx: &mut TaskContext, socket: &Socket) {
    if !socket.state.lock(cx).queue.is_empty() {
        socket.readable.wake_one(cx);
    }
}

/// A message as it waits: its bytes, how much of it is used, whether openings come with it.
fn waiting(cx: &TaskContext, socket: &Socket, index: usize) -> Option<(Arc<Message>, usize, bool)> {
    let state = socket.state.lock(cx);
    state.queue.get(index).map(|queued| (queued.message.clone(), queued.used, queued.parcel.is_some()))
}

/// Copies bytes, across messages, up to one that openings came with or that another sender sent.
fn take_bytes(cx: &mut TaskContext, socket: &Socket, into: &mut dyn Sink, manner: Manner, got: &mut Received) -> Result<IsDone, Errno> {
    let mut index = 0;
    while let Some((message, used, has_parcel)) = waiting(cx, socket, index) {
        let is_of_another = got.has_any && got.credentials != message.credentials;
        if is_of_another && socket.settings.passes_credentials.is_set() {
            return Ok(true);
        }
        let rest = message.bytes.get(used..).unwrap_or_default();
        let piece = rest.get(..into.remaining().min(rest.len())).unwrap_or_default();
        if let Err(error) = into.put(cx, piece) {
            return if got.has_any { Ok(true) } else { Err(error) };
        }
        got.note(cx, &message, piece.len());
        let stops = if manner.peek {
            index += 1;
            got.files.extend(peek_files(cx, socket, index - 1));
            has_parcel
        } else {
            let (files, is_finished) = use_up(cx, socket, &message, piece.len());
            got.files.extend(files);
            !is_finished || !got.files.is_empty()
        };
        if stops || into.remaining() == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies one message, as much of it as there is room for.
fn take_message(cx: &mut TaskContext, socket: &Socket, into: &mut dyn Sink, manner: Manner, got: &mut Received) -> Result<IsDone, Errno> {
    if let Some(error) = socket.state.lock(cx).error.take() {
        return Err(error);
    }
    let Some((message, ..)) = waiting(cx, socket, 0) else { return Ok(false) };
    let piece = message.bytes.get(..into.remaining().min(message.bytes.len())).unwrap_or_default();
    into.put(cx, piece)?;
    got.note(cx, &message, piece.len());
    got.files = if manner.peek { peek_files(cx, socket, 0) } else { use_up(cx, socket, &message, message.bytes.len()).0 };
    Ok(true)
}

impl Received {
    fn note(&mut self, cx: &TaskContext, message: &Message, count: usize) {
        if !self.has_any {
            self.sender = message.charge.sender().address(cx);
            self.credentials = message.credentials;
            self.length = message.bytes.len();
        }
        self.has_any = true;
        self.count += count;
    }
}

fn peek_files(cx: &TaskContext, socket: &Socket, index: usize) -> Vec<Arc<OpenFile>> {
    let state = socket.state.lock(cx);
    let parcel = state.queue.get(index).and_then(|queued| queued.parcel.as_ref());
    parcel.map(|parcel| parcel.share()).unwrap_or_default()
}

/// This message has been received up to here: what came with it, and whether that was all of it. A new peer may have emptied the
/// queue meanwhile; what stands in front then is another's.
fn use_up(cx: &mut TaskContext, socket: &Socket, message: &Arc<Message>, count: usize) -> (Vec<Arc<OpenFile>>, bool) {
    let mut state = socket.state.lock(cx);
    let State { queue, unread, .. } = &mut *state;
    let Some(first) = queue.front_mut().filter(|first| Arc::ptr_eq(&first.message, message)) else { return (Vec::new(), true) };
    *unread = unread.saturating_sub(count);
    first.used += count;
    let parcel = first.parcel.take();
    let is_finished = first.used >= first.message.bytes.len();
    let gone: Option<Queued> = if is_finished { state.queue.pop_front() } else { None };
    let wanting = if state.queue.len() <= LONGEST_QUEUE { core::mem::take(&mut state.wanting) } else { Vec::new() };
    drop(state);
    drop(gone);
    wake_wanting(wanting);
    (parcel.map(|parcel| parcel.share()).unwrap_or_default(), is_finished)
}
