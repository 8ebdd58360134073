//! From a file back to a path: `getcwd`, `/proc/self/exe`, `/proc/self/fd`.
//!
//! Invariant: the answer was true at some moment of the walk; a file whose name is gone is marked ` (deleted)`.

use alloc::vec::Vec;

use sync::TaskContext;

use super::lookup::Found;
use super::mount::Location;

/// More levels than any path can name: stops a walk through a tree that changes meanwhile.
const DEPTH_LIMIT: usize = 4096;

/// The absolute path of a directory as seen below `root`; `None` when it is not below it or has been removed.
pub fn directory_path(cx: &mut TaskContext, root: &Location, directory: &Location) -> Option<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut place = directory.clone();
    for _ in 0..DEPTH_LIMIT {
        if place.is(root) {
            return Some(join(&names));
        }
        if place.is_mount_root() {
            place = place.mount.covers.clone()?;
            continue;
        }
        let parent = place.node.parent(cx)?;
        names.push(parent.name_of(cx, place.node.identity())?);
        place = place.beside(parent);
    }
    None
}

fn join(names: &[Vec<u8>]) -> Vec<u8> {
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// The absolute path under which a file was found, for people to read.
pub fn path_of(cx: &mut TaskContext, root: &Location, found: &Found) -> Vec<u8> {
    let unknown = || b"(unreachable)".to_vec();
    let Some((directory, name)) = &found.entry else {
        return directory_path(cx, root, &found.location).unwrap_or_else(unknown);
    };
    let Some(mut path) = directory_path(cx, root, directory) else { return unknown() };
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    let is_there = match directory.node.find(cx, name) {
        Ok(node) => node.identity() == found.location.node.identity() || found.location.is_mount_root(),
        Err(_) => false,
    };
    if !is_there {
        path.extend_from_slice(b" (deleted)");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_from_the_top_down() {
        assert_eq!(join(&[b"bin".to_vec(), b"usr".to_vec()]), b"/usr/bin");
        assert_eq!(join(&[]), b"/");
    }
}
