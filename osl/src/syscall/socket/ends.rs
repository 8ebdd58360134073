//! socket, socketpair, bind, listen, accept, connect and what can be asked of a socket.
//!
//! Invariant: an address is copied once, at most as long as any may be; a descriptor is given when all else has succeeded.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::constant::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use abi::process::limit;
use abi::socket::{AF_MAX, AF_UNIX, AF_UNSPEC, LONGEST_ADDRESS, SOL_SOCKET, kind};
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use super::super::{Caller, file, place};
use crate::error::errno;
use crate::file::OpenFile;
use crate::socket::address::{self, Address, Name};
use crate::socket::{Socket, SocketFile, Sort, bind as binding, close, connect as connecting, listen as listening, options};

/// The longest value of an option that is looked at.
const LONGEST_OPTION: usize = 128;

/// The socket behind a descriptor.
pub fn socket_of(caller: &mut Caller<'_>, fd: i32) -> Result<(Arc<OpenFile>, Arc<Socket>), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let socket = open.file().as_any().downcast_ref::<SocketFile>().ok_or(Errno::ENOTSOCK)?.socket().clone();
    Ok((open, socket))
}

pub fn socket(caller: &mut Caller<'_>, family: i32, kind: u32, protocol: i32) -> Result<i32, Errno> {
    let (sort, flags) = sort_of(family, kind, protocol)?;
    install(caller, Socket::new(sort), flags)
}

fn sort_of(family: i32, kind: u32, protocol: i32) -> Result<(Sort, u32), Errno> {
    let flags = kind & !kind::MASK;
    if flags & !(kind::NONBLOCK | kind::CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    if !(0..AF_MAX).contains(&family) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind & kind::MASK >= kind::MAX {
        return Err(Errno::EINVAL);
    }
    if family != i32::from(AF_UNIX) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if protocol != 0 && protocol != i32::from(AF_UNIX) {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let sort = match kind & kind::MASK {
        kind::STREAM => Sort::Stream,
        kind::DATAGRAM | kind::RAW => Sort::Datagram,
        kind::PACKET => Sort::Packet,
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    Ok((sort, flags))
}

fn install(caller: &mut Caller<'_>, socket: Arc<Socket>, flags: u32) -> Result<i32, Errno> {
    let file = SocketFile::new(socket, &caller.credentials());
    file::install_new(caller, file, O_RDWR | flags & (O_NONBLOCK | O_CLOEXEC))
}

pub fn socketpair(caller: &mut Caller<'_>, family: i32, kind: u32, protocol: i32, at: UserAddress) -> Result<(), Errno> {
    let (sort, flags) = sort_of(family, kind, protocol)?;
    let (one, other) = Socket::pair(caller.cx, sort);
    let (one, other) = (SocketFile::new(one, &caller.credentials()), SocketFile::new(other, &caller.credentials()));
    let flags = O_RDWR | flags & (O_NONBLOCK | O_CLOEXEC);
    let pair = [file::opened(caller, one, flags), file::opened(caller, other, flags)];
    file::install_pair(caller, at, pair, flags & O_CLOEXEC != 0)
}

/// An address that a program passes.
pub fn address_in(cx: &mut TaskContext, at: UserAddress, length: i32) -> Result<Vec<u8>, Errno> {
    let length = usize::try_from(length).ok().filter(|&length| length <= LONGEST_ADDRESS).ok_or(Errno::EINVAL)?;
    let mut bytes = [0; LONGEST_ADDRESS];
    let bytes = bytes.get_mut(..length).ok_or(Errno::EINVAL)?;
    user::copy_in(cx, at, bytes).map_err(errno)?;
    Ok(bytes.to_vec())
}

/// Hands an address to a program: as much as it has room for, and how long it really is.
pub fn address_out(cx: &mut TaskContext, bytes: &[u8], at: UserAddress, length_at: UserAddress) -> Result<(), Errno> {
    let room: i32 = user::copy_in_value(cx, length_at).map_err(errno)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    user::copy_out(cx, at, bytes.get(..room.min(bytes.len())).unwrap_or_default()).map_err(errno)?;
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    user::copy_out_value(cx, length_at, &length).map_err(errno)
}

pub fn bind(caller: &mut Caller<'_>, fd: i32, at: UserAddress, length: i32) -> Result<(), Errno> {
    let (open, socket) = socket_of(caller, fd)?;
    let bytes = address_in(caller.cx, at, length)?;
    if Name::is_any(&bytes) {
        return binding::bind_to_any(caller.cx, &socket);
    }
    let name = Name::parse(&bytes)?;
    let view = place::view(caller);
    let mode = open.attributes(caller.cx)?.mode & !caller.file_system().umask(caller.cx);
    binding::bind(caller.cx, &socket, &view, name, mode)
}

pub fn listen(caller: &mut Caller<'_>, fd: i32, backlog: i32) -> Result<(), Errno> {
    let (_, socket) = socket_of(caller, fd)?;
    listening::listen(caller.cx, &socket, backlog)
}

pub fn accept4(caller: &mut Caller<'_>, fd: i32, at: UserAddress, length_at: UserAddress, flags: u32) -> Result<i32, Errno> {
    let (open, socket) = socket_of(caller, fd)?;
    place::check_flags(flags, kind::NONBLOCK | kind::CLOEXEC)?;
    let most = caller.process().soft_limit(caller.cx, limit::FILES);
    caller.files().check_room(caller.cx, most)?;
    let accepted = listening::accept(caller.cx, &socket, open.manner().nonblocking)?;
    let file = SocketFile::new(accepted, &caller.credentials());
    if at.as_u64() != 0 {
        let peer = file.socket().peer(caller.cx).and_then(|peer| peer.address(caller.cx));
        address_out(caller.cx, &address::encode(peer.as_deref()), at, length_at)?;
    }
    file::install_new(caller, file, O_RDWR | flags)
}

pub fn connect(caller: &mut Caller<'_>, fd: i32, at: UserAddress, length: i32) -> Result<(), Errno> {
    let (open, socket) = socket_of(caller, fd)?;
    let bytes = address_in(caller.cx, at, length)?;
    let is_nobody = address::family(&bytes) == Some(AF_UNSPEC);
    if is_nobody && socket.sort() == Sort::Datagram {
        connecting::disconnect(caller.cx, &socket);
        return Ok(());
    }
    let name = Name::parse(&bytes)?;
    let view = place::view(caller);
    connecting::connect(caller.cx, &socket, &view, &name, open.manner().nonblocking)
}

pub fn getsockname(caller: &mut Caller<'_>, fd: i32, at: UserAddress, length_at: UserAddress) -> Result<(), Errno> {
    let (_, socket) = socket_of(caller, fd)?;
    let own = socket.address(caller.cx);
    tell(caller, own.as_deref(), at, length_at)
}

pub fn getpeername(caller: &mut Caller<'_>, fd: i32, at: UserAddress, length_at: UserAddress) -> Result<(), Errno> {
    let (_, socket) = socket_of(caller, fd)?;
    let peer = socket.peer(caller.cx).ok_or(Errno::ENOTCONN)?;
    let theirs = peer.address(caller.cx);
    tell(caller, theirs.as_deref(), at, length_at)
}

fn tell(caller: &mut Caller<'_>, address: Option<&Address>, at: UserAddress, length_at: UserAddress) -> Result<(), Errno> {
    address_out(caller.cx, &address::encode(address), at, length_at)
}

pub fn shutdown(caller: &mut Caller<'_>, fd: i32, how: i32) -> Result<(), Errno> {
    let (_, socket) = socket_of(caller, fd)?;
    close::shutdown(caller.cx, &socket, how)
}

pub fn getsockopt(
    caller: &mut Caller<'_>,
    fd: i32,
    (level, name): (i32, i32),
    at: UserAddress,
    length_at: UserAddress,
) -> Result<(), Errno> {
    let (_, socket) = socket_of(caller, fd)?;
    if level != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    let room: i32 = user::copy_in_value(caller.cx, length_at).map_err(errno)?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let value = options::get(caller.cx, &socket, name)?;
    let value = value.get(..room.min(value.len())).unwrap_or_default();
    user::copy_out(caller.cx, at, value).map_err(errno)?;
    let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
    user::copy_out_value(caller.cx, length_at, &length).map_err(errno)
}

pub fn setsockopt(caller: &mut Caller<'_>, fd: i32, (level, name): (i32, i32), at: UserAddress, length: i32) -> Result<(), Errno> {
    let (_, socket) = socket_of(caller, fd)?;
    let length = usize::try_from(length).map_err(|_| Errno::EINVAL)?;
    if level != SOL_SOCKET {
        return Err(Errno::EOPNOTSUPP);
    }
    if length < size_of::<i32>() {
        return Err(Errno::EINVAL);
    }
    let mut value = [0; LONGEST_OPTION];
    let value = value.get_mut(..length.min(LONGEST_OPTION)).ok_or(Errno::EINVAL)?;
    user::copy_in(caller.cx, at, value).map_err(errno)?;
    let is_privileged = caller.credentials().is_privileged();
    options::set(caller.cx, &socket, name, value, is_privileged)
}
