//! Random system calls with random arguments from several threads: whatever comes of it, it comes to the caller alone.
//!
//! Usage: `fuzz_calls [SEED [ROUNDS [MILLISECONDS]]]`. Each round is a child with another seed, killed after its time. On a Linux
//! host nothing is called at random: only the lines are printed.

use linux_tests::process::{Ended, fork, in_a_child, kill, wait, wait_for_any_of};
use linux_tests::{call, check, is_braid, must, sleep_ms};

const ARENA_PAGES: usize = 16;
const PAGE: usize = 4096;
const USER: u32 = 4_711;
const LAST_NUMBER: u64 = 470;

/// What would end the run itself, or all others too, when the privileged ask for it.
const NOT_AS_ROOT: [i64; 22] = [
    libc::SYS_reboot,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
    libc::SYS_umount2,
    libc::SYS_mount,
    libc::SYS_setpriority,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setaffinity,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_prlimit64,
    libc::SYS_setrlimit,
    libc::SYS_ioctl,
    libc::SYS_vhangup,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];
/// What would only make the run shorter, for anybody.
const NEVER: [i64; 3] = [libc::SYS_exit, libc::SYS_exit_group, libc::SYS_vfork];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

const PATHS: [&std::ffi::CStr; 22] = [
    c".",
    c"..",
    c"/",
    c"",
    c"a",
    c"b",
    c"a/b",
    c"a/../b",
    c"link",
    c"link/x",
    c"fifo",
    c"/proc/self/maps",
    c"/proc/self/fd/0",
    c"/proc/1/stat",
    c"/dev/null",
    c"/dev/zero",
    c"/dev/full",
    c"/proc/self/root",
    c"/dev/tty",
    c"/proc/self/mem",
    c"/proc",
    c"dir/dir/dir",
];

const WORDS: [u64; 26] = [
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    64,
    128,
    255,
    4095,
    4096,
    65_536,
    0x0010_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_f000,
    0x7fff_ffff_ffff,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
    0xffff_ffff_8010_0000,
    1 << 63,
    u64::MAX,
    u64::MAX - 4095,
];

struct Fuzzer {
    random: Random,
    arena: usize,
    as_root: bool,
}

impl Fuzzer {
    fn argument(&mut self) -> u64 {
        match self.random.below(16) {
            0..3 => self.random.below(40),
            3..5 => self.random.of(&WORDS),
            5..9 => self.pointer(),
            9 => self.arena as u64 + (ARENA_PAGES * PAGE) as u64 - self.random.below(24),
            10..12 => self.random.of(&PATHS).as_ptr() as u64,
            12 => 1 << self.random.below(64),
            13 => self.random.below(70_000),
            14 => u64::MAX - self.random.below(5_000),
            _ => self.random.next(),
        }
    }

    fn pointer(&mut self) -> u64 {
        self.arena as u64 + self.random.below((ARENA_PAGES * PAGE) as u64) / self.random.of(&[1, 8, 8]) * self.random.of(&[1, 8])
    }

    /// Puts something into the arena that calls may take for a structure.
    fn scribble(&mut self) {
        let at = self.arena + self.random.below((ARENA_PAGES * PAGE / 8 - 8) as u64) as usize * 8;
        for word in 0..self.random.below(8) as usize {
            let value = self.argument();
            // The arena may have been unmapped by a call: then this thread dies, which is as good.
            linux_tests::memory::poke_word(at + word * 8, value);
        }
    }

    fn one_call(&mut self) {
        let number = self.random.below(LAST_NUMBER) as i64;
        let number = if self.random.below(200) == 0 { self.random.next() as i64 } else { number };
        let low = number & 0xffff_ffff;
        if NEVER.contains(&low) || (self.as_root && NOT_AS_ROOT.contains(&low)) {
            return;
        }
        let arguments = std::array::from_fn(|_| self.argument() as usize);
        let result = linux_tests::call(number, arguments);
        let makes_tasks = [libc::SYS_fork, libc::SYS_clone, libc::SYS_clone3].contains(&low);
        if makes_tasks && result == Ok(0) {
            let _never_returns = call!(SYS_exit_group, 0);
        }
    }
}

fn round(seed: u64, as_root: bool) -> i32 {
    let _own_group = call!(SYS_setpgid, 0, 0);
    // A bound on what one round eats: calls that are refused for lack of memory say little.
    let memory = [256_u64 << 20; 2];
    let _bounded = call!(SYS_setrlimit, libc::RLIMIT_AS, memory.as_ptr());
    let few = [64_u64; 2];
    let _bounded = call!(SYS_setrlimit, libc::RLIMIT_NPROC, few.as_ptr());
    if !as_root {
        must("giving up privileges", call!(SYS_setresuid, USER, USER, USER).is_ok());
    }
    open_things();
    let arena = linux_tests::memory::anonymous(ARENA_PAGES);
    let threads: Vec<_> = (1..4)
        .filter_map(|thread| std::thread::Builder::new().spawn(move || fuzz(seed.wrapping_mul(thread + 1), arena, as_root)).ok())
        .collect();
    fuzz(seed, arena, as_root);
    drop(threads);
    0
}

fn fuzz(seed: u64, arena: usize, as_root: bool) {
    let mut fuzzer = Fuzzer { random: Random(seed | 1), arena, as_root };
    (0..10).for_each(|_| fuzzer.scribble());
    loop {
        fuzzer.one_call();
        if fuzzer.random.below(4) == 0 {
            fuzzer.scribble();
        }
    }
}

/// Files of every kind, so that small numbers mean something.
fn open_things() {
    for standard in 0..3 {
        let quiet = call!(SYS_open, c"/dev/null".as_ptr(), libc::O_RDWR, 0).unwrap_or(0);
        let _quiet_from_here = call!(SYS_dup2, quiet, standard);
    }
    let _maybe = call!(SYS_mkdir, c"dir".as_ptr(), 0o777);
    let _maybe = call!(SYS_symlink, c"dir".as_ptr(), c"link".as_ptr());
    let _maybe = call!(SYS_mknod, c"fifo".as_ptr(), libc::S_IFIFO | 0o666, 0);
    for path in [c"a", c"b", c"dir", c"/proc/self/maps", c"/dev/zero", c"/proc/self", c"/dev/urandom"] {
        let _maybe = call!(SYS_open, path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_NONBLOCK, 0o666);
        let _maybe = call!(SYS_open, path.as_ptr(), libc::O_RDONLY | libc::O_NONBLOCK, 0);
    }
    let mut ends = [0_i32; 2];
    for _ in 0..3 {
        let _maybe = call!(SYS_pipe2, ends.as_mut_ptr(), libc::O_NONBLOCK);
    }
    let _maybe = call!(SYS_eventfd2, 3, libc::O_NONBLOCK);
    for kind in [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_SEQPACKET] {
        let mut ends = [0_i32; 2];
        let _maybe = call!(SYS_socketpair, libc::AF_UNIX, kind | libc::SOCK_NONBLOCK, 0, ends.as_mut_ptr());
    }
    let _maybe = call!(SYS_epoll_create1, 0);
    let _maybe = call!(SYS_epoll_create1, 0);
}

/// Runs one round in a child; ends it and whatever it made.
fn run(seed: u64, as_root: bool, milliseconds: u64) {
    let child = fork(|| round(seed, as_root));
    let mut waited = 0;
    while waited < milliseconds && matches!(wait_for_any_of(child, libc::WNOHANG | libc::__WALL), Ok(None)) {
        sleep_ms(10);
        waited += 10;
    }
    let _all_of_its_group = kill(-child, libc::SIGKILL);
    let _itself = kill(child, libc::SIGKILL);
    // As the same user, nobody of whom is left alone.
    let _killed = in_a_child(|| {
        must("setresuid", call!(SYS_setresuid, USER, USER, USER).is_ok());
        let _all_of_the_user = kill(-1, libc::SIGKILL);
        0
    });
    while let Ok(Some(_)) = wait_for_any_of(-1, libc::WNOHANG | libc::__WALL) {}
}

fn main() {
    let mut words = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let seed = words.next().unwrap_or(20_261_122);
    let rounds = words.next().unwrap_or(12);
    let milliseconds = words.next().unwrap_or(500);
    if is_braid() {
        let folder = linux_tests::scratch::Scratch::new("fuzz");
        must("chmod", call!(SYS_chmod, folder.c("").as_ptr(), 0o777).is_ok());
        must("chdir", call!(SYS_chdir, folder.c("").as_ptr()).is_ok());
        for turn in 0..rounds {
            eprintln!("seed {seed} round {turn}");
            run(seed.wrapping_mul(1_000_003).wrapping_add(turn), turn % 2 == 1, milliseconds);
        }
        must("chdir", call!(SYS_chdir, c"/".as_ptr()).is_ok());
    }
    check("random calls harm only their callers", wait(fork(|| 7)) == Ended::Exited(7));
}
