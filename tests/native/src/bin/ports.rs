//! Completion ports: every operation, every error, order and exact counts, waits that end in every way.

use linux_tests::objects::Objects;
use native_tests::opcode::{NOTHING, NOTIFIED, READ, RECEIVE, SEND, TIMEOUT, WRITE};
use native_tests::process::{Ended, close, close_all, exit_now, fork, in_a_child, kill, pipe, read, wait as wait_for, write};
use native_tests::{
    Completion, DO_NOT_BLOCK, Message, Submission, channel, check, done, equal, io_create, must, must_equal, notify, notify_create, op,
    port, receive, send, sleep_ms, submit, submit_from, unless_busy, until_busy, wait, wait_at,
};

const NOWHERE: usize = 0x10;
const MILLISECOND: u64 = 1_000_000;

fn over(entry: Submission, buffer: &mut [u8]) -> Submission {
    Submission { buffer: buffer.as_mut_ptr().addr() as u64, length: buffer.len() as u32, ..entry }
}

fn with_message(entry: Submission, message: &mut Message) -> Submission {
    Submission { buffer: std::ptr::from_mut(message).addr() as u64, ..entry }
}

/// The one completion's number and result.
#[track_caller]
fn one(port: i32) -> (u64, i64) {
    let got = done("waiting", wait(port, 8, 1, 0));
    must_equal("completions", got.len(), 1);
    (got[0].user_data, got[0].result)
}

fn must_begin(port: i32, entry: Submission) {
    must_equal("entries accepted", submit(port, &[entry]), Ok(1));
}

fn bad_arguments() {
    equal("no flags", io_create(1), Err(libc::EINVAL));
    let port = port();
    equal("submitting to nothing", submit(-1, &[op(1, NOTHING, -1)]), Err(libc::EBADF));
    equal("submitting to a file", submit(0, &[op(1, NOTHING, -1)]), Err(libc::EBADF));
    equal("waiting on a file", wait(0, 1, 0, 0), Err(libc::EBADF));
    equal("entries from nowhere", submit_from(port, NOWHERE, 1), Err(libc::EFAULT));
    equal("no entries", submit_from(port, NOWHERE, 0), Ok(0));
    equal("more wanted than there is room for", wait(port, 1, 2, 0), Err(libc::EINVAL));
    equal("nothing there", wait(port, 4, 0, 0), Ok(vec![]));
    let mut byte = [0; 1];
    let entries = [
        (op(0, 99, 0), libc::EINVAL),
        (Submission { flags: 1, ..op(1, NOTHING, 0) }, libc::EINVAL),
        (over(op(2, READ, 99), &mut byte), libc::EBADF),
        (over(op(3, WRITE, -1), &mut byte), libc::EBADF),
        (op(4, SEND, port), libc::EBADF),
        (op(5, RECEIVE, 0), libc::EBADF),
        (op(6, NOTIFIED, 0), libc::EBADF),
        (op(7, native_tests::opcode::INTERRUPT, 0), libc::EBADF),
        (over(op(8, READ, port), &mut byte), libc::EINVAL),
    ];
    must_equal("accepted", submit(port, &entries.map(|(entry, _)| entry)), Ok(entries.len()));
    let got = done("waiting", wait(port, 16, 9, 0));
    let wanted: Vec<_> = entries.iter().map(|(entry, error)| (entry.user_data, -i64::from(*error), entry.opcode)).collect();
    equal("each fails by itself", got.iter().map(|one| (one.user_data, one.result, one.opcode)).collect::<Vec<_>>(), wanted);
    must_begin(port, op(77, NOTHING, -1));
    equal("no place for completions", wait_at(port, NOWHERE, 4, 1, 0), Err(libc::EFAULT));
    equal("none is lost by that", one(port), (77, 0));
    close_all(&[port]);
}

fn timeouts() {
    let port = port();
    let timeout = |number, timeout| Submission { timeout, ..op(number, TIMEOUT, -1) };
    let entries = [timeout(1, 30 * MILLISECOND), timeout(2, 0), timeout(3, 10 * MILLISECOND), timeout(4, u64::MAX)];
    must_equal("accepted", submit(port, &entries), Ok(4));
    let got = done("waiting", wait(port, 8, 3, 0));
    equal("in order of time", got.iter().map(|one| one.user_data).collect::<Vec<_>>(), vec![2, 3, 1]);
    equal("a wait that is over before", wait(port, 8, 1, 5 * MILLISECOND), Ok(vec![]));
    must_begin(port, op(5, NOTHING, -1));
    equal("what there is by then", wait(port, 8, 2, 5 * MILLISECOND).map(|got| got.len()), Ok(1));
    close_all(&[port]);
}

fn files() {
    let port = port();
    let (reader, writer) = pipe();
    let (mut first, mut second) = ([0; 4], [0; 4]);
    must_begin(port, over(op(1, READ, reader), &mut first));
    must_begin(port, over(op(2, READ, reader), &mut second));
    equal("nothing to read yet", wait(port, 8, 0, 0), Ok(vec![]));
    must("writing", write(writer, b"abc") == Ok(3));
    let (number, count) = one(port);
    check("one of two readers has the bytes", count == 3 && (number == 1 && &first == b"abc\0" || number == 2 && &second == b"abc\0"));
    done("close", close(writer));
    equal("the other has the end", one(port), (3 - number, 0));
    done("close", close(reader));
    let (reader, writer) = pipe();
    must_begin(port, over(op(3, WRITE, writer), &mut b"hello".to_vec()));
    equal("a write that need not wait", one(port), (3, 5));
    let mut large = vec![7; 70000];
    must_begin(port, over(op(4, WRITE, writer), &mut large));
    let (_, count) = one(port);
    must_begin(port, over(op(5, WRITE, writer), &mut large[..100]));
    equal("the pipe is full", (count, wait(port, 8, 0, 0)), (65536 - 5, Ok(vec![])));
    let mut drained = vec![0; 65536];
    must("reading", read(reader, &mut drained) == Ok(65536));
    equal("a write that waited for room", one(port), (5, 100));
    done("close", close(reader));
    must_begin(port, over(op(6, WRITE, writer), &mut large[..100]));
    equal("nobody reads, and there is no signal", one(port), (6, -i64::from(libc::EPIPE)));
    done("close", close(writer));
    regular_file(port);
    close_all(&[port]);
}

fn regular_file(port: i32) {
    let scratch = linux_tests::scratch::Scratch::new("ports");
    let path = scratch.file("text", b"0123456789", 0o600);
    let file = done("open", std::fs::OpenOptions::new().read(true).write(true).open(path));
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    let mut bytes = [0; 4];
    must_begin(port, Submission { offset: 6, ..over(op(1, READ, fd), &mut bytes) });
    equal("read at an offset", (one(port), bytes), ((1, 4), *b"6789"));
    must_begin(port, Submission { offset: 2, ..over(op(2, WRITE, fd), &mut b"xy".to_vec()) });
    must_begin(port, Submission { offset: 1, ..over(op(3, READ, fd), &mut bytes) });
    equal("written at an offset", (done("waiting", wait(port, 8, 2, 0)).len(), bytes), (2, *b"1xy4"));
}

fn buffers_that_go() {
    let port = port();
    let (reader, writer) = pipe();
    let page = linux_tests::memory::anonymous(1);
    must_begin(port, Submission { buffer: page as u64, length: 100, ..op(1, READ, reader) });
    done("munmap", linux_tests::memory::unmap(page, 4096));
    must("writing", write(writer, b"abc") == Ok(3));
    equal("a buffer that was unmapped meanwhile", one(port), (1, -i64::from(libc::EFAULT)));
    equal("and no byte is lost", read(reader, &mut [0; 8]), Ok(3));
    let mut bytes = [0; 3];
    must_begin(port, over(op(2, READ, reader), &mut bytes));
    let ended = in_a_child(|| {
        must("writing", write(writer, b"xyz") == Ok(3));
        let got = one(port);
        i32::from(got != (2, 3) || bytes != [0; 3])
    });
    equal("a child waits for what its parent asked for", ended, Ended::Exited(0));
    equal("and the parent has the bytes", bytes, *b"xyz");
    let child = fork(|| {
        let mut mine = [0; 3];
        must_begin(port, over(op(3, READ, reader), &mut mine));
        0
    });
    wait_for(child);
    must("writing", write(writer, b"xyz") == Ok(3));
    equal("who asked has ended", one(port), (3, -i64::from(libc::EFAULT)));
    equal("no byte is lost", read(reader, &mut [0; 8]), Ok(3));
    close_all(&[port, reader, writer]);
}

fn messages() {
    let port = port();
    let (sender, receiver) = channel(0);
    let (mut out, mut into) = (Message::new(5), Message::new(0));
    must_begin(port, with_message(op(1, SEND, sender), &mut out));
    equal("nobody receives yet", wait(port, 8, 0, 0), Ok(vec![]));
    equal("its message is there", receive(receiver, DO_NOT_BLOCK), Ok(Message::new(5)));
    equal("taken", one(port), (1, 0));
    must_begin(port, with_message(op(2, RECEIVE, receiver), &mut into));
    equal("a receive that waits is a receiver", send(sender, &Message::new(6), DO_NOT_BLOCK), Ok(0));
    equal("received", (one(port), into), ((2, 0), Message::new(6)));
    equal("one, not two", send(sender, &Message::new(6), DO_NOT_BLOCK), Err(libc::EAGAIN));
    let mut again = Message::new(9);
    must_begin(port, with_message(op(3, RECEIVE, receiver), &mut into));
    must_begin(port, with_message(op(4, SEND, sender), &mut again));
    let got = done("waiting", wait(port, 8, 2, 0));
    equal("both ends on one port", (got.len(), into.tag), (2, 9));
    let (reader, writer) = pipe();
    must_begin(port, with_message(op(5, RECEIVE, receiver), &mut into));
    done("sending", send(sender, &Message::carrying(7, writer), 0));
    equal("a file comes", (one(port), into.tag), ((5, 0), 7));
    must("writing", write(into.fds[0], b"x") == Ok(1));
    equal("the same pipe", read(reader, &mut [0; 2]), Ok(1));
    close_all(&[reader, writer, into.fds[0]]);
    must_begin(port, with_message(op(6, RECEIVE, receiver), &mut into));
    must_begin(port, with_message(op(7, SEND, sender), &mut Message::carrying(1, 99)));
    equal("a descriptor that is not open", one(port), (7, -i64::from(libc::EBADF)));
    done("close", close(sender));
    equal("the end", one(port), (6, -i64::from(libc::EPIPE)));
    done("close", close(receiver));
    let (sender, receiver) = channel(0);
    must_begin(port, with_message(op(8, SEND, sender), &mut out));
    done("close", close(receiver));
    equal("nobody will receive", one(port), (8, -i64::from(libc::EPIPE)));
    close_all(&[sender, port]);
}

fn notifications() {
    let port = port();
    equal("unknown flags", notify_create(2), Err(libc::EINVAL));
    equal("notifying a file", notify(0), Err(libc::EBADF));
    let fd = done("notify_create", notify_create(0)) as i32;
    must_begin(port, op(1, NOTIFIED, fd));
    must_begin(port, op(2, NOTIFIED, fd));
    equal("one waiter at a time", one(port), (2, -i64::from(libc::EBUSY)));
    equal("notify", notify(fd), Ok(0));
    equal("heard", one(port), (1, 0));
    (0..5).for_each(|_| must_equal("notify", notify(fd), Ok(0)));
    must_begin(port, op(3, NOTIFIED, fd));
    equal("five before the wait", one(port), (3, 0));
    must_begin(port, op(4, NOTIFIED, fd));
    equal("are one", wait(port, 8, 1, 5 * MILLISECOND), Ok(vec![]));
    let child = fork(|| {
        sleep_ms(5);
        i32::from(notify(fd) != Ok(0))
    });
    equal("from another program", (one(port), wait_for(child)), ((4, 0), Ended::Exited(0)));
    close_all(&[port, fd]);
}

fn full() {
    let port = port();
    let entries: Vec<_> = (0..3000).map(|number| op(number, NOTHING, -1)).collect();
    let accepted = done("submitting", submit(port, &entries));
    check("a full port refuses the rest", (128..3000).contains(&accepted));
    equal("all of it", submit(port, &entries[accepted..]), Ok(0));
    let mut got = done("waiting", wait(port, 5000, accepted as u32, 0));
    must_equal("accepted after that", submit(port, &entries[accepted..accepted + 10]), Ok(10));
    got.extend(done("waiting", wait(port, 100, 10, 0)));
    equal("none is lost", got.iter().map(|one| one.user_data).eq(0..accepted as u64 + 10), true);
    close_all(&[port]);
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn waits_that_end() {
    let port = port();
    let ended = in_a_child(|| {
        linux_tests::signal::handle(libc::SIGALRM, nothing, libc::SA_RESTART);
        linux_tests::signal::set_timer(20, 0);
        i32::from(wait(port, 8, 1, 0) != Err(libc::EINTR))
    });
    equal("a signal ends a wait", ended, Ended::Exited(0));
    let child = fork(|| exit_now(i32::from(unless_busy(|| wait(port, 8, 1, 0)))));
    until_busy(|| wait(port, 8, 0, 0));
    equal("one waits at a time", wait(port, 8, 0, 0), Err(libc::EBUSY));
    done("kill", kill(child, libc::SIGKILL));
    equal("killed as it waits", wait_for(child), Ended::Killed(9));
    must_begin(port, op(1, NOTHING, -1));
    equal("and others may wait again", one(port), (1, 0));
    let (reader, _writer) = pipe();
    let mut bytes = [0; 8];
    let (sender, receiver) = channel(0);
    let mut message = Message::new(1);
    let fd = done("notify_create", notify_create(0)) as i32;
    let timeout = Submission { timeout: u64::MAX, ..op(4, TIMEOUT, -1) };
    let entries = [
        over(op(1, READ, reader), &mut bytes),
        with_message(op(2, SEND, sender), &mut message),
        op(3, NOTIFIED, fd),
        timeout,
        with_message(op(5, RECEIVE, receiver), &mut message),
    ];
    must_equal("accepted", submit(port, &entries[..4]), Ok(4));
    done("close", close(port));
    equal("a message of a port that was closed", receive(receiver, DO_NOT_BLOCK), Err(libc::EAGAIN));
    equal("a notification of one", notify(fd), Ok(0));
    close_all(&[reader, _writer, sender, receiver, fd]);
}

fn on_itself() {
    let port = port();
    let (sender, receiver) = channel(4);
    let mut message = Message::new(1);
    done("sending", send(sender, &Message::carrying(1, port), 0));
    must_begin(port, with_message(op(1, RECEIVE, receiver), &mut message));
    let (number, result) = one(port);
    check("a port comes through a channel that it waits for", number == 1 && result == 0 && message.fds[0] > 2);
    let again = message.fds[0];
    must_begin(again, with_message(op(2, RECEIVE, receiver), &mut message));
    done("sending", send(sender, &Message::carrying(2, port), 0));
    close_all(&[port, again, receiver, sender]);
}

fn many_producers() {
    const PRODUCERS: u64 = 8;
    const EACH: u64 = 500;
    let port = port();
    let producer = |producer: u64| {
        for round in 0..EACH {
            let number = producer * EACH + round;
            let (opcode, timeout) = if round % 3 == 0 { (TIMEOUT, 1000 * (round % 50)) } else { (NOTHING, 0) };
            while submit(port, &[Submission { timeout, ..op(number, opcode, -1) }]) == Ok(0) {
                std::thread::yield_now();
            }
        }
    };
    let mut seen = vec![0_u8; (PRODUCERS * EACH) as usize];
    std::thread::scope(|scope| {
        (0..PRODUCERS).for_each(|number| drop(scope.spawn(move || producer(number))));
        let mut count = 0;
        while count < PRODUCERS * EACH {
            let got: Vec<Completion> = done("waiting", wait(port, 64, 1, 0));
            got.iter().for_each(|one| seen[one.user_data as usize] += 1);
            count += got.len() as u64;
        }
    });
    check("of eight producers each completion comes once", seen.iter().all(|times| *times == 1));
    equal("and no more", wait(port, 8, 0, 0), Ok(vec![]));
    close_all(&[port]);
}

fn main() {
    // Threads take memory of their own at their first use.
    std::thread::scope(|scope| drop(scope.spawn(|| ())));
    let before = Objects::of_one_thread();
    bad_arguments();
    timeouts();
    files();
    buffers_that_go();
    messages();
    notifications();
    full();
    waits_that_end();
    before.must_be_all_there_is();
    on_itself();
    before.must_be_all_there_is();
    many_producers();
    before.must_be_all_there_is();
    println!("ok");
}
