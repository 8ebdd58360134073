//! Programs that take all they can get of one thing: they are refused or die, others go on, and all of it comes back.
//!
//! On a Linux host nothing is taken: only the lines are printed.

use linux_tests::memory::{PAGE, READ_WRITE, anonymous, map, poke, protect};
use linux_tests::process::{Ended, Pid, exit_now, fork, in_a_child, kill, pipe, pipe_with, read, try_fork, wait, write};
use linux_tests::scratch::Scratch;
use linux_tests::{call, check, done, is_braid, must, sleep_ms};

const STEP: usize = 256;

fn main() {
    let cases: [(&str, fn()); 13] = [
        ("memory that is touched", touched_memory),
        ("memory that a call fills", filled_memory),
        ("three who eat and one who does not", bystander),
        ("pipes, all of them full", full_pipes),
        ("a file without end", endless_file),
        ("files without number", files_without_number),
        ("mappings without number", mappings_without_number),
        ("threads without number", threads_without_number),
        ("descriptors without number", descriptors_without_number),
        ("watches without number", watches_without_number),
        ("record locks without number", locks_without_number),
        ("signals that wait", waiting_signals),
        ("arguments without end", endless_arguments),
    ];
    for (what, case) in cases {
        if is_braid() {
            let before = free_kilobytes();
            case();
            comes_back(what, before);
        }
        check(what, true);
    }
}

fn free_kilobytes() -> u64 {
    let text = done("meminfo", std::fs::read_to_string("/proc/meminfo"));
    let line = text.lines().find_map(|line| line.strip_prefix("MemFree:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

/// What the kernel's heap has grown to it keeps for itself: a third of what there was must not become that.
fn comes_back(what: &str, before: u64) {
    let mut after = 0;
    for _ in 0..100 {
        after = free_kilobytes();
        if after + 2048 > before {
            break;
        }
        sleep_ms(10);
    }
    eprintln!("{what}: {before} KiB free before, {after} after");
    must(&format!("{what}: memory comes back, {before} to {after} KiB"), after * 3 > before * 2);
}

fn refused_or_killed(ended: Ended) -> bool {
    matches!(ended, Ended::Exited(0) | Ended::Killed(libc::SIGKILL))
}

/// Touches page after page until there are no more.
fn eat() -> i32 {
    while let Ok(at) = map(0, STEP * PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) {
        (0..STEP).for_each(|page| poke(at + page * PAGE, 1));
    }
    0
}

fn touched_memory() {
    must("it is killed or refused", refused_or_killed(in_a_child(eat)));
}

fn filled_memory() {
    let ended = in_a_child(|| {
        let zeroes = done("open", call!(SYS_open, c"/dev/zero".as_ptr(), libc::O_RDONLY, 0));
        while let Ok(at) = map(0, STEP * PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) {
            match call!(SYS_read, zeroes, at, STEP * PAGE) {
                Ok(_) => {}
                Err(error) => return i32::from(error != libc::ENOMEM),
            }
        }
        0
    });
    must("it is killed or refused", refused_or_killed(ended));
}

fn bystander() {
    let (from, to) = pipe();
    let modest = fork(|| {
        let mut byte = [0];
        let mine = anonymous(64);
        for turn in 0_u8..200 {
            (0..64).for_each(|page| poke(mine + page * PAGE, turn));
            sleep_ms(2);
        }
        must("it hears what it is told", read(from, &mut byte) == Ok(1));
        0
    });
    let greedy: Vec<Pid> = (0..3).map(|_| fork(eat)).collect();
    greedy.into_iter().for_each(|eater| must("each is killed or refused", refused_or_killed(wait(eater))));
    must("write", write(to, b"x") == Ok(1));
    must("the modest one goes on", wait(modest) == Ended::Exited(0));
    linux_tests::process::close_all(&[from, to]);
}

fn full_pipes() {
    let hoard = || {
        let bytes = [7; 4096];
        let mut ends = [0_i32; 2];
        while call!(SYS_pipe2, ends.as_mut_ptr(), libc::O_NONBLOCK).is_ok() {
            while write(ends[1], &bytes).is_ok() {}
        }
        loop {
            sleep_ms(1000);
        }
    };
    let hoarders: Vec<Pid> = (0..24)
        .map_while(|_| {
            let hoarder = try_fork(hoard);
            sleep_ms(50);
            hoarder.ok()
        })
        .collect();
    sleep_ms(300);
    for hoarder in hoarders {
        let _maybe_dead = kill(hoarder, libc::SIGKILL);
        must("each is killed", matches!(wait(hoarder), Ended::Killed(_)));
    }
}

fn endless_file() {
    let scratch = Scratch::new("endless");
    let name = scratch.c("file");
    let bytes = vec![1_u8; 1 << 16];
    let ended = in_a_child(|| {
        let file = done("open", call!(SYS_open, name.as_ptr(), libc::O_CREAT | libc::O_WRONLY, 0o600)) as i32;
        loop {
            match write(file, &bytes) {
                Ok(_) => {}
                Err(error) => return i32::from(error != libc::ENOSPC && error != libc::ENOMEM),
            }
        }
    });
    must("the file system is full at some time", ended == Ended::Exited(0));
    must("a hole costs nothing", call!(SYS_truncate, name.as_ptr(), 1_u64 << 40).is_ok());
    must("unlink", call!(SYS_unlink, name.as_ptr()).is_ok());
}

fn files_without_number() {
    let scratch = Scratch::new("many");
    let name = |number: usize| scratch.c(&format!("a-name-that-is-rather-long-as-names-of-files-go-{number}"));
    let made = (0..10_000).take_while(|number| call!(SYS_mknod, name(*number).as_ptr(), libc::S_IFREG | 0o600, 0).is_ok()).count();
    eprintln!("{made} files");
    must("some files", made > 1000);
    (0..made).for_each(|number| must("unlink", call!(SYS_unlink, name(number).as_ptr()).is_ok()));
}

fn mappings_without_number() {
    let ended = in_a_child(|| {
        let pages = 400_000;
        let Ok(at) = map(0, pages * PAGE, READ_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE, -1, 0) else {
            return 0;
        };
        let split = (0..pages).step_by(2).take_while(|page| protect(at + page * PAGE, PAGE, libc::PROT_READ).is_ok()).count();
        i32::from(split < 1000)
    });
    must("it is refused or killed", refused_or_killed(ended));
}

fn threads_without_number() {
    let ended = in_a_child(|| {
        let mut threads = 0;
        while threads < 3_000 && std::thread::Builder::new().stack_size(16 << 10).spawn(|| sleep_ms(100_000)).is_ok() {
            threads += 1;
        }
        eprintln!("{threads} threads");
        exit_now(i32::from(threads < 50))
    });
    must("it is refused or killed", refused_or_killed(ended));
}

fn descriptors_without_number() {
    let ended = in_a_child(|| {
        let many = [1_u64 << 40; 2];
        let _as_many_as_there_may_be = call!(SYS_setrlimit, libc::RLIMIT_NOFILE, many.as_ptr());
        let most = [100_000_u64; 2];
        let _if_not_that = call!(SYS_setrlimit, libc::RLIMIT_NOFILE, most.as_ptr());
        let mut open = 0;
        while open < 200_000 && call!(SYS_dup, 0).is_ok() {
            open += 1;
        }
        eprintln!("{open} descriptors");
        i32::from(open < 1000)
    });
    must("it is refused or killed", refused_or_killed(ended));
}

fn watches_without_number() {
    let ended = in_a_child(|| {
        let (from, _to) = pipe_with(libc::O_NONBLOCK);
        let mut made = 0;
        while let Ok(epoll) = call!(SYS_epoll_create1, 0) {
            let event = [1_u32, 0, 0, 0];
            let _if_there_is_memory = call!(SYS_epoll_ctl, epoll, libc::EPOLL_CTL_ADD, from, event.as_ptr());
            let _nested_too = call!(SYS_epoll_ctl, epoll, libc::EPOLL_CTL_ADD, epoll.wrapping_sub(1), event.as_ptr());
            if call!(SYS_eventfd2, 1, 0).is_err() {
                break;
            }
            made += 1;
        }
        i32::from(made < 100)
    });
    must("it is refused or killed", refused_or_killed(ended));
}

fn locks_without_number() {
    let scratch = Scratch::new("locks");
    let name = scratch.c("file");
    let ended = in_a_child(|| {
        let file = done("open", call!(SYS_open, name.as_ptr(), libc::O_CREAT | libc::O_RDWR, 0o600));
        let mut locks = 0;
        while locks < 5_000 {
            // SAFETY: all zero is a valid lock.
            let mut lock: libc::flock = unsafe { std::mem::zeroed() };
            (lock.l_type, lock.l_start, lock.l_len) = (libc::F_WRLCK as _, locks * 2, 1);
            if call!(SYS_fcntl, file, libc::F_SETLK, &raw const lock).is_err() {
                break;
            }
            locks += 1;
        }
        i32::from(locks < 100)
    });
    must("it is refused or killed", refused_or_killed(ended));
}

fn waiting_signals() {
    let ended = in_a_child(|| {
        linux_tests::signal::block(&[40]);
        // SAFETY: all zero is a valid siginfo.
        let mut information: libc::siginfo_t = unsafe { std::mem::zeroed() };
        information.si_code = libc::SI_QUEUE;
        let me = linux_tests::process::my_pid();
        let mut sent = 0;
        while sent < 20_000 && call!(SYS_rt_sigqueueinfo, me, 40, &raw const information).is_ok() {
            sent += 1;
        }
        eprintln!("{sent} signals");
        i32::from(sent < 100)
    });
    must("it is refused or killed", refused_or_killed(ended));
}

fn endless_arguments() {
    let word = vec![b'x'; 120_000].into_iter().chain([0]).collect::<Vec<u8>>();
    let many = |count: usize| std::iter::repeat_n(word.as_ptr() as usize, count).chain([0]).collect::<Vec<usize>>();
    let short = c"".as_ptr() as usize;
    let shorts = std::iter::repeat_n(short, 3_000_000).chain([0]).collect::<Vec<usize>>();
    for arguments in [many(20), many(200), many(5_000), shorts] {
        let ended = in_a_child(|| {
            let path = c"/proc/self/exe";
            match call!(SYS_execve, path.as_ptr(), arguments.as_ptr(), arguments.as_ptr()) {
                Err(libc::E2BIG | libc::ENOMEM) => 0,
                _ => 1,
            }
        });
        must("too many arguments are refused", refused_or_killed(ended));
    }
}
