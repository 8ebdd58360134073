//! Wild pointers and absurd sizes in every call that takes one: EFAULT, never harm.

use linux_tests::memory::{PAGE, READ, anonymous, protect, unmap};
use linux_tests::process::{Ended, in_a_child, pipe, write};
use linux_tests::{call, check, done, equal, fail, must, must_equal};

/// Nobody's addresses: null, low, the last page, beyond it, in the hole, in the kernel's half, the very end.
const WILD: [usize; 9] = [
    0,
    8,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0x1234_5678_9abc_def0,
    0xffff_8000_0000_0000,
    0xffff_ffff_8020_0000,
    usize::MAX - 7,
    usize::MAX,
];

type Call = (&'static str, i64, [usize; 6], usize);

/// A place for the wild pointer.
const HERE: usize = 0xdead_0000_0000_beef;

/// Calls that have to look at (or write to) what is pointed at, with the argument that points.
fn calls(file: usize, reading: usize, writing: usize, good: usize) -> Vec<Call> {
    let name = c"/".as_ptr() as usize;
    let here = libc::AT_FDCWD as usize;
    let table: &[(&'static str, i64, &[usize])] = &[
        ("read", libc::SYS_read, &[reading, HERE, 16]),
        ("write", libc::SYS_write, &[writing, HERE, 16]),
        ("readv", libc::SYS_readv, &[reading, HERE, 1]),
        ("writev", libc::SYS_writev, &[writing, HERE, 1]),
        ("pread64", libc::SYS_pread64, &[file, HERE, 16, 0]),
        ("open", libc::SYS_open, &[HERE, 0]),
        ("openat", libc::SYS_openat, &[here, HERE, 0, 0]),
        ("creat", libc::SYS_creat, &[HERE, 0]),
        ("stat", libc::SYS_stat, &[HERE, good]),
        ("stat to", libc::SYS_stat, &[name, HERE]),
        ("fstat", libc::SYS_fstat, &[file, HERE]),
        ("lstat", libc::SYS_lstat, &[HERE, good]),
        ("newfstatat", libc::SYS_newfstatat, &[here, HERE, good, 0]),
        ("access", libc::SYS_access, &[HERE, 0]),
        ("mkdir", libc::SYS_mkdir, &[HERE, 0o700]),
        ("rmdir", libc::SYS_rmdir, &[HERE]),
        ("unlink", libc::SYS_unlink, &[HERE]),
        ("rename from", libc::SYS_rename, &[HERE, name]),
        ("rename to", libc::SYS_rename, &[name, HERE]),
        ("link", libc::SYS_link, &[HERE, name]),
        ("symlink", libc::SYS_symlink, &[HERE, name]),
        ("readlink", libc::SYS_readlink, &[HERE, good, 16]),
        ("chmod", libc::SYS_chmod, &[HERE, 0o700]),
        ("chown", libc::SYS_chown, &[HERE, usize::MAX, usize::MAX]),
        ("chdir", libc::SYS_chdir, &[HERE]),
        ("getcwd", libc::SYS_getcwd, &[HERE, 4096]),
        ("truncate", libc::SYS_truncate, &[HERE, 0]),
        ("pipe", libc::SYS_pipe, &[HERE]),
        ("pipe2", libc::SYS_pipe2, &[HERE, 0]),
        ("poll", libc::SYS_poll, &[HERE, 1, 0]),
        ("execve", libc::SYS_execve, &[HERE, 0, 0]),
        ("uname", libc::SYS_uname, &[HERE]),
        ("sysinfo", libc::SYS_sysinfo, &[HERE]),
        ("clock_gettime", libc::SYS_clock_gettime, &[1, HERE]),
        ("nanosleep", libc::SYS_nanosleep, &[HERE, 0]),
        ("getrusage", libc::SYS_getrusage, &[0, HERE]),
        ("getrlimit", libc::SYS_getrlimit, &[7, HERE]),
        ("setrlimit", libc::SYS_setrlimit, &[7, HERE]),
        ("sigaltstack to", libc::SYS_sigaltstack, &[0, HERE]),
        ("rt_sigaction", libc::SYS_rt_sigaction, &[10, HERE, 0, 8]),
        ("rt_sigaction to", libc::SYS_rt_sigaction, &[10, 0, HERE, 8]),
        ("rt_sigprocmask", libc::SYS_rt_sigprocmask, &[0, HERE, 0, 8]),
        ("rt_sigprocmask to", libc::SYS_rt_sigprocmask, &[0, 0, HERE, 8]),
        ("rt_sigpending", libc::SYS_rt_sigpending, &[HERE, 8]),
        ("rt_sigsuspend", libc::SYS_rt_sigsuspend, &[HERE, 8]),
        ("rt_sigtimedwait", libc::SYS_rt_sigtimedwait, &[HERE, 0, 0, 8]),
        ("getitimer", libc::SYS_getitimer, &[0, HERE]),
        ("sched_setaffinity", libc::SYS_sched_setaffinity, &[0, 128, HERE]),
        ("sched_getaffinity", libc::SYS_sched_getaffinity, &[0, 128, HERE]),
        ("sched_getparam", libc::SYS_sched_getparam, &[0, HERE]),
        ("sched_setscheduler", libc::SYS_sched_setscheduler, &[0, 0, HERE]),
        ("getrandom", libc::SYS_getrandom, &[HERE, 16, 0]),
        ("getresuid", libc::SYS_getresuid, &[HERE, good, good]),
        ("getresgid", libc::SYS_getresgid, &[good, HERE, good]),
        ("futex", libc::SYS_futex, &[HERE & !3, libc::FUTEX_WAIT as usize, 0, 0]),
        ("utimensat", libc::SYS_utimensat, &[here, name, HERE, 0]),
        ("FIONREAD", libc::SYS_ioctl, &[reading, libc::FIONREAD as usize, HERE]),
    ];
    let row = |(name, number, arguments): &(&'static str, i64, &[usize])| {
        let six = linux_tests::six(arguments);
        let at = six.iter().position(|argument| *argument & !3 == HERE & !3).unwrap_or(0);
        (*name, *number, six, at)
    };
    table.iter().map(row).collect()
}

/// What null stands for "none" in.
const NULL_IS_NONE: [&str; 8] =
    ["getcwd", "sigaltstack to", "rt_sigaction", "rt_sigaction to", "rt_sigprocmask", "rt_sigprocmask to", "utimensat", "setrlimit"];

fn main() {
    // In a child: a kernel that does write somewhere spoils the child.
    equal("wild pointers", in_a_child(wild), Ended::Exited(0));
    half_mapped();
    read_only();
    absurd_sizes();
    unknown_calls();
    wild_stack();
    check("after all that this program still works", vec![7; 1000].iter().sum::<i32>() == 7000);
}

fn wild() -> i32 {
    let (reading, writing) = pipe();
    done("write", write(writing, &[1; 100]));
    let file = done("open", call!(SYS_open, c"/proc/self/exe".as_ptr(), 0, 0));
    let good = anonymous(2);
    for (name, number, arguments, at) in calls(file, reading as usize, writing as usize, good) {
        for address in WILD {
            if address == 0 && NULL_IS_NONE.contains(&name) {
                continue;
            }
            let mut arguments = arguments;
            arguments[at] = if name == "futex" { address & !3 } else { address };
            let result = linux_tests::call(number, arguments);
            // These two look for null themselves.
            let null = address == 0 && name.starts_with("sched_") && result == Err(libc::EINVAL);
            let fine = result == Err(libc::EFAULT) || null;
            if !fine {
                fail(&format!("{name} of {address:#x}: {result:?}"));
            }
        }
    }
    0
}

/// A page that is there, and none after it.
fn half_mapped() {
    let at = anonymous(2);
    done("munmap", unmap(at + PAGE, PAGE));
    let edge = at + PAGE - 8;
    let mut last = [1_u64; 2];
    equal("a structure across the end: EFAULT", call!(SYS_clock_gettime, 1, edge), Err(libc::EFAULT));
    equal("one before the end", call!(SYS_clock_gettime, 1, edge - 8), Ok(0));
    let (from, to) = pipe();
    must_equal("write", call!(SYS_write, to, at, 100), Ok(100));
    equal("a read across the end: EFAULT, or what fits", fits(call!(SYS_read, from, edge, 100)), true);
    equal("a write across the end: EFAULT, or what is there", fits(call!(SYS_write, to, edge, 100)), true);
    let path = b"a-name-with-no-end-in-sight";
    let start = at + PAGE - path.len();
    path.iter().enumerate().for_each(|(index, byte)| linux_tests::memory::poke(start + index, *byte));
    equal("a name that runs off the end: EFAULT", call!(SYS_open, start, 0, 0), Err(libc::EFAULT));
    linux_tests::memory::poke(at + PAGE - 1, 0);
    equal("one that ends there: ENOENT", call!(SYS_open, start, 0, 0), Err(libc::ENOENT));
    must_equal("clock", call!(SYS_clock_gettime, 1, last.as_mut_ptr()), Ok(0));
}

fn fits(result: Result<usize, i32>) -> bool {
    matches!(result, Err(libc::EFAULT) | Ok(1..=8))
}

fn read_only() {
    let at = anonymous(1);
    done("mprotect", protect(at, PAGE, READ));
    equal("an answer to where nothing may be written: EFAULT", call!(SYS_uname, at), Err(libc::EFAULT));
    equal("nor into a program's text", call!(SYS_clock_gettime, 1, main as *const ()), Err(libc::EFAULT));
    let (from, to) = pipe();
    done("write", write(to, b"bytes"));
    equal("nor bytes: EFAULT", call!(SYS_read, from, at, 5), Err(libc::EFAULT));
    done("mprotect", protect(at, PAGE, libc::PROT_NONE));
    equal("a question from where nothing is read: EFAULT", call!(SYS_open, at, 0, 0), Err(libc::EFAULT));
}

fn absurd_sizes() {
    let (from, to) = pipe();
    let at = anonymous(1);
    let vector = [at, usize::MAX];
    equal("a vector of more than all there is: EINVAL", call!(SYS_writev, to, vector.as_ptr(), 1), Err(libc::EINVAL));
    equal("a vector of too many: EINVAL", call!(SYS_readv, from, vector.as_ptr(), 1025), Err(libc::EINVAL));
    equal("less than none: EINVAL", call!(SYS_readv, from, vector.as_ptr(), -1_i32), Err(libc::EINVAL));
    equal("a poll of too many: EINVAL", call!(SYS_poll, at, usize::MAX >> 1, 0), Err(libc::EINVAL));
    equal("a mask of the wrong size: EINVAL", call!(SYS_rt_sigprocmask, 0, at, 0, 99), Err(libc::EINVAL));
    equal("names of a machine too long: EINVAL", call!(SYS_sethostname, at, 1 << 20).map_err(known), Err(true));
    equal("more groups than there are: EINVAL", call!(SYS_setgroups, 1 << 20, at).map_err(known), Err(true));
    let zero = done("open", call!(SYS_open, c"/dev/zero".as_ptr(), 0, 0));
    let all = call!(SYS_read, zero, at, usize::MAX >> 1);
    check("a read of everything gives what fits or EFAULT", matches!(all, Err(libc::EFAULT) | Ok(1..)));
}

/// Whoever runs this: not allowed, or wrong.
fn known(errno: i32) -> bool {
    errno == libc::EINVAL || errno == libc::EPERM
}

fn unknown_calls() {
    for number in [600, 999, 5_000, 100_000, i64::from(i32::MAX), -2] {
        must_equal("unknown", linux_tests::call(number, [1, 2, 3, 4, 5, 6]), Err(libc::ENOSYS));
    }
    for _ in 0..1_000 {
        must_equal("unknown", linux_tests::call(1_000, [0; 6]), Err(libc::ENOSYS));
    }
    check("unknown calls: ENOSYS", true);
}

/// System calls, faults and signals with a stack pointer that points nowhere.
fn wild_stack() {
    for address in [0_usize, 8, 0x8000_0000_0000 - 8, 0xffff_8000_0000_0000, usize::MAX - 15] {
        let child = in_a_child(|| {
            // SAFETY: the stack is not used between the two exchanges; getpid needs none.
            let pid = unsafe {
                let result: usize;
                std::arch::asm!("xchg rsp, {stack}", "syscall", "xchg rsp, {stack}", stack = inout(reg) address => _,
                    inlateout("rax") libc::SYS_getpid as usize => result, out("rcx") _, out("r11") _);
                result
            };
            must_equal("getpid on a wild stack", pid, std::process::id() as usize);
            // SAFETY: this process dies here.
            unsafe { std::arch::asm!("mov rsp, {stack}", "push rax", "ud2", stack = in(reg) address, options(noreturn)) }
        });
        must("dead by the fault", matches!(child, Ended::Killed(libc::SIGSEGV | libc::SIGBUS)));
    }
    check("a stack that is nowhere harms only its owner", true);
}
