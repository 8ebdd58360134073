//! Handlers, masks and timers.

use crate::{Errno, answer, call, done};

pub type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

/// Sets a handler that is told everything.
#[track_caller]
pub fn handle(signal: i32, handler: Handler, flags: i32) {
    handle_masking(signal, handler, flags, &[]);
}

/// Sets a handler that keeps some signals out while it runs.
#[track_caller]
pub fn handle_masking(signal: i32, handler: Handler, flags: i32, masked: &[i32]) {
    // SAFETY: all zero is a valid sigaction; the handler is a function that lives as long as the program.
    let result = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags | libc::SA_SIGINFO;
        action.sa_mask = set_of(masked);
        libc::sigaction(signal, &action, std::ptr::null_mut())
    };
    done("sigaction", answer(result));
}

/// `SIG_DFL` or `SIG_IGN`.
#[track_caller]
pub fn set_disposition(signal: i32, disposition: libc::sighandler_t) {
    done("sigaction", try_disposition(signal, disposition));
}

pub fn try_disposition(signal: i32, disposition: libc::sighandler_t) -> Result<i32, Errno> {
    // SAFETY: all zero is a valid sigaction; no handler is named.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = disposition;
        answer(libc::sigaction(signal, &action, std::ptr::null_mut()))
    }
}

pub fn set_of(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: the set is ours, and is made empty before it is used.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

pub fn contains(set: &libc::sigset_t, signal: i32) -> bool {
    // SAFETY: reads the caller's set.
    unsafe { libc::sigismember(set, signal) == 1 }
}

/// Changes the mask; returns the one before.
#[track_caller]
pub fn change_mask(how: i32, signals: &[i32]) -> libc::sigset_t {
    let mut before = set_of(&[]);
    // SAFETY: both sets are ours.
    let result = unsafe { libc::pthread_sigmask(how, &set_of(signals), &mut before) };
    crate::must("sigprocmask works", result == 0);
    before
}

pub fn block(signals: &[i32]) {
    change_mask(libc::SIG_BLOCK, signals);
}

pub fn unblock(signals: &[i32]) {
    change_mask(libc::SIG_UNBLOCK, signals);
}

pub fn pending() -> libc::sigset_t {
    let mut set = set_of(&[]);
    // SAFETY: the set is ours.
    unsafe { libc::sigpending(&mut set) };
    set
}

/// Waits with another mask; always "interrupted".
pub fn suspend_with(masked: &[i32]) -> Errno {
    // SAFETY: the set lives through the call.
    unsafe { libc::sigsuspend(&set_of(masked)) };
    crate::errno()
}

/// Waits for one of the (blocked) signals, at most so long; the signal and its information.
pub fn wait_for(signals: &[i32], milliseconds: i64) -> Result<(i32, libc::siginfo_t), Errno> {
    let limit = libc::timespec { tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000 };
    // SAFETY: everything lives through the call; all zero is a valid siginfo_t.
    unsafe {
        let mut information = std::mem::zeroed();
        let signal = answer(libc::sigtimedwait(&set_of(signals), &mut information, &limit))?;
        Ok((signal, information))
    }
}

pub fn raise(signal: i32) {
    let pid = crate::process::my_pid();
    let thread = done("gettid", call!(SYS_gettid));
    done("tgkill", call!(SYS_tgkill, pid, thread, signal));
}

/// Starts ITIMER_REAL: SIGALRM after `first` and then every `interval` milliseconds; 0 stops it.
#[track_caller]
pub fn set_timer(first: u64, interval: u64) {
    let part = |milliseconds: u64| [milliseconds / 1000, milliseconds % 1000 * 1000];
    let value = [part(interval), part(first)];
    done("setitimer", call!(SYS_setitimer, libc::ITIMER_REAL, value.as_ptr(), 0));
}
