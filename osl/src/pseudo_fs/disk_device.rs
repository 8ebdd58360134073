//! `/dev/vda` and its sisters: disks, byte by byte.
//!
//! Invariant: a disk is read and never written.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::file::device_number;
use libkernel::address_space::{UserAddress, user};
use libkernel::device::MAXIMUM_BLOCK_DEVICES;
use sync::TaskContext;

use crate::error::errno;
use crate::file::File;
use crate::file::file::Manner;
use crate::fs::Attributes;
use crate::fs::buffer::{self, Sink};
use crate::fs::disk::Disk;
use crate::fs::node::Node;

/// Major number of the disks, as Linux's virtio disks usually have it.
pub const MAJOR: u32 = 254;
/// A disk's own number, and those of the parts that it could have.
pub const MINORS: u32 = 16;

const SECTOR: u64 = 512;
const BLOCK: u32 = 4096;
const BLKROGET: u32 = 0x125e;
const BLKGETSIZE: u32 = 0x1260;
const BLKFLSBUF: u32 = 0x1261;
const BLKSSZGET: u32 = 0x1268;
const BLKPBSZGET: u32 = 0x127b;
const BLKBSZGET: u32 = 0x8008_1270;
const BLKGETSIZE64: u32 = 0x8008_1272;

/// A disk, opened.
pub struct DiskDevice {
    disk: Arc<Disk>,
    node: Arc<dyn Node>,
}

/// Which of the machine's disks a device number means.
pub fn number_of(device: (u32, u32)) -> Option<usize> {
    let (major, minor) = device;
    (major == MAJOR && minor.is_multiple_of(MINORS)).then(|| usize::try_from(minor / MINORS).ok())?
}

/// The device number of one.
pub fn device_of(number: usize) -> u64 {
    device_number(MAJOR, u32::try_from(number).unwrap_or(0) * MINORS)
}

/// `vda`, `vdb` and so on.
pub fn name_of(number: usize) -> String {
    format!("vd{}", char::from(b'a' + (number % 26) as u8))
}

/// Which of them has this path.
pub fn number_of_path(path: &[u8]) -> Option<usize> {
    let name = path.strip_prefix(b"/dev/")?;
    (0..MAXIMUM_BLOCK_DEVICES).find(|number| name_of(*number).as_bytes() == name)
}

impl DiskDevice {
    /// The disk, opened by this node.
    pub fn new(disk: Arc<Disk>, node: Arc<dyn Node>) -> Self {
        Self { disk, node }
    }
}

impl File for DiskDevice {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, cx: &mut TaskContext) -> Result<Attributes, Errno> {
        self.node.attributes(cx)
    }

    fn node(&self) -> Option<&Arc<dyn Node>> {
        Some(&self.node)
    }

    fn has_position(&self) -> bool {
        true
    }

    fn length(&self, _cx: &mut TaskContext) -> Result<u64, Errno> {
        Ok(self.disk.length())
    }

    fn read(&self, cx: &mut TaskContext, at: u64, _manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        let mut bytes = buffer::chunk(into.remaining())?;
        let mut done = 0;
        while into.remaining() > 0 {
            let Some(from) = at.checked_add(done as u64) else { break };
            let left = usize::try_from(self.disk.length().saturating_sub(from)).unwrap_or(usize::MAX);
            let length = left.min(into.remaining()).min(bytes.len());
            let Some(piece) = bytes.get_mut(..length).filter(|piece| !piece.is_empty()) else { break };
            let step = self.disk.read(cx, from, piece).and_then(|()| into.put(cx, piece));
            if let Err(error) = step {
                return buffer::partial(done, error);
            }
            done += length;
        }
        Ok(done)
    }

    fn control(&self, cx: &mut TaskContext, request: u32, argument: UserAddress) -> Result<u64, Errno> {
        let length = self.disk.length();
        let answer = match request {
            BLKGETSIZE64 => length.to_le_bytes().to_vec(),
            BLKGETSIZE => (length / SECTOR).to_le_bytes().to_vec(),
            BLKROGET => 1_u32.to_le_bytes().to_vec(),
            BLKSSZGET | BLKPBSZGET => (SECTOR as u32).to_le_bytes().to_vec(),
            BLKBSZGET => BLOCK.to_le_bytes().to_vec(),
            BLKFLSBUF => return Ok(0),
            _ => return Err(Errno::ENOTTY),
        };
        user::copy_out(cx, argument, &answer).map_err(errno)?;
        Ok(0)
    }

    fn write(
        &self,
        _cx: &mut TaskContext,
        _place: crate::fs::node::Place,
        _manner: Manner,
        _from: &mut dyn buffer::Source,
    ) -> Result<crate::fs::node::Written, Errno> {
        Err(Errno::EPERM)
    }
}
