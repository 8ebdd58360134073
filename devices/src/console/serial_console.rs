//! The console on serial lines: COM1 in and out, another line for errors.
//!
//! Invariant: the interrupt handler only moves bytes and wakes; all reading is done by threads.

use super::input::Arrived;
use super::output::Output;
use alloc::sync::Arc;
use libkernel::device::{Console, ConsoleEvent};
use libkernel::error::KernelError;
use libkernel::interrupt::DeviceInterrupt;
use libkernel::wait::WaitQueue;
use machine::apic::io;
use machine::serial::Port;
use sync::twin::{self, Twin};
use sync::{CpuId, IrqContext, Once, SpinLock, TaskContext, order};

/// ISA interrupt line of COM1.
const LINE: u8 = 4;

/// How the line is used, from the command line of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Input carries escapes (`framing`).
    pub framed: bool,
    /// Rows and columns at the other end, 0 where unknown.
    pub window: (u16, u16),
    /// Errors go to their own line (COM3) instead of the console's.
    pub separate_errors: bool,
}

/// A console on serial lines.
pub struct SerialConsole {
    arrived: SpinLock<Arrived, order::ConsoleInput>,
    readers: WaitQueue,
    input: Port,
    output: Output,
    errors: Output,
    settings: Once<Settings>,
    interrupt: Once<DeviceInterrupt>,
}

impl Default for SerialConsole {
    fn default() -> Self {
        Self::new()
    }
}

impl SerialConsole {
    sync::const_unless_loom! {
        pub const fn new() -> Self {
            SerialConsole {
                arrived: SpinLock::new(Arrived::new()),
                readers: WaitQueue::named("console input"),
                input: Port::new(machine::serial::COM1),
                output: Output::new(Port::new(machine::serial::COM1)),
                errors: Output::new(Port::new(machine::serial::COM3)),
                settings: Once::new(),
                interrupt: Once::new(),
            }
        }
    }

    /// Takes the interrupt of the first line, which is set up already and may have bytes waiting. Once, at boot.
    ///
    /// # Errors
    /// When no interrupt vector is free.
    pub fn start(&'static self, cx: &TaskContext, settings: Settings) -> Result<(), KernelError> {
        self.arrived.lock(cx).configure(settings.framed, settings.window);
        let _ = self.settings.set(settings);
        if settings.separate_errors {
            Port::new(machine::serial::COM3).initialise();
        }
        let interrupt =
            DeviceInterrupt::request(io::line_of_isa(LINE), "serial", CpuId::BOOT, Arc::new(|irq: &IrqContext| self.bytes_arrived(irq)))?;
        let _ = self.interrupt.set(interrupt);
        self.input.enable_receive_interrupt();
        Ok(())
    }

    /// The interrupt handler: moves what the line has into the buffer, then wakes.
    fn bytes_arrived(&self, irq: &IrqContext) {
        if twin::is(Twin::ByteAfterWake) {
            self.readers.wake_all(irq);
        }
        let mut arrived = self.arrived.lock(irq);
        self.drain(&mut arrived);
        let news = arrived.has_news();
        drop(arrived);
        if news && !twin::is(Twin::ByteAfterWake) {
            self.readers.wake_all(irq);
        }
    }

    /// Moves bytes while there is room; a full buffer leaves the rest in the device and silences its interrupt.
    fn drain(&self, arrived: &mut Arrived) {
        while arrived.has_room() {
            match self.input.receive() {
                Some(byte) => arrived.push(byte),
                None => return self.input.enable_receive_interrupt(),
            }
        }
        self.input.disable_receive_interrupt();
    }

    fn take(&self, cx: &TaskContext, buffer: &mut [u8]) -> Option<ConsoleEvent> {
        let mut arrived = self.arrived.lock(cx);
        let event = arrived.take(buffer);
        if event.is_some() {
            self.drain(&mut arrived);
        }
        event
    }
}

impl Console for SerialConsole {
    fn read(&self, cx: &mut TaskContext, buffer: &mut [u8]) -> Result<ConsoleEvent, KernelError> {
        self.readers.wait_until_or_interrupted(cx, |cx| self.take(cx, buffer))
    }

    fn is_ready(&self) -> bool {
        self.arrived.lock_without_context().has_news()
    }

    fn arrived(&self) -> &WaitQueue {
        &self.readers
    }

    fn write(&self, cx: &mut TaskContext, bytes: &[u8]) {
        self.output.write(cx, bytes);
    }

    fn write_error(&self, cx: &mut TaskContext, bytes: &[u8]) {
        match self.settings.get() {
            Some(settings) if settings.separate_errors => self.errors.write(cx, bytes),
            _ => self.output.write(cx, bytes),
        }
    }

    fn window(&self) -> (u16, u16) {
        self.arrived.lock_without_context().window()
    }

    fn take_arrived(&self, buffer: &mut [u8]) -> Option<ConsoleEvent> {
        let mut arrived = self.arrived.lock_without_context();
        let event = arrived.take(buffer);
        self.drain(&mut arrived);
        event
    }
}
