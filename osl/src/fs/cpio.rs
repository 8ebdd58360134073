//! The boot archive, member by member: cpio's `newc` format.
//!
//! Invariant: pure, and every length in the archive is checked against what is there: no input makes it read beyond or panic.

/// One member of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its path, without leading slashes or `./`.
    pub name: &'a [u8],
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub user: u32,
    /// Group.
    pub group: u32,
    /// Seconds since 1970.
    pub modified: u32,
    /// How many members are the same file.
    pub links: u32,
    /// Which file of the archive it is: device major, minor and number.
    pub file: (u32, u32, u32),
    /// For a device: which.
    pub special: (u32, u32),
    /// Its bytes, or where a symbolic link points.
    pub data: &'a [u8],
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// No member starts where one should.
    Magic,
    /// A field is not a hexadecimal number.
    Number,
    /// The archive ends within a member.
    Truncated,
    /// A name is empty or has no end.
    Name,
}

const HEADER: usize = 110;
const TRAILER: &[u8] = b"TRAILER!!!";

/// Reads members one after the other.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    rest: &'a [u8],
    position: usize,
    is_done: bool,
}

/// The members of an archive, or of several that stand one after the other with zeros between them.
pub fn members(archive: &[u8]) -> Members<'_> {
    Members { rest: archive, position: 0, is_done: false }
}

impl<'a> Members<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Broken::Truncated)?;
        self.rest = rest;
        self.position += length;
        Ok(taken)
    }

    /// Members, names and data start at multiples of four. The very last padding may be missing.
    fn align(&mut self) {
        let padding = (4 - self.position % 4) % 4;
        let _ = self.take(padding.min(self.rest.len()));
    }

    fn skip_zeros(&mut self) {
        let zeros = self.rest.iter().take_while(|&&byte| byte == 0).count();
        let _ = self.take(zeros);
    }

    fn member(&mut self) -> Result<Member<'a>, Broken> {
        let header = self.take(HEADER)?;
        if !header.starts_with(b"070701") && !header.starts_with(b"070702") {
            return Err(Broken::Magic);
        }
        let field = |index: usize| number(header.get(6 + index * 8..14 + index * 8));
        let name_length = usize::try_from(field(11)?).map_err(|_| Broken::Number)?;
        let data_length = usize::try_from(field(6)?).map_err(|_| Broken::Number)?;
        let (&zero, name) = self.take(name_length)?.split_last().ok_or(Broken::Name)?;
        if zero != 0 || name.contains(&0) {
            return Err(Broken::Name);
        }
        self.align();
        let data = self.take(data_length)?;
        self.align();
        Ok(Member {
            name: relative(name),
            mode: field(1)?,
            user: field(2)?,
            group: field(3)?,
            links: field(4)?,
            modified: field(5)?,
            file: (field(7)?, field(8)?, field(0)?),
            special: (field(9)?, field(10)?),
            data,
        })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.is_done || self.rest.is_empty() {
                return None;
            }
            let member = self.member();
            match member {
                Ok(member) if member.name == TRAILER => {
                    self.skip_zeros();
                    self.position = 0;
                }
                Ok(_) => return Some(member),
                Err(_) => {
                    self.is_done = true;
                    return Some(member);
                }
            }
        }
    }
}

fn number(digits: Option<&[u8]>) -> Result<u32, Broken> {
    let mut value = 0u32;
    for &digit in digits.ok_or(Broken::Truncated)? {
        let digit = char::from(digit).to_digit(16).ok_or(Broken::Number)?;
        value = value << 4 | digit;
    }
    Ok(value)
}

fn relative(mut name: &[u8]) -> &[u8] {
    loop {
        name = match name {
            [b'/', rest @ ..] | [b'.', b'/', rest @ ..] => rest,
            [b'.'] => &[],
            _ => return name,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;

    fn member(name: &str, mode: u32, data: &[u8]) -> Vec<u8> {
        let fields = [7, mode, 1, 2, 1, 99, data.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        let mut bytes = b"070701".to_vec();
        for field in fields {
            bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn archive() -> Vec<u8> {
        [member("./bin", 0o040755, b""), member("/bin/sh", 0o100755, b"hello"), member("TRAILER!!!", 0, b"")].concat()
    }

    #[test]
    fn members_come_with_name_mode_and_data() {
        let bytes = archive();
        let all: Vec<_> = members(&bytes).collect::<Result<_, _>>().expect("a sound archive");
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].name, all[0].mode), (b"bin".as_slice(), 0o040755));
        assert_eq!((all[1].name, all[1].data, all[1].modified), (b"bin/sh".as_slice(), b"hello".as_slice(), 99));
    }

    #[test]
    fn a_second_archive_after_zeros_is_read_too() {
        let bytes = [archive(), alloc::vec![0; 512], archive()].concat();
        assert_eq!(members(&bytes).filter(Result::is_ok).count(), 4);
    }

    #[test]
    fn every_truncation_ends_without_a_panic() {
        let bytes = archive();
        for length in 0..bytes.len() {
            assert!(members(&bytes[..length]).count() <= 3);
        }
    }

    #[test]
    fn every_damaged_byte_ends_without_a_panic() {
        let bytes = archive();
        for index in 0..bytes.len() {
            for value in [0, b'f', 0xff] {
                let mut damaged = bytes.clone();
                damaged[index] = value;
                assert!(members(&damaged).count() <= bytes.len());
            }
        }
    }

    #[test]
    fn a_name_longer_than_the_archive_is_truncated() {
        let mut bytes = member("a", 0o100644, b"");
        bytes[94..102].copy_from_slice(b"ffffffff");
        assert_eq!(members(&bytes).next(), Some(Err(Broken::Truncated)));
    }
}
