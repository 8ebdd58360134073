//! Control messages: what is sent beside the bytes, as `cmsg(3)` lays it out.
//!
//! Invariant: pure; lengths that lie are `EINVAL`, and nothing outside the given bytes is looked at.

use alloc::vec::Vec;

use abi::Errno;
use abi::socket::{ControlHeader, PeerCredentials, SCM_CREDENTIALS, SCM_MAX_FD, SCM_RIGHTS, SOL_SOCKET};
use zerocopy::{FromBytes, IntoBytes};

const HEAD: usize = size_of::<ControlHeader>();
const ALIGNMENT: usize = 8;
const FD: usize = 4;

/// What a sender says beside the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Descriptors to be passed.
    pub descriptors: Vec<i32>,
    /// Who it says it is.
    pub credentials: Option<PeerCredentials>,
}

/// Reads what a sender says.
pub fn parse(mut bytes: &[u8]) -> Result<Said, Errno> {
    let mut said = Said::default();
    while bytes.len() >= HEAD {
        let (head, _) = ControlHeader::read_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
        let length = usize::try_from(head.length).map_err(|_| Errno::EINVAL)?;
        let content = bytes.get(HEAD..length).ok_or(Errno::EINVAL)?;
        match (head.level, head.kind) {
            (SOL_SOCKET, SCM_RIGHTS) => {
                let descriptors = content.chunks_exact(FD).filter_map(|word| i32::read_from_bytes(word).ok());
                said.descriptors.extend(descriptors);
                if said.descriptors.len() > SCM_MAX_FD {
                    return Err(Errno::EINVAL);
                }
            }
            (SOL_SOCKET, SCM_CREDENTIALS) => {
                said.credentials = Some(PeerCredentials::read_from_bytes(content).map_err(|_| Errno::EINVAL)?);
            }
            (SOL_SOCKET, _) => return Err(Errno::EINVAL),
            _ => {}
        }
        bytes = length.checked_next_multiple_of(ALIGNMENT).and_then(|next| bytes.get(next..)).unwrap_or_default();
    }
    Ok(said)
}

/// Control messages for a receiver, as many as it has room for.
pub struct Told {
    bytes: Vec<u8>,
    room: usize,
    /// Not all of it had room.
    pub is_cut: bool,
}

impl Told {
    /// Nothing yet, with so much room.
    pub fn new(room: usize) -> Self {
        Self { bytes: Vec::new(), room, is_cut: false }
    }

    /// What there is to tell.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn left(&self) -> usize {
        self.room.saturating_sub(self.bytes.len())
    }

    /// How many descriptors there is room for.
    pub fn room_for_descriptors(&self) -> usize {
        self.left().saturating_sub(HEAD) / FD
    }

    /// Tells who sent.
    pub fn credentials(&mut self, credentials: PeerCredentials) {
        self.put(SCM_CREDENTIALS, credentials.as_bytes());
    }

    /// Tells the descriptors that were received.
    pub fn descriptors(&mut self, descriptors: &[i32]) {
        self.put(SCM_RIGHTS, descriptors.as_bytes());
    }

    fn put(&mut self, kind: i32, content: &[u8]) {
        let left = self.left();
        if left < HEAD {
            self.is_cut = true;
            return;
        }
        let whole = HEAD + content.len();
        let length = whole.min(left);
        self.is_cut |= length < whole;
        let head = ControlHeader { length: length as u64, level: SOL_SOCKET, kind };
        let end = self.bytes.len() + length.next_multiple_of(ALIGNMENT).min(left);
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend(content.iter().take(length - HEAD));
        self.bytes.resize(end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u64, kind: i32, content: &[u8]) -> Vec<u8> {
        let head = ControlHeader { length, level: SOL_SOCKET, kind };
        [head.as_bytes(), content].concat()
    }

    #[test]
    fn descriptors_and_credentials_are_read_one_after_the_other() {
        let mut bytes = message(20, SCM_RIGHTS, &[7, 0, 0, 0, 9, 9, 9, 9]);
        let me = PeerCredentials { process: 1, user: 2, group: 3 };
        bytes.extend(message(28, SCM_CREDENTIALS, me.as_bytes()));
        assert_eq!(parse(&bytes), Ok(Said { descriptors: [7].into(), credentials: Some(me) }));
    }

    #[test]
    fn lengths_that_lie_are_einval_and_a_rest_too_short_for_a_head_is_nothing() {
        for length in [0, 15, 25, u64::MAX] {
            assert_eq!(parse(&message(length, SCM_RIGHTS, &[0; 8])), Err(Errno::EINVAL), "{length}");
        }
        assert_eq!(parse(&[1; 15]), Ok(Said::default()));
        assert_eq!(parse(&message(16, 99, &[])), Err(Errno::EINVAL));
    }

    #[test]
    fn more_descriptors_than_a_message_may_have_are_einval() {
        let most = message(16 + 4 * SCM_MAX_FD as u64, SCM_RIGHTS, &[0; 4 * SCM_MAX_FD]);
        assert!(parse(&most).is_ok());
        let more = message(20 + 4 * SCM_MAX_FD as u64, SCM_RIGHTS, &[0; 4 * SCM_MAX_FD + 4]);
        assert_eq!(parse(&more), Err(Errno::EINVAL));
    }

    #[test]
    fn what_has_no_room_is_cut_and_says_so() {
        let mut told = Told::new(30);
        assert_eq!(told.room_for_descriptors(), 3);
        told.descriptors(&[1, 2]);
        assert!(!told.is_cut);
        assert_eq!(told.bytes().len(), 24);
        told.credentials(super::super::socket::NOBODY);
        assert!(told.is_cut);
        assert_eq!(told.bytes().len(), 24);
    }
}
