//! Reads a word that may not be there.
//!
//! Invariant: the one instruction between `machine_probe` and its end may fault; the page-fault door then goes on at
//! `machine_probe_failed` without asking anybody.

#[cfg(target_os = "none")]
core::arch::global_asm!(
    ".section .text.machine_probe, \"ax\", @progbits",
    ".global machine_probe",
    ".type machine_probe, @function",
    "machine_probe:",
    "mov rax, [rdi]",
    "mov edx, 1",
    "ret",
    ".size machine_probe, . - machine_probe",
    ".global machine_probe_failed",
    "machine_probe_failed:",
    "xor eax, eax",
    "xor edx, edx",
    "ret",
    ".text",
);

/// A word, and whether there is one (RAX and RDX).
#[cfg(target_os = "none")]
#[repr(C)]
struct Answer {
    word: u64,
    found: u64,
}

#[cfg(target_os = "none")]
unsafe extern "C" {
    fn machine_probe(address: u64) -> Answer;
    fn machine_probe_failed();
}

/// The word at a kernel address, if something is mapped there.
pub fn word(address: u64) -> Option<u64> {
    const KERNEL_HALF: u64 = 0xffff_8000_0000_0000;
    const LAST_WORD: u64 = u64::MAX - 7;
    if !(KERNEL_HALF..=LAST_WORD).contains(&address) || !address.is_multiple_of(8) {
        return None;
    }
    read(address)
}

#[cfg(target_os = "none")]
fn read(address: u64) -> Option<u64> {
    // SAFETY: canonical and aligned; when nothing is mapped there the door goes on at `machine_probe_failed`.
    let answer = unsafe { machine_probe(address) };
    (answer.found != 0).then_some(answer.word)
}

/// A host process has nothing in the kernel's half.
#[cfg(not(target_os = "none"))]
fn read(_: u64) -> Option<u64> {
    None
}

/// Where to go on when the instruction at `rip` has faulted, if it is the one of `word`.
pub(crate) fn landing(rip: u64) -> Option<u64> {
    #[cfg(target_os = "none")]
    {
        (rip == machine_probe as *const () as u64).then_some(machine_probe_failed as *const () as u64)
    }
    #[cfg(not(target_os = "none"))]
    {
        let _ = rip;
        None
    }
}
