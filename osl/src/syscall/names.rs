//! uname, sethostname, setdomainname.
//!
//! Invariant: every field of `struct utsname` ends with a zero.

use abi::Errno;
use abi::system::Utsname;
use alloc::vec::Vec;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use crate::error::errno;
use crate::release::{self, LONGEST};

const FIELD: usize = LONGEST + 1;

pub fn uname(caller: &mut Caller<'_>, result: UserAddress) -> Result<(), Errno> {
    let names = Utsname {
        system: field(release::SYSTEM.as_bytes()),
        node: field(&release::node(caller.cx)),
        release: field(release::RELEASE.as_bytes()),
        version: field(release::VERSION.as_bytes()),
        machine: field(release::MACHINE.as_bytes()),
        domain: field(&release::domain(caller.cx)),
    };
    user::copy_out_value(caller.cx, result, &names).map_err(errno)
}

pub fn sethostname(caller: &mut Caller<'_>, at: UserAddress, length: i32) -> Result<(), Errno> {
    let name = name_in(caller, at, length)?;
    release::set_node(caller.cx, name);
    Ok(())
}

pub fn setdomainname(caller: &mut Caller<'_>, at: UserAddress, length: i32) -> Result<(), Errno> {
    let name = name_in(caller, at, length)?;
    release::set_domain(caller.cx, name);
    Ok(())
}

fn name_in(caller: &mut Caller<'_>, at: UserAddress, length: i32) -> Result<Vec<u8>, Errno> {
    if !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    let length = usize::try_from(length).ok().filter(|&length| length <= LONGEST).ok_or(Errno::EINVAL)?;
    let mut bytes = [0; LONGEST];
    let name = bytes.get_mut(..length).ok_or(Errno::EINVAL)?;
    user::copy_in(caller.cx, at, name).map_err(errno)?;
    Ok(name.to_vec())
}

fn field(text: &[u8]) -> [u8; FIELD] {
    let mut field = [0; FIELD];
    for (place, &byte) in field.iter_mut().take(LONGEST).zip(text) {
        *place = byte;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_always_ends_with_a_zero() {
        assert_eq!(field(&[b'x'; 200])[FIELD - 1], 0);
        assert_eq!(&field(b"ab")[..3], b"ab\0");
    }
}
