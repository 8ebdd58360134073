//! `/dev`: the device files, and who serves them.
//!
//! Invariant: a device file is only a number; whoever may make one (root) reaches exactly the devices listed here.

use alloc::sync::Arc;

use abi::Errno;
use abi::constant::O_NOCTTY;
use abi::file::device_number;
use libkernel::device as kernel_device;
use sync::TaskContext;

use super::devpts;
use super::disk_device::{self, DiskDevice};
use super::host_stream::{HostStream, Stream};
use super::log_device::LogDevice;
use super::memory_devices::{Kind as Memory, MemoryDevice};
use crate::file::File;
use crate::file::device::{self, Opening};
use crate::fs::disk;
use crate::fs::mount::{self, Location, Mount};
use crate::fs::node::{Kind, New, Node};
use crate::fs::tmpfs::Tmpfs;
use crate::process;
use crate::tty::{MasterFile, Terminal, TerminalFile, console_terminal, master};

/// Pages that files in `/dev` may hold.
const LIMIT: u64 = 1024;

/// Major number of our own streams to the host.
const HOST: u32 = 240;

struct Device {
    name: &'static str,
    number: (u32, u32),
    mode: u32,
}

const fn device(name: &'static str, major: u32, minor: u32, mode: u32) -> Device {
    Device { name, number: (major, minor), mode }
}

static DEVICES: [Device; 13] = [
    device("null", 1, 3, 0o666),
    device("zero", 1, 5, 0o666),
    device("full", 1, 7, 0o666),
    device("random", 1, 8, 0o666),
    device("urandom", 1, 9, 0o666),
    device("kmsg", 1, 11, 0o600),
    device("tty1", 4, 1, 0o620),
    device("tty", 5, 0, 0o666),
    device("console", 5, 1, 0o600),
    device("ptmx", 5, 2, 0o666),
    device("hostio", HOST, 0, 0o666),
    device("hosterr", HOST, 1, 0o666),
    device("tty0", 4, 0, 0o620),
];

static LINKS: [(&str, &str); 4] =
    [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")];

/// Makes the file system of device files and hangs it over `place`.
pub fn mount_at(cx: &mut TaskContext, place: Location) -> Result<Arc<Mount>, Errno> {
    device::set_opener(open);
    let root = Tmpfs::create(LIMIT, 0o755);
    let plain = New { kind: Kind::Character, mode: 0, user: 0, group: 0, device: 0, target: &[] };
    for device in &DEVICES {
        let number = device_number(device.number.0, device.number.1);
        root.create(cx, device.name.as_bytes(), New { mode: device.mode, device: number, ..plain })?;
    }
    for (name, target) in LINKS {
        root.create(cx, name.as_bytes(), New { kind: Kind::Link, mode: 0o777, target: target.as_bytes(), ..plain })?;
    }
    for number in 0..kernel_device::block_devices().count() {
        let device = disk_device::device_of(number);
        root.create(cx, disk_device::name_of(number).as_bytes(), New { kind: Kind::Block, mode: 0o660, device, ..plain })?;
    }
    root.create(cx, b"shm", New { kind: Kind::Directory, mode: 0o1777, ..plain })?;
    let pts = root.create(cx, b"pts", New { kind: Kind::Directory, mode: 0o755, ..plain })?;
    let mount = mount::mount(cx, root, Some(place), "devtmpfs", "devtmpfs")?;
    devpts::mount_at(cx, Location { mount: mount.clone(), node: pts })?;
    Ok(mount)
}

/// Opens a device by its number.
fn open(cx: &mut TaskContext, opening: &Opening<'_>) -> Result<Arc<dyn File>, Errno> {
    let node = opening.node;
    if opening.kind == Kind::Block {
        let disk = disk_device::number_of(opening.device).and_then(|number| disk::get(cx, number)).ok_or(Errno::ENXIO)?;
        return Ok(Arc::new(DiskDevice::new(disk, node.clone())));
    }
    let memory = |kind| -> Result<Arc<dyn File>, Errno> { Ok(Arc::new(MemoryDevice::new(kind, node.clone()))) };
    match opening.device {
        (1, 3) => memory(Memory::Null),
        (1, 5) => memory(Memory::Zero),
        (1, 7) => memory(Memory::Full),
        (1, 8 | 9) => memory(Memory::Random),
        (1, 11) => Ok(Arc::new(LogDevice::new(node.clone()))),
        (4, 0 | 1) | (5, 1) => {
            let terminal = console_terminal().ok_or(Errno::ENXIO)?;
            let flags = if opening.device == (4, 1) { opening.flags } else { opening.flags | O_NOCTTY };
            TerminalFile::open(cx, terminal, node, flags)
        }
        (5, 2) => Ok(MasterFile::open(cx, node)?),
        (master::MAJOR, _) => devpts::open(cx, node, opening.flags),
        (5, 0) => own_terminal(cx, node, opening.flags),
        (HOST, 0) => host(node, Stream::Standard),
        (HOST, 1) => host(node, Stream::Errors),
        _ => Err(Errno::ENXIO),
    }
}

/// `/dev/tty`: the terminal of the caller's session.
fn own_terminal(cx: &mut TaskContext, node: &Arc<dyn Node>, flags: u32) -> Result<Arc<dyn File>, Errno> {
    let task = process::current(cx).ok_or(Errno::ENXIO)?;
    let own = task.process().relations(cx).terminal.ok_or(Errno::ENXIO)?;
    let terminal = own.as_any().downcast::<Terminal>().map_err(|_| Errno::ENXIO)?;
    TerminalFile::open(cx, &terminal, node, flags | O_NOCTTY)
}

fn host(node: &Arc<dyn Node>, stream: Stream) -> Result<Arc<dyn File>, Errno> {
    let console = kernel_device::console().ok_or(Errno::ENXIO)?;
    Ok(Arc::new(HostStream::new(console, stream, node.clone())))
}
