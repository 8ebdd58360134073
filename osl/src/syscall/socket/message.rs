//! send, recv and their kin: messages, with what is sent beside the bytes.
//!
//! Invariant: a message header is copied once; an opening gets a descriptor only after the program was told its number, and what finds
//! no descriptor is let go of.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::Iovec;
use abi::process::limit;
use abi::signal::{SIGPIPE, SignalInfo};
use abi::socket::{LONGEST_ADDRESS, MessageHeader, PeerCredentials, message};
use libkernel::address_space::user::UserSlice;
use libkernel::address_space::{UserAddress, user};

use super::super::transfer::{self, LIMIT};
use super::super::{Caller, place};
use super::ends::{address_in, address_out, socket_of};
use crate::error::errno;
use crate::fs::buffer::UserPieces;
use crate::process::{self, signals};
use crate::socket::address::{self, Name};
use crate::socket::control::{self, Told};
use crate::socket::parcel::Parcel;
use crate::socket::receive::{self, Manner, Received};
use crate::socket::send::{self, Sending};
use crate::socket::{Socket, Sort, send_packet};

/// The most pieces of a scattered message.
const PIECES: u64 = 1024;
/// The most bytes of control messages (`net.core.optmem_max`).
const CONTROL: u64 = 131_072;
/// What a receiver without the right to know is told of a sender.
const UNTOLD: PeerCredentials = PeerCredentials { process: 0, user: 65_534, group: 65_534 };

pub fn sendto(caller: &mut Caller<'_>, fd: i32, slice: UserSlice, flags: u32, (to, to_length): (UserAddress, i32)) -> Result<usize, Errno> {
    let piece = [Iovec { base: slice.address().as_u64(), length: slice.length() as u64 }];
    let (open, socket) = socket_of(caller, fd)?;
    let to = if to.as_u64() == 0 { None } else { Some(address_in(caller.cx, to, to_length)?) };
    let sending = Sending { nonblocking: is_nonblocking(open.manner().nonblocking, flags), ..Sending::default() };
    transmit(caller, &socket, &piece, flags, sending, to)
}

pub fn sendmsg(caller: &mut Caller<'_>, fd: i32, at: UserAddress, flags: u32) -> Result<usize, Errno> {
    let (open, socket) = socket_of(caller, fd)?;
    let header = header_in(caller, at)?;
    let to = match header.name {
        0 => None,
        name => Some(address_in(caller.cx, UserAddress::new(name), name_length(&header)?)?).filter(|bytes| !bytes.is_empty()),
    };
    let pieces = pieces_of(caller, &header)?;
    let mut sending = Sending { nonblocking: is_nonblocking(open.manner().nonblocking, flags), ..Sending::default() };
    say(caller, &header, &mut sending)?;
    transmit(caller, &socket, &pieces, flags, sending, to)
}

fn is_nonblocking(open: bool, flags: u32) -> bool {
    open || flags & message::DONT_WAIT != 0
}

fn header_in(caller: &mut Caller<'_>, at: UserAddress) -> Result<MessageHeader, Errno> {
    user::copy_in_value(caller.cx, at).map_err(errno)
}

/// A name's length, cut to the longest there is.
fn name_length(header: &MessageHeader) -> Result<i32, Errno> {
    let most = i32::try_from(LONGEST_ADDRESS).unwrap_or(i32::MAX);
    if header.name_length < 0 { Err(Errno::EINVAL) } else { Ok(header.name_length.min(most)) }
}

fn pieces_of(caller: &mut Caller<'_>, header: &MessageHeader) -> Result<Vec<Iovec>, Errno> {
    if header.piece_count > PIECES {
        return Err(Errno::EMSGSIZE);
    }
    let count = u32::try_from(header.piece_count).map_err(|_| Errno::EMSGSIZE)?;
    transfer::pieces_in(caller, UserAddress::new(header.pieces), count)
}

/// Reads the control messages of a sender, and packs what they pass on.
fn say(caller: &mut Caller<'_>, header: &MessageHeader, sending: &mut Sending) -> Result<(), Errno> {
    if header.control == 0 || header.control_length == 0 {
        return Ok(());
    }
    if header.control_length > CONTROL {
        return Err(Errno::ENOBUFS);
    }
    let length = usize::try_from(header.control_length).map_err(|_| Errno::ENOBUFS)?;
    let bytes = UserSlice::new(UserAddress::new(header.control), length).copy_in(caller.cx).map_err(errno)?;
    let said = control::parse(&bytes)?;
    let files = caller.files();
    let passed: Result<Vec<_>, Errno> = said.descriptors.iter().map(|&fd| files.get(caller.cx, fd)).collect();
    let passed = passed?;
    if let Some(credentials) = said.credentials {
        check_credentials(caller, credentials)?;
    }
    sending.credentials = said.credentials;
    if !passed.is_empty() {
        let rights = caller.credentials();
        let most = if rights.is_privileged() { u64::MAX } else { caller.process().soft_limit(caller.cx, limit::FILES) };
        sending.parcel = Some(Parcel::pack(caller.cx, passed, rights.uid, most)?);
    }
    Ok(())
}

/// Whether the caller may say that it is this one.
fn check_credentials(caller: &mut Caller<'_>, said: PeerCredentials) -> Result<(), Errno> {
    let rights = caller.credentials();
    if !rights.is_privileged() {
        let is_own = said.process == caller.process().id()
            && [rights.uid, rights.euid, rights.suid].contains(&said.user)
            && [rights.gid, rights.egid, rights.sgid].contains(&said.group);
        if !is_own {
            return Err(Errno::EPERM);
        }
    }
    process::find(caller.cx, said.process).map(|_| ()).ok_or(Errno::ESRCH)
}

fn transmit(
    caller: &mut Caller<'_>,
    socket: &Arc<Socket>,
    pieces: &[Iovec],
    flags: u32,
    sending: Sending,
    to: Option<Vec<u8>>,
) -> Result<usize, Errno> {
    if flags & message::OUT_OF_BAND != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let from = &mut UserPieces::new(pieces, LIMIT);
    let sent = match to {
        Some(_) if socket.sort() == Sort::Stream => {
            return Err(if socket.peer(caller.cx).is_some() { Errno::EISCONN } else { Errno::EOPNOTSUPP });
        }
        // Sequenced packets go to the peer, whatever name is given.
        Some(bytes) if socket.sort() == Sort::Datagram => {
            let name = Name::parse(&bytes)?;
            let view = place::view(caller);
            send_packet::send_to(caller.cx, socket, from, sending, Some((&view, name)))
        }
        _ => send::send(caller.cx, socket, from, sending),
    };
    if sent == Err(Errno::EPIPE) && socket.sort() == Sort::Stream && flags & message::NO_SIGNAL == 0 {
        let sender = SignalInfo::new(SIGPIPE, 0).with_sender(caller.process().id(), caller.credentials().uid);
        signals::send_to_task(caller.cx, &caller.task, sender);
    }
    sent
}

fn manner_of(open: bool, flags: u32) -> Manner {
    Manner { nonblocking: is_nonblocking(open, flags), peek: flags & message::PEEK != 0, all: flags & message::WAIT_ALL != 0 }
}

/// Receives into pieces; what came beside the bytes is the caller's to tell.
fn take(caller: &mut Caller<'_>, fd: i32, pieces: &[Iovec], flags: u32) -> Result<(usize, Received, Arc<Socket>), Errno> {
    let (open, socket) = socket_of(caller, fd)?;
    if flags & message::OUT_OF_BAND != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if flags & message::ERROR_QUEUE != 0 {
        return Err(Errno::EAGAIN);
    }
    let manner = manner_of(open.manner().nonblocking, flags);
    let received = receive::receive(caller.cx, &socket, &mut UserPieces::new(pieces, LIMIT), manner)?;
    let tells_length = flags & message::TRUNCATED != 0 && socket.sort() != Sort::Stream;
    let count = if tells_length { received.length } else { received.count };
    Ok((count, received, socket))
}

/// The sender's name as it is told; nothing for one without.
fn name_of(received: &Received) -> Vec<u8> {
    received.sender.as_deref().map(|sender| address::encode(Some(sender))).unwrap_or_default()
}

pub fn recvfrom(
    caller: &mut Caller<'_>,
    fd: i32,
    slice: UserSlice,
    flags: u32,
    (from, length_at): (UserAddress, UserAddress),
) -> Result<usize, Errno> {
    let piece = [Iovec { base: slice.address().as_u64(), length: slice.length() as u64 }];
    let (count, received, _) = take(caller, fd, &piece, flags)?;
    if from.as_u64() != 0 {
        address_out(caller.cx, &name_of(&received), from, length_at)?;
    }
    Ok(count)
}

pub fn recvmsg(caller: &mut Caller<'_>, fd: i32, at: UserAddress, flags: u32) -> Result<usize, Errno> {
    socket_of(caller, fd)?;
    let header = header_in(caller, at)?;
    name_length(&header)?;
    let pieces = pieces_of(caller, &header)?;
    let (count, received, socket) = take(caller, fd, &pieces, flags)?;
    let mut told_flags = flags & message::CLOSE_ON_EXEC;
    if socket.sort() != Sort::Stream && received.count < received.length {
        told_flags |= message::TRUNCATED;
    }
    let name = name_of(&received);
    let mut answer = header;
    if header.name != 0 {
        let room = usize::try_from(header.name_length).unwrap_or(0).min(name.len());
        user::copy_out(caller.cx, UserAddress::new(header.name), name.get(..room).unwrap_or_default()).map_err(errno)?;
        answer.name_length = i32::try_from(name.len()).unwrap_or(i32::MAX);
    }
    let (control_length, is_cut) = tell(caller, &header, &socket, received, flags)?;
    answer.control_length = control_length;
    answer.flags = told_flags | if is_cut { message::CONTROL_TRUNCATED } else { 0 };
    user::copy_out_value(caller.cx, at, &answer).map_err(errno)?;
    Ok(count)
}

/// Tells the receiver what came beside the bytes: how long that was, and whether something had no room.
fn tell(caller: &mut Caller<'_>, header: &MessageHeader, socket: &Socket, received: Received, flags: u32) -> Result<(u64, bool), Errno> {
    let room = if header.control == 0 { 0 } else { usize::try_from(header.control_length).unwrap_or(usize::MAX) };
    let mut told = Told::new(room);
    if socket.passes_credentials() {
        told.credentials(received.credentials.unwrap_or(UNTOLD));
    }
    let before = told.bytes().len() as u64;
    let count = received.files.len();
    if count > 0 {
        let descriptors = hand_out(caller, header, before, &told, received, flags);
        if !descriptors.is_empty() {
            told.descriptors(&descriptors);
        }
        told.is_cut |= descriptors.len() < count;
    }
    if !told.bytes().is_empty() {
        user::copy_out(caller.cx, UserAddress::new(header.control), told.bytes()).map_err(errno)?;
    }
    Ok((told.bytes().len() as u64, told.is_cut))
}

/// Gives descriptors to openings that were received, as many as there is room for; the rest is let go of.
fn hand_out(caller: &mut Caller<'_>, header: &MessageHeader, before: u64, told: &Told, received: Received, flags: u32) -> Vec<i32> {
    const HEAD: u64 = 16;
    let most = caller.process().soft_limit(caller.cx, limit::FILES);
    let mut descriptors = Vec::new();
    for (open, index) in received.files.into_iter().take(told.room_for_descriptors()).zip(0_u64..) {
        // Where the number will stand must be writable before anybody can use it.
        let place = header.control.wrapping_add(before + HEAD + 4 * index);
        if user::copy_out_value(caller.cx, UserAddress::new(place), &-1_i32).is_err() {
            break;
        }
        match caller.files().insert(caller.cx, open, flags & message::CLOSE_ON_EXEC != 0, 0, most) {
            Ok(fd) => descriptors.push(fd),
            Err(_) => break,
        }
    }
    descriptors
}
