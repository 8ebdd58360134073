//! Waits with absurd times, waits for oneself, and the other end going away under a wait.

use linux_tests::asleep::{ends_promptly, wait_until_asleep};
use linux_tests::process::{Ended, close, close_all, fork, in_a_child, kill, my_pid, pipe, read, write};
use linux_tests::scratch::{Scratch, c};
use linux_tests::signal::{handle, set_of, set_timer};
use linux_tests::{Errno, call, check, done, equal, must_equal, sleep_ms};

const NOWHERE: usize = 0;

fn main() {
    handle(libc::SIGALRM, nothing, 0);
    handle(libc::SIGUSR1, nothing, 0);
    negative_and_crooked_times();
    no_time_at_all();
    for_ever_and_longer();
    for_oneself();
    the_other_end_goes();
    a_descriptor_closed_under_a_wait();
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

const fn time(seconds: i64, nanoseconds: i64) -> [i64; 2] {
    [seconds, nanoseconds]
}

/// Waits so long.
type Wait<'a> = Box<dyn Fn(&[i64; 2]) -> Result<usize, Errno> + 'a>;

/// Every call that takes a time in seconds and parts of one, waiting for nothing that could come.
fn waits(word: &u32) -> Vec<(&'static str, Wait<'_>)> {
    let set = set_of(&[libc::SIGUSR2]);
    let epoll = done("epoll", call!(SYS_epoll_create1, 0));
    vec![
        ("nanosleep", Box::new(|time| call!(SYS_nanosleep, time.as_ptr(), NOWHERE))),
        ("clock_nanosleep", Box::new(|time| call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, 0, time.as_ptr(), NOWHERE))),
        ("ppoll", Box::new(|time| call!(SYS_ppoll, NOWHERE, 0, (*time).as_ptr(), NOWHERE, 0))),
        ("pselect", Box::new(|time| call!(SYS_pselect6, 0, NOWHERE, NOWHERE, NOWHERE, (*time).as_ptr(), NOWHERE))),
        ("futex", Box::new(|time| call!(SYS_futex, &raw const *word, libc::FUTEX_WAIT, 0, time.as_ptr()))),
        ("sigtimedwait", Box::new(move |time| call!(SYS_rt_sigtimedwait, &raw const set, NOWHERE, time.as_ptr(), 8))),
        (
            "epoll_pwait2",
            Box::new(move |time| {
                let mut event = libc::epoll_event { events: 0, u64: 0 };
                call!(SYS_epoll_pwait2, epoll, &raw mut event, 1, time.as_ptr(), NOWHERE, 0)
            }),
        ),
    ]
}

fn negative_and_crooked_times() {
    for (name, wait) in waits(&0) {
        for crooked in [time(-1, 0), time(0, -1), time(0, 1_000_000_000), time(i64::MIN, 0), time(1, i64::MAX), time(i64::MIN, i64::MIN)] {
            must_equal(&format!("{name} for {crooked:?}"), wait(&crooked), Err(libc::EINVAL));
        }
        check(&format!("{name}: negative times and parts of a second beyond one are refused"), true);
    }
    let select = |time: &[i64; 2]| call!(SYS_select, 0, NOWHERE, NOWHERE, NOWHERE, time.as_ptr());
    equal("select for less than nothing", (select(&time(-1, 0)), select(&time(0, -1))), (Err(libc::EINVAL), Err(libc::EINVAL)));
    let mut timer = time(0, 0).to_vec();
    timer.extend(time(0, 1_000_000));
    equal("setitimer of a million microseconds", call!(SYS_setitimer, libc::ITIMER_REAL, timer.as_ptr(), NOWHERE), Err(libc::EINVAL));
    let file = done("timerfd", call!(SYS_timerfd_create, libc::CLOCK_MONOTONIC, 0));
    let set = |first: [i64; 2]| call!(SYS_timerfd_settime, file, 0, [[0, 0], first].as_ptr(), NOWHERE);
    equal("timerfd", [set(time(-1, 0)), set(time(0, -1)), set(time(0, 1_000_000_000))], [Err(libc::EINVAL); 3]);
}

fn no_time_at_all() {
    for (name, wait) in waits(&0) {
        equal(&format!("{name} for no time"), wait(&time(0, 0)), nothing_came(name));
    }
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let epoll = done("epoll", call!(SYS_epoll_create1, 0));
    let answers = [
        call!(SYS_poll, NOWHERE, 0, 0),
        call!(SYS_select, 0, NOWHERE, NOWHERE, NOWHERE, time(0, 0).as_ptr()),
        call!(SYS_epoll_wait, epoll, &raw mut event, 1, 0),
        call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, time(0, 0).as_ptr(), NOWHERE),
        call!(SYS_clock_nanosleep, libc::CLOCK_REALTIME, libc::TIMER_ABSTIME, time(1, 0).as_ptr(), NOWHERE),
    ];
    equal("poll, select, epoll, and sleeps until the past", answers, [Ok(0); 5]);
    let word = 0_u32;
    let bits = |operation: i32| call!(SYS_futex, &raw const word, operation, 0, time(0, 0).as_ptr(), NOWHERE, -1_isize);
    equal("a futex until the past", bits(libc::FUTEX_WAIT_BITSET), Err(libc::ETIMEDOUT));
}

fn nothing_came(name: &str) -> Result<usize, Errno> {
    match name {
        "futex" => Err(libc::ETIMEDOUT),
        "sigtimedwait" => Err(libc::EAGAIN),
        _ => Ok(0),
    }
}

/// A wait beyond all times is a wait, and a signal ends it.
fn for_ever_and_longer() {
    for (name, wait) in waits(&0) {
        for far in [time(i64::MAX, 999_999_999), time(i64::MAX, 0), time(1 << 40, 0)] {
            must_equal(&format!("{name} for {far:?}"), interrupted_by_alarm(|| wait(&far)), Err(libc::EINTR));
        }
        check(&format!("{name} for longer than there is time"), true);
    }
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    let epoll = done("epoll", call!(SYS_epoll_create1, 0));
    for milliseconds in [-1, -5, i32::MIN, i32::MAX] {
        must_equal("poll", interrupted_by_alarm(|| call!(SYS_poll, NOWHERE, 0, milliseconds as isize)), Err(libc::EINTR));
        let answer = interrupted_by_alarm(|| call!(SYS_epoll_wait, epoll, &raw mut event, 1, milliseconds as isize));
        must_equal("epoll_wait", answer, Err(libc::EINTR));
    }
    check("poll and epoll for negative and long times", true);
    let far = time(i64::MAX, 0);
    let answer = interrupted_by_alarm(|| call!(SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, far.as_ptr(), NOWHERE));
    equal("a sleep until the end of time", answer, Err(libc::EINTR));
    let answer = interrupted_by_alarm(|| call!(SYS_select, 0, NOWHERE, NOWHERE, NOWHERE, time(i64::MAX, 0).as_ptr()));
    equal("select until the end of time", answer, Err(libc::EINTR));
}

/// The first alarm may come before the wait has begun; the next ones do not.
fn interrupted_by_alarm(wait: impl FnOnce() -> Result<usize, Errno>) -> Result<usize, Errno> {
    set_timer(5, 5);
    let answer = wait();
    set_timer(0, 0);
    answer
}

fn for_oneself() {
    equal("a parent of nobody", call!(SYS_wait4, -1_isize, NOWHERE, 0, NOWHERE), Err(libc::ECHILD));
    equal("for itself as a child", call!(SYS_wait4, my_pid(), NOWHERE, 0, NOWHERE), Err(libc::ECHILD));
    let waitid = call!(SYS_waitid, libc::P_PID, my_pid(), NOWHERE, libc::WEXITED, NOWHERE);
    equal("the same with waitid", waitid, Err(libc::ECHILD));
    let (one, other) = (done("epoll", call!(SYS_epoll_create1, 0)), done("epoll", call!(SYS_epoll_create1, 0)));
    let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
    let add = |set: usize, file: usize| call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, file, &raw const event);
    equal("a set in itself", add(one, one), Err(libc::EINVAL));
    equal("two sets in each other", (add(one, other), add(other, one)), (Ok(0), Err(libc::ELOOP)));
    let scratch = Scratch::new("oneself");
    let path = scratch.c("x");
    let open = || done("open", call!(SYS_open, path.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600));
    let (first, second) = (open(), open());
    done("flock", call!(SYS_flock, first, libc::LOCK_EX));
    let answer = interrupted_by_alarm(|| call!(SYS_flock, second, libc::LOCK_EX));
    equal("a file lock that one's other opening has", answer, Err(libc::EINTR));
    let lock = libc::flock { l_type: libc::F_WRLCK as i16, l_whence: 0, l_start: 0, l_len: 1, l_pid: 0 };
    let twice = [call!(SYS_fcntl, first, libc::F_SETLKW, &raw const lock), call!(SYS_fcntl, second, libc::F_SETLKW, &raw const lock)];
    equal("a record lock that oneself has", twice, [Ok(0), Ok(0)]);
    let (reader, writer) = pipe();
    let mut byte = [0];
    equal("a pipe whose only writer is the reader", interrupted_by_alarm(|| read(reader, &mut byte)), Err(libc::EINTR));
    close_all(&[reader, writer, first as i32, second as i32, one as i32, other as i32]);
    equal("a signal to oneself while waiting for none", kill(my_pid(), 0), Ok(0));
}

fn the_other_end_goes() {
    let (reader, writer) = pipe();
    let child = waiting(&[writer], || read(reader, &mut [0]).map_or_else(|errno| errno, |count| count as i32));
    done("close", close(writer));
    equal("a reader whose writer goes reads nothing", ends_promptly(child, 0), Ended::Exited(0));
    done("close", close(reader));

    let (reader, writer) = pipe();
    let child = waiting(&[reader], || {
        linux_tests::signal::set_disposition(libc::SIGPIPE, libc::SIG_DFL);
        while write(writer, &[0; 4096]).is_ok() {}
        0
    });
    done("close", close(reader));
    equal("a writer whose reader goes is killed", ends_promptly(child, 0), Ended::Killed(libc::SIGPIPE));
    done("close", close(writer));

    let (reader, writer) = pipe();
    let child = waiting(&[writer], || {
        let mut watched = libc::pollfd { fd: reader, events: libc::POLLIN, revents: 0 };
        let _one = call!(SYS_poll, &raw mut watched, 1, -1_isize);
        i32::from(watched.revents)
    });
    done("close", close(writer));
    equal("poll sees the writer go", ends_promptly(child, 0), Ended::Exited(i32::from(libc::POLLHUP)));
    done("close", close(reader));

    let (reader, writer) = pipe();
    let child = waiting(&[writer], || {
        let set = done("epoll", call!(SYS_epoll_create1, 0));
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        done("add", call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, reader, &raw const event));
        let _one = call!(SYS_epoll_wait, set, &raw mut event, 1, -1_isize);
        event.events as i32
    });
    done("close", close(writer));
    equal("so does epoll", ends_promptly(child, 0), Ended::Exited(libc::EPOLLHUP));
    done("close", close(reader));

    let scratch = Scratch::new("other-end");
    let fifo = c(&scratch.path("fifo"));
    done("mknod", call!(SYS_mknod, fifo.as_ptr(), libc::S_IFIFO | 0o600, 0));
    let child = waiting(&[], || i32::from(call!(SYS_open, fifo.as_ptr(), libc::O_RDONLY, 0).is_err()));
    done("open", call!(SYS_open, fifo.as_ptr(), libc::O_WRONLY, 0));
    equal("a FIFO's reader comes in with its writer", ends_promptly(child, 0), Ended::Exited(0));
    let locked = scratch.c("locked");
    let holder = done("open", call!(SYS_open, locked.as_ptr(), libc::O_RDWR | libc::O_CREAT, 0o600));
    done("flock", call!(SYS_flock, holder, libc::LOCK_EX));
    let child = waiting(&[holder as i32], || {
        let file = done("open", call!(SYS_open, locked.as_ptr(), libc::O_RDWR, 0));
        i32::from(call!(SYS_flock, file, libc::LOCK_EX).is_err())
    });
    done("close", close(holder as i32));
    equal("a lock comes free when its holder closes the file", ends_promptly(child, 0), Ended::Exited(0));
}

/// A child that is in its wait, without these descriptors.
fn waiting(without: &[i32], body: impl FnOnce() -> i32) -> i32 {
    let child = fork(|| {
        close_all(without);
        body()
    });
    wait_until_asleep(child);
    child
}

fn a_descriptor_closed_under_a_wait() {
    let ended = in_a_child(|| {
        let (reader, writer) = pipe();
        let waiter = std::thread::spawn(move || read(reader, &mut [0; 8]));
        sleep_ms(20);
        must_equal("close", close(reader), Ok(0));
        must_equal("a closed descriptor", read(reader, &mut [0]), Err(libc::EBADF));
        sleep_ms(20);
        // The call has the opening still: the pipe has a reader.
        must_equal("write", write(writer, b"late"), Ok(4));
        must_equal("the waiter", waiter.join().unwrap_or(Err(0)), Ok(4));
        must_equal("now it has none", write_without_signal(writer), Err(libc::EPIPE));
        0
    });
    equal("a read goes on when its descriptor is closed", ended, Ended::Exited(0));
}

fn write_without_signal(writer: i32) -> Result<usize, Errno> {
    linux_tests::signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    write(writer, b"x")
}
