//! From the archive that the loader brought to the first program: root, `/dev`, `/proc`, `/sys`, standard streams.
//!
//! Invariant: runs once, before there is any program; whatever is wrong with the archive is told in the log, and what could be unpacked stays.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use abi::Errno;
use abi::constant::{O_NOCTTY, O_RDWR};
use libkernel::log::{error, info, warn};
use libkernel::memory;
use sync::TaskContext;

use crate::credentials::Credentials;
use crate::file::OpenFile;
use crate::file::open::{self, Request};
use crate::fs::lookup::{self, Last};
use crate::fs::node::{Kind, New};
use crate::fs::tmpfs::{self, Tmpfs};
use crate::fs::{FileSystemContext, Location, Node, View, disk, ext, initial_root, mount};
use crate::init::{self, FirstProgram};
use crate::process::status::ExitStatus;
use crate::pseudo_fs::{dev, disk_device, proc, sys};
use crate::tty;

/// What the first program is to be.
pub struct Wanted {
    /// Its path and arguments, its own name first.
    pub program: Vec<u8>,
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=value`.
    pub environment: Vec<Vec<u8>>,
    /// Its streams are the host's, as they are; otherwise the console's terminal.
    pub piped: bool,
    /// Called once when it has ended.
    pub ended: fn(&mut TaskContext, ExitStatus),
}

/// The status of a shell for a program that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// Where the root comes from.
pub enum Root<'a> {
    /// The archive that the loader brought, if it did.
    Archive(Option<&'a [u8]>),
    /// The disk with this path in `/dev`.
    Disk(&'a [u8]),
}

/// Makes the root and hangs `/dev`, `/proc` and `/sys` into it.
pub fn make_root(cx: &mut TaskContext, from: &Root<'_>) -> Result<Location, Errno> {
    let half = memory::statistics().total / 2;
    tmpfs::start_hidden();
    let mount = match from {
        Root::Disk(path) => {
            let root = over_disk(cx, half, path)?;
            mount::mount(cx, root, None, "overlay", "overlay")?
        }
        Root::Archive(archive) => {
            let root = Tmpfs::create(half, 0o755);
            match archive {
                Some(archive) => unpack(cx, &root, archive),
                None => warn!("initial root: the loader brought none"),
            }
            mount::mount(cx, root, None, "rootfs", "rootfs")?
        }
    };
    let top = Location::root_of(&mount);
    for (name, mode) in [("dev", 0o755), ("proc", 0o555), ("sys", 0o555), ("tmp", 0o1777)] {
        directory(cx, &top.node, name, mode)?;
    }
    let places = FileSystemContext::new(top.clone());
    let view = View::of(cx, &places, Arc::new(Credentials::root()));
    let at_dev = lookup::find(cx, &view, b"/dev", Last::Follow)?.location;
    dev::mount_at(cx, at_dev)?;
    let at_proc = lookup::find(cx, &view, b"/proc", Last::Follow)?.location;
    mount::mount(cx, proc::root::root(), Some(at_proc), "proc", "proc")?;
    let at_sys = lookup::find(cx, &view, b"/sys", Last::Follow)?.location;
    mount::mount(cx, sys::root(), Some(at_sys), "sysfs", "sysfs")?;
    Ok(top)
}

/// The files of a disk, as they are until they are changed in memory.
fn over_disk(cx: &mut TaskContext, limit: u64, path: &[u8]) -> Result<Arc<dyn Node>, Errno> {
    let number = disk_device::number_of_path(path).ok_or(Errno::ENXIO)?;
    let disk = disk::get(cx, number).ok_or(Errno::ENXIO)?;
    let volume = ext::Volume::open(cx, disk, disk_device::device_of(number))?;
    info!("root: {} of the disk {}", volume.kind(), alloc::string::String::from_utf8_lossy(path));
    Tmpfs::over(cx, limit, volume)
}

fn unpack(cx: &mut TaskContext, root: &Arc<dyn Node>, archive: &[u8]) {
    let report = initial_root::unpack(cx, root, archive);
    if let Some(broken) = report.broken {
        warn!("initial root: the archive is broken ({broken:?}); {} files were kept", report.unpacked);
    }
    if report.left_out > 0 {
        warn!("initial root: {} files were left out", report.left_out);
    }
    info!("initial root: {} files", report.unpacked);
}

fn directory(cx: &mut TaskContext, root: &Arc<dyn Node>, name: &str, mode: u32) -> Result<(), Errno> {
    if root.find(cx, name.as_bytes()).is_ok() {
        return Ok(());
    }
    let new = New { kind: Kind::Directory, mode, user: 0, group: 0, device: 0, target: &[] };
    root.create(cx, name.as_bytes(), new).map(|_| ())
}

/// Starts the first program, or ends at once with a shell's status for what went wrong.
pub fn start(cx: &mut TaskContext, root: Location, wanted: Wanted) {
    let ended = wanted.ended;
    let wanted = Wanted { program: full_path(cx, &root, wanted.program), ..wanted };
    let name = wanted.program.clone();
    if let Err(errno) = try_start(cx, root, wanted) {
        error!("the first program {} does not start: {errno:?}", alloc::string::String::from_utf8_lossy(&name));
        let status = if errno == Errno::ENOENT { NOT_FOUND } else { NOT_RUNNABLE };
        ended(cx, ExitStatus::Exited(status));
    }
}

/// A program named without a slash is looked for where a shell would look.
fn full_path(cx: &mut TaskContext, root: &Location, program: Vec<u8>) -> Vec<u8> {
    if program.contains(&b'/') {
        return program;
    }
    let view = View::of(cx, &FileSystemContext::new(root.clone()), Arc::new(Credentials::root()));
    let paths = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"].map(|folder| [folder.as_bytes(), &program].concat());
    let found = paths.into_iter().find(|path| lookup::find(cx, &view, path, Last::Follow).is_ok());
    found.unwrap_or(program)
}

fn try_start(cx: &mut TaskContext, root: Location, wanted: Wanted) -> Result<(), Errno> {
    if !wanted.piped {
        tty::start(cx)?;
    }
    let standard = streams(cx, &root, wanted.piped)?;
    let mut arguments = vec![wanted.program.clone()];
    arguments.extend(wanted.arguments);
    let program = FirstProgram {
        path: wanted.program,
        arguments,
        environment: wanted.environment,
        standard,
        root,
        terminal: if wanted.piped { None } else { tty::console_terminal().cloned() },
        ended: wanted.ended,
    };
    init::start(cx, program)
}

fn streams(cx: &mut TaskContext, root: &Location, piped: bool) -> Result<[Arc<OpenFile>; 3], Errno> {
    let places = FileSystemContext::new(root.clone());
    let view = View::of(cx, &places, Arc::new(Credentials::root()));
    let request = Request { flags: O_RDWR | O_NOCTTY, mode: 0 };
    let mut stream = |path: &[u8]| open::open(cx, &view, path, request);
    if piped {
        let both = stream(b"/dev/hostio")?;
        return Ok([both.clone(), both, stream(b"/dev/hosterr")?]);
    }
    let console = stream(b"/dev/console")?;
    Ok([console.clone(), console.clone(), console])
}
