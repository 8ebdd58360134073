//! Channels: every answer of the calls, order, hand to hand, ends that go away.

use linux_tests::asleep::wait_until_asleep;
use linux_tests::objects::Objects;
use native_tests::process::{Ended, close, close_all, exit_now, fork, in_a_child, kill, wait};
use native_tests::{
    CLOSE_ON_EXEC, DO_NOT_BLOCK, Message, channel, check, done, equal, ipc_create, must, must_equal, receive, receive_at, send, send_from,
    sleep_ms,
};

const NOWHERE: usize = 0x10;

fn bad_arguments() {
    equal("no flags but the first", ipc_create([0; 2].as_mut_ptr(), 0, 2), Err(libc::EINVAL));
    equal("no place for the ends", ipc_create(NOWHERE as *mut i32, 0, 0), Err(libc::EFAULT));
    equal("an absurd capacity", ipc_create([0; 2].as_mut_ptr(), u32::MAX, 0), Err(libc::EINVAL));
    let (sender, receiver) = channel(1);
    let message = Message::new(1);
    equal("sending to nothing", send(-1, &message, 0), Err(libc::EBADF));
    equal("sending to a file", send(0, &message, 0), Err(libc::EBADF));
    equal("sending into the wrong end", send(receiver, &message, 0), Err(libc::EBADF));
    equal("receiving from the wrong end", receive(sender, 0), Err(libc::EBADF));
    equal("unknown flags in sending", send(sender, &message, 2), Err(libc::EINVAL));
    equal("unknown flags in receiving", receive(receiver, 4), Err(libc::EINVAL));
    equal("a message from nowhere", send_from(sender, NOWHERE), Err(libc::EFAULT));
    equal("a descriptor that is not open", send(sender, &Message::carrying(1, 99), 0), Err(libc::EBADF));
    equal("a descriptor below none", send(sender, &Message::carrying(1, -2), 0), Err(libc::EBADF));
    equal("and nothing was sent", receive(receiver, DO_NOT_BLOCK), Err(libc::EAGAIN));
    done("sending", send(sender, &message, 0));
    equal("no place for the message", receive_at(receiver, NOWHERE, 0), Err(libc::EFAULT));
    equal("it is still there", receive(receiver, 0), Ok(message));
    close_both((sender, receiver));
}

fn close_both((sender, receiver): (i32, i32)) {
    close_all(&[sender, receiver]);
}

fn buffered() {
    let (sender, receiver) = channel(3);
    for tag in 0..3 {
        equal("room", send(sender, &Message::new(tag), DO_NOT_BLOCK), Ok(0));
    }
    equal("full", send(sender, &Message::new(3), DO_NOT_BLOCK), Err(libc::EAGAIN));
    let child = fork(|| i32::from(send(sender, &Message::new(3), 0) != Ok(0)));
    wait_until_asleep(child);
    equal("the first", receive(receiver, 0), Ok(Message::new(0)));
    equal("who waited for room got it", wait(child), Ended::Exited(0));
    for tag in 1..4 {
        equal("in order", receive(receiver, DO_NOT_BLOCK), Ok(Message::new(tag)));
    }
    equal("empty", receive(receiver, DO_NOT_BLOCK), Err(libc::EAGAIN));
    done("sending", send(sender, &Message::new(7), 0));
    done("close", close(sender));
    equal("what was sent before the end", receive(receiver, 0), Ok(Message::new(7)));
    equal("the end", receive(receiver, 0), Err(libc::EPIPE));
    equal("the end, not waiting", receive(receiver, DO_NOT_BLOCK), Err(libc::EPIPE));
    done("close", close(receiver));
    let (sender, receiver) = channel(3);
    done("sending", send(sender, &Message::new(1), 0));
    done("close", close(receiver));
    equal("nobody receives", send(sender, &Message::new(2), 0), Err(libc::EPIPE));
    equal("nobody receives, not waiting", send(sender, &Message::new(2), DO_NOT_BLOCK), Err(libc::EPIPE));
    done("close", close(sender));
}

fn hand_to_hand() {
    let (sender, receiver) = channel(0);
    equal("nobody waits", send(sender, &Message::new(1), DO_NOT_BLOCK), Err(libc::EAGAIN));
    equal("nobody sends", receive(receiver, DO_NOT_BLOCK), Err(libc::EAGAIN));
    let child = fork(|| i32::from(send(sender, &Message::new(5), 0) != Ok(0)));
    wait_until_asleep(child);
    equal("a waiting sender is there for who does not wait", receive(receiver, DO_NOT_BLOCK), Ok(Message::new(5)));
    equal("and goes on", wait(child), Ended::Exited(0));
    let child = fork(|| i32::from(receive(receiver, 0) != Ok(Message::new(6))));
    wait_until_asleep(child);
    equal("a waiting receiver is there for who does not wait", send(sender, &Message::new(6), DO_NOT_BLOCK), Ok(0));
    equal("and has it", wait(child), Ended::Exited(0));
    let (back, answers) = channel(0);
    let child = fork(|| {
        for tag in 0..2000 {
            if receive(receiver, 0) != Ok(Message::new(tag)) || send(back, &Message::new(!tag), 0) != Ok(0) {
                return 1;
            }
        }
        0
    });
    for tag in 0..2000 {
        done("asking", send(sender, &Message::new(tag), 0));
        must_equal("the answer", receive(answers, 0), Ok(Message::new(!tag)));
    }
    equal("two thousand round trips", wait(child), Ended::Exited(0));
    close_both((sender, receiver));
    close_both((back, answers));
}

/// A child that waits in `act` until something is done to it; how it ends.
fn fate(act: impl FnOnce() -> i32, what_happens: impl FnOnce(i32)) -> Ended {
    let child = fork(act);
    wait_until_asleep(child);
    what_happens(child);
    wait(child)
}

fn ends_that_go() {
    let (sender, receiver) = channel(0);
    let ended = fate(
        || {
            let _mine = close(receiver);
            i32::from(send(sender, &Message::new(1), 0) != Err(libc::EPIPE))
        },
        |_| close_all(&[receiver]),
    );
    equal("a waiting sender hears that nobody will receive", ended, Ended::Exited(0));
    done("close", close(sender));
    let (sender, receiver) = channel(0);
    let ended = fate(
        || {
            let _mine = close(sender);
            i32::from(receive(receiver, 0) != Err(libc::EPIPE))
        },
        |_| close_all(&[sender]),
    );
    equal("a waiting receiver hears that nobody will send", ended, Ended::Exited(0));
    done("close", close(receiver));
    let (sender, receiver) = channel(0);
    let killed = |pid: i32| must("it is killed", kill(pid, libc::SIGKILL).is_ok());
    equal("a sender killed as it waits", fate(|| exit_now(send(sender, &Message::new(1), 0).is_ok().into()), killed), Ended::Killed(9));
    equal("takes its message with it", receive(receiver, DO_NOT_BLOCK), Err(libc::EAGAIN));
    equal("a receiver killed as it waits", fate(|| exit_now(receive(receiver, 0).is_ok().into()), killed), Ended::Killed(9));
    equal("is waited for no more", send(sender, &Message::new(1), DO_NOT_BLOCK), Err(libc::EAGAIN));
    close_both((sender, receiver));
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn signals() {
    let (sender, receiver) = channel(0);
    let alarmed = |act: &dyn Fn() -> i32| {
        in_a_child(|| {
            linux_tests::signal::handle(libc::SIGALRM, nothing, 0);
            linux_tests::signal::set_timer(20, 0);
            act()
        })
    };
    let ended = alarmed(&|| i32::from(receive(receiver, 0) != Err(libc::EINTR)));
    equal("a signal calls a receiver out", ended, Ended::Exited(0));
    let ended = alarmed(&|| i32::from(send(sender, &Message::new(1), 0) != Err(libc::EINTR)));
    equal("a signal calls a sender out", ended, Ended::Exited(0));
    equal("who has sent nothing", receive(receiver, DO_NOT_BLOCK), Err(libc::EAGAIN));
    close_both((sender, receiver));
}

fn polled(fd: i32) -> i16 {
    let mut asked = libc::pollfd { fd, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
    // SAFETY: one structure of ours.
    unsafe { libc::poll(&mut asked, 1, 0) };
    asked.revents
}

fn readiness() {
    let (sender, receiver) = channel(1);
    equal("empty: room", (polled(sender), polled(receiver)), (libc::POLLOUT, 0));
    done("sending", send(sender, &Message::new(1), 0));
    equal("full: a message", (polled(sender), polled(receiver)), (0, libc::POLLIN));
    done("close", close(sender));
    equal("and the end behind it", polled(receiver), libc::POLLIN | libc::POLLHUP);
    done("close", close(receiver));
    let (sender, receiver) = channel(1);
    done("close", close(receiver));
    equal("nobody receives", polled(sender), libc::POLLERR);
    done("close", close(sender));
    let (sender, receiver) = channel(0);
    let child = fork(|| {
        let mut asked = libc::pollfd { fd: sender, events: libc::POLLOUT, revents: 0 };
        // SAFETY: one structure of ours.
        unsafe { libc::poll(&mut asked, 1, -1) };
        i32::from(send(sender, &Message::new(2), DO_NOT_BLOCK) != Ok(0))
    });
    wait_until_asleep(child);
    equal("who polls for a receiver hears of one", receive(receiver, 0), Ok(Message::new(2)));
    equal("and sent without waiting", wait(child), Ended::Exited(0));
    close_both((sender, receiver));
}

fn descriptors() {
    let mut ends = [0; 2];
    done("ipc_create", ipc_create(ends.as_mut_ptr(), 1, CLOSE_ON_EXEC));
    // SAFETY: no memory is involved.
    let flags = ends.map(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) });
    equal("both close at exec", flags, [libc::FD_CLOEXEC; 2]);
    // SAFETY: no memory is involved.
    let copy = unsafe { libc::dup(ends[0]) };
    done("close", close(ends[0]));
    equal("a copy sends", send(copy, &Message::new(9), 0), Ok(0));
    done("close", close(copy));
    equal("and with the last copy the end goes", (receive(ends[1], 0), receive(ends[1], 0)), (Ok(Message::new(9)), Err(libc::EPIPE)));
    let name = std::fs::read_link(format!("/proc/self/fd/{}", ends[1])).unwrap_or_default();
    check("it has a name in /proc", name.to_string_lossy().contains("channel"));
    done("close", close(ends[1]));
}

fn main() {
    let before = Objects::of_one_thread();
    bad_arguments();
    buffered();
    hand_to_hand();
    ends_that_go();
    signals();
    readiness();
    descriptors();
    sleep_ms(1);
    before.must_be_all_there_is();
    println!("ok");
}
