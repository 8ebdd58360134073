//! Timers of the program's own: `timer_create` by clock and by processor time, and `timerfd`.

use linux_tests::process::{Ended, in_a_child, kill, my_pid};
use linux_tests::signal::{block, contains, handle, pending, set_disposition, wait_for};
use linux_tests::{Errno, call, check, done, equal, monotonic, must, must_equal, now, sleep_ms};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

const MS: u64 = 1_000_000;
const BEATING: i32 = libc::SIGUSR1;

fn main() {
    rings_once();
    beats_and_counts_what_it_missed();
    thrown_away_while_it_waits();
    carries_its_value();
    to_one_thread();
    told_to_nobody();
    by_processor_time();
    absolute_and_in_the_past();
    gone_with_exec_and_fork();
    those_who_are_stopped();
    wrong_arguments();
    many_at_once();
    file_once();
    file_beats();
    file_polled();
    file_set_again_while_read();
    file_wrong_arguments();
}

fn spec(value: u64, interval: u64) -> libc::itimerspec {
    let part =
        |nanoseconds: u64| libc::timespec { tv_sec: (nanoseconds / 1_000_000_000) as i64, tv_nsec: (nanoseconds % 1_000_000_000) as i64 };
    libc::itimerspec { it_interval: part(interval), it_value: part(value) }
}

fn nanoseconds(time: libc::timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The first words of `struct sigevent`, as the kernel reads it.
#[repr(C)]
struct Event {
    value: u64,
    signal: i32,
    notify: i32,
    thread: i32,
    padding: [i32; 11],
}

fn event(notify: i32, signal: i32, value: u64) -> Event {
    Event { value, signal, notify, thread: 0, padding: [0; 11] }
}

fn create(clock: i32, event: Option<&Event>) -> Result<i32, Errno> {
    let mut id = -1;
    call!(SYS_timer_create, clock, event.map_or(std::ptr::null(), std::ptr::from_ref), &raw mut id)?;
    Ok(id)
}

fn set(id: i32, flags: i32, value: u64, interval: u64) -> Result<libc::itimerspec, Errno> {
    let mut old = spec(0, 0);
    call!(SYS_timer_settime, id, flags, &spec(value, interval) as *const libc::itimerspec, &raw mut old)?;
    Ok(old)
}

fn get(id: i32) -> libc::itimerspec {
    let mut setting = spec(0, 0);
    done("timer_gettime", call!(SYS_timer_gettime, id, &raw mut setting));
    setting
}

fn delete(id: i32) {
    done("timer_delete", call!(SYS_timer_delete, id));
}

/// si_timerid, si_overrun and si_value as they stand in the information.
fn parts(information: &libc::siginfo_t) -> (i32, i32, u64) {
    // SAFETY: a siginfo_t is 128 plain bytes.
    let words: &[i32; 32] = unsafe { &*std::ptr::from_ref(information).cast() };
    (words[4], words[5], u64::from(words[6] as u32) | u64::from(words[7] as u32) << 32)
}

fn rings_once() {
    block(&[libc::SIGALRM]);
    let id = done("create", create(libc::CLOCK_MONOTONIC, None));
    let began = monotonic();
    done("set", set(id, 0, 20 * MS, 0));
    must("it runs", nanoseconds(get(id).it_value) > 0);
    let (signal, information) = done("wait", wait_for(&[libc::SIGALRM], 5000));
    check("a timer without an event sends SIGALRM, not too early", signal == libc::SIGALRM && monotonic() - began >= 20 * MS);
    equal("its code is SI_TIMER and its value its number", (information.si_code, parts(&information).2 as i32), (libc::SI_TIMER, id));
    equal("it rings no second time", wait_for(&[libc::SIGALRM], 50).map(|_| ()), Err(libc::EAGAIN));
    equal("and does not run", nanoseconds(get(id).it_value), 0);
    delete(id);
}

fn beats_and_counts_what_it_missed() {
    block(&[BEATING]);
    let id = done("create", create(libc::CLOCK_MONOTONIC, Some(&event(libc::SIGEV_SIGNAL, BEATING, 1))));
    // Before it is set: what passes in between belongs to the first beat.
    let began = monotonic();
    done("set", set(id, 0, 10 * MS, 10 * MS));
    let mut beats = 0;
    for _ in 0..5 {
        let (_, information) = done("wait", wait_for(&[BEATING], 5000));
        beats += 1 + parts(&information).1 as u64;
        must_equal("getoverrun agrees", call!(SYS_timer_getoverrun, id), Ok(parts(&information).1 as usize));
    }
    let most = (monotonic() - began) / (10 * MS);
    check("a beating timer beats neither too often nor too seldom", beats >= 5 && beats <= most);
    sleep_ms(200);
    must("one signal waits", contains(&pending(), BEATING));
    let (_, information) = done("wait", wait_for(&[BEATING], 0));
    check("the beats that nobody took are its overrun", parts(&information).1 >= 15);
    let old = done("stop", set(id, 0, 0, 0));
    equal("the old setting is told", nanoseconds(old.it_interval), 10 * MS);
    must("with what was left", nanoseconds(old.it_value) <= 10 * MS);
    while wait_for(&[BEATING], 30).is_ok() {}
    equal("a stopped timer is silent", wait_for(&[BEATING], 50).map(|_| ()), Err(libc::EAGAIN));
    delete(id);
}

fn thrown_away_while_it_waits() {
    block(&[BEATING]);
    let id = done("create", create(libc::CLOCK_MONOTONIC, Some(&event(libc::SIGEV_SIGNAL, BEATING, 1))));
    done("set", set(id, 0, MS, 0));
    while !contains(&pending(), BEATING) {
        sleep_ms(1);
    }
    set_disposition(BEATING, libc::SIG_IGN);
    check("who ignores a signal throws away what waits", !contains(&pending(), BEATING));
    set_disposition(BEATING, libc::SIG_DFL);
    done("set", set(id, 0, MS, 0));
    equal("its timer rings when it is set again", wait_for(&[BEATING], 5000).map(|(signal, _)| signal), Ok(BEATING));
    delete(id);
}

fn carries_its_value() {
    let queued = libc::SIGRTMIN() + 3;
    block(&[queued]);
    let ids: Vec<i32> =
        (0..3).map(|n| done("create", create(libc::CLOCK_REALTIME, Some(&event(libc::SIGEV_SIGNAL, queued, 0x1_0000_0000 + n))))).collect();
    ids.iter().for_each(|id| {
        done("set", set(*id, 0, MS, 0));
    });
    let mut values: Vec<u64> = (0..3).map(|_| parts(&done("wait", wait_for(&[queued], 5000)).1).2).collect();
    values.sort_unstable();
    equal("each timer's signal waits by itself and carries its own value", values, vec![0x1_0000_0000, 0x1_0000_0001, 0x1_0000_0002]);
    ids.into_iter().for_each(delete);
}

static TAKER: AtomicI32 = AtomicI32::new(0);

extern "C" fn note_taker(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    TAKER.store(call!(SYS_gettid).map_or(0, |id| id as i32), SeqCst);
}

fn to_one_thread() {
    handle(libc::SIGUSR2, note_taker, 0);
    let thread = std::thread::spawn(|| {
        let own = done("gettid", call!(SYS_gettid)) as i32;
        let id =
            done("create", create(libc::CLOCK_MONOTONIC, Some(&Event { thread: own, ..event(libc::SIGEV_THREAD_ID, libc::SIGUSR2, 0) })));
        done("set", set(id, 0, 10 * MS, 0));
        while TAKER.load(SeqCst) == 0 {
            sleep_ms(1);
        }
        delete(id);
        TAKER.load(SeqCst) == own
    });
    check("a timer for one thread rings there", thread.join().is_ok_and(|own| own));
    let stranger = Event { thread: 1, ..event(libc::SIGEV_THREAD_ID, libc::SIGUSR2, 0) };
    if linux_tests::process::my_pid() != 1 {
        must_equal("a stranger's thread", create(libc::CLOCK_MONOTONIC, Some(&stranger)), Err(libc::EINVAL));
    }
    check("and for no thread of another process", true);
}

fn told_to_nobody() {
    let id = done("create", create(libc::CLOCK_MONOTONIC, Some(&event(libc::SIGEV_NONE, 0, 0))));
    done("set", set(id, 0, 1000 * 1000 * MS, 0));
    let left = nanoseconds(get(id).it_value);
    check("a timer that tells nobody is asked", left > 900 * 1000 * MS && left <= 1000 * 1000 * MS);
    done("set", set(id, 0, MS, 0));
    sleep_ms(5);
    equal("and has nothing left when it is over", nanoseconds(get(id).it_value), 0);
    delete(id);
}

fn by_processor_time() {
    for (name, clock) in [("process", libc::CLOCK_PROCESS_CPUTIME_ID), ("thread", libc::CLOCK_THREAD_CPUTIME_ID)] {
        block(&[libc::SIGUSR1]);
        let id = done("create", create(clock, Some(&event(libc::SIGEV_SIGNAL, libc::SIGUSR1, 0))));
        let began = now(clock);
        done("set", set(id, 0, 30 * MS, 0));
        equal(&format!("sleeping uses none of a {name}'s processor time"), wait_for(&[libc::SIGUSR1], 80).map(|_| ()), Err(libc::EAGAIN));
        while !contains(&pending(), libc::SIGUSR1) {
            must("it rings at last", now(clock) - began < 5000 * MS);
        }
        check(&format!("a {name}'s processor time rings when it is used"), now(clock) - began >= 30 * MS);
        done("wait", wait_for(&[libc::SIGUSR1], 0));
        delete(id);
    }
}

fn absolute_and_in_the_past() {
    block(&[libc::SIGALRM]);
    for clock in [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME] {
        let id = done("create", create(clock, None));
        done("set", set(id, libc::TIMER_ABSTIME, now(clock) + 10 * MS, 0));
        let rang = wait_for(&[libc::SIGALRM], 5000).is_ok();
        done("set", set(id, libc::TIMER_ABSTIME, 1, 0));
        must("a moment long past", rang && wait_for(&[libc::SIGALRM], 5000).is_ok());
        done("set", set(id, libc::TIMER_ABSTIME, i64::MAX as u64, 0));
        must("the far future", wait_for(&[libc::SIGALRM], 10).is_err());
        delete(id);
    }
    check("moments ring on every clock, those in the past at once", true);
}

fn gone_with_exec_and_fork() {
    set_disposition(libc::SIGALRM, libc::SIG_DFL);
    linux_tests::signal::unblock(&[libc::SIGALRM]);
    let id = done("create", create(libc::CLOCK_MONOTONIC, Some(&event(libc::SIGEV_NONE, 0, 0))));
    let child = in_a_child(|| {
        must_equal("a child has no timers", call!(SYS_timer_gettime, id, &mut spec(0, 0) as *mut libc::itimerspec), Err(libc::EINVAL));
        0
    });
    equal("timers are not inherited", child, Ended::Exited(0));
    delete(id);
}

/// A stopped process hears of two signals, also when they are a timer's.
fn those_who_are_stopped() {
    let stopped_beside = |signal: i32| {
        in_a_child(|| {
            let id = done("create", create(libc::CLOCK_MONOTONIC, Some(&event(libc::SIGEV_SIGNAL, signal, 0))));
            done("set", set(id, 0, 60 * MS, 0));
            done("kill", kill(my_pid(), libc::SIGSTOP));
            7
        })
    };
    equal("a timer kills who is stopped", stopped_beside(libc::SIGKILL), Ended::Killed(libc::SIGKILL));
    equal("a timer continues who is stopped", stopped_beside(libc::SIGCONT), Ended::Exited(7));
}

fn wrong_arguments() {
    equal("no such clock", create(77, None), Err(libc::EINVAL));
    equal("no such signal", create(libc::CLOCK_MONOTONIC, Some(&event(libc::SIGEV_SIGNAL, 65, 0))), Err(libc::EINVAL));
    equal("no such notice", create(libc::CLOCK_MONOTONIC, Some(&event(9, 10, 0))), Err(libc::EINVAL));
    equal("a wild event", call!(SYS_timer_create, libc::CLOCK_MONOTONIC, 8, 8), Err(libc::EFAULT));
    equal("no such timer", call!(SYS_timer_delete, 12345), Err(libc::EINVAL));
    let id = done("create", create(libc::CLOCK_MONOTONIC, None));
    let mut bad = spec(MS, 0);
    bad.it_value.tv_nsec = 1_000_000_000;
    equal("a malformed time", call!(SYS_timer_settime, id, 0, &raw const bad, 0), Err(libc::EINVAL));
    equal("no time at all", call!(SYS_timer_settime, id, 0, 0, 0), Err(libc::EINVAL));
    equal("a wild result", call!(SYS_timer_gettime, id, 8), Err(libc::EFAULT));
    delete(id);
    equal("deleted twice", call!(SYS_timer_delete, id), Err(libc::EINVAL));
}

/// Many timers made, set and deleted by several threads while they ring.
fn many_at_once() {
    block(&[libc::SIGUSR1]);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                for turn in 0..100 {
                    let id = done("create", create(libc::CLOCK_MONOTONIC, Some(&event(libc::SIGEV_SIGNAL, libc::SIGUSR1, 0))));
                    done("set", set(id, 0, 1 + turn * 2000, 100_000));
                    let _maybe_taken = wait_for(&[libc::SIGUSR1], 1);
                    delete(id);
                }
            })
        })
        .collect();
    check("timers come and go while they ring", threads.into_iter().all(|thread| thread.join().is_ok()));
    while wait_for(&[libc::SIGUSR1], 0).is_ok() {}
}

fn file(clock: i32, flags: i32) -> i32 {
    done("timerfd_create", call!(SYS_timerfd_create, clock, flags)) as i32
}

fn set_file(fd: i32, flags: i32, value: u64, interval: u64) -> Result<libc::itimerspec, Errno> {
    let mut old = spec(0, 0);
    call!(SYS_timerfd_settime, fd, flags, &spec(value, interval) as *const libc::itimerspec, &raw mut old)?;
    Ok(old)
}

fn read(fd: i32) -> Result<u64, Errno> {
    let mut count = 0_u64;
    let bytes = call!(SYS_read, fd, &raw mut count, 8)?;
    must_equal("eight bytes", bytes, 8);
    Ok(count)
}

fn close(fd: i32) {
    done("close", call!(SYS_close, fd));
}

fn file_once() {
    let fd = file(libc::CLOCK_MONOTONIC, 0);
    let began = monotonic();
    done("set", set_file(fd, 0, 20 * MS, 0));
    equal("a read waits for the moment", read(fd), Ok(1));
    check("and no shorter", monotonic() - began >= 20 * MS);
    done("fcntl", call!(SYS_fcntl, fd, libc::F_SETFL, libc::O_NONBLOCK));
    equal("it has rung", read(fd), Err(libc::EAGAIN));
    close(fd);
}

fn file_beats() {
    let fd = file(libc::CLOCK_REALTIME, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC);
    equal("a timer that was never set", read(fd), Err(libc::EAGAIN));
    let began = monotonic();
    done("set", set_file(fd, libc::TFD_TIMER_ABSTIME, now(libc::CLOCK_REALTIME) + 10 * MS, 10 * MS));
    sleep_ms(105);
    let count = done("read", read(fd));
    check("a read tells all beats so far", count >= 10 && count <= (monotonic() - began) / (10 * MS));
    let mut setting = spec(0, 0);
    done("timerfd_gettime", call!(SYS_timerfd_gettime, fd, &raw mut setting));
    check("and the setting goes on", nanoseconds(setting.it_interval) == 10 * MS && nanoseconds(setting.it_value) <= 10 * MS);
    done("stop", set_file(fd, 0, 0, 0));
    sleep_ms(20);
    equal("until it is stopped", read(fd), Err(libc::EAGAIN));
    close(fd);
}

fn file_polled() {
    let fd = file(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK);
    let set = done("epoll_create1", call!(SYS_epoll_create1, 0)) as i32;
    let mut wanted = libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 7 };
    done("epoll_ctl", call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, fd, &raw mut wanted));
    let wait = |milliseconds: i32| {
        let mut got = libc::epoll_event { events: 0, u64: 0 };
        let count = done("epoll_wait", call!(SYS_epoll_wait, set, &raw mut got, 1, milliseconds));
        (count, got.u64)
    };
    equal("nothing before it is set", wait(0).0, 0);
    done("set", set_file(fd, 0, 10 * MS, 10 * MS));
    equal("an expiry is an event", wait(5000), (1, 7));
    must("read", read(fd).is_ok());
    equal("and the next after a read is one again", wait(5000), (1, 7));
    must("read", read(fd).is_ok());
    let mut poll = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    equal("poll sees it too", call!(SYS_poll, &raw mut poll, 1, 5000), Ok(1));
    close(set);
    close(fd);
}

fn file_set_again_while_read() {
    let fd = file(libc::CLOCK_MONOTONIC, 0);
    done("set", set_file(fd, 0, 3600 * 1000 * MS, 0));
    let reader = std::thread::spawn(move || read(fd));
    sleep_ms(20);
    done("set", set_file(fd, 0, MS, 0));
    equal("who reads already wakes by the new setting", reader.join().ok(), Some(Ok(1)));
    close(fd);
}

fn file_wrong_arguments() {
    equal("no file for processor time", call!(SYS_timerfd_create, libc::CLOCK_PROCESS_CPUTIME_ID, 0), Err(libc::EINVAL));
    equal("no such flag", call!(SYS_timerfd_create, libc::CLOCK_MONOTONIC, 1), Err(libc::EINVAL));
    let fd = file(libc::CLOCK_MONOTONIC, 0);
    equal("no such flag of a setting", set_file(fd, 8, 1, 0).map(|_| ()), Err(libc::EINVAL));
    equal("not a timer", set_file(0, 0, 1, 0).map(|_| ()), Err(libc::EINVAL));
    equal("not a descriptor", set_file(777, 0, 1, 0).map(|_| ()), Err(libc::EBADF));
    let mut small = 0_u32;
    equal("too small a buffer", call!(SYS_read, fd, &raw mut small, 4), Err(libc::EINVAL));
    equal("it cannot be written", call!(SYS_write, fd, &raw const small, 4), Err(libc::EINVAL));
    let mut bad = spec(MS, 0);
    bad.it_value.tv_sec = -1;
    equal("a malformed time for a file", call!(SYS_timerfd_settime, fd, 0, &raw const bad, 0), Err(libc::EINVAL));
    close(fd);
}
