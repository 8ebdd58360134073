//! execve: a new program gets what it was given, and what is no program is refused without harm.

use linux_tests::process::{Ended, close_all, in_a_child, pipe, read_all};
use linux_tests::scratch::Scratch;
use linux_tests::{Errno, call, check, done, equal, is_root, must, must_equal, signal};
use std::ffi::{CStr, CString};
use std::fs;
use std::path::Path;

mod malicious;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("tell") {
        tell(&arguments);
        return;
    }
    // What whoever started this program left open is not this test's business.
    done("close_range", call!(SYS_close_range, 3, u32::MAX, 0));
    let scratch = Scratch::new("exec");
    let program = done("reading this program", fs::read("/proc/self/exe"));
    scratch.file("program", &program, 0o755);
    arguments_and_environment(&scratch);
    auxiliary();
    descriptors(&scratch);
    signals_and_identity(&scratch);
    scripts(&scratch);
    refusals(&scratch);
    threads_end(&scratch);
    malicious::truncated(&scratch, &program);
    malicious::twisted(&scratch, &program);
    check("and after all that a good program still runs", run(&scratch, "program", &["tell"], &[]).0 == Ended::Exited(0));
}

/// The program that is run: tells what it was given.
fn tell(arguments: &[String]) {
    println!("{}", arguments[2..].join("|"));
    std::env::vars().for_each(|(name, value)| println!("{name}={value}"));
    let open = (3..64).filter(|descriptor| call!(SYS_fcntl, *descriptor, libc::F_GETFD).is_ok()).count();
    println!("descriptors {open}");
    let mask = signal::change_mask(libc::SIG_BLOCK, &[]);
    println!("blocked {}", signal::contains(&mask, libc::SIGUSR1));
    let mut action = [0_usize; 4];
    let actions = [libc::SIGUSR1, libc::SIGUSR2].map(|number| {
        done("rt_sigaction", call!(SYS_rt_sigaction, number, 0, action.as_mut_ptr(), 8));
        action[0]
    });
    println!("actions {actions:?}");
}

pub fn execute(path: &CStr, arguments: &[&str], environment: &[&str]) -> Errno {
    let own = |words: &[&str]| words.iter().filter_map(|word| CString::new(*word).ok()).collect::<Vec<_>>();
    let (arguments, environment) = (own(arguments), own(environment));
    let pointers = |words: &[CString]| words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>();
    let (arguments, environment) = (pointers(&arguments), pointers(&environment));
    match call!(SYS_execve, path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) {
        Err(errno) => errno,
        Ok(_) => 0,
    }
}

/// Runs a file of the scratch folder in a child; how it ended and what it printed.
fn run(scratch: &Scratch, name: &str, arguments: &[&str], environment: &[&str]) -> (Ended, String) {
    run_after(scratch, name, arguments, environment, || ())
}

fn run_after(scratch: &Scratch, name: &str, arguments: &[&str], environment: &[&str], before: impl FnOnce()) -> (Ended, String) {
    let (from, to) = pipe();
    let child = linux_tests::process::fork(|| {
        before();
        must_equal("dup2", call!(SYS_dup2, to, 1), Ok(1));
        close_all(&[from, to]);
        let words: Vec<&str> = [name].iter().chain(arguments).copied().collect();
        execute(&scratch.c(name), &words, environment)
    });
    close_all(&[to]);
    let printed = String::from_utf8_lossy(&read_all(from)).into_owned();
    close_all(&[from]);
    (linux_tests::process::wait(child), printed)
}

fn arguments_and_environment(scratch: &Scratch) {
    let (ended, printed) = run(scratch, "program", &["tell", "one", "", "three words here"], &["A=1", "EMPTY=", "B=x=y"]);
    let lines: Vec<&str> = printed.lines().take(4).collect();
    equal(
        "a program gets its arguments and environment",
        (ended, lines),
        (Ended::Exited(0), vec!["one||three words here", "A=1", "EMPTY=", "B=x=y"]),
    );
    let long = "l".repeat(100_000);
    let (_, printed) = run(scratch, "program", &["tell", &long], &[]);
    check("an argument of a hundred thousand bytes", printed.lines().next() == Some(&long));
    let many: Vec<String> = (0..5_000).map(|number| number.to_string()).collect();
    let words: Vec<&str> = ["tell"].into_iter().chain(many.iter().map(String::as_str)).collect();
    let (_, printed) = run(scratch, "program", &words, &[]);
    check("five thousand arguments", printed.lines().next() == Some(many.join("|").as_str()));
    let too_long = "l".repeat(3 * 1024 * 1024);
    equal("an argument of three megabytes: E2BIG", execute(&scratch.c("program"), &["program", &too_long], &[]), libc::E2BIG);
    let forever: Vec<&str> = std::iter::repeat_n(too_long[..100_000].as_ref(), 200).collect();
    equal("twenty megabytes of arguments: E2BIG", execute(&scratch.c("program"), &forever, &[]), libc::E2BIG);
}

fn auxiliary() {
    // SAFETY: reads the auxiliary vector.
    let entry = |kind| unsafe { libc::getauxval(kind) };
    equal("AT_PAGESZ", entry(libc::AT_PAGESZ), 4096);
    let ids = [libc::AT_UID, libc::AT_EUID, libc::AT_GID, libc::AT_EGID].map(entry);
    let calls = [call!(SYS_getuid), call!(SYS_geteuid), call!(SYS_getgid), call!(SYS_getegid)].map(|id| id.unwrap_or(0) as u64);
    equal("AT_UID and its like", ids, calls);
    equal("AT_SECURE", entry(libc::AT_SECURE), 0);
    check("AT_PHDR lies in the program", entry(libc::AT_PHDR) != 0 && entry(libc::AT_PHNUM) > 2 && entry(libc::AT_PHENT) == 56);
    check("AT_ENTRY is set", entry(libc::AT_ENTRY) != 0);
    let random = entry(libc::AT_RANDOM) as *const [u8; 16];
    // SAFETY: AT_RANDOM points at sixteen bytes.
    check("AT_RANDOM points at sixteen bytes", !random.is_null() && unsafe { *random } != [0; 16]);
    let name = entry(libc::AT_EXECFN) as *const libc::c_char;
    // SAFETY: AT_EXECFN points at a string.
    let name = if name.is_null() { c"" } else { unsafe { CStr::from_ptr(name) } };
    check("AT_EXECFN names this program", name.to_bytes().ends_with(b"exec"));
    let aligned = 0_u128;
    check("the stack is aligned", (&raw const aligned as usize).is_multiple_of(16));
}

fn descriptors(scratch: &Scratch) {
    let open = |flags: i32| call!(SYS_open, c"/dev/null".as_ptr(), flags, 0).unwrap_or(0) as i32;
    let count = |flags: i32| {
        let (_, printed) = run_after(scratch, "program", &["tell"], &[], || {
            (0..5).for_each(|_| must("open", open(flags) > 2));
        });
        printed.lines().find_map(|line| line.strip_prefix("descriptors ")?.parse::<usize>().ok()).unwrap_or(99)
    };
    let without = count(libc::O_CLOEXEC);
    equal("open descriptors stay open", count(0), without + 5);
    check("those marked close-on-exec do not", without < 5);
}

fn signals_and_identity(scratch: &Scratch) {
    extern "C" fn handler(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}
    let (_, printed) = run_after(scratch, "program", &["tell"], &[], || {
        signal::handle(libc::SIGUSR1, handler, 0);
        signal::set_disposition(libc::SIGUSR2, libc::SIG_IGN);
        signal::block(&[libc::SIGUSR1]);
    });
    let lines: Vec<&str> = printed.lines().rev().take(2).collect();
    equal("handlers go, what is ignored stays, and so does the mask", lines, vec!["actions [0, 1]", "blocked true"]);
}

fn scripts(scratch: &Scratch) {
    let program = scratch.path("program");
    let program = program.display();
    scratch.file("script", format!("#!{program} tell\nnothing here is read\n").as_bytes(), 0o755);
    let path = scratch.path("script");
    let first = |name: &str| run(scratch, name, &["one", "two"], &[]).1.lines().next().map(str::to_owned);
    equal("a script is given to its program, with its name and arguments", first("script"), Some(format!("{}|one|two", path.display())));
    scratch.file("spaces", format!("#!   {program}   tell \n").as_bytes(), 0o755);
    equal("spaces do no harm", first("spaces"), Some(format!("{}|one|two", scratch.path("spaces").display())));
    scratch.file("twice", format!("#!{}\n", path.display()).as_bytes(), 0o755);
    check("a script whose program is a script", first("twice").is_some_and(|line| line.ends_with("twice|one|two")));
    scratch.file("itself", format!("#!{}\n", scratch.path("itself").display()).as_bytes(), 0o755);
    equal("a script of itself: ELOOP", execute(&scratch.c("itself"), &["itself"], &[]), libc::ELOOP);
    scratch.file("orphan", b"#!/no/such/program\n", 0o755);
    equal("a script of nothing there: ENOENT", execute(&scratch.c("orphan"), &["orphan"], &[]), libc::ENOENT);
    scratch.file("nameless", b"#!\n", 0o755);
    equal("a script of nothing: ENOEXEC", execute(&scratch.c("nameless"), &["nameless"], &[]), libc::ENOEXEC);
}

fn refusals(scratch: &Scratch) {
    let refused = |name: &str| execute(&scratch.c(name), &[name], &[]);
    equal("not there: ENOENT", refused("missing"), libc::ENOENT);
    scratch.file("text", b"just text", 0o755);
    equal("no program: ENOEXEC", refused("text"), libc::ENOEXEC);
    scratch.file("empty", b"", 0o755);
    equal("an empty file: ENOEXEC", refused("empty"), libc::ENOEXEC);
    scratch.file("locked", b"\x7fELF", 0o644);
    equal("not to be run: EACCES", refused("locked"), libc::EACCES);
    must("mkdir", fs::create_dir(scratch.path("folder")).is_ok());
    equal("a folder: EACCES", refused("folder"), libc::EACCES);
    equal("a device: EACCES", execute(c"/dev/null", &["null"], &[]), libc::EACCES);
    equal("in a file: ENOTDIR", refused("text/below"), libc::ENOTDIR);
    equal("a name from nowhere: EFAULT", call!(SYS_execve, 0x10, 0, 0), Err(libc::EFAULT));
    equal("arguments from nowhere: EFAULT", call!(SYS_execve, scratch.c("program").as_ptr(), 0x10, 0), Err(libc::EFAULT));
    let wild = [0x10_usize, 0];
    equal("an argument from nowhere: EFAULT", call!(SYS_execve, scratch.c("program").as_ptr(), wild.as_ptr(), 0), Err(libc::EFAULT));
    must("still itself", is_root() || !is_root());
    check("each refusal leaves the caller as it was", Path::new("/proc/self/exe").exists());
}

fn threads_end(scratch: &Scratch) {
    let (ended, _) = run_after(scratch, "program", &["tell"], &[], || {
        (0..4).for_each(|_| {
            drop(std::thread::spawn(|| {
                loop {
                    std::hint::spin_loop();
                }
            }))
        });
    });
    equal("a new program is alone: the old one's threads end", ended, Ended::Exited(0));
    let child = in_a_child(|| {
        let path = scratch.c("program");
        let _never_joined = std::thread::spawn(move || execute(&path, &["program", "tell"], &[])).join();
        1
    });
    equal("any thread may start it", child, Ended::Exited(0));
}
