//! The names in a block of a directory.
//!
//! Invariant: pure. An entry never reaches beyond its block, and each is longer than nothing, so a walk ends.

use abi::Errno;

use super::super::node::Kind;
use super::fields::Fields;

const HEAD: usize = 8;

/// One name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub name: &'a [u8],
    pub inode: u32,
    /// What the entry says that the file is, if it says so.
    pub kind: Option<Kind>,
    /// Where the next entry begins.
    pub end: usize,
}

/// The entry at `at`; its name is empty where an entry was taken out.
pub(super) fn entry(block: &[u8], at: usize, has_types: bool) -> Result<Found<'_>, Errno> {
    let fields = Fields(block);
    let inode = fields.long(at)?;
    let length = match fields.word(at + 4)? {
        // As long as a block of 64 KiB can be.
        0 | 0xffff if block.len() == 65536 => block.len() - at,
        length => usize::from(length),
    };
    let name_length = usize::from(if has_types { u16::from(fields.byte(at + 6)?) } else { fields.word(at + 6)? });
    let end = at + length;
    if length < HEAD || length % 4 != 0 || end > block.len() || HEAD + name_length > length {
        return Err(Errno::EUCLEAN);
    }
    let kind = if has_types { kind_of(fields.byte(at + 7)?) } else { None };
    let name = if inode == 0 { &[][..] } else { fields.part(at + HEAD, name_length)? };
    if inode != 0 && (name.is_empty() || name_length > 255 || name.contains(&b'/') || name.contains(&0)) {
        return Err(Errno::EUCLEAN);
    }
    Ok(Found { name, inode, kind, end })
}

fn kind_of(byte: u8) -> Option<Kind> {
    Some(match byte {
        1 => Kind::Regular,
        2 => Kind::Directory,
        3 => Kind::Character,
        4 => Kind::Block,
        5 => Kind::Fifo,
        6 => Kind::Socket,
        7 => Kind::Link,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn put(block: &mut Vec<u8>, inode: u32, length: u16, name: &[u8], kind: u8) {
        let start = block.len();
        block.extend(inode.to_le_bytes());
        block.extend(length.to_le_bytes());
        block.extend([name.len() as u8, kind]);
        block.extend(name);
        block.resize(start + usize::from(length), 0);
    }

    #[test]
    fn entries_follow_each_other_and_removed_ones_have_no_name() {
        let mut block = Vec::new();
        put(&mut block, 12, 16, b"hello", 1);
        put(&mut block, 0, 16, b"gone", 1);
        put(&mut block, 13, 32, b"d", 2);
        let first = entry(&block, 0, true).unwrap();
        assert_eq!((first.name, first.inode, first.kind, first.end), (&b"hello"[..], 12, Some(Kind::Regular), 16));
        assert_eq!(entry(&block, 16, true).unwrap().name, b"");
        assert_eq!(entry(&block, 32, true).unwrap().end, block.len());
    }

    #[test]
    fn no_bytes_lead_outside_of_the_block_or_nowhere() {
        let mut seed = 1_u32;
        for _ in 0..20_000 {
            let block: Vec<u8> = (0..64)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8 & 0x1f
                })
                .collect();
            let mut at = 0;
            while at < block.len() {
                let Ok(found) = entry(&block, at, seed & 1 == 0) else { break };
                assert!(found.end > at && found.end <= block.len());
                at = found.end;
            }
        }
    }
}
