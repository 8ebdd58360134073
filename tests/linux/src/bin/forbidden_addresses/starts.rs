//! Places where something begins or comes back: stacks of threads and handlers, handlers, thread storage, frames, programs.

use std::arch::asm;

use linux_tests::memory::anonymous;
use linux_tests::process::{Ended, exit_now, in_a_child, wait_for_any_of};
use linux_tests::signal::{raise, set_disposition};
use linux_tests::{Errno, answer, call, done, fail};

use crate::accesses::{alternate_stack, start, try_access, words};
use crate::{fate, said, table};

pub fn all() {
    thread_storage();
    stacks_of_threads();
    handlers();
    frames();
    programs();
}

fn thread_storage() {
    const ARCH_SET_GS: usize = 0x1001;
    const ARCH_SET_FS: usize = 0x1002;
    const ARCH_GET_GS: usize = 0x1004;
    table("arch_prctl GS", |at| {
        let set = call!(SYS_arch_prctl, ARCH_SET_GS, at);
        let mut got = 1_usize;
        done("get", call!(SYS_arch_prctl, ARCH_GET_GS, &raw mut got));
        format!("{} and {}", said(set), if set.is_ok() { got == at } else { got != at || at == 0 })
    });
    table("arch_prctl GS to", |at| said(call!(SYS_arch_prctl, ARCH_GET_GS, at)));
    table("arch_prctl FS", |at| {
        // Whoever has it has no library any more: it ends by itself.
        fate(in_a_child(|| {
            let refused: usize;
            // SAFETY: nothing of the library is used between the call and the end.
            unsafe {
                asm!("syscall", "test rax, rax", "jnz 2f", "mov eax, 60", "mov edi, 7", "syscall", "2:",
                    inlateout("rax") libc::SYS_arch_prctl as usize => refused, in("rdi") ARCH_SET_FS, in("rsi") at,
                    out("rcx") _, out("r11") _);
            }
            if refused as isize == -(libc::EPERM as isize) { 1 } else { 2 }
        }))
    });
    table("what GS leads to", |at| {
        let set = call!(SYS_arch_prctl, ARCH_SET_GS, at);
        if set.is_err() { said(set) } else { words(try_access(through_gs, 0), at) }
    });
}

std::arch::global_asm!(".globl forbidden_through_gs", "forbidden_through_gs: mov r11, rsp", "mov rax, gs:[rdi]", "xor eax, eax", "ret");

unsafe extern "C" {
    #[link_name = "forbidden_through_gs"]
    fn through_gs(at: usize) -> u64;
}

/// A child in the same memory whose first push is to `stack`; how it ended.
fn started_on(stack: usize, flags: i32, storage: usize) -> Result<Ended, Errno> {
    let result: isize;
    // SAFETY: the child uses nothing but its stack pointer, by a push, and ends.
    unsafe {
        asm!("syscall", "test rax, rax", "jnz 2f", "push rax", "mov eax, 60", "mov edi, 7", "syscall", "2:",
            inlateout("rax") libc::SYS_clone as usize => result, in("rdi") flags | libc::SIGCHLD, in("rsi") stack,
            in("rdx") 0_usize, in("r10") 0_usize, in("r8") storage, out("rcx") _, out("r11") _);
    }
    ended(result)
}

fn ended(result: isize) -> Result<Ended, Errno> {
    if result < 0 {
        return Err(-result as Errno);
    }
    match wait_for_any_of(result as i32, 0) {
        Ok(Some((_, ended))) => Ok(ended),
        other => fail(&format!("a child that was to end: {other:?}")),
    }
}

fn fate_or_errno(result: Result<Ended, Errno>) -> String {
    match result {
        Ok(ended) => fate(ended),
        Err(errno) => said(Err(errno)),
    }
}

fn stacks_of_threads() {
    table("a thread's stack", |at| {
        // Null is the parent's own.
        let at = at.max(8);
        fate_or_errno(started_on(at, libc::CLONE_VM, 0))
    });
    table("a thread's stack, without a handler", |at| {
        let at = at.max(8);
        fate(in_a_child(|| {
            [libc::SIGSEGV, libc::SIGBUS].into_iter().for_each(|signal| set_disposition(signal, libc::SIG_DFL));
            match started_on(at, libc::CLONE_VM, 0) {
                // Which of the two it is, is the CPU's.
                Ok(Ended::Killed(libc::SIGSEGV | libc::SIGBUS)) => 0,
                _ => 99,
            }
        }))
    });
    let good = anonymous(1) + 4000;
    table("a thread's storage", |at| fate_or_errno(started_on(good, libc::CLONE_VM | libc::CLONE_SETTLS, at)));
    table("a new thread's stack by clone3", |at| {
        let mut request = [0_u64; 11];
        (request[0], request[4], request[5], request[6]) = (libc::CLONE_VM as u64, libc::SIGCHLD as u64, at as u64, 4096);
        cloned(&request)
    });
    table("clone3's request", |at| said(call!(SYS_clone3, at, 88)));
}

/// A child of `clone3`, which pushes and ends.
fn cloned(request: &[u64; 11]) -> String {
    let result: isize;
    // SAFETY: as in `started_on`.
    unsafe {
        asm!("syscall", "test rax, rax", "jnz 2f", "push rax", "mov eax, 60", "mov edi, 7", "syscall", "2:",
            inlateout("rax") libc::SYS_clone3 as usize => result, in("rdi") request.as_ptr(), in("rsi") 88_usize,
            out("rcx") _, out("r11") _);
    }
    fate_or_errno(ended(result))
}

fn set_handler(at: usize) -> Result<i32, Errno> {
    // SAFETY: all zero is a valid sigaction; a handler that is nowhere is what is tried.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = at;
        answer(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()))
    }
}

/// What a handler or its stack leads to is told by the status: 100 and the signal for one that was told.
fn handlers() {
    table("a handler", |at| {
        // Null and 1 are no handlers but the default and the ignored.
        let at = at.max(8);
        fate(in_a_child(|| {
            linux_tests::signal::handle(libc::SIGSEGV, end_with_code, libc::SA_ONSTACK);
            done("sigaction", set_handler(at));
            raise(libc::SIGUSR1);
            0
        }))
    });
    table("a handler's stack", |at| {
        fate(in_a_child(|| {
            alternate_stack(at, 1 << 16);
            linux_tests::signal::handle(libc::SIGUSR1, nothing, libc::SA_ONSTACK);
            linux_tests::signal::handle(libc::SIGSEGV, end_with_code, 0);
            raise(libc::SIGUSR1);
            0
        }))
    });
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

extern "C" fn end_with_code(_: i32, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel filled it in for this handler.
    let (code, address) = unsafe { ((*information).si_code, (*information).si_addr() as usize) };
    exit_now(if address == 0 && code == 128 { 50 } else { code })
}

/// Comes back from a handler to a wild place, or with a wild stack.
fn frames() {
    start();
    for (what, register) in [("a frame's instruction pointer", libc::REG_RIP), ("a frame's stack pointer", libc::REG_RSP)] {
        table(what, |at| {
            fate(in_a_child(|| {
                WILD.store(at, std::sync::atomic::Ordering::SeqCst);
                REGISTER.store(register, std::sync::atomic::Ordering::SeqCst);
                linux_tests::signal::handle(libc::SIGUSR1, come_back, libc::SA_ONSTACK);
                linux_tests::signal::handle(libc::SIGSEGV, end_with_place, libc::SA_ONSTACK);
                linux_tests::signal::handle(libc::SIGBUS, end_with_place, libc::SA_ONSTACK);
                raise(libc::SIGUSR1);
                0
            }))
        });
    }
    table("rt_sigreturn on a stack that is nowhere", |at| {
        fate(in_a_child(|| {
            linux_tests::signal::handle(libc::SIGSEGV, end_with_code, libc::SA_ONSTACK);
            // SAFETY: this process ends here, in the handler or by the signal.
            unsafe { asm!("mov rsp, {at}", "mov eax, 15", "syscall", "ud2", at = in(reg) at, options(noreturn)) }
        }))
    });
}

static WILD: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
static REGISTER: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);

extern "C" fn come_back(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let register = REGISTER.load(std::sync::atomic::Ordering::SeqCst) as usize;
    // SAFETY: the kernel filled it in for this handler; this process is to die of it.
    unsafe {
        (&mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs)[register] = WILD.load(std::sync::atomic::Ordering::SeqCst) as i64
    };
}

/// 10 times the signal's last digit and the code, where the address is the wild one; 200 on where it is none.
extern "C" fn end_with_place(signal: i32, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel filled it in for this handler.
    let (code, address) = unsafe { ((*information).si_code, (*information).si_addr() as usize) };
    let place = match address {
        0 => 200,
        address if address == WILD.load(std::sync::atomic::Ordering::SeqCst) => 0,
        _ => 100,
    };
    let signal = if code == 128 { libc::SIGSEGV } else { signal };
    exit_now(place + signal % 10 * 10 + code % 10)
}

fn programs() {
    let name = c"/bin/true".as_ptr() as usize;
    let words = [name, 0];
    table("execve's name", |at| said(call!(SYS_execve, at, words.as_ptr(), 0)));
    table("execve's words", |at| if at == 0 { String::from("none") } else { said(call!(SYS_execve, name, at, 0)) });
    table("execve's environment", |at| if at == 0 { String::from("none") } else { said(call!(SYS_execve, name, words.as_ptr(), at)) });
    table("a word of execve's", |at| if at == 0 { String::from("none") } else { said(call!(SYS_execve, name, [name, at, 0].as_ptr(), 0)) });
}
