//! /proc/mounts and mountinfo: which file systems hang where, as seen from a process's root.
//!
//! Invariant: a mount that is not below the root of whoever looks is not shown.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::device_parts;
use sync::TaskContext;

use super::gather::Subject;
use super::task_text::append;
use crate::fs::mount::{self, Mount};
use crate::fs::{Location, names};

/// /proc/PID/mounts.
pub fn read(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    for (mount, place) in seen(cx, subject)? {
        append(&mut text, format_args!("{} {} {} {} 0 0\n", escaped(mount.source.as_bytes()), escaped(&place), mount.kind, access(&mount)));
    }
    Ok(text.into_bytes())
}

/// /proc/PID/mountinfo.
pub fn read_with_numbers(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let mut text = String::new();
    for (mount, place) in seen(cx, subject)? {
        let parent = mount.covers.as_ref().map_or(0, |covered| covered.mount.number);
        let (major, minor) = device_parts(mount.root.identity().file_system);
        let source = escaped(mount.source.as_bytes());
        let access = access(&mount);
        append(
            &mut text,
            format_args!("{} {parent} {major}:{minor} / {} {access} - {} {source} {access}\n", mount.number, escaped(&place), mount.kind),
        );
    }
    Ok(text.into_bytes())
}

fn access(mount: &Mount) -> &'static str {
    if mount.root.is_read_only() { "ro" } else { "rw" }
}

/// A mount, and the path of its root.
type Seen = (Arc<Mount>, Vec<u8>);

fn seen(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<Seen>, Errno> {
    let context = subject.task()?.working_context(cx).ok_or(Errno::ESRCH)?;
    let root = context.root(cx);
    let mut seen = Vec::new();
    for mount in mount::all(cx) {
        if let Some(place) = names::directory_path(cx, &root, &Location::root_of(&mount)) {
            seen.push((mount, place));
        }
    }
    Ok(seen)
}

/// Space, tabulator, end of line and backslash in octal, so that columns stay columns.
fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    for part in name.utf8_chunks() {
        for character in part.valid().chars() {
            match character {
                ' ' | '\t' | '\n' | '\\' => append(&mut text, format_args!("\\{:03o}", u32::from(character))),
                _ => text.push(character),
            }
        }
        for byte in part.invalid() {
            text.push_str(&format!("\\{byte:03o}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_space_stays_one_column() {
        assert_eq!(escaped(b"/mnt/a b\\c\n\xff"), "/mnt/a\\040b\\134c\\012\\377");
    }
}
