//! The two 8259 interrupt controllers: moved out of the exceptions' way, then masked for ever.
//!
//! Invariant: they never interrupt; a spurious interrupt that they raise all the same lands on 0x20 to 0x2f.

use crate::port;

const COMMAND: [u16; 2] = [0x20, 0xa0];
const DATA: [u16; 2] = [0x21, 0xa1];
const FIRST_VECTOR: [u8; 2] = [0x20, 0x28];
/// Nothing but spurious interrupts comes in on these.
pub(super) const VECTORS: core::ops::Range<u64> = 0x20..0x30;
const CASCADE: [u8; 2] = [4, 2];
const INITIALISE: u8 = 0x11;
const MODE_8086: u8 = 1;
const ALL: u8 = 0xff;

/// Masks all sixteen lines.
///
/// # Safety
/// On the boot CPU, once, with interrupts off.
pub(crate) unsafe fn silence() {
    for chip in 0..2 {
        // SAFETY: the four words that the chip expects in this order; it ends masked.
        unsafe {
            port::write_byte(COMMAND[chip], INITIALISE);
            port::write_byte(DATA[chip], FIRST_VECTOR[chip]);
            port::write_byte(DATA[chip], CASCADE[chip]);
            port::write_byte(DATA[chip], MODE_8086);
            port::write_byte(DATA[chip], ALL);
        }
    }
}
