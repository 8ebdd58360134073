//! Signals: numbers, actions, `siginfo`, and the frame a handler finds on its stack.
//!
//! Invariant: layouts are x86-64 Linux's; a mask holds signal n in bit n-1.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub const SIGHUP: u32 = 1;
pub const SIGINT: u32 = 2;
pub const SIGQUIT: u32 = 3;
pub const SIGILL: u32 = 4;
pub const SIGTRAP: u32 = 5;
pub const SIGABRT: u32 = 6;
pub const SIGBUS: u32 = 7;
pub const SIGFPE: u32 = 8;
pub const SIGKILL: u32 = 9;
pub const SIGUSR1: u32 = 10;
pub const SIGSEGV: u32 = 11;
pub const SIGUSR2: u32 = 12;
pub const SIGPIPE: u32 = 13;
pub const SIGALRM: u32 = 14;
pub const SIGTERM: u32 = 15;
pub const SIGSTKFLT: u32 = 16;
pub const SIGCHLD: u32 = 17;
pub const SIGCONT: u32 = 18;
pub const SIGSTOP: u32 = 19;
pub const SIGTSTP: u32 = 20;
pub const SIGTTIN: u32 = 21;
pub const SIGTTOU: u32 = 22;
pub const SIGURG: u32 = 23;
pub const SIGXCPU: u32 = 24;
pub const SIGXFSZ: u32 = 25;
pub const SIGVTALRM: u32 = 26;
pub const SIGPROF: u32 = 27;
pub const SIGWINCH: u32 = 28;
pub const SIGIO: u32 = 29;
pub const SIGPWR: u32 = 30;
pub const SIGSYS: u32 = 31;
/// First real-time signal, as the kernel counts.
pub const SIGRTMIN: u32 = 32;
pub const SIGNAL_COUNT: u32 = 64;

pub const SIG_DFL: u64 = 0;
pub const SIG_IGN: u64 = 1;
pub const SIG_BLOCK: u32 = 0;
pub const SIG_UNBLOCK: u32 = 1;
pub const SIG_SETMASK: u32 = 2;

/// Bits of `SignalAction::flags`.
pub mod action {
    pub const NOCLDSTOP: u64 = 1;
    pub const NOCLDWAIT: u64 = 2;
    pub const SIGINFO: u64 = 4;
    pub const UNSUPPORTED: u64 = 0x400;
    pub const EXPOSE_TAGBITS: u64 = 0x800;
    pub const RESTORER: u64 = 0x0400_0000;
    pub const ONSTACK: u64 = 0x0800_0000;
    pub const RESTART: u64 = 0x1000_0000;
    pub const NODEFER: u64 = 0x4000_0000;
    pub const RESETHAND: u64 = 0x8000_0000;
}

/// `si_code` values.
pub mod code {
    pub const USER: i32 = 0;
    pub const KERNEL: i32 = 0x80;
    pub const QUEUE: i32 = -1;
    pub const TIMER: i32 = -2;
    pub const TKILL: i32 = -6;
    pub const ILL_ILLOPN: i32 = 2;
    pub const FPE_INTDIV: i32 = 1;
    pub const FPE_INTOVF: i32 = 2;
    pub const FPE_FLTDIV: i32 = 3;
    pub const FPE_FLTOVF: i32 = 4;
    pub const FPE_FLTUND: i32 = 5;
    pub const FPE_FLTRES: i32 = 6;
    pub const FPE_FLTINV: i32 = 7;
    pub const SEGV_MAPERR: i32 = 1;
    pub const SEGV_ACCERR: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
    pub const BUS_ADRERR: i32 = 2;
    pub const TRAP_BRKPT: i32 = 1;
    pub const TRAP_TRACE: i32 = 2;
    pub const CLD_EXITED: i32 = 1;
    pub const CLD_KILLED: i32 = 2;
    pub const CLD_DUMPED: i32 = 3;
    pub const CLD_TRAPPED: i32 = 4;
    pub const CLD_STOPPED: i32 = 5;
    pub const CLD_CONTINUED: i32 = 6;
}

/// The kernel's `struct sigaction`: 32 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalAction {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
    pub mask: u64,
}
const _: () = assert!(size_of::<SignalAction>() == 32);

/// `siginfo_t`: 128 bytes. `fields` is the union from byte 16 on.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalInfo {
    pub signal: i32,
    pub errno: i32,
    pub code: i32,
    pub padding: i32,
    pub fields: [u64; 14],
}
const _: () = assert!(size_of::<SignalInfo>() == 128);

impl SignalInfo {
    pub const fn new(signal: u32, code: i32) -> Self {
        SignalInfo { signal: signal as i32, errno: 0, code, padding: 0, fields: [0; 14] }
    }

    /// `si_pid`, `si_uid` (kill, tkill, sigqueue and child).
    pub const fn with_sender(mut self, process: i32, user: u32) -> Self {
        self.fields[0] = process as u32 as u64 | ((user as u64) << 32);
        self
    }

    /// `si_status` of SIGCHLD, or the low half of `si_value`.
    pub const fn with_status(mut self, status: i32) -> Self {
        self.fields[1] = status as u32 as u64;
        self
    }

    /// `si_addr` of a fault.
    pub const fn with_address(mut self, address: u64) -> Self {
        self.fields[0] = address;
        self
    }
}

/// `stack_t` of `sigaltstack(2)`: 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalStack {
    pub base: u64,
    pub flags: u32,
    pub padding: u32,
    pub size: u64,
}
const _: () = assert!(size_of::<SignalStack>() == 24);
pub const SS_ONSTACK: u32 = 1;
pub const SS_DISABLE: u32 = 2;
pub const SS_AUTODISARM: u32 = 1 << 31;
pub const MINSIGSTKSZ: u64 = 2048;

/// `struct sigcontext` of x86-64: 256 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalContext {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub flags: u64,
    pub cs: u16,
    pub gs: u16,
    pub fs: u16,
    pub ss: u16,
    pub error_code: u64,
    pub trap_number: u64,
    pub old_mask: u64,
    pub fault_address: u64,
    /// Where the extended state is, or 0.
    pub extended_state: u64,
    pub reserved: [u64; 8],
}
const _: () = assert!(size_of::<SignalContext>() == 256);

/// `struct ucontext` of x86-64.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct UserContext {
    pub flags: u64,
    pub link: u64,
    pub stack: SignalStack,
    pub machine: SignalContext,
    pub mask: u64,
}
const _: () = assert!(size_of::<UserContext>() == 304);

/// `UserContext::flags`: extended state is in XSAVE form; ss is saved; ss is restored strictly.
pub const UC_FP_XSTATE: u64 = 1;
pub const UC_SIGCONTEXT_SS: u64 = 2;
pub const UC_STRICT_RESTORE_SS: u64 = 4;
/// Magic words around the extended state of a signal frame.
pub const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
pub const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;

/// What a handler finds on its stack: return address, context, information.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalFrame {
    pub return_address: u64,
    pub context: UserContext,
    pub information: SignalInfo,
}
const _: () = assert!(size_of::<SignalFrame>() == 440);

/// `struct signalfd_siginfo`: 128 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalRecord {
    pub signal: u32,
    pub errno: i32,
    pub code: i32,
    pub process: u32,
    pub user: u32,
    pub fd: i32,
    pub timer: u32,
    pub band: u32,
    pub overrun: u32,
    pub trap: u32,
    pub status: i32,
    pub number: i32,
    pub pointer: u64,
    pub user_time: u64,
    pub system_time: u64,
    pub address: u64,
    pub address_granularity: u16,
    pub padding: [u16; 3],
    pub unused: [u64; 5],
}
const _: () = assert!(size_of::<SignalRecord>() == 128 && core::mem::offset_of!(SignalRecord, pointer) == 48);

/// `struct sigevent`: 64 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct SignalEvent {
    pub value: u64,
    pub signal: i32,
    pub notify: i32,
    pub thread: i32,
    pub padding: [i32; 11],
}
const _: () = assert!(size_of::<SignalEvent>() == 64);

/// `SignalEvent::notify`.
pub const SIGEV_SIGNAL: i32 = 0;
pub const SIGEV_NONE: i32 = 1;
pub const SIGEV_THREAD: i32 = 2;
pub const SIGEV_THREAD_ID: i32 = 4;
