//! The crate's way over PCI, with a message for the queue, and without what makes notices rarer.
//!
//! Invariant: a queue has its message before it is switched on. `VIRTIO_F_EVENT_IDX` is never agreed on: with it a device may
//! stay silent about what was finished between our last look and our asking to be told, and nobody would look again.

use machine::pci::Registers;
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const EVENT_INDEX: u64 = 1 << 29;
const QUEUE_SELECT: usize = 0x16;
const QUEUE_MESSAGE: usize = 0x1a;
/// As long as the crate's own idea of the common configuration.
pub const COMMON_BYTES: usize = 0x38;

/// A device on PCI whose queues all send message 0.
pub struct MessageTransport {
    inner: PciTransport,
    common: Registers,
}

impl MessageTransport {
    /// `common` shows the same device's common configuration.
    pub fn new(inner: PciTransport, common: Registers) -> Self {
        MessageTransport { inner, common }
    }

    /// Whether the device has taken the message for a queue.
    pub fn has_message(&self, queue: u16) -> bool {
        self.common.write_word(QUEUE_SELECT, queue);
        self.common.read_word(QUEUE_MESSAGE) == 0
    }
}

impl Transport for MessageTransport {
    fn device_type(&self) -> DeviceType {
        self.inner.device_type()
    }

    fn read_device_features(&mut self) -> u64 {
        self.inner.read_device_features() & !EVENT_INDEX
    }

    fn write_driver_features(&mut self, features: u64) {
        self.inner.write_driver_features(features);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.inner.max_queue_size(queue)
    }

    fn notify(&mut self, queue: u16) {
        self.inner.notify(queue);
    }

    fn get_status(&self) -> DeviceStatus {
        self.inner.get_status()
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.inner.set_status(status);
    }

    fn set_guest_page_size(&mut self, size: u32) {
        self.inner.set_guest_page_size(size);
    }

    fn requires_legacy_layout(&self) -> bool {
        self.inner.requires_legacy_layout()
    }

    fn queue_set(&mut self, queue: u16, size: u32, descriptors: PhysAddr, driver: PhysAddr, device: PhysAddr) {
        self.common.write_word(QUEUE_SELECT, queue);
        self.common.write_word(QUEUE_MESSAGE, 0);
        self.inner.queue_set(queue, size, descriptors, driver, device);
    }

    fn queue_unset(&mut self, queue: u16) {
        self.inner.queue_unset(queue);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.inner.queue_used(queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        self.inner.ack_interrupt()
    }

    fn read_config_generation(&self) -> u32 {
        self.inner.read_config_generation()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        self.inner.read_config_space(offset)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, offset: usize, value: T) -> Result<()> {
        self.inner.write_config_space(offset, value)
    }
}
