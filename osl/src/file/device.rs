//! Which driver a device number belongs to.
//!
//! Invariant: the one opener is set before the first program runs and never changes.

use alloc::sync::Arc;

use abi::Errno;
use sync::{Once, TaskContext};

use super::file::File;
use crate::fs::node::{Kind, Node};

/// A wish to open a device file.
pub struct Opening<'a> {
    /// The device file.
    pub node: &'a Arc<dyn Node>,
    /// Character or block.
    pub kind: Kind,
    /// Major and minor number.
    pub device: (u32, u32),
    /// The flags of `open(2)`.
    pub flags: u32,
}

type Opener = fn(&mut TaskContext, &Opening<'_>) -> Result<Arc<dyn File>, Errno>;

static OPENER: Once<Opener> = Once::new();

/// Names the function that knows all devices.
pub fn set_opener(opener: Opener) {
    let _already_set = OPENER.set(opener);
}

/// Opens a device.
pub fn open(cx: &mut TaskContext, opening: &Opening<'_>) -> Result<Arc<dyn File>, Errno> {
    let opener = OPENER.get().ok_or(Errno::ENXIO)?;
    opener(cx, opening)
}
