//! From a path to a file: through directories, mounts, symbolic links and `..`.
//!
//! Invariant: every directory on the way is searched only with the right to pass through it, and no walk leads above the view's root.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::context::FileSystemContext;
use super::mount::{self, Location};
use super::node::{Kind, Node};
use super::path;
use super::permission;
use crate::credentials::Credentials;

/// The most symbolic links that one path may lead through.
const LINK_LIMIT: u32 = 40;

/// Through whose eyes a path is followed.
#[derive(Clone)]
pub struct View {
    /// Where absolute paths start, and above which nothing is seen.
    pub root: Location,
    /// Where other paths start.
    pub start: Location,
    /// With whose rights.
    pub credentials: Arc<Credentials>,
}

/// A file, and under which name it was found.
#[derive(Clone)]
pub struct Found {
    /// The file.
    pub location: Location,
    /// The directory and the name, when the path ended in a name.
    pub entry: Option<(Location, Arc<[u8]>)>,
}

/// The directory that a path's last name stands in, and that name.
#[derive(Clone)]
pub struct Parent {
    /// The directory.
    pub directory: Location,
    /// The last name; may be `.` or `..`, and is empty when the path is only slashes.
    pub name: Vec<u8>,
    /// Whether a slash follows the name.
    pub slash_follows: bool,
}

/// What to do when the last name is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Go where it points.
    Follow,
    /// The link itself is meant.
    Stay,
}

impl View {
    /// A process's own view.
    pub fn of(cx: &TaskContext, context: &FileSystemContext, credentials: Arc<Credentials>) -> Self {
        Self { root: context.root(cx), start: context.working(cx), credentials }
    }

    /// The same eyes, starting elsewhere.
    pub fn from(&self, start: Location) -> Self {
        Self { start, ..self.clone() }
    }

    /// Whether the view's user may do `wanted` to the file.
    pub fn check(&self, cx: &mut TaskContext, place: &Location, wanted: u32) -> Result<(), Errno> {
        let attributes = place.node.attributes(cx)?;
        permission::check(&self.credentials, &attributes, wanted)
    }
}

/// The file that a path names.
pub fn find(cx: &mut TaskContext, view: &View, path: &[u8], last: Last) -> Result<Found, Errno> {
    match walk(cx, view, path, Some(last), &mut 0)? {
        End::Found(found) => Ok(found),
        End::Parent(_) => Err(Errno::ENOENT),
    }
}

/// The directory in which a path's last name stands, whether or not there is such a file.
pub fn find_parent(cx: &mut TaskContext, view: &View, path: &[u8]) -> Result<Parent, Errno> {
    find_parent_counting(cx, view, path, &mut 0)
}

/// As `find_parent`, counting links that were followed into `links`.
pub fn find_parent_counting(cx: &mut TaskContext, view: &View, path: &[u8], links: &mut u32) -> Result<Parent, Errno> {
    match walk(cx, view, path, None, links)? {
        End::Parent(parent) => Ok(parent),
        End::Found(found) => Ok(Parent { directory: found.location, name: Vec::new(), slash_follows: true }),
    }
}

/// One more link was met.
pub fn count_link(links: &mut u32) -> Result<(), Errno> {
    *links += 1;
    if *links > LINK_LIMIT { Err(Errno::ELOOP) } else { Ok(()) }
}

enum End {
    Found(Found),
    Parent(Parent),
}

struct Walk<'a> {
    view: &'a View,
    here: Location,
    entry: Option<(Location, Arc<[u8]>)>,
}

fn walk(cx: &mut TaskContext, view: &View, path: &[u8], last: Option<Last>, links: &mut u32) -> Result<End, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let here = if path::is_absolute(path) { view.root.clone() } else { view.start.clone() };
    let mut walk = Walk { view, here, entry: None };
    let mut path = path.to_vec();
    let mut position = 0;
    loop {
        let rest = path.get(position..).unwrap_or_default();
        let Some(component) = path::first_component(rest) else {
            return Ok(End::Found(Found { location: walk.here, entry: walk.entry }));
        };
        if walk.here.node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        view.check(cx, &walk.here, permission::EXECUTE)?;
        path::check_name(component.name)?;
        if component.is_last && last.is_none() {
            let (name, slash_follows) = (component.name.to_vec(), component.slash_follows);
            return Ok(End::Parent(Parent { directory: walk.here, name, slash_follows }));
        }
        let follow = !component.is_last || component.slash_follows || last == Some(Last::Follow);
        if let Some(target) = walk.step(cx, component, follow, links)? {
            path = target;
            position = 0;
            continue;
        }
        if component.is_last && component.slash_follows && walk.here.node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        position = path.len() - component.rest.len();
    }
}

impl Walk<'_> {
    /// Goes one component further; answers another path to go on with when it was a link.
    fn step(
        &mut self,
        cx: &mut TaskContext,
        component: path::Component<'_>,
        follow: bool,
        links: &mut u32,
    ) -> Result<Option<Vec<u8>>, Errno> {
        self.entry = None;
        match component.name {
            b"." => {}
            b".." => self.here = up(cx, &self.view.root, &self.here),
            name => {
                let child = self.here.node.find(cx, name)?;
                if child.kind() == Kind::Link && follow {
                    count_link(links)?;
                    return self.follow(cx, &child, component);
                }
                let place = self.here.beside(child);
                let place = if place.node.kind() == Kind::Directory { mount::uncover(cx, place) } else { place };
                let directory = core::mem::replace(&mut self.here, place);
                if component.is_last {
                    self.entry = Some((directory, name.into()));
                }
            }
        }
        Ok(None)
    }

    fn follow(&mut self, cx: &mut TaskContext, link: &Arc<dyn Node>, component: path::Component<'_>) -> Result<Option<Vec<u8>>, Errno> {
        if let Some(found) = link.leads_to(cx) {
            let found = found?;
            self.here = found.location;
            self.entry = found.entry;
            return Ok(None);
        }
        let mut target = link.target(cx)?;
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path::is_absolute(&target) {
            self.here = self.view.root.clone();
        }
        if target.len() + component.rest.len() >= 2 * path::PATH_LIMIT {
            return Err(Errno::ENAMETOOLONG);
        }
        target.extend_from_slice(component.rest);
        Ok(Some(target))
    }
}

/// The directory above, as seen below `root`: the root is above itself, and the top of a mount is below what it covers.
pub fn up(cx: &mut TaskContext, root: &Location, place: &Location) -> Location {
    let mut place = place.clone();
    loop {
        if place.is(root) {
            return place;
        }
        if !place.is_mount_root() {
            break;
        }
        let Some(covered) = place.mount.covers.clone() else { return place };
        place = covered;
    }
    match place.node.parent(cx) {
        Some(node) => mount::uncover(cx, place.beside(node)),
        None => place,
    }
}
