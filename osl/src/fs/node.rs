//! Node: what a file system offers for each of its files.
//!
//! Invariant: a node checks no permissions and crosses no mounts: that is `lookup`'s and `change`'s work, done before.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ops::Range;

use abi::Errno;
use abi::file::{Statfs, mode};
use libkernel::address_space::PageSource;
use sync::TaskContext;

use super::attributes::{Attributes, Change};
use super::buffer::{Sink, Source};
use super::lookup::Found;
use super::seals::Seals;

/// Which file: never the same for two files that exist at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The number of the file system (`st_dev`).
    pub file_system: u64,
    /// The number within it (`st_ino`).
    pub number: u64,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    Regular,
    /// Names of files.
    Directory,
    /// A path.
    Link,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl Kind {
    /// The type bits of `st_mode`.
    pub fn mode_bits(self) -> u32 {
        match self {
            Self::Regular => mode::REGULAR,
            Self::Directory => mode::DIRECTORY,
            Self::Link => mode::LINK,
            Self::Character => mode::CHARACTER,
            Self::Block => mode::BLOCK,
            Self::Fifo => mode::FIFO,
            Self::Socket => mode::SOCKET,
        }
    }

    /// The kind that the type bits of a mode name.
    pub fn of_mode(bits: u32) -> Option<Self> {
        Some(match bits & mode::TYPE_MASK {
            mode::REGULAR => Self::Regular,
            mode::DIRECTORY => Self::Directory,
            mode::LINK => Self::Link,
            mode::CHARACTER => Self::Character,
            mode::BLOCK => Self::Block,
            mode::FIFO => Self::Fifo,
            mode::SOCKET => Self::Socket,
            _ => return None,
        })
    }

    /// The type byte of a directory entry (`d_type`).
    pub fn entry_type(self) -> u8 {
        u8::try_from(self.mode_bits() >> 12).unwrap_or(0)
    }
}

/// A file to be made.
#[derive(Clone, Copy, Debug)]
pub struct New<'a> {
    /// What it will be.
    pub kind: Kind,
    /// Its permission bits, umask applied.
    pub mode: u32,
    /// Its owner.
    pub user: u32,
    /// Its group.
    pub group: u32,
    /// For a device file: the device.
    pub device: u64,
    /// For a symbolic link: where it points.
    pub target: &'a [u8],
}

/// One name in a directory, as a listing meets it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The file's number.
    pub number: u64,
    /// What the file is.
    pub kind: Kind,
    /// Where a listing goes on after this entry.
    pub next: u64,
}

/// Where a write begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a byte.
    At(u64),
    /// Where the file ends at the moment of the write.
    End,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// How many bytes.
    pub count: usize,
    /// The position after the last of them.
    pub end: u64,
}

/// What a rename does when the new name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The file that has it loses it.
    Replace,
    /// The rename fails.
    Refuse,
    /// Both change places.
    Exchange,
}

/// A file, of whatever kind.
pub trait Node: Send + Sync {
    /// Which file this is.
    fn identity(&self) -> Identity;

    /// What it is; never changes.
    fn kind(&self) -> Kind;

    /// Its properties now.
    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno>;

    /// The node itself, for the file system that made it.
    fn as_any(&self) -> &dyn Any;

    /// Changes properties.
    fn change(&self, _cx: &mut TaskContext, _change: Change) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// What it refuses from now on; only files in memory can be sealed.
    fn seals(&self) -> Option<&Seals> {
        None
    }

    /// Refuses more from now on.
    fn add_seals(&self, _cx: &mut TaskContext, _seals: u32) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Size and kind of the file system that the file is in.
    fn file_system(&self) -> Statfs;

    /// Whether the file system that it is in only reads.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Whether a path may lead to it; an unnamed pipe has none.
    fn has_place(&self) -> bool {
        true
    }

    /// Directory: the file of that name. Never asked for `.` or `..`.
    fn find(&self, _cx: &mut TaskContext, _name: &[u8]) -> Result<Arc<dyn Node>, Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Directory: the one that it stands in, within its file system; `None` for the root of one.
    fn parent(&self, _cx: &mut TaskContext) -> Option<Arc<dyn Node>> {
        None
    }

    /// Directory: the name of one of its files.
    fn name_of(&self, cx: &mut TaskContext, child: Identity) -> Option<Vec<u8>> {
        let mut found = None;
        let _ = self.list(cx, 0, &mut |entry| {
            let is_it = entry.number == child.number && entry.name != b"." && entry.name != b"..";
            if is_it {
                found = Some(entry.name.to_vec());
            }
            !is_it
        });
        found
    }

    /// Directory: calls `each` for every entry after position `from` until it answers `false`.
    fn list(&self, _cx: &mut TaskContext, _from: u64, _each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), Errno> {
        Err(Errno::ENOTDIR)
    }

    /// Directory: makes a file of that name; `EEXIST` when there is one.
    fn create(&self, _cx: &mut TaskContext, _name: &[u8], _new: New<'_>) -> Result<Arc<dyn Node>, Errno> {
        Err(Errno::EPERM)
    }

    /// Directory: one more name for a file of the same file system.
    fn link(&self, _cx: &mut TaskContext, _name: &[u8], _file: &Arc<dyn Node>) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Directory: takes a name away, if it still belongs to `expected`; with `directory` it must be an empty directory.
    fn unlink(&self, _cx: &mut TaskContext, _name: &[u8], _expected: Identity, _directory: bool) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Directory: moves `name` to `new_name` in `to`, which is of the same file system. Called with the rename mutex held.
    fn rename(&self, _cx: &mut TaskContext, _name: &[u8], _to: &Arc<dyn Node>, _new_name: &[u8], _taken: Taken) -> Result<(), Errno> {
        Err(Errno::EPERM)
    }

    /// Symbolic link: the path in it.
    fn target(&self, _cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }

    /// Symbolic link of a kernel-made file system that leads to a file without naming a path.
    fn leads_to(&self, _cx: &mut TaskContext) -> Option<Result<Found, Errno>> {
        None
    }

    /// Whether the content is a kernel-made text.
    fn is_text(&self) -> bool {
        false
    }

    /// A kernel-made text: its content at this moment.
    fn text(&self, _cx: &mut TaskContext) -> Option<Result<Vec<u8>, Errno>> {
        None
    }

    /// A kernel-made text that may be written: takes what a program writes.
    fn accept_text(&self, _cx: &mut TaskContext, _text: &[u8]) -> Result<(), Errno> {
        Err(Errno::EACCES)
    }

    /// Regular file: bytes from `at` on, at most to the end of the file.
    fn read(&self, _cx: &mut TaskContext, _at: u64, _into: &mut dyn Sink) -> Result<usize, Errno> {
        Err(Errno::EINVAL)
    }

    /// Regular file: puts bytes, growing the file where needed.
    fn write(&self, _cx: &mut TaskContext, _place: Place, _from: &mut dyn Source) -> Result<Written, Errno> {
        Err(Errno::EINVAL)
    }

    /// Regular file: cuts or extends to this length.
    fn set_size(&self, _cx: &mut TaskContext, _size: u64) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    /// Regular file: makes sure that a range has memory; with `grow` the file reaches to its end afterwards.
    fn reserve(&self, _cx: &mut TaskContext, _range: Range<u64>, _grow: bool) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Regular file: makes a range read as zeros and gives its memory back.
    fn punch(&self, _cx: &mut TaskContext, _range: Range<u64>) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Regular file: the first data (or hole) at or after a position; `None` when there is none.
    fn next_data(&self, _cx: &mut TaskContext, from: u64, hole: bool, size: u64) -> Option<u64> {
        if hole { Some(size) } else { (from < size).then_some(from) }
    }

    /// Regular file: its pages, to be mapped.
    fn pages(self: Arc<Self>) -> Option<Arc<dyn PageSource>> {
        None
    }
}
