//! A device's interrupt: its line, its vector, its handler, as one owned value; and how many of each kind came.
//!
//! Invariant: a handler is called only between `request` and the drop of what that returned; the drop waits for
//! handlers that run. The counts are each CPU's own, and only ever grow.

use crate::error::KernelError;
use alloc::sync::Arc;
use machine::apic::io::{self, Line};
use machine::trap::vectors::{self, OwnedVector};
use sync::{Counter, CpuId, IrqContext, IrqOff, MAXIMUM_CPUS, PerCpu, SlotMap, SpinLock, order};

pub type Handler = Arc<dyn Fn(&IrqContext) + Send + Sync>;

const VECTORS: usize = 256;
const WORDS: usize = 3;
const SLOTS: usize = WORDS * 64;

struct Device {
    name: &'static str,
    vector: u8,
    handler: Handler,
}

static DEVICES: [SpinLock<Option<Device>, order::Vectors>; SLOTS] = [const { SpinLock::new(None) }; SLOTS];
static TAKEN: SlotMap<WORDS> = SlotMap::new();
static COUNTS: PerCpu<[Counter; VECTORS]> = PerCpu::new([const { [const { Counter::new(0) }; VECTORS] }; MAXIMUM_CPUS]);

/// Dropping it masks the line and gives the vector back. Not to be dropped by its own handler.
pub struct DeviceInterrupt {
    slot: usize,
    line: Line,
    vector: Option<OwnedVector>,
}

impl DeviceInterrupt {
    /// Calls `handler` whenever the line signals, on `cpu`.
    pub fn request(line: Line, name: &'static str, cpu: CpuId, handler: Handler) -> Result<Self, KernelError> {
        let slot = TAKEN.take(0).ok_or(KernelError::Busy)?;
        let Some(vector) = vectors::take(call, slot) else {
            TAKEN.free(slot);
            return Err(KernelError::Busy);
        };
        let number = vector.number();
        let interrupt = DeviceInterrupt { slot, line, vector: Some(vector) };
        *DEVICES[slot].lock_without_context() = Some(Device { name, vector: number, handler });
        io::route(line, number, cpu).map_err(|_| KernelError::NotFound)?;
        Ok(interrupt)
    }
}

impl Drop for DeviceInterrupt {
    fn drop(&mut self) {
        // A line that was never routed is masked already.
        let _ = io::mask(self.line.gsi);
        self.vector = None;
        let device = DEVICES[self.slot].lock_without_context().take();
        TAKEN.free(self.slot);
        drop(device);
    }
}

fn call(context: &IrqContext, slot: usize) {
    let handler = DEVICES[slot].lock(context).as_ref().map(|device| Arc::clone(&device.handler));
    if let Some(handler) = handler {
        handler(context);
    }
}

/// One came on this CPU.
pub(crate) fn count(vector: u8, irq: &IrqOff) {
    COUNTS.mine(irq)[usize::from(vector)].increment();
}

/// How many interrupts with this vector came on a CPU.
pub fn count_of(vector: u8, cpu: CpuId) -> u64 {
    COUNTS.of(cpu)[usize::from(vector)].get()
}

/// All interrupts that came on a CPU.
pub fn count_on(cpu: CpuId) -> u64 {
    COUNTS.of(cpu).iter().map(Counter::get).sum()
}

/// The vectors that CPUs send to themselves and each other, with what they are for.
pub const FIXED: [(u8, &str); 4] = [
    (vectors::TIMER, "Local timer interrupts"),
    (vectors::KNOCK, "Rescheduling interrupts"),
    (vectors::CALL, "Function call interrupts"),
    (vectors::SPURIOUS, "Spurious interrupts"),
];

/// Calls `visit` with each device's vector and name.
pub fn for_each_device(mut visit: impl FnMut(u8, &'static str)) {
    for device in &DEVICES {
        let found = device.lock_without_context().as_ref().map(|device| (device.vector, device.name));
        if let Some((vector, name)) = found {
            visit(vector, name);
        }
    }
}
