//! A device's interrupt: its line or message, its vector, its handler, as one owned value; and how many of each kind came.
//!
//! Invariant: a handler is called only between `request` and the drop of what that returned; the drop waits for
//! handlers that run. The counts are each CPU's own, and only ever grow.

use crate::error::KernelError;
use alloc::sync::Arc;
use machine::apic::io::{self, Line};
use machine::apic::message::{self, Message};
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

/// Lines that somebody has.
static LINES: SlotMap<LINE_WORDS> = SlotMap::new();
const LINE_WORDS: usize = 16;

/// Dropping it masks the line and gives the vector back. Not to be dropped by its own handler.
pub struct DeviceInterrupt {
    slot: usize,
    /// `None` where the device sends messages.
    line: Option<Line>,
    vector: Option<OwnedVector>,
}

impl DeviceInterrupt {
    /// Calls `handler` whenever the line signals, on `cpu`.
    pub fn request(line: Line, name: &'static str, cpu: CpuId, handler: Handler) -> Result<Self, KernelError> {
        let interrupt = Self::adopt(line, name, handler)?;
        io::route(line, interrupt.number(), cpu).map_err(|_| KernelError::NotFound)?;
        Ok(interrupt)
    }

    /// The same for a line by its number, masked until somebody unmasks it. `Busy` when another has it, `Invalid` when
    /// no chip has such a line.
    pub fn request_masked(line: u32, name: &'static str, cpu: CpuId, handler: Handler) -> Result<Self, KernelError> {
        io::exists(line).map_err(|_| KernelError::Invalid)?;
        let line = io::line(line);
        let interrupt = Self::adopt(line, name, handler)?;
        io::route_masked(line, interrupt.number(), cpu).map_err(|_| KernelError::Invalid)?;
        Ok(interrupt)
    }

    fn number(&self) -> u8 {
        self.vector.as_ref().map_or(0, OwnedVector::number)
    }

    /// Calls `handler` whenever a device sends the message that is answered too. Who drops it has silenced the device before.
    pub fn request_message(name: &'static str, cpu: CpuId, handler: Handler) -> Result<(Self, Message), KernelError> {
        let (slot, vector) = occupy(name, handler)?;
        let message = message::to(cpu, vector.number());
        let interrupt = DeviceInterrupt { slot, line: None, vector: Some(vector) };
        Ok((interrupt, message.ok_or(KernelError::Unsupported)?))
    }

    /// Takes the line, a slot and a vector.
    fn adopt(line: Line, name: &'static str, handler: Handler) -> Result<Self, KernelError> {
        let number = usize::try_from(line.gsi).ok().filter(|number| *number < LINE_WORDS * 64).ok_or(KernelError::Invalid)?;
        if !LINES.take_this(number) {
            return Err(KernelError::Busy);
        }
        let (slot, vector) = occupy(name, handler).inspect_err(|_| LINES.free(number))?;
        Ok(DeviceInterrupt { slot, line: Some(line), vector: Some(vector) })
    }
}

impl Drop for DeviceInterrupt {
    fn drop(&mut self) {
        if let Some(line) = self.line {
            // A line that was never routed is masked already.
            let _ = io::mask(line.gsi);
        }
        self.vector = None;
        let device = DEVICES[self.slot].lock_without_context().take();
        TAKEN.free(self.slot);
        if let Some(line) = self.line {
            LINES.free(line.gsi as usize);
        }
        drop(device);
    }
}

/// A slot and a vector that leads to it, for this handler.
fn occupy(name: &'static str, handler: Handler) -> Result<(usize, OwnedVector), KernelError> {
    let slot = TAKEN.take(0).ok_or(KernelError::Busy)?;
    let Some(vector) = vectors::take(call, slot) else {
        TAKEN.free(slot);
        return Err(KernelError::Busy);
    };
    *DEVICES[slot].lock_without_context() = Some(Device { name, vector: vector.number(), handler });
    Ok((slot, vector))
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
