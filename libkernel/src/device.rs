//! What a device offers: the traits that drivers implement and that upper layers are handed.
//!
//! Invariant: each device is registered once, at boot, and lives for ever.

use crate::error::KernelError;
use crate::wait::WaitQueue;
use sync::{Once, TaskContext};

/// Block devices that are kept: more are left out.
pub const MAXIMUM_BLOCK_DEVICES: usize = 16;

/// What a console's reader finds next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleEvent {
    /// So many bytes were put into the buffer (at least one).
    Bytes(usize),
    /// The other end will send nothing more. Reported again at every later read.
    End,
    /// The window at the other end has this size now.
    Window { rows: u16, columns: u16 },
}

/// A line to a person or a program outside the machine.
pub trait Console: Send + Sync {
    /// Waits for the next event. Only one reader gets each byte.
    ///
    /// # Errors
    /// `Interrupted` when the thread was interrupted before anything arrived.
    fn read(&self, cx: &mut TaskContext, buffer: &mut [u8]) -> Result<ConsoleEvent, KernelError>;

    /// Whether `read` would return at once.
    fn is_ready(&self) -> bool;

    /// Woken whenever something has arrived.
    fn arrived(&self) -> &WaitQueue;

    /// Sends bytes as they are. Returns when the device has taken them all.
    fn write(&self, cx: &mut TaskContext, bytes: &[u8]);

    /// Sends bytes to the separate line for errors where there is one, else as `write`.
    fn write_error(&self, cx: &mut TaskContext, bytes: &[u8]);

    /// Size of the window at the other end when last told: rows, columns; 0 where unknown.
    fn window(&self) -> (u16, u16);

    /// The next byte or event that has already arrived, without waiting.
    fn take_arrived(&self, buffer: &mut [u8]) -> Option<ConsoleEvent>;
}

static CONSOLE: Once<&'static dyn Console> = Once::new();

/// Makes `console` the machine's console. A second call is ignored.
pub fn register_console(console: &'static dyn Console) {
    let _ = CONSOLE.set(console);
}

/// The machine's console, once its driver is there.
pub fn console() -> Option<&'static dyn Console> {
    CONSOLE.get().copied()
}

/// A disk.
pub trait BlockDevice: Send + Sync {
    /// Its length in bytes.
    fn length(&self) -> u64;

    /// Waits for the bytes from `at` on, both multiples of `BLOCK_BYTES`, and shows them to `take` from first to last, piece by piece.
    ///
    /// # Errors
    /// `DeviceFailed` when the device says so, `Invalid` beyond its end. Pieces before an error may have been shown.
    fn read(&self, cx: &mut TaskContext, at: u64, length: usize, take: &mut dyn FnMut(&[u8])) -> Result<(), KernelError>;
}

/// What a disk reads in one piece at least.
pub const BLOCK_BYTES: u64 = 512;

static BLOCK_DEVICES: [Once<&'static dyn BlockDevice>; MAXIMUM_BLOCK_DEVICES] = [const { Once::new() }; MAXIMUM_BLOCK_DEVICES];

/// Makes `device` the next of the machine's disks. False when there are too many.
pub fn register_block_device(device: &'static dyn BlockDevice) -> bool {
    BLOCK_DEVICES.iter().any(|slot| slot.set(device).is_ok())
}

/// The machine's disks, in the order in which they were found.
pub fn block_devices() -> impl Iterator<Item = &'static dyn BlockDevice> {
    BLOCK_DEVICES.iter().map_while(|slot| slot.get().copied())
}
