//! What `clone` and `clone3` take, refuse and write; numbers, robust lists and folders of threads.

use linux_tests::process::{Ended, exit_now, wait, wait_for_any_of};
use linux_tests::{Errno, call, check, done, equal, must, must_equal};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

const CLONE_DETACHED: u64 = libc::CLONE_DETACHED as u64;
const CLEAR_SIGHAND: u64 = 1 << 32;

/// `struct clone_args`, with room for a field of a kernel to come.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Arguments {
    flags: u64,
    descriptor: u64,
    child_thread: u64,
    parent_thread: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    storage: u64,
    numbers: u64,
    numbers_count: u64,
    group: u64,
    unknown: u64,
}

const KNOWN: usize = 88;

fn main() {
    contradictions();
    sizes();
    refused_values();
    numbers_are_written();
    descriptor();
    siblings();
    actions();
    files_and_folders();
    thread_address();
    robust_lists();
    folders_of_threads();
    ends_of_threads();
}

/// The child of a `clone3` without shared memory ends with what `body` returns.
fn clone3(arguments: &Arguments, size: usize, body: impl FnOnce() -> i32) -> Result<i32, Errno> {
    match call!(SYS_clone3, arguments as *const Arguments, size)? {
        0 => exit_now(body()),
        number => Ok(number as i32),
    }
}

fn with_flags(flags: u64) -> Arguments {
    Arguments { flags, exit_signal: libc::SIGCHLD as u64, ..Arguments::default() }
}

fn outcome(arguments: &Arguments, size: usize) -> Result<(), Errno> {
    clone3(arguments, size, || 0).map(|child| must_equal("it ends", wait(child), Ended::Exited(0)))
}

fn contradictions() {
    let [vm, thread, actions] = [libc::CLONE_VM, libc::CLONE_THREAD, libc::CLONE_SIGHAND].map(|flag| flag as u64);
    let wrong = [
        ("a thread with actions of its own", thread | vm),
        ("shared actions without shared memory", actions),
        ("shared actions that are cleared", actions | vm | CLEAR_SIGHAND),
        ("what clone once knew", CLONE_DETACHED),
        ("a signal among the flags", libc::SIGCHLD as u64),
        ("a flag that nobody knows", 1 << 40),
        ("a mount space and a shared view of files", (libc::CLONE_NEWNS | libc::CLONE_FS) as u64),
    ];
    for (what, flags) in wrong {
        equal(&format!("clone3, {what}: EINVAL"), outcome(&with_flags(flags), KNOWN), Err(libc::EINVAL));
    }
    let with_signal = with_flags(thread | vm | actions);
    equal("clone3, a thread with a signal at its end: EINVAL", outcome(&with_signal, KNOWN), Err(libc::EINVAL));
    let of_parent = with_flags(libc::CLONE_PARENT as u64);
    equal("clone3, a sibling with a signal of its own: EINVAL", outcome(&of_parent, KNOWN), Err(libc::EINVAL));
    for (what, flags) in [("a thread with actions of its own", thread | vm), ("shared actions without shared memory", actions)] {
        equal(&format!("clone, {what}: EINVAL"), call!(SYS_clone, flags, 0, 0, 0, 0), Err(libc::EINVAL));
    }
}

fn sizes() {
    let fine = with_flags(0);
    for (size, wanted) in
        [(0, Err(libc::EINVAL)), (63, Err(libc::EINVAL)), (64, Ok(())), (72, Ok(())), (80, Ok(())), (88, Ok(())), (96, Ok(()))]
    {
        equal(&format!("clone3, a struct of {size} bytes"), outcome(&fine, size), wanted);
    }
    equal("clone3, a field that nobody knows: E2BIG", outcome(&Arguments { unknown: 1, ..fine }, 96), Err(libc::E2BIG));
    equal("clone3, more than a page: E2BIG", outcome(&fine, 4097), Err(libc::E2BIG));
    equal("clone3, nowhere: EFAULT", call!(SYS_clone3, 8, KNOWN), Err(libc::EFAULT));
}

fn refused_values() {
    let fine = with_flags(0);
    for (what, arguments) in [
        ("a stack without a size", Arguments { stack: 4096, ..fine }),
        ("a size without a stack", Arguments { stack_size: 4096, ..fine }),
        ("a signal that is none", Arguments { exit_signal: 65, ..fine }),
        ("a signal beyond a byte", Arguments { exit_signal: 256 + 17, ..fine }),
        ("numbers without a place", Arguments { numbers_count: 1, ..fine }),
        ("a place without numbers", Arguments { numbers: 4096, ..fine }),
        ("more numbers than levels", Arguments { numbers: 4096, numbers_count: 33, ..fine }),
    ] {
        equal(&format!("clone3, {what}: EINVAL"), outcome(&arguments, KNOWN), Err(libc::EINVAL));
    }
    let beyond = Arguments { storage: 1 << 63, ..with_flags(libc::CLONE_SETTLS as u64) };
    equal("clone3, thread storage in the kernel: EPERM", outcome(&beyond, KNOWN), Err(libc::EPERM));
    let beyond = Arguments { stack: u64::MAX - 4095, stack_size: 8192, ..fine };
    equal("clone3, a stack around the end", outcome(&beyond, KNOWN), Err(libc::EINVAL));
}

fn numbers_are_written() {
    let mine = Box::leak(Box::new((AtomicI32::new(0), AtomicI32::new(0))));
    let flags = (libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
    let arguments = Arguments { parent_thread: &raw const mine.0 as u64, child_thread: &raw const mine.1 as u64, ..with_flags(flags) };
    let child = done(
        "clone3",
        clone3(&arguments, KNOWN, || {
            let own = done("getpid", call!(SYS_getpid)) as i32;
            i32::from((mine.0.load(SeqCst), mine.1.load(SeqCst)) != (0, own))
        }),
    );
    equal("a child finds its number in its own place", wait(child), Ended::Exited(0));
    equal("its maker finds it in the other", (mine.0.load(SeqCst), mine.1.load(SeqCst)), (child, 0));
    let wild = Arguments { parent_thread: 8, child_thread: 8, ..with_flags(flags) };
    equal("wild places hurt nobody", outcome(&wild, KNOWN), Ok(()));
}

fn descriptor() {
    let mut place = -1_i32;
    let arguments = Arguments { descriptor: &raw mut place as u64, ..with_flags(libc::CLONE_PIDFD as u64) };
    let child = done("clone3", clone3(&arguments, KNOWN, || 9));
    // SAFETY: the kernel has written it; nobody else has it.
    let (number, held) = unsafe { ((&raw const place).read(), OwnedFd::from_raw_fd((&raw const place).read())) };
    let flags = done("fcntl", call!(SYS_fcntl, number, libc::F_GETFD)) as i32;
    equal("a descriptor of a process closes at exec", flags, libc::FD_CLOEXEC);
    equal("and is its own", call!(SYS_pidfd_send_signal, number, 0, 0, 0), Ok(0));
    equal("its end", wait(child), Ended::Exited(9));
    equal("then nobody is there", call!(SYS_pidfd_send_signal, number, 0, 0, 0), Err(libc::ESRCH));
    drop(held);
    let nowhere = Arguments { descriptor: 8, ..with_flags(libc::CLONE_PIDFD as u64) };
    equal("a descriptor that can be written nowhere: EFAULT", outcome(&nowhere, KNOWN), Err(libc::EFAULT));
    equal("and no child comes of it", wait_for_any_of(-1, libc::WNOHANG), Err(libc::ECHILD));
    let both = (libc::CLONE_PIDFD | libc::CLONE_PARENT_SETTID | libc::SIGCHLD) as u64;
    equal("clone: number and descriptor in one place: EINVAL", call!(SYS_clone, both, 0, &raw mut place, 0, 0), Err(libc::EINVAL));
}

fn siblings() {
    let (mine, arguments) = (std::process::id(), Arguments { flags: libc::CLONE_PARENT as u64, ..Arguments::default() });
    let child = done(
        "clone3",
        clone3(&with_flags(0), KNOWN, || {
            let sibling = done("a sibling", clone3(&arguments, KNOWN, || i32::from(std::os::unix::process::parent_id() != mine) + 40));
            let is_no_child = wait_for_any_of(sibling, 0) == Err(libc::ECHILD);
            i32::from(!is_no_child)
        }),
    );
    equal("who makes a sibling is not its parent", wait(child), Ended::Exited(0));
    let ended = wait_for_any_of(-1, 0).map(|ended| ended.map(|(_, ended)| ended));
    equal("the sibling is a child of the same parent", ended, Ok(Some(Ended::Exited(40))));
}

fn actions() {
    extern "C" fn caught(_: i32) {}
    // SAFETY: the handler does nothing.
    unsafe {
        libc::signal(libc::SIGUSR1, caught as *const () as usize);
        libc::signal(libc::SIGUSR2, libc::SIG_IGN);
    }
    let killed = |signal: i32| {
        move || {
            let _ = call!(SYS_kill, done("getpid", call!(SYS_getpid)), signal);
            5
        }
    };
    for (what, flags, caught, ignored) in [
        ("are kept", 0, Ended::Exited(5), Ended::Exited(5)),
        ("are cleared but for what is ignored", CLEAR_SIGHAND, Ended::Killed(libc::SIGUSR1), Ended::Exited(5)),
    ] {
        let ends = [libc::SIGUSR1, libc::SIGUSR2].map(|signal| wait(done("clone3", clone3(&with_flags(flags), KNOWN, killed(signal)))));
        equal(&format!("actions {what}"), ends, [caught, ignored]);
    }
}

fn files_and_folders() {
    for (what, flags, wanted) in [("shared", libc::CLONE_FILES | libc::CLONE_FS, true), ("copied", 0, false)] {
        done("chdir", std::env::set_current_dir("/tmp"));
        let child = clone3(&with_flags(flags as u64), KNOWN, || {
            let moved = std::env::set_current_dir("/").is_ok();
            i32::from(!moved || call!(SYS_dup2, 1, 77) != Ok(77))
        });
        must_equal("the child", wait(done("clone3", child)), Ended::Exited(0));
        let here = std::env::current_dir().is_ok_and(|folder| folder == std::path::Path::new("/"));
        let there = call!(SYS_close, 77).is_ok();
        equal(&format!("files and the working folder are {what}"), (here, there), (wanted, wanted));
    }
}

fn thread_address() {
    let own = done("gettid", call!(SYS_gettid));
    let word: &AtomicI32 = Box::leak(Box::new(AtomicI32::new(7)));
    let thread = thread::spawn(|| {
        let number = done("gettid", call!(SYS_gettid));
        must_equal("a thread's number", call!(SYS_set_tid_address, &raw const *word), Ok(number));
    });
    // The library's own word is cleared no more: nobody can join this thread.
    while word.load(SeqCst) != 0 {
        thread::yield_now();
    }
    std::mem::forget(thread);
    check("a thread that ends clears the word that it named", true);
    let child = done(
        "clone3",
        clone3(&with_flags(0), KNOWN, || {
            let word = AtomicI32::new(7);
            i32::from(call!(SYS_set_tid_address, &raw const word) != call!(SYS_getpid))
        }),
    );
    equal("set_tid_address answers with the caller's number", wait(child), Ended::Exited(0));
    check("any place will do until the end", call!(SYS_set_tid_address, 8) == Ok(own));
}

fn robust_lists() {
    equal("a robust list of another size: EINVAL", call!(SYS_set_robust_list, 4096, 23), Err(libc::EINVAL));
    let (mut head, mut size) = (0_usize, 0_usize);
    let head_at =
        |head: &mut usize, size: &mut usize, thread: i32| call!(SYS_get_robust_list, thread, head as *mut usize, size as *mut usize);
    done(
        "another head",
        thread::spawn(move || {
            must_equal("set", call!(SYS_set_robust_list, 4096, 24), Ok(0));
            let (mut own, mut own_size) = (0, 0);
            must_equal("get", head_at(&mut own, &mut own_size, 0), Ok(0));
            must_equal("what was set", (own, own_size), (4096, 24));
        })
        .join()
        .map_err(|_| ()),
    );
    equal("a robust list is its thread's", head_at(&mut head, &mut size, 0), Ok(0));
    check("and another's is not", head != 4096 && size == 24);
    equal("of no thread: ESRCH", head_at(&mut head, &mut size, 0x3fff_ffff), Err(libc::ESRCH));
    equal("to nowhere: EFAULT", call!(SYS_get_robust_list, 0, 8, 8), Err(libc::EFAULT));
}

fn threads_here() -> Vec<i32> {
    let entries = done("the folder of threads", std::fs::read_dir("/proc/self/task"));
    let mut numbers: Vec<i32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort();
    numbers
}

fn field<'text>(status: &'text str, name: &str) -> &'text str {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map_or("", str::trim)
}

fn folders_of_threads() {
    while threads_here().len() > 1 {
        thread::yield_now();
    }
    let (tell, told) = mpsc::channel();
    let leave = Arc::new(Barrier::new(21));
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let (tell, leave) = (tell.clone(), leave.clone());
            thread::spawn(move || {
                must("told", tell.send(done("gettid", call!(SYS_gettid)) as i32).is_ok());
                leave.wait();
            })
        })
        .collect();
    let mut numbers: Vec<i32> = told.iter().take(20).chain([std::process::id() as i32]).collect();
    numbers.sort();
    equal("the folder of threads names them all", threads_here(), numbers.clone());
    let process = std::process::id().to_string();
    let fits = numbers.iter().all(|number| {
        let status = std::fs::read_to_string(format!("/proc/self/task/{number}/status")).unwrap_or_default();
        let own = (field(&status, "Pid"), field(&status, "Tgid"), field(&status, "Threads"));
        own == (number.to_string().as_str(), process.as_str(), "21")
    });
    check("each tells its own number, its process's and how many there are", fits);
    equal("there is no thread of another process", std::fs::exists("/proc/self/task/1073741823").ok(), Some(false));
    leave.wait();
    check("all leave", threads.into_iter().all(|thread| thread.join().is_ok()));
    while threads_here().len() > 1 {
        thread::yield_now();
    }
    check(
        "who has ended is not there",
        numbers.iter().filter(|&&number| std::fs::exists(format!("/proc/self/task/{number}")).unwrap_or(true)).count() == 1,
    );
}

fn ends_of_threads() {
    let child = done(
        "clone3",
        clone3(&with_flags(0), KNOWN, || {
            let all = Arc::new(Barrier::new(9));
            for _ in 0..8 {
                let all = all.clone();
                thread::spawn(move || {
                    all.wait();
                    // SAFETY: the thread ends without its destructors; the process ends soon after.
                    unsafe { libc::syscall(libc::SYS_exit, 3) };
                });
            }
            all.wait();
            while threads_here().len() > 1 {
                thread::yield_now();
            }
            // SAFETY: as above: the last thread.
            unsafe { libc::syscall(libc::SYS_exit, 4) };
            5
        }),
    );
    equal("the last thread's status is the process's", wait(child), Ended::Exited(4));
}
