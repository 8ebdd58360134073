//! A stack that runs over kills its process, not the kernel and nobody else.

use linux_tests::process::{Ended, fork, in_a_child, wait};
use linux_tests::{call, check, equal, must, must_equal, signal};

fn main() {
    signal::set_disposition(libc::SIGSEGV, libc::SIG_DFL);
    signal::set_disposition(libc::SIGBUS, libc::SIG_DFL);
    let dead = Ended::Killed(libc::SIGSEGV);
    equal("a child that never stops calling dies of SIGSEGV", in_a_child(|| forever(0)), dead);
    equal("the parent goes on", in_a_child(|| 3), Ended::Exited(3));
    deep_but_fine();
    small_limit(dead);
    in_a_thread(dead);
    many(dead);
    told_on_another_stack();
    handler_on_a_full_stack(dead);
}

/// Uses a kilobyte of stack for each call.
#[inline(never)]
fn forever(depth: u64) -> i32 {
    let here = std::hint::black_box([depth; 128]);
    if here[5] == u64::MAX { 0 } else { forever(here[127] + 1) + here[0] as i32 }
}

#[inline(never)]
fn down_to(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 128]);
    if depth == 0 { 0 } else { down_to(depth - 1) + here[64] - depth + 1 }
}

fn deep_but_fine() {
    let child = in_a_child(|| i32::from(down_to(4_000) != 4_000));
    equal("four megabytes of stack are had", child, Ended::Exited(0));
}

fn small_limit(dead: Ended) {
    let child = in_a_child(|| {
        must_equal("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_STACK, [512_u64 * 1024, 512 * 1024].as_ptr()), Ok(0));
        must_equal("a little", down_to(100), 100);
        down_to(4_000) as i32
    });
    equal("with a limit of half a megabyte they are not", child, dead);
}

fn in_a_thread(dead: Ended) {
    let child = in_a_child(|| {
        let builder = std::thread::Builder::new().stack_size(64 * 1024);
        let thread = builder.spawn(|| forever(0)).map(std::thread::JoinHandle::join);
        i32::from(thread.is_err())
    });
    // The standard library notices its own guard page, and aborts.
    check("a thread that runs over kills its process", child == dead || child == Ended::Killed(libc::SIGABRT));
}

fn many(dead: Ended) {
    let children: Vec<_> = (0..8).map(|_| fork(|| forever(0))).collect();
    check("eight at once", children.into_iter().all(|child| wait(child) == dead));
}

extern "C" fn leave(_: i32, information: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO its information.
    let address = unsafe { (*information).si_addr() as usize };
    linux_tests::process::exit_now(if address != 0 { 44 } else { 45 })
}

fn told_on_another_stack() {
    let child = in_a_child(|| {
        let at = linux_tests::memory::anonymous(8);
        let stack = libc::stack_t { ss_sp: at as *mut libc::c_void, ss_flags: 0, ss_size: 8 * linux_tests::memory::PAGE };
        must("sigaltstack", call!(SYS_sigaltstack, &raw const stack, 0) == Ok(0));
        signal::handle(libc::SIGSEGV, leave, libc::SA_ONSTACK);
        forever(0)
    });
    equal("a handler with a stack of its own is told", child, Ended::Exited(44));
}

fn handler_on_a_full_stack(dead: Ended) {
    let child = in_a_child(|| {
        // The standard library's own other stack goes first.
        let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        must("sigaltstack", call!(SYS_sigaltstack, &raw const none, 0) == Ok(0));
        signal::handle(libc::SIGSEGV, leave, 0);
        forever(0)
    });
    equal("a handler without one has nowhere to run", child, dead);
}
