//! The "newc" cpio archive: how a root file system is handed to the kernel.
//!
//! Invariant: what is written is padded to four bytes and ends with the trailer; a file with several names is written with its
//! bytes at its last name, as cpio does.

use crate::error::{Failure, Outcome};

pub const DIRECTORY: u32 = 0o040_000;
pub const REGULAR: u32 = 0o100_000;
pub const SYMBOLIC_LINK: u32 = 0o120_000;
const MAGIC: &[u8] = b"070701";
const HEADER: usize = 110;
const TRAILER: &str = "TRAILER!!!";

/// What an entry is, besides its name and its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes {
    /// Type and permissions, as `stat` says them.
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    /// Seconds since 1970.
    pub modified: u32,
    /// Zero: a number of its own. Names with the same number are names of one file.
    pub number: u32,
    pub links: u32,
    /// For devices.
    pub device: (u32, u32),
}

#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    next_number: u32,
}

impl Archive {
    pub fn directory(&mut self, name: &str, permissions: u32) {
        self.own(name, DIRECTORY | permissions, &[]);
    }

    pub fn file(&mut self, name: &str, permissions: u32, bytes: &[u8]) {
        self.own(name, REGULAR | permissions, bytes);
    }

    pub fn link(&mut self, name: &str, to: &str) {
        self.own(name, SYMBOLIC_LINK | 0o777, to.as_bytes());
    }

    /// One entry as it is. Fails when a number does not fit into the format.
    pub fn entry(&mut self, name: &[u8], attributes: &Attributes, bytes: &[u8]) -> Outcome<()> {
        let size = u32::try_from(bytes.len())
            .map_err(|_| Failure::new(format!("{}: a cpio archive holds no file of 4 GiB or more", String::from_utf8_lossy(name))))?;
        let number = match attributes.number {
            0 => {
                self.next_number += 1;
                0x4000_0000 + self.next_number
            }
            number => number,
        };
        let fields = [
            number,
            attributes.mode,
            attributes.user,
            attributes.group,
            attributes.links.max(1),
            attributes.modified,
            size,
            0,
            0,
            attributes.device.0,
            attributes.device.1,
            name.len() as u32 + 1,
            0,
        ];
        self.bytes.extend_from_slice(MAGIC);
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(bytes);
        self.pad();
        Ok(())
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.own(TRAILER, 0, &[]);
        self.bytes
    }

    fn own(&mut self, name: &str, mode: u32, bytes: &[u8]) {
        let links = if mode & DIRECTORY == DIRECTORY { 2 } else { 1 };
        let written = self.entry(name.as_bytes(), &Attributes { mode, links, ..Attributes::default() }, bytes);
        debug_assert!(written.is_ok(), "this tool's own files are small");
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// The names in an archive, as far as it can be read: used to find programs by their short names.
pub fn names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0usize;
    while let Some(header) = bytes.get(at..at.saturating_add(HEADER)).filter(|header| header.starts_with(MAGIC)) {
        let field = |index: usize| {
            let digits = std::str::from_utf8(&header[6 + index * 8..14 + index * 8]).ok()?;
            usize::from_str_radix(digits, 16).ok()
        };
        let (Some(size), Some(name_length)) = (field(6), field(11)) else { break };
        let name_at = at + HEADER;
        let Some(name) = bytes.get(name_at..name_at + name_length.saturating_sub(1)) else { break };
        if name == TRAILER.as_bytes() {
            break;
        }
        names.push(String::from_utf8_lossy(name).trim_start_matches("./").trim_start_matches('/').to_owned());
        at = ((name_at + name_length).next_multiple_of(4) + size).next_multiple_of(4);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn small() -> Vec<u8> {
        let mut archive = Archive::default();
        archive.directory("bin", 0o755);
        archive.file("bin/odd", 0o644, b"12345");
        archive.link("bin/sh", "busybox");
        archive.finish()
    }

    #[test]
    fn every_part_starts_on_four_bytes() {
        let bytes = small();
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.windows(6).enumerate().filter(|(_, part)| part == &MAGIC).all(|(at, _)| at % 4 == 0));
    }

    #[test]
    fn names_are_read_back() {
        assert_eq!(names(&small()), ["bin", "bin/odd", "bin/sh"]);
        assert_eq!(names(b"nonsense"), Vec::<String>::new());
        assert_eq!(names(&small()[..130]), ["bin"]);
    }

    #[test]
    fn cpio_itself_lists_what_was_written() {
        let Ok(mut cpio) = Command::new("busybox").args(["cpio", "-tv"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() else {
            return;
        };
        cpio.stdin.take().unwrap().write_all(&small()).unwrap();
        let listed = String::from_utf8(cpio.wait_with_output().unwrap().stdout).unwrap();
        assert!(listed.contains("drwxr-xr-x"), "{listed}");
        assert!(listed.contains("bin/sh -> busybox"), "{listed}");
    }
}
