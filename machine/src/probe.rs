//! Reads a word that may not be there.
//!
//! Invariant: the one instruction between `machine_probe` and its end may fault; the page-fault door then goes on at
//! `machine_probe_failed` without asking anybody. It gets there without `iretq`, which would let the next NMI in: a probe may be
//! part of an NMI's work, whose stack is the next one's too.

use crate::trap::TrapFrame;

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
    "mov rax, [rdi + {FLAGS}]",
    "mov rsp, [rdi + {STACK}]",
    "push rax",
    "popfq",
    "xor eax, eax",
    "xor edx, edx",
    "ret",
    ".text",
    FLAGS = const core::mem::offset_of!(TrapFrame, rflags),
    STACK = const core::mem::offset_of!(TrapFrame, rsp),
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
    fn machine_probe_failed(frame: *const TrapFrame) -> !;
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

/// Goes on behind the probe whose fault this frame is, if it is one: as if `word` had found nothing.
pub(crate) fn end_failed(frame: &TrapFrame) {
    #[cfg(target_os = "none")]
    if frame.rip == machine_probe as *const () as u64 {
        // SAFETY: the frame is that of `machine_probe`, on the same stack, and what it called for keeps these registers only.
        unsafe { machine_probe_failed(frame) }
    }
    #[cfg(not(target_os = "none"))]
    let _ = frame;
}
