//! Instructions that use an address: the signal, its code and the address that it names.
//!
//! Invariant: the handler stands on a stack of its own, and brings back whoever came with a place to come back to.

use std::arch::global_asm;
use std::cell::Cell;

use linux_tests::memory::{PAGE, READ, READ_WRITE, anonymous, map, protect};
use linux_tests::{call, done};

use crate::{lonely_page, table};

// RDI: what to use. RSI: a place for the stack pointer, while there is none. Each returns 0, or what the handler puts into RAX.
global_asm!(
    ".globl forbidden_load, forbidden_store, forbidden_jump, forbidden_call, forbidden_push, forbidden_pop, forbidden_add, forbidden_wide",
    ".globl forbidden_string, forbidden_back",
    "forbidden_load: mov r11, rsp",
    "mov al, [rdi]",
    "jmp forbidden_well",
    "forbidden_store: mov r11, rsp",
    "mov [rdi], al",
    "jmp forbidden_well",
    "forbidden_add: mov r11, rsp",
    "lock add qword ptr [rdi], 0",
    "jmp forbidden_well",
    "forbidden_wide: mov r11, rsp",
    "movdqu xmm0, [rdi]",
    "jmp forbidden_well",
    "forbidden_string: mov r11, rsp",
    "mov ecx, 16",
    "rep stosb",
    "jmp forbidden_well",
    "forbidden_jump: mov r11, rsp",
    "jmp rdi",
    "forbidden_call: mov r11, rsp",
    "call rdi",
    "jmp forbidden_well",
    "forbidden_push: mov r11, rsp",
    "mov rsp, rdi",
    "push rax",
    "jmp forbidden_well",
    "forbidden_pop: mov r11, rsp",
    "mov rsp, rdi",
    "pop rcx",
    "forbidden_well: xor eax, eax",
    "forbidden_back: mov rsp, r11",
    "ret",
);

unsafe extern "C" {
    fn forbidden_load(at: usize) -> u64;
    fn forbidden_store(at: usize) -> u64;
    fn forbidden_add(at: usize) -> u64;
    fn forbidden_wide(at: usize) -> u64;
    fn forbidden_string(at: usize) -> u64;
    fn forbidden_jump(at: usize) -> u64;
    fn forbidden_call(at: usize) -> u64;
    fn forbidden_push(at: usize) -> u64;
    fn forbidden_pop(at: usize) -> u64;
    fn forbidden_back();
}

type Access = unsafe extern "C" fn(usize) -> u64;

/// What the handler was told: signal, code, address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub signal: i32,
    pub code: i32,
    pub address: usize,
}

thread_local! {
    static TOLD: Cell<Option<Told>> = const { Cell::new(None) };
}

const ALL: [(&str, Access); 9] = [
    ("load", forbidden_load),
    ("store", forbidden_store),
    ("locked add", forbidden_add),
    ("sixteen bytes", forbidden_wide),
    ("string of bytes", forbidden_string),
    ("jump", forbidden_jump),
    ("call", forbidden_call),
    ("push", forbidden_push),
    ("pop", forbidden_pop),
];

/// From here on faults are told.
pub fn start() {
    alternate_stack(anonymous(16), 16 * PAGE);
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL] {
        linux_tests::signal::handle(signal, tell, libc::SA_ONSTACK);
    }
}

pub fn alternate_stack(at: usize, size: usize) {
    let stack = libc::stack_t { ss_sp: at as *mut libc::c_void, ss_flags: 0, ss_size: size };
    done("sigaltstack", call!(SYS_sigaltstack, &raw const stack, 0));
}

/// Uses `at`; what the handler was told of it.
pub fn try_access(access: Access, at: usize) -> Option<Told> {
    TOLD.set(None);
    // SAFETY: what is used is nobody's, or the caller's own; whoever is refused comes back through the handler.
    let _value = unsafe { access(at) };
    TOLD.take()
}

pub fn load(at: usize) -> Option<Told> {
    try_access(forbidden_load, at)
}

pub fn store(at: usize) -> Option<Told> {
    try_access(forbidden_store, at)
}

pub fn jump(at: usize) -> Option<Told> {
    try_access(forbidden_jump, at)
}

/// The address is told as it stands to the one that was used.
pub fn words(told: Option<Told>, at: usize) -> String {
    let Some(Told { signal, code, address }) = told else { return "done".to_owned() };
    // Some CPUs raise the one exception, and some the other, when a stack is at no address.
    let signal = match signal {
        libc::SIGBUS if code == 128 => "SIGSEGV".to_owned(),
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        libc::SIGBUS => "SIGBUS".to_owned(),
        libc::SIGILL => "SIGILL".to_owned(),
        other => format!("signal {other}"),
    };
    match address {
        _ if address == at => format!("{signal} {code} there"),
        0 => format!("{signal} {code} nowhere"),
        _ => format!("{signal} {code} at {:+#x}", address.wrapping_sub(at) as isize),
    }
}

pub fn all() {
    for (what, access) in ALL {
        table(what, |at| words(try_access(access, at), at));
    }
    beside_a_page();
    by_rights();
}

/// Accesses that begin in a page and end beside it.
fn beside_a_page() {
    let page = lonely_page();
    for (what, access) in ALL {
        if !["jump", "call"].contains(&what) {
            let answers = [page - 1, page + PAGE - 1, page + PAGE - 8, page + PAGE, page, page - 8];
            let answers = answers.map(|at| format!("{:+}: {}", at.wrapping_sub(page) as isize, words(try_access(access, at), at)));
            println!("{what} beside a page: {}", answers.join(", "));
        }
    }
    let code = page + PAGE - 1;
    linux_tests::memory::poke(code, 0x0f);
    done("mprotect", protect(page, PAGE, READ | libc::PROT_EXEC));
    println!("an instruction that goes on beside a page: {}", words(jump(code), code));
}

fn by_rights() {
    let at = anonymous(1);
    for (name, rights) in [("none", 0), ("read", 1), ("write", 2), ("execute", 4)] {
        done("mprotect", protect(at, PAGE, rights));
        let answers = ALL.map(|(what, access)| {
            // What is executed there is a page of zeroes: `add [rax], al`.
            format!(
                "{what} {}",
                if rights == 4 && ["jump", "call"].contains(&what) {
                    String::from("runs")
                } else {
                    words(try_access(access, at + 64), at + 64)
                }
            )
        });
        println!("rights to {name}: {}", answers.join(", "));
    }
    let beyond = done("mmap", map(0, PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0));
    done("munmap", linux_tests::memory::unmap(beyond, PAGE));
    println!("what was unmapped: {}", words(load(beyond + 5), beyond + 5));
}

extern "C" fn tell(signal: i32, information: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel filled both in for this handler.
    let (code, address, registers) = unsafe {
        let context = context.cast::<libc::ucontext_t>();
        ((*information).si_code, (*information).si_addr() as usize, &mut (*context).uc_mcontext.gregs)
    };
    TOLD.set(Some(Told { signal, code, address }));
    registers[libc::REG_RIP as usize] = forbidden_back as *const () as usize as i64;
}
