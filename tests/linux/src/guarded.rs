//! Accesses that may be refused: each comes back with what it found, or with the signal that it got for it.
//!
//! Invariant: only the accesses of this file are recovered, and only when the kernel names the very address that they
//! used; any other fault ends the program with `FAILED`.

use std::arch::global_asm;

use crate::signal::handle;

global_asm!(
    ".globl guarded_load, guarded_store, guarded_run, guarded_run_returned, guarded_refused, guarded_run_refused",
    "guarded_load:",
    "movzx eax, byte ptr [rdi]",
    "xor edx, edx",
    "ret",
    "guarded_store:",
    "mov byte ptr [rdi], sil",
    "xor eax, eax",
    "xor edx, edx",
    "ret",
    "guarded_run:",
    "sub rsp, 8",
    "call rdi",
    "guarded_run_returned:",
    "xor edx, edx",
    "add rsp, 8",
    "ret",
    "guarded_run_refused:",
    "add rsp, 16",
    "guarded_refused:",
    "ret",
);

/// In two registers: a value and 0, or the signal's code and its number.
#[repr(C)]
struct Answer {
    value: u64,
    signal: u64,
}

unsafe extern "C" {
    fn guarded_load(at: usize) -> Answer;
    fn guarded_store(at: usize, value: u8) -> Answer;
    fn guarded_run(at: usize) -> Answer;
    fn guarded_run_returned();
    fn guarded_refused();
    fn guarded_run_refused();
}

/// Why an access was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub signal: i32,
    pub code: i32,
}

/// Nothing is mapped there.
pub const NOT_MAPPED: Refusal = Refusal { signal: libc::SIGSEGV, code: 1 };
/// Something is, but not for this.
pub const PROTECTED: Refusal = Refusal { signal: libc::SIGSEGV, code: 2 };
/// It is mapped, but what it shows has no such page.
pub const NO_CONTENTS: Refusal = Refusal { signal: libc::SIGBUS, code: 2 };

impl Answer {
    fn result(self) -> Result<u64, Refusal> {
        match self.signal {
            0 => Ok(self.value),
            signal => Err(Refusal { signal: signal as i32, code: self.value as i32 }),
        }
    }
}

/// From here on refused accesses come back.
pub fn start() {
    handle(libc::SIGSEGV, refused, 0);
    handle(libc::SIGBUS, refused, 0);
}

/// The byte at `at`.
pub fn load(at: usize) -> Result<u8, Refusal> {
    // SAFETY: reads, and comes back if that is refused.
    unsafe { guarded_load(at) }.result().map(|value| value as u8)
}

/// Writes a byte to memory that is the caller's to lose.
pub fn store(at: usize, value: u8) -> Result<(), Refusal> {
    // SAFETY: the caller gives addresses of its own mappings, or where nothing is.
    unsafe { guarded_store(at, value) }.result().map(drop)
}

/// Calls what `code_for` wrote at `at`; its answer.
pub fn run(at: usize) -> Result<u32, Refusal> {
    // SAFETY: the caller put such code there; it changes one register.
    unsafe { guarded_run(at) }.result().map(|value| value as u32)
}

/// A function that returns `answer`.
pub fn code_for(answer: u32) -> [u8; 6] {
    let [a, b, c, d] = answer.to_le_bytes();
    // mov eax, answer; ret
    [0xb8, a, b, c, d, 0xc3]
}

extern "C" fn refused(signal: i32, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let stranger = |why: &str| -> ! { crate::fail(&format!("signal {signal} that nobody asked for: {why}")) };
    // SAFETY: the kernel filled both in for this handler, which runs on the thread that they are about.
    let (address, code, registers) = unsafe {
        let context = context.cast::<libc::ucontext_t>();
        ((*information).si_addr() as usize, (*information).si_code, &mut (*context).uc_mcontext.gregs)
    };
    let instruction = registers[libc::REG_RIP as usize] as usize;
    let place = |function: unsafe extern "C" fn()| function as usize;
    if instruction == guarded_load as *const () as usize || instruction == guarded_store as *const () as usize {
        if registers[libc::REG_RDI as usize] as usize != address {
            stranger(&format!("at {address:#x}, not {:#x}", registers[libc::REG_RDI as usize]));
        }
        registers[libc::REG_RIP as usize] = place(guarded_refused) as i64;
    } else {
        // SAFETY: the stack of this thread, at the moment of the fault.
        let returns_to = unsafe { (registers[libc::REG_RSP as usize] as *const usize).read() };
        if instruction != address || returns_to != place(guarded_run_returned) {
            stranger(&format!("at {address:#x} by the instruction at {instruction:#x}"));
        }
        registers[libc::REG_RIP as usize] = place(guarded_run_refused) as i64;
    }
    registers[libc::REG_RAX as usize] = i64::from(code);
    registers[libc::REG_RDX as usize] = i64::from(signal);
}
