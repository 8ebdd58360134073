//! Devices that a virtual machine plays (VIRTIO 1.2), through the crate `virtio-drivers`.
//!
//! Invariant: what a device reads or writes is owned by `memory` from before it is told until it has given it back; everything
//! unsafe about that stands there.

mod block;
mod memory;
mod transport;

pub use block::find_disks;
