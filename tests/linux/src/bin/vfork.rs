//! vfork: the child borrows the memory, and its maker stands still until it gives it back.

use linux_tests::process::{Ended, close_all, exit_now, fork, kill, pipe, read, wait, write};
use linux_tests::{call, check, done, equal, must, sleep_ms};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

static WORD: AtomicU32 = AtomicU32::new(0);

fn main() {
    if std::env::args().nth(1).is_some() {
        return later();
    }
    until_exit();
    until_death();
    until_exec();
    others_go_on();
    maker_is_killed();
    in_a_thread();
}

/// A child on a stack of its own that shares our memory; we go on when it has ended or changed its program.
fn lend(body: extern "C" fn(*mut libc::c_void) -> i32) -> i32 {
    let mut stack = vec![0_u8; 64 << 10];
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child has left the stack when this returns.
    let child = unsafe { libc::clone(body, top.cast(), flags, std::ptr::null_mut()) };
    must("clone works", child > 0);
    child
}

extern "C" fn sleeps_and_writes(_: *mut libc::c_void) -> i32 {
    sleep_ms(20);
    WORD.store(7, SeqCst);
    exit_now(3)
}

fn until_exit() {
    WORD.store(0, SeqCst);
    let child = lend(sleeps_and_writes);
    equal("the maker goes on after the child's exit, and sees what it wrote", WORD.load(SeqCst), 7);
    equal("and can wait for it", wait(child), Ended::Exited(3));
}

extern "C" fn kills_itself(_: *mut libc::c_void) -> i32 {
    sleep_ms(5);
    WORD.fetch_add(1, SeqCst);
    done("kill", call!(SYS_kill, call!(SYS_getpid).unwrap_or(0), libc::SIGKILL));
    0
}

fn until_death() {
    let child = lend(kills_itself);
    equal("or after its death", (WORD.load(SeqCst), wait(child)), (8, Ended::Killed(libc::SIGKILL)));
}

static PIPE: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

extern "C" fn changes_its_program(_: *mut libc::c_void) -> i32 {
    let nowhere = [c"/nowhere".as_ptr(), std::ptr::null()];
    // SAFETY: strings and lists that end; it fails.
    unsafe { libc::execv(nowhere[0], nowhere.as_ptr()) };
    WORD.store(linux_tests::errno() as u32, SeqCst);
    done("dup2", call!(SYS_dup2, PIPE[0].load(SeqCst), 0));
    let again = [c"/proc/self/exe".as_ptr(), c"later".as_ptr(), std::ptr::null()];
    // SAFETY: as above.
    unsafe { libc::execv(again[0], again.as_ptr()) };
    exit_now(9)
}

/// The new program: it waits for us, who can only let it go on when we run again.
fn later() {
    let mut byte = [0];
    let got = read(0, &mut byte);
    exit_now(if got == Ok(1) { i32::from(byte[0]) } else { 1 })
}

fn until_exec() {
    let (from, to) = pipe();
    PIPE[0].store(from as u32, SeqCst);
    let child = lend(changes_its_program);
    equal("a change of program that fails leaves the loan", WORD.load(SeqCst), libc::ENOENT as u32);
    done("write", write(to, &[44]));
    equal("one that works ends it: both go on", wait(child), Ended::Exited(44));
    close_all(&[from, to]);
}

fn others_go_on() {
    WORD.store(0, SeqCst);
    let counter = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while WORD.load(SeqCst) == 0 {
                counter.fetch_add(1, SeqCst);
                sleep_ms(1);
            }
        });
        sleep_ms(5);
        let before = counter.load(SeqCst);
        let child = lend(sleeps_and_writes);
        check("other threads of the maker go on meanwhile", counter.load(SeqCst) > before);
        wait(child);
    });
}

extern "C" fn sleeps_long(_: *mut libc::c_void) -> i32 {
    done("write", write(PIPE[1].load(SeqCst) as i32, &(call!(SYS_getpid).unwrap_or(0) as u32).to_ne_bytes()));
    sleep_ms(10_000);
    exit_now(0)
}

fn maker_is_killed() {
    if linux_tests::process::my_pid() != 1 {
        done("prctl", call!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    }
    let (from, to) = pipe();
    PIPE[1].store(to as u32, SeqCst);
    let maker = fork(|| {
        lend(sleeps_long);
        1
    });
    let mut number = [0; 4];
    done("read", read(from, &mut number));
    done("kill", kill(maker, libc::SIGKILL));
    equal("SIGKILL does not wait for the loan", wait(maker), Ended::Killed(libc::SIGKILL));
    let child = i32::from_ne_bytes(number);
    done("kill", kill(child, libc::SIGKILL));
    equal("the child lived on in the memory", wait(child), Ended::Killed(libc::SIGKILL));
    close_all(&[from, to]);
}

fn in_a_thread() {
    WORD.store(0, SeqCst);
    let ended = thread::spawn(|| {
        let child = lend(sleeps_and_writes);
        (WORD.load(SeqCst), wait(child))
    });
    equal("a thread lends as well", ended.join().ok(), Some((7, Ended::Exited(3))));
}
