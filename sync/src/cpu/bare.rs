//! Seam 1 on the machine: the words behind GS, and the interrupt flag.
//!
//! Invariant: GS points at this CPU's `Local` from its first Rust line on (`machine` sees to it), and
//! every access is one instruction.

use super::Local;
use core::arch::asm;
use core::mem::offset_of;

macro_rules! read {
    ($name:ident, $word:ident, $type:ty, $format:literal) => {
        #[inline(always)]
        pub fn $name() -> $type {
            let value: $type;
            // SAFETY: reads one word of this CPU's own block (invariant above).
            unsafe {
                asm!(concat!("mov ", $format, ", gs:[{offset}]"), value = out(reg) value,
                    offset = const offset_of!(Local, $word), options(nostack, preserves_flags, readonly));
            }
            value
        }
    };
}

macro_rules! change {
    ($name:ident, $word:ident, $instruction:literal) => {
        #[inline(always)]
        pub fn $name() {
            // SAFETY: changes one word of this CPU's own block with one instruction. Not `nomem`: what
            // the count protects must not be moved out of its section by the compiler.
            unsafe {
                asm!(concat!($instruction, " dword ptr gs:[{offset}]"), offset = const offset_of!(Local, $word),
                    options(nostack));
            }
        }
    };
}

macro_rules! decrement {
    ($name:ident, $word:ident) => {
        /// True when the count is now zero.
        #[inline(always)]
        pub fn $name() -> bool {
            let zero: u8;
            // SAFETY: as above; the flag is read from the same decrement.
            unsafe {
                asm!("dec dword ptr gs:[{offset}]", "sete {zero}", zero = out(reg_byte) zero,
                    offset = const offset_of!(Local, $word), options(nostack));
            }
            zero != 0
        }
    };
}

macro_rules! mask {
    ($name:ident, $word:ident, $instruction:literal, $bits:ident => $operand:expr) => {
        #[inline(always)]
        pub fn $name($bits: u64) {
            // SAFETY: changes one word of this CPU's own block with one instruction.
            unsafe {
                asm!(concat!($instruction, " qword ptr gs:[{offset}], {operand}"), operand = in(reg) $operand,
                    offset = const offset_of!(Local, $word), options(nostack));
            }
        }
    };
}

read!(cpu, cpu, u32, "{value:e}");
read!(preempt, preempt, u32, "{value:e}");
read!(handler, handler, u32, "{value:e}");
read!(irq_depth, irq_depth, u32, "{value:e}");
read!(irq_was_on, irq_was_on, u32, "{value:e}");
read!(need_reschedule, need_reschedule, u32, "{value:e}");
read!(spin_held, spin_held, u64, "{value:r}");
read!(sleep_held, sleep_held, u64, "{value:r}");
change!(increment_preempt, preempt, "inc");
change!(increment_handler, handler, "inc");
change!(increment_irq_depth, irq_depth, "inc");
change!(decrement_handler, handler, "dec");
decrement!(decrement_preempt, preempt);
decrement!(decrement_irq_depth, irq_depth);
mask!(add_spin_held, spin_held, "or", bits => bits);
mask!(remove_spin_held, spin_held, "and", bits => !bits);
mask!(add_sleep_held, sleep_held, "or", bits => bits);
mask!(remove_sleep_held, sleep_held, "and", bits => !bits);

macro_rules! write {
    ($name:ident, $word:ident) => {
        #[inline(always)]
        pub fn $name(value: u32) {
            // SAFETY: writes one word of this CPU's own block.
            unsafe {
                asm!("mov dword ptr gs:[{offset}], {value:e}", value = in(reg) value,
                    offset = const offset_of!(Local, $word), options(nostack, preserves_flags));
            }
        }
    };
}

write!(write_need_reschedule, need_reschedule);
write!(write_irq_was_on, irq_was_on);

#[inline(always)]
pub fn exchange_irq_was_on(mut value: u32) -> u32 {
    // SAFETY: exchanges one word of this CPU's own block.
    unsafe {
        asm!("xchg dword ptr gs:[{offset}], {value:e}", value = inout(reg) value,
            offset = const offset_of!(Local, irq_was_on), options(nostack, preserves_flags));
    }
    value
}

#[inline(always)]
pub fn exchange_sleep_held(mut value: u64) -> u64 {
    // SAFETY: exchanges one word of this CPU's own block.
    unsafe {
        asm!("xchg qword ptr gs:[{offset}], {value}", value = inout(reg) value,
            offset = const offset_of!(Local, sleep_held), options(nostack, preserves_flags));
    }
    value
}

#[inline(always)]
pub fn interrupts_are_on() -> bool {
    const INTERRUPT_FLAG: u64 = 1 << 9;
    let flags: u64;
    // SAFETY: reads RFLAGS through the stack, which is put back.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags, options(preserves_flags)) };
    flags & INTERRUPT_FLAG != 0
}

#[inline(always)]
pub fn disable_interrupts() {
    // SAFETY: masking interrupts breaks no memory guarantee; not `nomem`, so it is a compiler barrier.
    unsafe { asm!("cli", options(nostack)) };
}

#[inline(always)]
pub fn enable_interrupts() {
    // SAFETY: the callers are guards that found interrupts on, and boot code once the IDT is loaded.
    unsafe { asm!("sti", options(nostack)) };
}

#[inline(always)]
pub fn relax() {
    core::hint::spin_loop();
}
