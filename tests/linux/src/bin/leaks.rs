//! Whatever programs make, end, break off or get refused: when they are gone, the kernel has as many objects as before.

use linux_tests::asleep::wait_until_asleep;
use linux_tests::objects::Objects;
use linux_tests::process::{Ended, close, close_all, fork, in_a_child, kill, my_pid, pipe, wait, wait_for_any_of, write};
use linux_tests::scratch::{Scratch, c};
use linux_tests::socket;
use linux_tests::{call, check, done, must, must_equal, sleep_ms};
use std::path::Path;

const NOWHERE: usize = 0;
const WILD: usize = 0x10;

fn main() {
    done("prctl", call!(SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 1));
    for (name, work) in WORK {
        let round = || {
            let scratch = Scratch::new("leaks");
            for _ in 0..8 {
                work(&scratch.path("x"));
            }
            while wait_for_any_of(-1, 0).is_ok() {}
        };
        // A round may fill what the kernel keeps for the next ones; a leak grows with each.
        let leaks = (0..5).all(|_| {
            let before = Objects::now();
            round();
            !before.are_all_there_is()
        });
        check(name, !leaks);
    }
}

/// Told what it does, and where it may make files.
type Work = (&'static str, fn(&Path));

static WORK: &[Work] = &[
    ("children that end", |_| must_equal("a child", in_a_child(|| 3), Ended::Exited(3))),
    ("children that are killed", |_| {
        let child = fork(pause);
        done("kill", kill(child, libc::SIGKILL));
        must_equal("a child", wait(child), Ended::Killed(libc::SIGKILL));
    }),
    ("orphans", |_| {
        in_a_child(|| {
            fork(|| {
                sleep_ms(5);
                0
            });
            0
        });
    }),
    ("sessions and groups", |_| {
        in_a_child(|| {
            done("setsid", call!(SYS_setsid));
            let child = fork(|| {
                done("setpgid", call!(SYS_setpgid, 0, 0));
                0
            });
            wait(child);
            0
        });
    }),
    ("threads, and a process that ends under them", |_| {
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(|| sleep_ms(1))).collect();
        threads.into_iter().for_each(|thread| must("a thread", thread.join().is_ok()));
        in_a_child(|| {
            for _ in 0..3 {
                std::thread::spawn(pause);
            }
            0
        });
    }),
    ("every kind of descriptor", |place| every_kind(place)),
    ("every kind of descriptor, left to a killed child", |place| {
        let place = place.to_owned();
        let child = fork(move || {
            every_kind(&place);
            keep_every_kind(&place);
            pause()
        });
        wait_until_asleep(child);
        done("kill", kill(child, libc::SIGKILL));
        wait(child);
    }),
    ("descriptors that do not fit into the table", |_| {
        in_a_child(|| {
            let limit = libc::rlimit64 { rlim_cur: 8, rlim_max: 8 };
            done("limit", call!(SYS_prlimit64, 0, libc::RLIMIT_NOFILE, &raw const limit, NOWHERE));
            let mut ends = [0_i32; 2];
            while call!(SYS_dup, 0).is_ok() {}
            must_equal("pipe", call!(SYS_pipe2, ends.as_mut_ptr(), 0), Err(libc::EMFILE));
            done("close", close(7));
            must_equal("pipe with room for one end", call!(SYS_pipe2, ends.as_mut_ptr(), 0), Err(libc::EMFILE));
            must_equal("the room is still there", call!(SYS_dup, 0), Ok(7));
            for refused in [
                call!(SYS_eventfd2, 0, 0),
                call!(SYS_epoll_create1, 0),
                call!(SYS_timerfd_create, libc::CLOCK_MONOTONIC, 0),
                call!(SYS_open, c"/".as_ptr(), libc::O_RDONLY, 0),
                call!(SYS_fcntl, 0, libc::F_DUPFD, 0),
            ] {
                must_equal("one more", refused, Err(libc::EMFILE));
            }
            must_equal("dup2 beyond", call!(SYS_dup2, 0, 8), Err(libc::EBADF));
            0
        });
    }),
    ("calls that end at a wild pointer", |_| {
        must_equal("pipe", call!(SYS_pipe2, WILD, 0), Err(libc::EFAULT));
        must_equal("execve", call!(SYS_execve, WILD, NOWHERE, NOWHERE), Err(libc::EFAULT));
        must_equal("timer_create", call!(SYS_timer_create, libc::CLOCK_MONOTONIC, NOWHERE, WILD), Err(libc::EFAULT));
        let set = done("epoll", call!(SYS_epoll_create1, 0));
        must_equal("epoll_ctl", call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, 0, WILD), Err(libc::EFAULT));
        close_all(&[set as i32]);
    }),
    ("programs that cannot be started", |place| {
        let name = c(place);
        std::fs::remove_file(place).unwrap_or_default();
        std::fs::write(place, b"\x7fELF and nothing behind").unwrap_or_default();
        let execve = |path: &std::ffi::CStr| call!(SYS_execve, path.as_ptr(), NOWHERE, NOWHERE);
        must_equal("no right", execve(&name), Err(libc::EACCES));
        done("chmod", call!(SYS_chmod, name.as_ptr(), 0o700));
        must("nonsense", execve(&name).is_err());
        must_equal("not there", execve(c"/nowhere/at/all"), Err(libc::ENOENT));
        must_equal("a directory", execve(c"/"), Err(libc::EACCES));
        let huge = vec![b'x'; 200_000];
        let long = std::ffi::CString::new(huge).unwrap_or_default();
        let arguments = [long.as_ptr(), std::ptr::null()];
        must_equal("too long", call!(SYS_execve, name.as_ptr(), arguments.as_ptr(), NOWHERE), Err(libc::E2BIG));
    }),
    ("waits that are broken off", |_| {
        let (reader, writer) = pipe();
        let child = fork(|| {
            let mut watched = libc::pollfd { fd: reader, events: libc::POLLIN, revents: 0 };
            let _ended = call!(SYS_poll, &raw mut watched, 1, 60_000);
            0
        });
        wait_until_asleep(child);
        done("kill", kill(child, libc::SIGTERM));
        wait(child);
        let child = fork(|| i32::from(linux_tests::process::read(reader, &mut [0]) != Ok(1)));
        wait_until_asleep(child);
        done("write", write(writer, b"x"));
        must_equal("the reader", wait(child), Ended::Exited(0));
        close_all(&[reader, writer]);
    }),
    ("shared memory and private copies of it", |place| {
        std::fs::write(place, vec![7; 100_000]).unwrap_or_default();
        let file = done("open", call!(SYS_open, c(place).as_ptr(), libc::O_RDWR, 0));
        for kind in [libc::MAP_SHARED, libc::MAP_PRIVATE] {
            let at = done("mmap", call!(SYS_mmap, NOWHERE, 100_000, libc::PROT_READ | libc::PROT_WRITE, kind, file, 0));
            in_a_child(|| {
                // SAFETY: mapped above, in this copy of the process too.
                unsafe { std::ptr::write_volatile((at + 50_000) as *mut u8, 9) };
                done("mremap", call!(SYS_mremap, at, 100_000, 200_000, libc::MREMAP_MAYMOVE, 0));
                done("mprotect", call!(SYS_mprotect, at & !4095, 4096, libc::PROT_NONE).or(Ok::<usize, i32>(0)));
                0
            });
            done("munmap", call!(SYS_munmap, at, 100_000));
        }
        let at = done(
            "mmap",
            call!(SYS_mmap, NOWHERE, 65_536, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1_isize, 0),
        );
        in_a_child(|| {
            // SAFETY: as above.
            unsafe { std::ptr::write_volatile((at + 5_000) as *mut u8, 9) };
            0
        });
        done("munmap", call!(SYS_munmap, at, 65_536));
        close_all(&[file as i32]);
        std::fs::remove_file(place).unwrap_or_default();
    }),
    ("timers, set and not deleted", |_| {
        in_a_child(|| {
            let mut timer = 0_i32;
            let mut event: libc::sigevent = unsafe_free_event();
            event.sigev_notify = libc::SIGEV_NONE;
            done("timer_create", call!(SYS_timer_create, libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer));
            let in_an_hour = [0_i64, 0, 3600, 0];
            done("timer_settime", call!(SYS_timer_settime, timer, 0, in_an_hour.as_ptr(), NOWHERE));
            done("alarm", call!(SYS_alarm, 3600));
            done("setitimer", call!(SYS_setitimer, libc::ITIMER_VIRTUAL, in_an_hour.as_ptr(), NOWHERE));
            0
        });
    }),
    ("sockets with names, connections that nobody accepts", |place| {
        let name = socket::at(place);
        let listening = socket::listener(socket::STREAM, &name, 5);
        let client = socket::socket(socket::STREAM);
        done("connect", socket::connect(client, &name));
        done("a message", socket::send_message(client, b"x", &socket::rights(&[client, listening]), 0));
        must_equal("refused", socket::connect(client, &name), Err(libc::EISCONN));
        close_all(&[listening, client]);
        std::fs::remove_file(place).unwrap_or_default();
    }),
    ("descriptors that nobody receives, in circles too", |_| {
        for kind in [socket::STREAM, socket::DATAGRAM, socket::PACKET] {
            let ((one, other), (reader, writer)) = (socket::pair(kind), pipe());
            done("a message", socket::send_message(one, b"x", &socket::rights(&[reader, writer, one, other]), 0));
            done("a message", socket::send_message(other, b"x", &socket::rights(&[one]), 0));
            close_all(&[one, other, reader, writer]);
        }
        in_a_child(|| {
            let (one, other) = socket::pair(socket::STREAM);
            done("a message", socket::send_message(one, b"x", &socket::rights(&[one, other]), 0));
            0
        });
    }),
    ("signals that nobody took", |_| {
        in_a_child(|| {
            linux_tests::signal::block(&[libc::SIGUSR1, libc::SIGRTMIN()]);
            for _ in 0..10 {
                done("queued", kill(my_pid(), libc::SIGRTMIN()));
            }
            0
        });
    }),
];

fn unsafe_free_event() -> libc::sigevent {
    // SAFETY: all zeroes is a `sigevent`.
    unsafe { std::mem::zeroed() }
}

fn pause() -> i32 {
    loop {
        let _interrupted = call!(SYS_pause);
    }
}

fn every_kind(place: &Path) {
    let made = keep_every_kind(place);
    close_all(&made);
    std::fs::remove_file(place).unwrap_or_default();
    std::fs::remove_file(place.with_extension("fifo")).unwrap_or_default();
}

/// One of each kind, watched by one set.
fn keep_every_kind(place: &Path) -> Vec<i32> {
    let (reader, writer) = pipe();
    let mask = linux_tests::signal::set_of(&[libc::SIGUSR2]);
    let fifo = c(&place.with_extension("fifo"));
    let _there_already = call!(SYS_mknod, fifo.as_ptr(), libc::S_IFIFO | 0o600, 0);
    let mut made = vec![reader, writer];
    for descriptor in [
        call!(SYS_open, c(place).as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600),
        call!(SYS_open, fifo.as_ptr(), libc::O_RDWR, 0),
        call!(SYS_open, c"/tmp".as_ptr(), libc::O_DIRECTORY, 0),
        call!(SYS_open, c"/proc/self/maps".as_ptr(), libc::O_RDONLY, 0),
        call!(SYS_open, c"/dev/null".as_ptr(), libc::O_RDWR, 0),
        call!(SYS_eventfd2, 1, 0),
        call!(SYS_timerfd_create, libc::CLOCK_MONOTONIC, 0),
        call!(SYS_signalfd4, -1_isize, &raw const mask, 8, 0),
    ] {
        made.push(done("a descriptor", descriptor) as i32);
    }
    let set = done("epoll", call!(SYS_epoll_create1, 0));
    for &file in &made {
        let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: file as u64 };
        let _plain_files_are_refused = call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, file, &raw const event);
    }
    let outer = done("epoll", call!(SYS_epoll_create1, 0));
    let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    done("a set in a set", call!(SYS_epoll_ctl, outer, libc::EPOLL_CTL_ADD, set, &raw const event));
    let in_an_hour = [0_i64, 0, 3600, 0];
    done("set", call!(SYS_timerfd_settime, made[8], 0, in_an_hour.as_ptr(), NOWHERE));
    made.extend([set as i32, outer as i32]);
    made
}
