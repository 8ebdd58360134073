//! Directories of a made file system whose names never change.
//!
//! Invariant: the numbers and positions of a fixed directory's files follow from their places in its list alone.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::tree::{Content, FIRST_POSITION, Made, Name, Volume};
use crate::fs::{Kind, Node};

/// Makes a text.
pub type Read = fn(&mut TaskContext) -> Result<Vec<u8>, Errno>;
/// Takes a text.
pub type Write = fn(&mut TaskContext, &[u8]) -> Result<(), Errno>;

/// Makes a directory from its volume, its number and the directory above.
pub type Make = fn(Volume, u64, &Arc<dyn Node>) -> Arc<dyn Node>;

/// One file of a fixed directory.
pub struct Fixed {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub what: What,
}

/// What a fixed file is.
pub enum What {
    /// A text for everyone.
    Text(Read),
    /// A text for root only.
    Secret(Read),
    /// A text that root may write.
    Setting(Read, Write),
    /// What root may only write: it does something.
    Order(Write),
    /// A symbolic link.
    Link(Read),
    /// A directory of further fixed files; its files are numbered from this number on.
    Directory(u64, &'static [Fixed]),
    /// A directory that is not fixed itself.
    Made(Make),
}

impl Fixed {
    /// A text for everyone.
    pub const fn text(name: &'static str, read: Read) -> Self {
        Self { name, what: What::Text(read) }
    }

    fn kind(&self) -> Kind {
        match self.what {
            What::Text(_) | What::Secret(_) | What::Setting(..) | What::Order(_) => Kind::Regular,
            What::Link(_) => Kind::Link,
            What::Directory(..) | What::Made(_) => Kind::Directory,
        }
    }

    fn node(&'static self, volume: Volume, number: u64, above: &Arc<dyn Node>) -> Arc<dyn Node> {
        match self.what {
            What::Text(read) => Made::node(volume, number, 0o444, Content::Text(Box::new(read))),
            What::Secret(read) => Made::node(volume, number, 0o400, Content::Text(Box::new(read))),
            What::Setting(read, write) => Made::node(volume, number, 0o644, Content::WritableText(Box::new(read), Box::new(write))),
            What::Order(write) => {
                let unreadable = |_: &mut TaskContext| Err(Errno::EACCES);
                Made::node(volume, number, 0o200, Content::WritableText(Box::new(unreadable), Box::new(write)))
            }
            What::Link(target) => Made::node(volume, number, 0o777, Content::Link(Box::new(target), None)),
            What::Directory(base, files) => directory(volume, number, base, files, Some(above.clone())),
            What::Made(make) => make(volume, number, above),
        }
    }
}

/// The names of a fixed list, its files numbered from `base` on.
pub fn names(base: u64, files: &'static [Fixed]) -> Vec<Name> {
    let numbered = files.iter().zip(0_u64..);
    numbered
        .map(|(file, place)| Name {
            name: file.name.as_bytes().to_vec(),
            position: FIRST_POSITION + place,
            number: base + place,
            kind: file.kind(),
        })
        .collect()
}

/// The file of that name in a fixed list.
pub fn find(volume: Volume, base: u64, files: &'static [Fixed], above: &Arc<dyn Node>, name: &[u8]) -> Option<Arc<dyn Node>> {
    let (file, place) = files.iter().zip(0_u64..).find(|(file, _)| file.name.as_bytes() == name)?;
    Some(file.node(volume, base + place, above))
}

/// A directory of fixed files.
pub fn directory(volume: Volume, number: u64, base: u64, files: &'static [Fixed], above: Option<Arc<dyn Node>>) -> Arc<dyn Node> {
    let parent = above.clone();
    let content = Content::Directory {
        list: Box::new(move |_| Ok(names(base, files))),
        find: Box::new(move |_, name| {
            let me = directory(volume, number, base, files, above.clone());
            find(volume, base, files, &me, name).ok_or(Errno::ENOENT)
        }),
        parent,
    };
    Made::node(volume, number, 0o555, content)
}
