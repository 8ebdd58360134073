//! An area of this program's own, in place of the library's, and the sequences that are run with it.
//!
//! Invariant: an area stays where it is until its thread has given it up: it is never freed.

use linux_tests::{Errno, call, done};
use std::arch::global_asm;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

pub const SIGNATURE: u32 = 0x5305_3053;
pub const LENGTH: usize = 32;
const UNREGISTER: usize = 1;

global_asm!(
    ".globl rseq_add, rseq_add_section, rseq_endless, rseq_endless_section, rseq_aborted",
    // rdi: the area; rsi: counters, 64 bytes for each CPU; edx: how long to dawdle. 1: it was added.
    "rseq_add:",
    "lea rax, [rip + rseq_add_section]",
    "mov [rdi + 8], rax",
    "2:",
    "mov eax, [rdi + 4]",
    "shl rax, 6",
    "mov rcx, [rsi + rax]",
    "inc rcx",
    "3:",
    "sub edx, 1",
    "jns 3b",
    "mov [rsi + rax], rcx",
    "4:",
    "mov qword ptr [rdi + 8], 0",
    "mov eax, 1",
    "ret",
    // rdi: the area; rsi: a word that is set to 1 inside. Ends only when it is disturbed, with 0.
    "rseq_endless:",
    "lea rax, [rip + rseq_endless_section]",
    "mov [rdi + 8], rax",
    "5:",
    "mov dword ptr [rsi], 1",
    "jmp 5b",
    "6:",
    "ud2",
    // The signature.
    ".long 0x53053053",
    "rseq_aborted:",
    "xor eax, eax",
    "ret",
    ".pushsection .data",
    ".balign 32",
    "rseq_add_section:",
    ".long 0, 0",
    ".quad 2b, 4b - 2b, rseq_aborted",
    "rseq_endless_section:",
    ".long 0, 0",
    ".quad 5b, 6b - 5b, rseq_aborted",
    ".popsection",
);

unsafe extern "C" {
    static __rseq_offset: isize;
    fn rseq_add(area: &Area, counters: *const Line, dawdle: u32) -> u32;
    fn rseq_endless(area: &Area, inside: &AtomicU32) -> u32;
    fn rseq_aborted();
    static rseq_endless_section: Section;
}

/// A counter of one CPU.
#[repr(C, align(64))]
pub struct Line(pub AtomicU64);

/// `struct rseq_cs`.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub struct Section {
    pub version: u32,
    pub flags: u32,
    pub start: usize,
    pub length: usize,
    pub abort: usize,
}

/// `struct rseq`.
#[derive(Default)]
#[repr(C, align(32))]
pub struct Area {
    pub cpu_at_start: AtomicU32,
    pub cpu: AtomicU32,
    pub section: AtomicU64,
    pub flags: AtomicU32,
    pub node: AtomicU32,
    pub concurrency: AtomicU32,
}

impl Area {
    /// An area that this thread has registered.
    pub fn registered() -> &'static Area {
        give_up_library_area();
        let area: &'static Area = Box::leak(Box::default());
        done("rseq", register(area.address(), LENGTH, 0, SIGNATURE));
        area
    }

    pub fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The library has its own again: threads that this one makes get one only then.
    pub fn give_up(&self) {
        done("rseq, unregister", unregister(self.address(), LENGTH, SIGNATURE));
        done("the library's area", register(library_area(), LENGTH, 0, SIGNATURE));
    }

    /// Adds one to the counter of this CPU; false: it was disturbed.
    pub fn add(&self, counters: &[Line], dawdle: u32) -> bool {
        // SAFETY: there is a counter for every CPU, and the area is registered by this thread.
        unsafe { rseq_add(self, counters.as_ptr(), dawdle) == 1 }
    }

    /// Goes in circles in a section until it is disturbed; says so in `inside`.
    pub fn stay(&self, inside: &AtomicU32) -> u32 {
        // SAFETY: it writes to the word only, and the area is registered by this thread.
        unsafe { rseq_endless(self, inside) }
    }

    pub fn enter(&self, section: &Section) {
        self.section.store(std::ptr::from_ref(section).addr() as u64, SeqCst);
    }
}

/// The section of `stay`.
pub fn endless() -> Section {
    // SAFETY: nobody writes it.
    unsafe { rseq_endless_section }
}

pub fn abort_address() -> usize {
    rseq_aborted as *const () as usize
}

pub fn register(area: usize, length: usize, flags: usize, signature: u32) -> Result<usize, Errno> {
    linux_tests::call(334, [area, length, flags, signature as usize, 0, 0])
}

pub fn unregister(area: usize, length: usize, signature: u32) -> Result<usize, Errno> {
    register(area, length, UNREGISTER, signature)
}

/// The area that the C library has registered for this thread.
pub fn library_area() -> usize {
    let thread: usize;
    // SAFETY: the first word of a thread's storage is its own address.
    let offset = unsafe {
        std::arch::asm!("mov {}, fs:[0]", out(reg) thread, options(nostack, readonly));
        __rseq_offset
    };
    thread.wrapping_add_signed(offset)
}

pub fn give_up_library_area() {
    done("giving up the library's area", unregister(library_area(), LENGTH, SIGNATURE));
}

pub fn thread_number() -> i32 {
    done("gettid", call!(SYS_gettid)) as i32
}
