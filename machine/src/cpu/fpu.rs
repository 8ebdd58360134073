//! A program's floating-point and vector registers, at rest in memory.
//!
//! Invariant: the kernel itself never uses these registers, so what they hold between two switches is the running
//! thread's. Bytes from a program are checked before `xrstor` sees them, so it cannot fault (SDM vol. 1, 13.8).

use super::features::{self, Features};
use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::arch::asm;
use core::ops::Range;
use core::ptr::NonNull;
use sync::Once;

/// No real layout of x87, SSE, AVX and AVX-512 is larger.
const LARGEST: usize = 4096;
const ALIGNMENT: usize = 64;
const LEGACY: usize = 512;
const HEADER: usize = 64;
const MXCSR: usize = 24;
const MXCSR_MASK: usize = 28;
const SOFTWARE: Range<usize> = 464..512;
const PRESENT: Range<usize> = LEGACY..LEGACY + 8;
const DEFAULT_CONTROL_WORD: u16 = 0x37f;
const DEFAULT_MXCSR: u32 = 0x1f80;

const X87_SSE: u64 = 0b11;
const AVX: u64 = 1 << 2;
const AVX_512: u64 = 0b111 << 5;

/// What `xsave` saves on this machine; the same on all CPUs.
#[derive(Clone, Copy)]
struct Components {
    mask: u64,
    size: usize,
    mxcsr_mask: u32,
}

static COMPONENTS: Once<Components> = Once::new();
const WITHOUT_XSAVE: Components = Components { mask: 0, size: LEGACY, mxcsr_mask: 0xffbf };

impl Components {
    fn here() -> Components {
        COMPONENTS.get().copied().unwrap_or(WITHOUT_XSAVE)
    }
}

/// Bytes that are no valid register state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidState;

/// The registers of one thread, on the heap, as large as this machine's layout.
pub struct ExtendedState(NonNull<u8>);

// SAFETY: it owns its bytes.
unsafe impl Send for ExtendedState {}
// SAFETY: a shared state gives only `&[u8]`, and its own `restore` reads.
unsafe impl Sync for ExtendedState {}

fn allocation() -> Layout {
    let size = Components::here().size.max(LEGACY);
    match Layout::from_size_align(size, ALIGNMENT) {
        Ok(layout) => layout,
        Err(_) => panic!("the size of the vector registers makes no sense"),
    }
}

impl ExtendedState {
    /// What a new program starts with: all components in their initial state, exceptions masked. `None` when there
    /// is no memory.
    pub fn new() -> Option<Self> {
        // SAFETY: the size is not 0.
        let bytes = NonNull::new(unsafe { alloc_zeroed(allocation()) })?;
        let mut state = ExtendedState(bytes);
        state.reset();
        Some(state)
    }

    /// Back to the state of a new program.
    pub fn reset(&mut self) {
        write_initial(self.all());
    }

    /// How many bytes a state has on this machine.
    pub fn size() -> usize {
        Components::here().size
    }

    /// The components that are enabled (XCR0); 0 when the CPU has no `xsave`.
    pub fn components() -> u64 {
        Components::here().mask
    }

    fn all(&mut self) -> &mut [u8] {
        // SAFETY: allocated with this size, initialised, and owned.
        unsafe { core::slice::from_raw_parts_mut(self.0.as_ptr(), Self::size()) }
    }

    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: allocated with this size, initialised, and borrowed.
        unsafe { core::slice::from_raw_parts(self.0.as_ptr(), Self::size()) }
    }

    /// Takes over another thread's registers.
    pub fn clone_from(&mut self, other: &ExtendedState) {
        self.all().copy_from_slice(other.as_bytes());
    }

    /// Takes over bytes that a program wrote, if the CPU would accept them; otherwise nothing changes. Input that ends
    /// early leaves the rest in its initial state.
    pub fn set_bytes(&mut self, bytes: &[u8]) -> Result<(), InvalidState> {
        let here = Components::here();
        let bytes = &bytes[..bytes.len().min(here.size)];
        check(bytes, &here)?;
        let all = self.all();
        write_initial(all);
        all[..bytes.len()].copy_from_slice(bytes);
        // Room that the manual leaves to software: the kernel gives nothing back through it.
        all[SOFTWARE].fill(0);
        if here.mask != 0 && bytes.len() < LEGACY + HEADER {
            all[LEGACY..].fill(0);
            all[PRESENT].copy_from_slice(&X87_SSE.to_le_bytes());
        }
        Ok(())
    }

    /// Copies the CPU's registers into this state. The registers keep their values.
    pub fn save(&mut self) {
        let at = self.0.as_ptr();
        // SAFETY: 64-byte aligned and as large as everything that is enabled.
        unsafe {
            if Components::here().mask == 0 {
                asm!("fxsave64 [{}]", in(reg) at, options(nostack, preserves_flags));
            } else {
                asm!("xsave64 [{}]", in(reg) at, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack, preserves_flags));
            }
        }
    }

    /// Gives the CPU's registers this state's values.
    pub fn restore(&self) {
        let at = self.0.as_ptr();
        // SAFETY: aligned and large enough; the content came from `reset`, `save` or a checked copy, so that the
        // instruction accepts it. The kernel does not use these registers.
        unsafe {
            if Components::here().mask == 0 {
                asm!("fxrstor64 [{}]", in(reg) at, options(nostack, preserves_flags));
            } else {
                asm!("xrstor64 [{}]", in(reg) at, in("eax") u32::MAX, in("edx") u32::MAX,
                    options(nostack, preserves_flags));
            }
        }
    }
}

impl Drop for ExtendedState {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with the same layout, which never changes.
        unsafe { dealloc(self.0.as_ptr(), allocation()) };
    }
}

fn write_initial(bytes: &mut [u8]) {
    bytes.fill(0);
    bytes[..2].copy_from_slice(&DEFAULT_CONTROL_WORD.to_le_bytes());
    bytes[MXCSR..MXCSR + 4].copy_from_slice(&DEFAULT_MXCSR.to_le_bytes());
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The two things that `fxrstor` and `xrstor` fault on: reserved MXCSR bits, and a header that names too much.
fn check(bytes: &[u8], here: &Components) -> Result<(), InvalidState> {
    if bytes.len() < LEGACY || long(bytes, MXCSR) & !here.mxcsr_mask != 0 {
        return Err(InvalidState);
    }
    let Some(header) = bytes.get(LEGACY..LEGACY + HEADER) else { return Ok(()) };
    let present = u64::from(long(header, 4)) << 32 | u64::from(long(header, 0));
    let rest_is_zero = header[8..].iter().all(|byte| *byte == 0);
    if here.mask != 0 && (present & !here.mask != 0 || !rest_is_zero) {
        return Err(InvalidState);
    }
    Ok(())
}

fn wanted_components(features: &Features) -> u64 {
    match (features.vector_512, features.vector_256) {
        (true, _) => X87_SSE | AVX | AVX_512,
        (false, true) => X87_SSE | AVX,
        (false, false) => X87_SSE,
    }
}

/// # Safety
/// OSXSAVE is set.
unsafe fn write_components(components: u64) {
    // SAFETY: the caller's promise; the bits were found in CPUID.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") components as u32, in("edx") (components >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// Enables the components on this CPU; the boot CPU's measure decides the layout for all.
///
/// # Safety
/// Called by `features::enable` only, with CR4 written.
pub(super) unsafe fn enable(features: &Features) {
    let mut mask = 0;
    let mut size = LEGACY;
    if features.extended_save {
        let possible = features::cpuid(0xd, 0);
        mask = wanted_components(features) & (u64::from(possible.edx) << 32 | u64::from(possible.eax));
        // SAFETY: OSXSAVE was set just before, as `extended_save` says; the CPU offers these components.
        unsafe { write_components(mask) };
        size = features::cpuid(0xd, 0).ebx as usize;
    }
    assert!((LEGACY..=LARGEST).contains(&size), "the CPU states a senseless size of its vector registers");
    let measured = Components { mask, size, mxcsr_mask: 0 };
    let mxcsr_mask = reset_registers();
    let _ = COMPONENTS.set(Components { mxcsr_mask, ..measured });
    assert!(Components::here().mask == mask, "two CPUs differ in their vector registers");
}

/// The legacy area by itself.
#[repr(C, align(16))]
struct Legacy([u8; LEGACY]);

/// Brings this CPU's registers into their initial state. Returns which bits MXCSR has.
fn reset_registers() -> u32 {
    let mut area = Legacy([0; LEGACY]);
    // SAFETY: the area is aligned and has the 512 bytes that the instruction writes.
    unsafe { asm!("fxsave64 [{}]", in(reg) area.0.as_mut_ptr(), options(nostack, preserves_flags)) };
    let mask = long(&area.0, MXCSR_MASK);
    write_initial(&mut area.0);
    // SAFETY: an initial state is a valid one.
    unsafe { asm!("fxrstor64 [{}]", in(reg) area.0.as_ptr(), options(nostack, preserves_flags)) };
    if mask == 0 { WITHOUT_XSAVE.mxcsr_mask } else { mask }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const WITH_AVX: Components = Components { mask: X87_SSE | AVX, size: 832, mxcsr_mask: 0xffff };

    fn checked(change: impl Fn(&mut Vec<u8>)) -> Result<(), InvalidState> {
        let mut bytes = vec![0; WITH_AVX.size];
        write_initial(&mut bytes);
        change(&mut bytes);
        check(&bytes, &WITH_AVX)
    }

    #[test]
    fn reserved_mxcsr_bits_are_refused() {
        assert_eq!(checked(|bytes| bytes[MXCSR + 2] = 1), Err(InvalidState));
        assert_eq!(checked(|bytes| bytes[MXCSR] = 0xff), Ok(()));
    }

    #[test]
    fn a_header_that_names_a_component_that_is_off_is_refused() {
        assert_eq!(checked(|bytes| bytes[LEGACY + 1] = 2), Err(InvalidState));
        assert_eq!(checked(|bytes| bytes[LEGACY] = 7), Ok(()));
    }

    #[test]
    fn a_compacted_or_dirty_header_is_refused() {
        assert_eq!(checked(|bytes| bytes[LEGACY + 15] = 0x80), Err(InvalidState));
        assert_eq!(checked(|bytes| bytes[LEGACY + 63] = 1), Err(InvalidState));
    }

    #[test]
    fn a_state_that_ends_in_its_legacy_part_is_refused_or_completed() {
        assert_eq!(checked(|bytes| bytes.truncate(LEGACY - 1)), Err(InvalidState));
        assert_eq!(checked(|bytes| bytes.truncate(LEGACY)), Ok(()));
        assert_eq!(checked(|bytes| bytes.truncate(LEGACY + 20)), Ok(()));
    }

    #[test]
    fn a_saved_state_may_be_given_back_and_restored() {
        let mut state = ExtendedState::new().unwrap();
        state.save();
        let bytes = state.as_bytes().to_vec();
        let mut other = ExtendedState::new().unwrap();
        assert_eq!(other.set_bytes(&bytes), Ok(()));
        other.restore();
        assert_eq!(other.set_bytes(&bytes[..100]), Err(InvalidState));
    }
}
