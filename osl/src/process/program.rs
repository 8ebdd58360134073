//! From a path to the file that will really be run: permissions, and scripts that name their interpreter.
//!
//! Invariant: nothing of the calling process changes here. A script leads to another file at most four times.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::constant::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW};
use sync::TaskContext;

use super::task::Task;
use crate::elf::stack::Strings;
use crate::fs::buffer::KernelSink;
use crate::fs::lookup::{self, Last};
use crate::fs::mapped_file;
use crate::fs::{Attributes, Found, Kind, Node, View, permission};

/// Bytes of a file that are looked at to tell what it is.
const HEAD_BYTES: usize = 256;
/// How many scripts may lead to each other.
const SCRIPT_LIMIT: u32 = 4;

/// A file that is to be run.
pub struct ProgramFile {
    /// The file.
    pub node: Arc<dyn Node>,
    /// Where it was found.
    pub found: Found,
    /// Its path from the caller's root.
    pub name: String,
    /// Its owner and permissions.
    pub attributes: Attributes,
    /// Its first bytes.
    pub head: Vec<u8>,
}

/// What `execve` was asked for.
pub struct Wish {
    /// The file's path, as the caller gave it.
    pub path: Vec<u8>,
    /// The arguments.
    pub arguments: Strings,
    /// The environment.
    pub environment: Strings,
}

/// Where a path of `execveat` begins, and how its last name is taken.
#[derive(Clone, Copy, Debug)]
pub struct From {
    /// A directory, or the file itself.
    pub descriptor: i32,
    /// `AT_` bits.
    pub flags: u32,
}

impl From {
    /// As `execve` means it.
    pub const WORKING_DIRECTORY: Self = Self { descriptor: AT_FDCWD, flags: 0 };
}

/// Finds the file. Scripts change the wish's arguments to what their interpreter gets.
pub fn find(cx: &mut TaskContext, task: &Task, from: From, wish: &mut Wish) -> Result<ProgramFile, Errno> {
    let found = first_place(cx, task, from, wish)?;
    let mut file = open(cx, task, found)?;
    let mut scripts = 0;
    while file.head.starts_with(b"#!") {
        scripts += 1;
        if scripts > SCRIPT_LIMIT {
            return Err(Errno::ELOOP);
        }
        let script = wish.path.clone();
        let interpreter = interpreter(&file.head).ok_or(Errno::ENOEXEC)?;
        lead_to(wish, &script, &interpreter).ok_or(Errno::ENOMEM)?;
        let view = view(cx, task);
        let found = lookup::find(cx, &view, interpreter.path, Last::Follow)?;
        file = open(cx, task, found)?;
    }
    Ok(file)
}

/// Opens another program's file by its path, for one that asks to be started by it.
pub fn open_path(cx: &mut TaskContext, task: &Task, path: &[u8]) -> Result<ProgramFile, Errno> {
    let view = view(cx, task);
    let found = lookup::find(cx, &view, path, Last::Follow)?;
    open(cx, task, found)
}

fn view(cx: &TaskContext, task: &Task) -> View {
    let context = task.file_system(cx);
    View::of(cx, &context, task.credentials(cx))
}

fn first_place(cx: &mut TaskContext, task: &Task, from: From, wish: &mut Wish) -> Result<Found, Errno> {
    if from.flags & !(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno::EINVAL);
    }
    let stays = from.flags & AT_SYMLINK_NOFOLLOW != 0;
    let last = if stays { Last::Stay } else { Last::Follow };
    let view = view(cx, task);
    if wish.path.starts_with(b"/") || from.descriptor == AT_FDCWD {
        return not_a_link(lookup::find(cx, &view, &wish.path, last)?);
    }
    let open = task.files(cx).get(cx, from.descriptor)?;
    let start = open.found().cloned().ok_or(Errno::EACCES)?;
    let given = core::mem::take(&mut wish.path);
    wish.path = alloc::format!("/dev/fd/{}", from.descriptor).into_bytes();
    if given.is_empty() {
        return if from.flags & AT_EMPTY_PATH != 0 { Ok(start) } else { Err(Errno::ENOENT) };
    }
    wish.path.push(b'/');
    wish.path.extend_from_slice(&given);
    not_a_link(lookup::find(cx, &view.from(start.location), &given, last)?)
}

fn not_a_link(found: Found) -> Result<Found, Errno> {
    if found.location.node.kind() == Kind::Link { Err(Errno::ELOOP) } else { Ok(found) }
}

fn open(cx: &mut TaskContext, task: &Task, found: Found) -> Result<ProgramFile, Errno> {
    let node = found.location.node.clone();
    let attributes = node.attributes(cx)?;
    if attributes.kind != Kind::Regular {
        return Err(Errno::EACCES);
    }
    permission::check(&task.credentials(cx), &attributes, permission::EXECUTE)?;
    let head = read(cx, &node, 0, HEAD_BYTES)?;
    let root = task.file_system(cx).root(cx);
    let name = mapped_file::name_of(cx, &root, &found);
    Ok(ProgramFile { node, found, name, attributes, head })
}

/// Bytes of a file, fewer at its end.
pub fn read(cx: &mut TaskContext, node: &Arc<dyn Node>, at: u64, length: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let so_far = bytes.len() as u64;
        let count = node.read(cx, at.saturating_add(so_far), &mut KernelSink::new(&mut bytes, length))?;
        if count == 0 {
            break;
        }
    }
    Ok(bytes)
}

/// What the first line of a script says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interpreter<'a> {
    path: &'a [u8],
    argument: Option<&'a [u8]>,
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The interpreter and its one argument, from a file that begins with `#!`.
fn interpreter(head: &[u8]) -> Option<Interpreter<'_>> {
    let rest = head.strip_prefix(b"#!")?;
    let end = rest.iter().position(|byte| *byte == b'\n' || *byte == 0);
    // Without an end of line the path may have been cut, unless something follows it.
    let (line, is_cut) = match end {
        Some(end) => (rest.get(..end)?, false),
        None => (rest, head.len() >= HEAD_BYTES),
    };
    let line = trim(line);
    let (path, argument) = match line.iter().position(|byte| is_blank(*byte)) {
        Some(end) => (line.get(..end)?, trim(line.get(end..)?)),
        None if is_cut => return None,
        None => (line, &[][..]),
    };
    if path.is_empty() {
        return None;
    }
    Some(Interpreter { path, argument: (!argument.is_empty()).then_some(argument) })
}

/// The interpreter gets its argument, the script's path, and the script's own arguments.
fn lead_to(wish: &mut Wish, script: &[u8], interpreter: &Interpreter<'_>) -> Option<()> {
    wish.arguments.remove_first();
    wish.arguments.push_first(script)?;
    if let Some(argument) = interpreter.argument {
        wish.arguments.push_first(argument)?;
    }
    wish.arguments.push_first(interpreter.path)?;
    wish.path = interpreter.path.to_vec();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn parts(head: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
        interpreter(head).map(|found| (found.path, found.argument))
    }

    #[test]
    fn a_script_names_a_path_and_at_most_one_argument() {
        assert_eq!(parts(b"#!/bin/sh\necho"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(parts(b"#! /usr/bin/env -S a b \nx"), Some((&b"/usr/bin/env"[..], Some(&b"-S a b"[..]))));
        assert_eq!(parts(b"#!/bin/sh"), Some((&b"/bin/sh"[..], None)));
    }

    #[test]
    fn an_empty_or_cut_line_names_nothing() {
        assert_eq!(parts(b"#!\n"), None);
        assert_eq!(parts(b"#!   \t \n"), None);
        let mut long = vec![b'x'; HEAD_BYTES];
        long[..2].copy_from_slice(b"#!");
        assert_eq!(parts(&long), None);
        long[20] = b' ';
        assert!(parts(&long).is_some(), "the path is whole");
    }

    #[test]
    fn the_script_takes_the_place_of_its_own_name() {
        let mut arguments = Strings::new();
        arguments.push(b"name").unwrap();
        arguments.push(b"one").unwrap();
        let mut wish = Wish { path: b"/s".to_vec(), arguments, environment: Strings::new() };
        let found = Interpreter { path: b"/bin/sh", argument: Some(b"-e") };
        lead_to(&mut wish, b"/s", &found).unwrap();
        let seen: Vec<&[u8]> = wish.arguments.iter().collect();
        assert_eq!(seen, [&b"/bin/sh"[..], b"-e", b"/s", b"one"]);
        assert_eq!(wish.path, b"/bin/sh");
    }
}
