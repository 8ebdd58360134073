//! Files, directories and paths together, on a file system in memory.
//!
//! Invariant: each test makes a tree of its own and looks at it only through paths.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::constant::{O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use sync::TaskContext;

use super::lookup::{self, Last, View};
use super::mount::{self, Location};
use super::node::{Kind, New, Taken};
use super::tmpfs::Tmpfs;
use super::{change, initial_root, names};
use crate::credentials::Credentials;
use crate::file::open::{self, Request};
use crate::host_kernel::run;

const PLAIN: New<'static> = New { kind: Kind::Regular, mode: 0o644, user: 0, group: 0, device: 0, target: &[] };

fn tree(cx: &mut TaskContext) -> View {
    let mount = mount::mount(cx, Tmpfs::create(64, 0o755), None, "test", "tmpfs").expect("a mount");
    let root = Location::root_of(&mount);
    View { root: root.clone(), start: root, credentials: Arc::new(Credentials::root()) }
}

fn stranger(view: &View) -> View {
    View { credentials: Arc::new(Credentials::of(1000, 1000)), ..view.clone() }
}

fn directory(cx: &mut TaskContext, view: &View, path: &str, mode: u32) -> Result<(), Errno> {
    change::make(cx, view, path.as_bytes(), New { kind: Kind::Directory, mode, ..PLAIN })
}

fn file(cx: &mut TaskContext, view: &View, path: &str) -> Result<(), Errno> {
    change::make(cx, view, path.as_bytes(), PLAIN)
}

fn symlink(cx: &mut TaskContext, view: &View, path: &str, target: &str) -> Result<(), Errno> {
    let new = New { kind: Kind::Link, target: target.as_bytes(), ..PLAIN };
    change::make(cx, view, path.as_bytes(), new)
}

fn number(cx: &mut TaskContext, view: &View, path: &str) -> Result<u64, Errno> {
    let found = lookup::find(cx, view, path.as_bytes(), Last::Follow)?;
    Ok(found.location.node.identity().number)
}

fn links(cx: &mut TaskContext, view: &View, path: &str) -> u64 {
    let found = lookup::find(cx, view, path.as_bytes(), Last::Stay).expect("a file");
    found.location.node.attributes(cx).expect("attributes").links
}

fn opened(cx: &mut TaskContext, view: &View, path: &str, flags: u32) -> Result<(), Errno> {
    open::open(cx, view, path.as_bytes(), Request { flags, mode: 0o644 }).map(|_| ())
}

fn rename(cx: &mut TaskContext, view: &View, from: &str, to: &str, taken: Taken) -> Result<(), Errno> {
    change::rename(cx, (view, from.as_bytes()), (view, to.as_bytes()), taken)
}

#[test]
fn a_path_leads_through_directories_dots_and_repeated_slashes() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/a", 0o755).expect("made");
        directory(cx, &view, "/a/b", 0o755).expect("made");
        file(cx, &view, "/a/b/c").expect("made");
        let plain = number(cx, &view, "/a/b/c");
        assert!(plain.is_ok());
        for path in ["//a///b//c", "a/./b/c", "/a/b/../b/c", "/../../a/b/c", "/a/b/../../a/b/c"] {
            assert_eq!(number(cx, &view, path), plain, "{path}");
        }
        for (path, error) in [("", Errno::ENOENT), ("/a/x/c", Errno::ENOENT), ("/a/b/c/", Errno::ENOTDIR), ("/a/b/c/d", Errno::ENOTDIR)] {
            assert_eq!(number(cx, &view, path), Err(error), "{path}");
        }
    });
}

#[test]
fn symbolic_links_are_followed_and_a_circle_of_them_is_eloop() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/a", 0o755).expect("made");
        file(cx, &view, "/a/f").expect("made");
        symlink(cx, &view, "/here", "a").expect("made");
        symlink(cx, &view, "/a/up", "../a/f").expect("made");
        symlink(cx, &view, "/x", "/y").expect("made");
        symlink(cx, &view, "/y", "x").expect("made");
        assert_eq!(number(cx, &view, "/here/up"), number(cx, &view, "/a/f"));
        assert_eq!(number(cx, &view, "/here/"), number(cx, &view, "/a"));
        assert_eq!(number(cx, &view, "/x"), Err(Errno::ELOOP));
        assert_eq!(opened(cx, &view, "/a/up", O_RDONLY | O_NOFOLLOW), Err(Errno::ELOOP));
    });
}

#[test]
fn a_directory_without_the_right_to_pass_stops_a_stranger() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/secret", 0o700).expect("made");
        file(cx, &view, "/secret/f").expect("made");
        let stranger = stranger(&view);
        assert_eq!(number(cx, &stranger, "/secret/f"), Err(Errno::EACCES));
        assert_eq!(file(cx, &stranger, "/mine"), Err(Errno::EACCES));
        assert_eq!(opened(cx, &stranger, "/secret", O_RDONLY | O_DIRECTORY), Err(Errno::EACCES));
    });
}

#[test]
fn in_a_sticky_directory_strangers_remove_only_what_is_theirs() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/tmp", 0o1777).expect("made");
        file(cx, &view, "/tmp/roots").expect("made");
        let stranger = stranger(&view);
        file(cx, &stranger, "/tmp/mine").expect("made");
        assert_eq!(change::remove(cx, &stranger, b"/tmp/roots", false), Err(Errno::EPERM));
        assert_eq!(rename(cx, &stranger, "/tmp/mine", "/tmp/roots", Taken::Replace), Err(Errno::EPERM));
        assert_eq!(change::remove(cx, &stranger, b"/tmp/mine", false), Ok(()));
    });
}

#[test]
fn open_creates_truncates_and_refuses_as_its_flags_say() {
    run(|cx| {
        let view = tree(cx);
        assert_eq!(opened(cx, &view, "/f", O_RDWR), Err(Errno::ENOENT));
        assert_eq!(opened(cx, &view, "/f", O_RDWR | O_CREAT | O_EXCL), Ok(()));
        assert_eq!(opened(cx, &view, "/f", O_RDWR | O_CREAT | O_EXCL), Err(Errno::EEXIST));
        assert_eq!(opened(cx, &view, "/f", O_RDONLY | O_DIRECTORY), Err(Errno::ENOTDIR));
        assert_eq!(opened(cx, &view, "/", O_WRONLY), Err(Errno::EISDIR));
        assert_eq!(opened(cx, &view, "/new/", O_WRONLY | O_CREAT), Err(Errno::EISDIR));
        symlink(cx, &view, "/to", "made").expect("made");
        assert_eq!(opened(cx, &view, "/to", O_WRONLY | O_CREAT), Ok(()));
        assert!(number(cx, &view, "/made").is_ok());
        let stranger = stranger(&view);
        assert_eq!(opened(cx, &stranger, "/f", O_RDONLY | O_TRUNC), Err(Errno::EACCES));
    });
}

#[test]
fn link_counts_follow_names_and_directories() {
    run(|cx| {
        let view = tree(cx);
        file(cx, &view, "/f").expect("made");
        let place = lookup::find(cx, &view, b"/f", Last::Stay).expect("a file").location;
        change::link(cx, &place, &view, b"/g").expect("linked");
        assert_eq!((links(cx, &view, "/f"), links(cx, &view, "/")), (2, 2));
        directory(cx, &view, "/d", 0o755).expect("made");
        directory(cx, &view, "/d/e", 0o755).expect("made");
        assert_eq!((links(cx, &view, "/"), links(cx, &view, "/d")), (3, 3));
        rename(cx, &view, "/d/e", "/e", Taken::Replace).expect("moved");
        assert_eq!((links(cx, &view, "/"), links(cx, &view, "/d")), (4, 2));
        change::remove(cx, &view, b"/e", true).expect("removed");
        change::remove(cx, &view, b"/f", false).expect("removed");
        assert_eq!((links(cx, &view, "/"), links(cx, &view, "/g")), (3, 1));
    });
}

#[test]
fn rename_replaces_exchanges_refuses_and_makes_no_circle() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/d", 0o755).expect("made");
        directory(cx, &view, "/d/e", 0o755).expect("made");
        directory(cx, &view, "/empty", 0o755).expect("made");
        file(cx, &view, "/f").expect("made");
        file(cx, &view, "/g").expect("made");
        let (f, g) = (number(cx, &view, "/f"), number(cx, &view, "/g"));
        assert_eq!(rename(cx, &view, "/d", "/d/e/x", Taken::Replace), Err(Errno::EINVAL));
        assert_eq!(rename(cx, &view, "/d/e", "/d", Taken::Replace), Err(Errno::ENOTEMPTY));
        assert_eq!(rename(cx, &view, "/empty", "/d", Taken::Replace), Err(Errno::ENOTEMPTY));
        assert_eq!(rename(cx, &view, "/f", "/d", Taken::Replace), Err(Errno::EISDIR));
        assert_eq!(rename(cx, &view, "/d", "/f", Taken::Replace), Err(Errno::ENOTDIR));
        assert_eq!(rename(cx, &view, "/f", "/g", Taken::Refuse), Err(Errno::EEXIST));
        assert_eq!(rename(cx, &view, "/f", "/g", Taken::Exchange), Ok(()));
        assert_eq!((number(cx, &view, "/f"), number(cx, &view, "/g")), (g, f));
        assert_eq!(rename(cx, &view, "/f", "/g", Taken::Replace), Ok(()));
        assert_eq!((number(cx, &view, "/f"), number(cx, &view, "/g")), (Err(Errno::ENOENT), g));
        assert_eq!(rename(cx, &view, "/d", "/empty", Taken::Replace), Ok(()));
        assert!(number(cx, &view, "/empty/e").is_ok());
    });
}

#[test]
fn removing_asks_for_the_right_kind_and_an_empty_directory() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/d", 0o755).expect("made");
        file(cx, &view, "/d/f").expect("made");
        for (path, is_directory, error) in [
            ("/d", false, Errno::EISDIR),
            ("/d", true, Errno::ENOTEMPTY),
            ("/d/f", true, Errno::ENOTDIR),
            ("/d/.", true, Errno::EINVAL),
            ("/d/..", true, Errno::ENOTEMPTY),
            ("/", true, Errno::EBUSY),
            ("/none", false, Errno::ENOENT),
        ] {
            assert_eq!(change::remove(cx, &view, path.as_bytes(), is_directory), Err(error), "{path}");
        }
        let inside = lookup::find(cx, &view, b"/d", Last::Follow).expect("a directory").location;
        change::remove(cx, &view, b"/d/f", false).expect("removed");
        change::remove(cx, &view, b"/d", true).expect("removed");
        assert_eq!(file(cx, &view.from(inside.clone()), "late"), Err(Errno::ENOENT));
        assert_eq!(names::directory_path(cx, &view.root, &inside), None);
    });
}

#[test]
fn dot_dot_leaves_a_mount_by_the_directory_that_it_covers() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/a", 0o755).expect("made");
        directory(cx, &view, "/a/m", 0o755).expect("made");
        let covered = lookup::find(cx, &view, b"/a/m", Last::Follow).expect("a directory").location;
        let mount = mount::mount(cx, Tmpfs::create(4, 0o755), Some(covered), "inner", "tmpfs").expect("a mount");
        directory(cx, &view, "/a/m/sub", 0o755).expect("made");
        assert_eq!(number(cx, &view, "/a/m/sub/../.."), number(cx, &view, "/a"));
        let inner = lookup::find(cx, &view, b"/a/m/sub", Last::Follow).expect("a directory").location;
        assert_eq!(names::directory_path(cx, &view.root, &inner), Some(b"/a/m/sub".to_vec()));
        assert_eq!(change::remove(cx, &view, b"/a/m", true), Err(Errno::EBUSY));
        assert_eq!(rename(cx, &view, "/a/m/sub", "/a/sub", Taken::Replace), Err(Errno::EXDEV));
        mount::unmount(cx, &mount).expect("unmounted");
        assert_eq!(number(cx, &view, "/a/m/sub"), Err(Errno::ENOENT));
    });
}

#[test]
fn a_changed_root_cannot_be_left_by_dot_dot_or_an_absolute_link() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/jail", 0o755).expect("made");
        file(cx, &view, "/secret").expect("made");
        symlink(cx, &view, "/jail/out", "/secret").expect("made");
        let jail = lookup::find(cx, &view, b"/jail", Last::Follow).expect("a directory").location;
        let inside = View { root: jail.clone(), start: jail, ..view };
        for path in ["/../secret", "../../secret", "/out"] {
            assert_eq!(number(cx, &inside, path), Err(Errno::ENOENT), "{path}");
        }
    });
}

#[test]
fn a_hole_reads_as_zeros_and_costs_nothing() {
    run(|cx| {
        let view = tree(cx);
        file(cx, &view, "/f").expect("made");
        let node = lookup::find(cx, &view, b"/f", Last::Follow).expect("a file").location.node;
        node.set_size(cx, 1 << 40).expect("sparse");
        let mut bytes = Vec::new();
        let sink = &mut super::buffer::KernelSink::new(&mut bytes, 10_000);
        assert_eq!(node.read(cx, (1 << 40) - 6000, sink), Ok(6000));
        assert!(bytes.iter().all(|&byte| byte == 0));
        assert_eq!(node.attributes(cx).expect("attributes").blocks, 0);
        assert_eq!(node.set_size(cx, u64::MAX), Err(Errno::EFBIG));
        assert_eq!(node.next_data(cx, 0, false, 1 << 40), None);
    });
}

#[test]
fn files_without_content_are_limited_too_and_come_back_when_removed() {
    run(|cx| {
        let view = tree(cx);
        let made = (0..100).filter(|index| file(cx, &view, &alloc::format!("/f{index}")).is_ok()).count();
        assert_eq!(made, 63);
        assert_eq!(file(cx, &view, "/more"), Err(Errno::ENOSPC));
        change::remove(cx, &view, b"/f0", false).expect("removed");
        let place = lookup::find(cx, &view, b"/f1", Last::Stay).expect("a file").location;
        change::link(cx, &place, &view, b"/g").expect("linked");
        assert_eq!(change::link(cx, &place, &view, b"/h"), Err(Errno::ENOSPC));
        change::remove(cx, &view, b"/g", false).expect("removed");
        assert_eq!(file(cx, &view, "/more"), Ok(()));
    });
}

#[test]
fn a_very_deep_tree_is_let_go_of_without_a_deep_stack() {
    run(|cx| {
        let root = Tmpfs::create(200_000, 0o755);
        let mut here = root.clone();
        for _ in 0..100_000 {
            here = here.create(cx, b"d", New { kind: Kind::Directory, ..PLAIN }).expect("made");
        }
        drop((here, root));
    });
}

fn archive(members: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, mode, data) in members.iter().chain(&[("TRAILER!!!", 0, "")]) {
        let fields = [1, *mode, 0, 0, 1, 0, data.len() as u32, 0, 0, 1, 3, name.len() as u32 + 1, 0];
        bytes.extend_from_slice(b"070701");
        fields.iter().for_each(|field| bytes.extend_from_slice(alloc::format!("{field:08x}").as_bytes()));
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(data.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

#[test]
fn an_archive_cannot_reach_outside_its_root() {
    run(|cx| {
        let view = tree(cx);
        directory(cx, &view, "/in", 0o755).expect("made");
        let inside = lookup::find(cx, &view, b"/in", Last::Follow).expect("a directory").location.node;
        let bytes = archive(&[
            ("dir", 0o040755, ""),
            ("dir/null", 0o020666, ""),
            ("../escaped", 0o100644, ""),
            ("dir/../../escaped", 0o100644, ""),
            ("link", 0o120777, ".."),
            ("link/escaped", 0o100644, ""),
            ("missing/file", 0o100644, ""),
        ]);
        let report = initial_root::unpack(cx, &inside, &bytes);
        assert_eq!((report.unpacked, report.left_out, report.broken), (3, 4, None));
        assert_eq!(number(cx, &view, "/escaped"), Err(Errno::ENOENT));
        assert!(number(cx, &view, "/in/dir/null").is_ok());
    });
}
