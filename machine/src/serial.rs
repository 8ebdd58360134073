//! Serial lines (16550), byte by byte.
//!
//! Invariant: a port that is not there swallows what is sent and never has anything to receive; nobody waits for it
//! for ever.

use crate::port;

pub const COM1: u16 = 0x3f8;
pub const COM2: u16 = 0x2f8;
pub const COM3: u16 = 0x3e8;
pub const COM4: u16 = 0x2e8;

/// Looks at a full transmitter before a byte is dropped.
const PATIENCE: u32 = 200_000;

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;

const DIVISOR_ACCESS: u8 = 0x80;
const EIGHT_BITS: u8 = 3;
/// On, both directions emptied, interrupt at 14 bytes or when no more comes for four bytes' time.
const FIFO_ON: u8 = 0b1100_0111;
/// Ready, and OUT2, which lets the interrupt through on a PC.
const READY: u8 = 0b0000_1011;
const RECEIVED: u8 = 1 << 0;
const CAN_SEND: u8 = 1 << 5;
const ALL_SENT: u8 = 1 << 6;
const RECEIVE_INTERRUPT: u8 = 1;
const NOTHING_THERE: u8 = 0xff;

/// One serial line. Whoever shares it puts it under a lock.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    base: u16,
}

impl Port {
    /// `base` is one of the four addresses above.
    pub const fn new(base: u16) -> Self {
        assert!(matches!(base, COM1 | COM2 | COM3 | COM4), "not the address of a serial line");
        Port { base }
    }

    fn read(&self, register: u16) -> u8 {
        // SAFETY: a register of a serial line, which are this file's.
        unsafe { port::read_byte(self.base + register) }
    }

    fn write(&self, register: u16, value: u8) {
        // SAFETY: as above; a serial line does no DMA.
        unsafe { port::write_byte(self.base + register, value) };
    }

    /// 115200 baud, eight bits, no interrupts.
    pub fn initialise(&self) {
        self.write(INTERRUPT_ENABLE, 0);
        self.write(LINE_CONTROL, DIVISOR_ACCESS);
        self.write(DATA, 1);
        self.write(INTERRUPT_ENABLE, 0);
        self.write(LINE_CONTROL, EIGHT_BITS);
        self.write(FIFO_CONTROL, FIFO_ON);
        self.write(MODEM_CONTROL, READY);
    }

    /// Is there a chip behind the port?
    pub fn is_present(&self) -> bool {
        const PATTERN: u8 = 0x5a;
        self.write(SCRATCH, PATTERN);
        self.read(SCRATCH) == PATTERN
    }

    /// Is the transmitter (sixteen bytes, where there is a FIFO) empty?
    pub fn can_send(&self) -> bool {
        self.read(LINE_STATUS) & CAN_SEND != 0
    }

    /// Gives the transmitter a byte, whether or not it has room.
    pub fn send(&self, byte: u8) {
        self.write(DATA, byte);
    }

    /// Waits for room, but not for ever, then sends.
    pub fn write_byte(&self, byte: u8) {
        for _ in 0..PATIENCE {
            if self.can_send() {
                break;
            }
            sync::cpu::relax();
        }
        self.send(byte);
    }

    /// Waits, but not for ever, until the last byte has left the chip.
    pub fn wait_until_sent(&self) {
        for _ in 0..PATIENCE {
            if self.read(LINE_STATUS) & ALL_SENT != 0 {
                return;
            }
            sync::cpu::relax();
        }
    }

    /// A byte that has arrived.
    pub fn receive(&self) -> Option<u8> {
        let status = self.read(LINE_STATUS);
        (status != NOTHING_THERE && status & RECEIVED != 0).then(|| self.read(DATA))
    }

    /// From now on a byte that arrives (or is there already) raises the line's interrupt.
    pub fn enable_receive_interrupt(&self) {
        self.write(INTERRUPT_ENABLE, RECEIVE_INTERRUPT);
    }

    pub fn disable_receive_interrupt(&self) {
        self.write(INTERRUPT_ENABLE, 0);
    }
}
