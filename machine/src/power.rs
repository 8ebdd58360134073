//! Off, reset, and out of the virtual machine.
//!
//! Invariant: none of these returns: what does not work is followed by the next means, and at last by halting.

use crate::acpi::SoftOff;
use crate::cpu::halt_for_ever;
use crate::port;
use core::arch::asm;
use sync::Once;

static SOFT_OFF: Once<SoftOff> = Once::new();

/// QEMU's `isa-debug-exit` at its usual port.
const EXIT_PORT: u16 = 0xf4;
const RESET_CONTROL: u16 = 0xcf9;
const KEYBOARD_COMMAND: u16 = 0x64;
const PULSE_RESET: u8 = 0xfe;
const SLEEP_ENABLE: u16 = 1 << 13;
const SLEEP_TYPE: u16 = 7 << 10;

/// Keeps what the firmware said about switching off.
pub fn configure(soft_off: Option<SoftOff>) {
    if let Some(soft_off) = soft_off {
        let _ = SOFT_OFF.set(soft_off);
    }
}

fn enter_sleep(control: u16, kind: u8) {
    // SAFETY: the firmware's own port for this; bits that are not ours keep their values.
    unsafe {
        let value = port::read_word(control) & !SLEEP_TYPE;
        port::write_word(control, value | u16::from(kind & 7) << 10 | SLEEP_ENABLE);
    }
}

/// Switches the machine off.
pub fn off() -> ! {
    if let Some(soft_off) = SOFT_OFF.get() {
        enter_sleep(soft_off.pm1a_control, soft_off.type_a);
        if let Some(control) = soft_off.pm1b_control {
            enter_sleep(control, soft_off.type_b);
        }
    }
    halt_for_ever()
}

/// Ends QEMU with status `code * 2 + 1`, if it has the device for it; switches off otherwise.
pub fn exit_virtual_machine(code: u32) -> ! {
    // SAFETY: the port is either that device or nothing.
    unsafe { port::write_long(EXIT_PORT, code) };
    off()
}

/// Starts the machine anew.
pub fn reset() -> ! {
    // SAFETY: the ports that PCs are reset by; what follows if neither works is a triple fault.
    unsafe {
        port::write_byte(RESET_CONTROL, 0x02);
        port::write_byte(RESET_CONTROL, 0x06);
        port::write_byte(KEYBOARD_COMMAND, PULSE_RESET);
        let no_table = [0u64; 2];
        asm!("lidt [{}]", "int3", in(reg) &no_table, options(readonly, nostack));
    }
    halt_for_ever()
}
