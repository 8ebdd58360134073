//! Signals read from a file: `signalfd`.

use linux_tests::process::{Ended, in_a_child, my_pid};
use linux_tests::signal::{block, raise, set_of};
use linux_tests::{Errno, call, check, done, equal, memory, must, must_equal, sleep_ms};

const RECORD: usize = 128;

fn main() {
    one_signal();
    several_at_once();
    queued_values();
    children();
    a_reader_that_waits();
    polled();
    another_mask();
    shared_with_a_child();
    a_fault_after_some();
    wrong_arguments();
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Record([u8; RECORD]);

impl Record {
    fn word(&self, at: usize) -> i32 {
        i32::from_ne_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
    fn signal(&self) -> i32 {
        self.word(0)
    }
    fn code(&self) -> i32 {
        self.word(8)
    }
    fn pid(&self) -> i32 {
        self.word(12)
    }
    fn status(&self) -> i32 {
        self.word(40)
    }
    fn number(&self) -> i32 {
        self.word(44)
    }
}

fn file(fd: i32, signals: &[i32], flags: i32) -> Result<i32, Errno> {
    let set = set_of(signals);
    call!(SYS_signalfd4, fd, &raw const set, 8, flags).map(|fd| fd as i32)
}

fn read(fd: i32, most: usize) -> Result<Vec<Record>, Errno> {
    let mut records = vec![Record([0; RECORD]); most];
    let bytes = call!(SYS_read, fd, records.as_mut_ptr(), most * RECORD)?;
    must_equal("whole records", bytes % RECORD, 0);
    records.truncate(bytes / RECORD);
    Ok(records)
}

fn close(fd: i32) {
    done("close", call!(SYS_close, fd));
}

fn one_signal() {
    block(&[libc::SIGUSR1, libc::SIGUSR2]);
    let fd = done("signalfd", file(-1, &[libc::SIGUSR1], libc::SFD_NONBLOCK | libc::SFD_CLOEXEC));
    equal("nothing waits", read(fd, 1).map(|_| ()), Err(libc::EAGAIN));
    raise(libc::SIGUSR2);
    equal("nor of the wanted ones", read(fd, 1).map(|_| ()), Err(libc::EAGAIN));
    raise(libc::SIGUSR1);
    let got = done("read", read(fd, 1));
    equal("a signal that waits is read", (got.len(), got[0].signal(), got[0].pid() == my_pid()), (1, libc::SIGUSR1, true));
    equal("and is gone then", read(fd, 1).map(|_| ()), Err(libc::EAGAIN));
    must("the other one still waits", file(fd, &[libc::SIGUSR2], 0) == Ok(fd) && read(fd, 1).is_ok());
    close(fd);
}

fn several_at_once() {
    let fd = done("signalfd", file(-1, &[libc::SIGUSR1, libc::SIGUSR2, libc::SIGTERM], libc::SFD_NONBLOCK));
    block(&[libc::SIGTERM]);
    [libc::SIGTERM, libc::SIGUSR2, libc::SIGUSR1].into_iter().for_each(raise);
    let got: Vec<i32> = done("read", read(fd, 8)).iter().map(Record::signal).collect();
    equal("one read takes all that wait, lowest first", got, vec![libc::SIGUSR1, libc::SIGUSR2, libc::SIGTERM]);
    close(fd);
}

fn queued_values() {
    let signal = libc::SIGRTMIN() + 1;
    block(&[signal]);
    let fd = done("signalfd", file(-1, &[signal], 0));
    for value in 0..5 {
        // SAFETY: plain values.
        let result = unsafe { libc::sigqueue(my_pid(), signal, libc::sigval { sival_ptr: value as *mut libc::c_void }) };
        must_equal("sigqueue", result, 0);
    }
    let got: Vec<(i32, i32)> = done("read", read(fd, 8)).iter().map(|record| (record.number(), record.code())).collect();
    equal("queued signals bring their values in order", got, (0..5).map(|value| (value, libc::SI_QUEUE)).collect::<Vec<_>>());
    close(fd);
}

fn children() {
    block(&[libc::SIGCHLD]);
    let fd = done("signalfd", file(-1, &[libc::SIGCHLD], 0));
    equal("a child ends", in_a_child(|| 7), Ended::Exited(7));
    let got = done("read", read(fd, 1));
    equal("and the file tells how", (got[0].signal(), got[0].code(), got[0].status()), (libc::SIGCHLD, libc::CLD_EXITED, 7));
    close(fd);
}

fn a_reader_that_waits() {
    let fd = done("signalfd", file(-1, &[libc::SIGUSR1], 0));
    for _ in 0..3 {
        let reader = std::thread::spawn(move || {
            let got = done("read", read(fd, 4));
            (got.len(), got[0].signal())
        });
        sleep_ms(20);
        done("kill", call!(SYS_kill, my_pid(), libc::SIGUSR1));
        must_equal("the reader wakes", reader.join().ok(), Some((1, libc::SIGUSR1)));
    }
    check("a reader sleeps until a signal comes", true);
    close(fd);
}

fn polled() {
    let fd = done("signalfd", file(-1, &[libc::SIGUSR1], libc::SFD_NONBLOCK));
    let set = done("epoll_create1", call!(SYS_epoll_create1, 0)) as i32;
    let mut wanted = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 9 };
    done("epoll_ctl", call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, fd, &raw mut wanted));
    let wait = move |milliseconds: i32| {
        let mut got = libc::epoll_event { events: 0, u64: 0 };
        done("epoll_wait", call!(SYS_epoll_wait, set, &raw mut got, 1, milliseconds))
    };
    equal("no event without a signal", wait(0), 0);
    let waiter = std::thread::spawn(move || wait(10_000));
    sleep_ms(20);
    done("kill", call!(SYS_kill, my_pid(), libc::SIGUSR1));
    equal("a signal is an event", waiter.join().ok(), Some(1));
    must("and is read", read(fd, 1).is_ok());
    equal("then there is none", wait(0), 0);
    close(set);
    close(fd);
}

fn another_mask() {
    let fd = done("signalfd", file(-1, &[], libc::SFD_NONBLOCK));
    raise(libc::SIGUSR1);
    equal("an empty mask shows nothing", read(fd, 1).map(|_| ()), Err(libc::EAGAIN));
    must_equal("the same descriptor", file(fd, &[libc::SIGUSR1, libc::SIGKILL, libc::SIGSTOP], 0), Ok(fd));
    equal("another mask shows more", read(fd, 1).map(|got| got[0].signal()), Ok(libc::SIGUSR1));
    close(fd);
}

fn shared_with_a_child() {
    let fd = done("signalfd", file(-1, &[libc::SIGUSR1], libc::SFD_NONBLOCK));
    raise(libc::SIGUSR1);
    let child = in_a_child(|| {
        must_equal("the parent's signal is not shown", read(fd, 1).map(|_| ()), Err(libc::EAGAIN));
        raise(libc::SIGUSR1);
        let got = done("read", read(fd, 1));
        must_equal("its own is", (got.len(), got[0].pid()), (1, my_pid()));
        0
    });
    equal("a child reads its own signals from it", child, Ended::Exited(0));
    equal("and the parent its own", read(fd, 1).map(|got| got.len()), Ok(1));
    close(fd);
}

fn a_fault_after_some() {
    let signals = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGTERM];
    let fd = done("signalfd", file(-1, &signals, libc::SFD_NONBLOCK));
    signals.into_iter().for_each(raise);
    let pages = memory::anonymous(2);
    done("mprotect", memory::protect(pages + memory::PAGE, memory::PAGE, libc::PROT_NONE));
    let last = pages + memory::PAGE - RECORD;
    equal("a fault after one record is a short read", call!(SYS_read, fd, last, 3 * RECORD), Ok(RECORD));
    // SAFETY: the first of the two pages is ours, and the record was read into its end.
    let first = unsafe { *(last as *const Record) };
    equal("of the first signal", first.signal(), libc::SIGUSR1);
    let left: Vec<i32> = std::iter::from_fn(|| read(fd, 1).ok()).map(|got| got[0].signal()).collect();
    equal("the one that met the fault is gone, the next is not", left, vec![libc::SIGTERM]);
    raise(libc::SIGUSR1);
    equal("a fault at once is an error", call!(SYS_read, fd, pages + memory::PAGE, RECORD), Err(libc::EFAULT));
    equal("and takes the signal all the same", read(fd, 1).map(|_| ()), Err(libc::EAGAIN));
    close(fd);
}

fn wrong_arguments() {
    let set = set_of(&[libc::SIGUSR1]);
    equal("a wrong size", call!(SYS_signalfd4, -1_i32, &raw const set, 4, 0), Err(libc::EINVAL));
    equal("a wild mask", call!(SYS_signalfd4, -1_i32, 8, 8, 0), Err(libc::EFAULT));
    equal("no such flag", file(-1, &[], 1), Err(libc::EINVAL));
    equal("not such a file", file(0, &[], 0), Err(libc::EINVAL));
    equal("not a descriptor", file(777, &[], 0), Err(libc::EBADF));
    let fd = done("signalfd", file(-1, &[libc::SIGUSR1], libc::SFD_NONBLOCK));
    let mut small = [0_u8; 64];
    equal("too small a buffer", call!(SYS_read, fd, small.as_mut_ptr(), 64), Err(libc::EINVAL));
    equal("it cannot be written", call!(SYS_write, fd, small.as_ptr(), 64), Err(libc::EINVAL));
    close(fd);
}
