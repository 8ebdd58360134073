//! What sockets are called.
//!
//! Invariant: a path has no zero in it; an abstract name may have any bytes.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::socket::{AF_UNIX, PATH_BYTES};

use super::names::Key;
use crate::fs::Node;

const FAMILY_BYTES: usize = 2;

/// A name as a program says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A file's.
    Path(Vec<u8>),
    /// One that no file has.
    Abstract(Vec<u8>),
}

impl Name {
    /// The name in an address; `EINVAL` for what is none.
    pub fn parse(address: &[u8]) -> Result<Self, Errno> {
        let name = match address.split_at_checked(FAMILY_BYTES) {
            Some((family, name)) if is_of_this_machine(family) && (1..=PATH_BYTES).contains(&name.len()) => name,
            _ => return Err(Errno::EINVAL),
        };
        Ok(match name.split_first() {
            Some((0, rest)) => Self::Abstract(rest.to_vec()),
            _ => Self::Path(name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
        })
    }

    /// Whether the address asks for any name.
    pub fn is_any(address: &[u8]) -> bool {
        address.len() == FAMILY_BYTES && is_of_this_machine(address)
    }

    /// As programs see it, without the family.
    pub fn shown(&self) -> Vec<u8> {
        match self {
            Self::Path(path) => [path.as_slice(), &[0]].concat(),
            Self::Abstract(name) => [&[0], name.as_slice()].concat(),
        }
    }
}

/// The family of an address.
pub fn family(address: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(address.get(..FAMILY_BYTES)?.try_into().ok()?))
}

fn is_of_this_machine(address: &[u8]) -> bool {
    family(address) == Some(AF_UNIX)
}

/// The name that a socket has.
pub struct Address {
    pub name: Name,
    pub(super) key: Key,
    /// The file, kept as long as the socket has the name.
    pub(super) _node: Option<Arc<dyn Node>>,
}

/// An address as a program gets it: only the family for a socket without a name.
pub fn encode(address: Option<&Address>) -> Vec<u8> {
    let mut bytes = AF_UNIX.to_ne_bytes().to_vec();
    bytes.extend(address.map(|address| address.name.shown()).unwrap_or_default());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn address(name: &[u8]) -> Vec<u8> {
        [&AF_UNIX.to_ne_bytes(), name].concat()
    }

    #[test]
    fn a_path_ends_at_its_first_zero_and_an_abstract_name_does_not() {
        assert_eq!(Name::parse(&address(b"/a\0b")), Ok(Name::Path(b"/a".to_vec())));
        assert_eq!(Name::parse(&address(b"\0a\0b")), Ok(Name::Abstract(b"a\0b".to_vec())));
        assert_eq!(Name::parse(&address(b"\0")), Ok(Name::Abstract(vec![])));
    }

    #[test]
    fn what_is_no_address_is_einval() {
        let too_long = address(&[b'x'; PATH_BYTES + 1]);
        for bytes in [b"".as_slice(), b"\x01", b"\x01\0", b"\x02\0/a", &too_long] {
            assert_eq!(Name::parse(bytes), Err(Errno::EINVAL));
        }
        assert!(Name::parse(&address(&[b'x'; PATH_BYTES])).is_ok());
    }
}
