//! In every kind of wait: killed, stopped and continued, interrupted. It ends promptly and leaves nothing.

use linux_tests::asleep::{ends_promptly, wait_until_asleep};
use linux_tests::objects::Objects;
use linux_tests::process::{Ended, Pid, close, close_all, exit_now, fork, kill, pipe, wait_for_any_of, write};
use linux_tests::scratch::{Scratch, c};
use linux_tests::signal::{handle, set_of, suspend_with};
use linux_tests::socket;
use linux_tests::{Errno, call, done, equal, fail, must_equal};
use std::path::{Path, PathBuf};

/// Waits for ever; answers what ended the wait.
type Body = fn(&Path) -> Result<usize, Errno>;

const NOWHERE: usize = 0;

fn main() {
    let scratch = Scratch::new("every-wait");
    let place = scratch.path("x");
    // Children of killed children come here.
    done("prctl", call!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1));
    // By the time that a first child has come and gone, the machine's own start is over.
    let (_, first) = WAITS[0];
    killed("to begin with", first, &place);
    let before = Objects::settled_but_pages();
    for (name, body) in WAITS {
        prepare(&place);
        killed(name, *body, &place);
        stopped(name, *body, &place);
        interrupted(name, *body, &place);
        remove(&place);
        while wait_for_any_of(-1, 0).is_ok() {}
        before.must_be_all_there_is();
    }
}

static WAITS: &[(&str, Body)] = &[
    ("read of an empty pipe", |_| read_one(pipe().0)),
    ("readv of an empty pipe", |_| {
        let mut byte = 0_u8;
        let part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        call!(SYS_readv, pipe().0, &raw const part, 1)
    }),
    ("write to a full pipe", |_| {
        let (_reader, writer) = pipe();
        fill(writer);
        write(writer, &[0; 4096])
    }),
    ("read of an event counter at zero", |_| read_eight(done("eventfd", call!(SYS_eventfd2, 0, 0)))),
    ("write to an event counter at its limit", |_| {
        let counter = done("eventfd", call!(SYS_eventfd2, 0, 0));
        done("the limit", write(counter as i32, &(u64::MAX - 1).to_ne_bytes()));
        write(counter as i32, &1_u64.to_ne_bytes())
    }),
    ("read of a timer that is not set", |_| read_eight(done("timerfd", call!(SYS_timerfd_create, libc::CLOCK_MONOTONIC, 0)))),
    ("read of a signal file", |_| {
        let set = set_of(&[libc::SIGUSR2]);
        let file = done("signalfd", call!(SYS_signalfd4, -1_isize, &raw const set, 8, 0));
        let mut information = [0_u8; 128];
        call!(SYS_read, file, information.as_mut_ptr(), information.len())
    }),
    ("poll", |_| {
        let mut watched = libc::pollfd { fd: pipe().0, events: libc::POLLIN, revents: 0 };
        call!(SYS_poll, &raw mut watched, 1, -1_isize)
    }),
    ("poll of nothing", |_| call!(SYS_poll, NOWHERE, 0, -1_isize)),
    ("select", |_| {
        let mut set = [0_u64; 16];
        let reader = pipe().0;
        set[reader as usize / 64] |= 1 << (reader % 64);
        call!(SYS_select, reader + 1, set.as_mut_ptr(), NOWHERE, NOWHERE, NOWHERE)
    }),
    ("epoll", |_| epoll_wait(epoll_of(pipe().0 as usize))),
    ("epoll of an epoll", |_| epoll_wait(epoll_of(epoll_of(pipe().0 as usize)))),
    ("futex", |_| {
        let word = 0_u32;
        call!(SYS_futex, &raw const word, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 0, NOWHERE)
    }),
    ("futex for all", |_| {
        let word = 0_u32;
        call!(SYS_futex, &raw const word, libc::FUTEX_WAIT, 0, NOWHERE)
    }),
    ("futex, with a time far off", |_| {
        let (word, year) = (0_u32, libc::timespec { tv_sec: 31_000_000, tv_nsec: 0 });
        call!(SYS_futex, &raw const word, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 0, &raw const year)
    }),
    ("wait4 for a child", |_| {
        let child = orphan_proof_child();
        call!(SYS_wait4, child, NOWHERE, 0, NOWHERE)
    }),
    ("waitid for any child", |_| {
        orphan_proof_child();
        call!(SYS_waitid, libc::P_ALL, 0, NOWHERE, libc::WEXITED, NOWHERE)
    }),
    ("nanosleep", |_| {
        let year = libc::timespec { tv_sec: 31_000_000, tv_nsec: 0 };
        call!(SYS_nanosleep, &raw const year, NOWHERE)
    }),
    ("clock_nanosleep until a time far off", |_| {
        let end = libc::timespec { tv_sec: i64::from(i32::MAX), tv_nsec: 0 };
        call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &raw const end, NOWHERE)
    }),
    ("pause", |_| call!(SYS_pause)),
    ("sigsuspend", |_| Err(suspend_with(&[]))),
    ("sigtimedwait", |_| {
        let set = set_of(&[libc::SIGUSR2]);
        call!(SYS_rt_sigtimedwait, &raw const set, NOWHERE, NOWHERE, 8)
    }),
    ("flock", |place| call!(SYS_flock, open(place, libc::O_RDWR)?, libc::LOCK_EX)),
    ("a record lock", |place| call!(SYS_fcntl, open(place, libc::O_RDWR)?, libc::F_SETLKW, &raw const WHOLE_FILE)),
    ("open of a FIFO to read", |place| open(&fifo(place), libc::O_RDONLY)),
    ("open of a FIFO to write", |place| open(&fifo(place), libc::O_WRONLY)),
    ("receiving from a stream", |_| read_one(socket::pair(socket::STREAM).0)),
    ("receiving a datagram", |_| read_one(socket::pair(socket::DATAGRAM).0)),
    ("receiving a message", |_| socket::receive_message(socket::pair(socket::PACKET).0, 1, 64, 0).map(|_| 0)),
    ("sending through a full stream", |_| {
        let (one, _other) = socket::pair(socket::STREAM);
        fill(one);
        write(one, &[0; 4096])
    }),
    ("sending a datagram to a full socket", |_| {
        let (one, _other) = socket::pair(socket::DATAGRAM);
        fill(one);
        socket::send_message(one, &[0; 4096], &socket::rights(&[one]), 0)
    }),
    ("accept", |_| socket::accept(socket::listener(socket::STREAM, &any_name(), 1)).map(|_| 0)),
    ("connect to a full listener", |_| {
        let name = any_name();
        socket::listener(socket::STREAM, &name, 0);
        socket::connect(socket::socket(socket::STREAM), &name)?;
        socket::connect(socket::socket(socket::STREAM), &name)
    }),
    ("poll of a socket", |_| {
        let mut watched = libc::pollfd { fd: socket::pair(socket::STREAM).0, events: libc::POLLIN, revents: 0 };
        call!(SYS_poll, &raw mut watched, 1, -1_isize)
    }),
    ("splice from an empty pipe", |_| call!(SYS_splice, pipe().0, NOWHERE, pipe().1, NOWHERE, 1, 0)),
    ("splice into a full pipe", |_| {
        let ((from, to), (_reader, full)) = (pipe(), pipe());
        fill(full);
        done("a byte", write(to, b"x"));
        call!(SYS_splice, from, NOWHERE, full, NOWHERE, 1, 0)
    }),
    ("tee from an empty pipe", |_| call!(SYS_tee, pipe().0, pipe().1, 1, 0)),
];

/// An abstract name of this child's own.
fn any_name() -> Vec<u8> {
    socket::address(format!("\0braid-{}", linux_tests::process::my_pid()).as_bytes())
}

static WHOLE_FILE: libc::flock = libc::flock { l_type: libc::F_WRLCK as i16, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };

fn read_one(descriptor: i32) -> Result<usize, Errno> {
    linux_tests::process::read(descriptor, &mut [0])
}

fn read_eight(descriptor: usize) -> Result<usize, Errno> {
    linux_tests::process::read(descriptor as i32, &mut [0; 8])
}

fn fill(writer: i32) {
    done("not blocking", call!(SYS_fcntl, writer, libc::F_SETFL, libc::O_NONBLOCK));
    while write(writer, &[0; 4096]).is_ok() {}
    done("blocking", call!(SYS_fcntl, writer, libc::F_SETFL, 0));
}

fn epoll_of(file: usize) -> usize {
    let set = done("epoll_create1", call!(SYS_epoll_create1, 0));
    let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    done("epoll_ctl", call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, file, &raw const event));
    set
}

fn epoll_wait(set: usize) -> Result<usize, Errno> {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    call!(SYS_epoll_wait, set, &raw mut event, 1, -1_isize)
}

/// A child that sleeps for ever, and dies with its parent.
fn orphan_proof_child() -> Pid {
    let parent = linux_tests::process::my_pid();
    fork(|| {
        done("prctl", call!(SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL));
        if call!(SYS_getppid) != Ok(parent as usize) {
            return 0;
        }
        loop {
            let _interrupted = call!(SYS_pause);
        }
    })
}

fn open(path: &Path, flags: i32) -> Result<usize, Errno> {
    let path = c(path);
    call!(SYS_open, path.as_ptr(), flags, 0)
}

fn fifo(place: &Path) -> PathBuf {
    place.with_extension("fifo")
}

/// A file whose locks this process has all, and a FIFO.
fn prepare(place: &Path) {
    let path = c(place);
    let file = done("a file", call!(SYS_open, path.as_ptr(), libc::O_RDWR | libc::O_CREAT | libc::O_CLOEXEC, 0o600));
    must_equal("the highest descriptor", call!(SYS_dup2, file, HOLDER), Ok(HOLDER as usize));
    done("close", close(file as i32));
    done("flock", call!(SYS_flock, HOLDER, libc::LOCK_EX));
    done("record lock", call!(SYS_fcntl, HOLDER, libc::F_SETLK, &raw const WHOLE_FILE));
    let fifo = c(&fifo(place));
    done("a FIFO", call!(SYS_mknod, fifo.as_ptr(), libc::S_IFIFO | 0o600, 0));
}

/// Holds the locks.
const HOLDER: i32 = 200;

fn remove(place: &Path) {
    close_all(&[HOLDER]);
    done("unlink", call!(SYS_unlink, c(place).as_ptr()));
    done("unlink", call!(SYS_unlink, c(&fifo(place)).as_ptr()));
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

/// A child in its wait. Interrupted, it ends with the errno.
fn start(body: Body, place: &Path, again: bool) -> Pid {
    let child = fork(|| {
        let _no_copy_of_the_lock_holder = close(HOLDER);
        handle(libc::SIGUSR1, nothing, 0);
        loop {
            match body(place) {
                // Some calls say so after SIGCONT as well (signal(7)).
                Err(libc::EINTR) if again => {}
                Err(error) => exit_now(error),
                Ok(_) => exit_now(77),
            }
        }
    });
    wait_until_asleep(child);
    child
}

fn killed(name: &str, body: Body, place: &Path) {
    let child = start(body, place, false);
    done("kill", kill(child, libc::SIGKILL));
    equal(&format!("{name}: killed"), ends_promptly(child, 0), Ended::Killed(libc::SIGKILL));
}

fn stopped(name: &str, body: Body, place: &Path) {
    let child = start(body, place, true);
    done("stop", kill(child, libc::SIGSTOP));
    must_equal("it stops", ends_promptly(child, libc::WUNTRACED), Ended::Stopped(libc::SIGSTOP));
    done("continue", kill(child, libc::SIGCONT));
    must_equal("it goes on", ends_promptly(child, libc::WCONTINUED), Ended::Continued);
    wait_until_asleep(child);
    done("stop", kill(child, libc::SIGSTOP));
    must_equal("it stops again", ends_promptly(child, libc::WUNTRACED), Ended::Stopped(libc::SIGSTOP));
    done("kill", kill(child, libc::SIGKILL));
    equal(&format!("{name}: waits on after a stop, and is killed while stopped"), ends_promptly(child, 0), Ended::Killed(libc::SIGKILL));
}

fn interrupted(name: &str, body: Body, place: &Path) {
    let child = start(body, place, false);
    done("interrupt", kill(child, libc::SIGUSR1));
    match ends_promptly(child, 0) {
        Ended::Exited(errno) => equal(&format!("{name}: interrupted"), errno, libc::EINTR),
        other => fail(&format!("{name}: interrupted: {other:?}")),
    }
}
