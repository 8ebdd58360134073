//! Reads a word that may not be there.
//!
//! Invariant: the one instruction between `machine_probe` and its end may fault; the page-fault door then goes on at
//! `machine_probe_failed` without asking anybody. It gets there without `iretq`, which would let the next NMI in: a probe may be
//! part of an NMI's work, whose stack is the next one's too.

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
    "mov r15, [rdi]",
    "mov r14, [rdi + 8]",
    "mov r13, [rdi + 16]",
    "mov r12, [rdi + 24]",
    "mov rbp, [rdi + 32]",
    "mov rbx, [rdi + 40]",
    "mov rax, [rdi + 48]",
    "mov rsp, [rdi + 56]",
    "push rax",
    "popfq",
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
    fn machine_probe_failed(kept: *const Kept) -> !;
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

/// What `machine_probe` found in the registers that it has to keep, in the order in which it takes them back.
#[repr(C)]
pub(crate) struct Kept {
    /// R15, R14, R13, R12, RBP, RBX.
    pub registers: [u64; 6],
    pub flags: u64,
    pub stack: u64,
}

/// Is this the one instruction that may fault?
pub(crate) fn is_at(rip: u64) -> bool {
    #[cfg(target_os = "none")]
    return rip == machine_probe as *const () as u64;
    #[cfg(not(target_os = "none"))]
    return rip == 0;
}

/// Goes on behind the probe that has faulted: `word` has found nothing.
///
/// # Safety
/// The registers are those of the fault, which `is_at` and on this stack, and the caller has nothing left to do.
pub(crate) unsafe fn end_failed(kept: &Kept) -> ! {
    #[cfg(target_os = "none")]
    // SAFETY: the caller's; the stack is as `machine_probe` left it, and it owes its caller no other registers.
    unsafe {
        machine_probe_failed(kept)
    }
    #[cfg(not(target_os = "none"))]
    unreachable!("a probe of the host at {:#x} with {:x?}, {:#x}", kept.stack, kept.registers, kept.flags)
}
