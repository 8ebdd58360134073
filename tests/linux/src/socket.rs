//! Sockets of this machine as plain functions.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::{Errno, call, done};

pub const STREAM: i32 = libc::SOCK_STREAM;
pub const DATAGRAM: i32 = libc::SOCK_DGRAM;
pub const PACKET: i32 = libc::SOCK_SEQPACKET;

#[track_caller]
pub fn pair(kind: i32) -> (i32, i32) {
    let mut ends = [0_i32; 2];
    done("socketpair", call!(SYS_socketpair, libc::AF_UNIX, kind, 0, ends.as_mut_ptr()));
    (ends[0], ends[1])
}

#[track_caller]
pub fn socket(kind: i32) -> i32 {
    done("socket", call!(SYS_socket, libc::AF_UNIX, kind, 0)) as i32
}

/// An address with these bytes as its name.
pub fn address(name: &[u8]) -> Vec<u8> {
    [&(libc::AF_UNIX as u16).to_ne_bytes(), name].concat()
}

/// The address of a file.
pub fn at(path: &Path) -> Vec<u8> {
    address(&[path.as_os_str().as_bytes(), &[0]].concat())
}

pub fn bind(socket: i32, address: &[u8]) -> Result<usize, Errno> {
    call!(SYS_bind, socket, address.as_ptr(), address.len())
}

pub fn listen(socket: i32, backlog: i32) -> Result<usize, Errno> {
    call!(SYS_listen, socket, backlog)
}

pub fn connect(socket: i32, address: &[u8]) -> Result<usize, Errno> {
    call!(SYS_connect, socket, address.as_ptr(), address.len())
}

pub fn accept(socket: i32) -> Result<i32, Errno> {
    call!(SYS_accept, socket, 0, 0).map(|fd| fd as i32)
}

/// A socket that listens at an address.
#[track_caller]
pub fn listener(kind: i32, address: &[u8], backlog: i32) -> i32 {
    let socket = socket(kind);
    done("bind", bind(socket, address));
    done("listen", listen(socket, backlog));
    socket
}

pub fn send(socket: i32, bytes: &[u8], flags: i32) -> Result<usize, Errno> {
    call!(SYS_sendto, socket, bytes.as_ptr(), bytes.len(), flags, 0, 0)
}

pub fn send_to(socket: i32, bytes: &[u8], flags: i32, to: &[u8]) -> Result<usize, Errno> {
    call!(SYS_sendto, socket, bytes.as_ptr(), bytes.len(), flags, to.as_ptr(), to.len())
}

pub fn receive(socket: i32, most: usize, flags: i32) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; most];
    let count = call!(SYS_recvfrom, socket, bytes.as_mut_ptr(), most, flags, 0, 0)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Bytes and the address of their sender.
pub fn receive_from(socket: i32, most: usize, flags: i32) -> Result<(Vec<u8>, Vec<u8>), Errno> {
    let (mut bytes, mut from, mut length) = (vec![0; most], vec![0_u8; 128], 128_i32);
    let count = call!(SYS_recvfrom, socket, bytes.as_mut_ptr(), most, flags, from.as_mut_ptr(), &raw mut length)?;
    bytes.truncate(count);
    from.truncate(length as usize);
    Ok((bytes, from))
}

pub fn shutdown(socket: i32, how: i32) -> Result<usize, Errno> {
    call!(SYS_shutdown, socket, how)
}

pub fn option(socket: i32, name: i32) -> Result<i32, Errno> {
    let (mut value, mut length) = (0_i32, 4_i32);
    call!(SYS_getsockopt, socket, libc::SOL_SOCKET, name, &raw mut value, &raw mut length)?;
    Ok(value)
}

pub fn set_option(socket: i32, name: i32, value: i32) -> Result<usize, Errno> {
    call!(SYS_setsockopt, socket, libc::SOL_SOCKET, name, &raw const value, 4)
}

#[track_caller]
pub fn set_timeout(socket: i32, name: i32, milliseconds: i64) {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1000];
    done("a timeout", call!(SYS_setsockopt, socket, libc::SOL_SOCKET, name, time.as_ptr(), 16));
}

/// `SYS_getsockname` or `SYS_getpeername`.
pub fn name(which: libc::c_long, socket: i32) -> Result<Vec<u8>, Errno> {
    let (mut name, mut length) = (vec![0_u8; 128], 128_i32);
    crate::call(which, crate::six(&[socket as usize, name.as_mut_ptr() as usize, &raw mut length as usize]))?;
    name.truncate(length as usize);
    Ok(name)
}

/// What a poll for `events` tells at once.
pub fn polled(descriptor: i32, events: i16) -> i16 {
    let mut asked = libc::pollfd { fd: descriptor, events, revents: 0 };
    done("poll", call!(SYS_poll, &raw mut asked, 1, 0));
    asked.revents
}

/// One control message of level `SOL_SOCKET`.
pub fn control(kind: i32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((16 + content.len() as u64).to_ne_bytes());
    bytes.extend(libc::SOL_SOCKET.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// The control message that passes descriptors.
pub fn rights(descriptors: &[i32]) -> Vec<u8> {
    let content: Vec<u8> = descriptors.iter().flat_map(|descriptor| descriptor.to_ne_bytes()).collect();
    let mut message = control(libc::SCM_RIGHTS, &content);
    message.truncate((16 + content.len()).next_multiple_of(8));
    message
}

/// Sends bytes and control messages.
pub fn send_message(socket: i32, bytes: &[u8], control: &[u8], flags: i32) -> Result<usize, Errno> {
    let piece = [bytes.as_ptr() as u64, bytes.len() as u64];
    let header = [0, 0, piece.as_ptr() as u64, 1, control.as_ptr() as u64, control.len() as u64, 0];
    call!(SYS_sendmsg, socket, header.as_ptr(), flags)
}

/// What a `recvmsg` found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub bytes: Vec<u8>,
    pub descriptors: Vec<i32>,
    /// process, user, group
    pub credentials: Option<[i32; 3]>,
    pub flags: i32,
    pub control_length: usize,
}

pub fn receive_message(socket: i32, most: usize, room: usize, flags: i32) -> Result<Message, Errno> {
    let (mut bytes, mut control) = (vec![0; most], vec![0_u64; room.div_ceil(8)]);
    let piece = [bytes.as_mut_ptr() as u64, most as u64];
    let mut header = [0_u64, 0, piece.as_ptr() as u64, 1, control.as_mut_ptr() as u64, room as u64, 0];
    let count = call!(SYS_recvmsg, socket, header.as_mut_ptr(), flags)?;
    bytes.truncate(count.min(most));
    let control_length = header[5] as usize;
    let control: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).take(control_length).collect();
    let mut message = Message { bytes, flags: header[6] as i32, control_length, ..Message::default() };
    let mut rest = control.as_slice();
    while rest.len() >= 16 {
        let length = u64::from_ne_bytes(rest[..8].try_into().unwrap_or_default()) as usize;
        let kind = i32::from_ne_bytes(rest[12..16].try_into().unwrap_or_default());
        let words: Vec<i32> =
            rest[16..length].chunks_exact(4).map(|word| i32::from_ne_bytes(word.try_into().unwrap_or_default())).collect();
        match kind {
            libc::SCM_RIGHTS => message.descriptors = words,
            libc::SCM_CREDENTIALS => message.credentials = words.try_into().ok(),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok(message)
}
