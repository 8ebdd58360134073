//! Files that travel through channels: what arrives, what does not, circles, long chains, and that nothing is left behind.

use linux_tests::numbers::must_stay;
use linux_tests::objects::Objects;
use native_tests::process::{Ended, close, close_all, fork, in_a_child, pipe, read, wait, write};
use native_tests::{DO_NOT_BLOCK, Message, channel, check, done, equal, ipc_create, must, receive, receive_at, send};

const NOWHERE: usize = 0x10;

fn open_count() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count())
}

fn a_pipe_arrives() {
    let (sender, receiver) = channel(1);
    let child = fork(|| {
        let _mine = close(sender);
        let Ok(message) = receive(receiver, 0) else { return 1 };
        let written = write(message.fds[0], b"through it");
        i32::from(written != Ok(10) || message.fds[1..] != [-1; 3])
    });
    let (reader, writer) = pipe();
    done("sending", send(sender, &Message::carrying(3, writer), 0));
    done("close", close(writer));
    let mut bytes = [0; 16];
    equal("bytes come through the pipe that was sent", read(reader, &mut bytes), Ok(10));
    equal("and its end, when the other program has ended", (wait(child), read(reader, &mut bytes)), (Ended::Exited(0), Ok(0)));
    close_all(&[reader, sender, receiver]);
}

fn four_at_once_in_their_places() {
    let (sender, receiver) = channel(1);
    let (reader, writer) = pipe();
    let message = Message { fds: [-1, writer, -1, reader], ..Message::new(4) };
    done("sending", send(sender, &message, 0));
    let got = done("receiving", receive(receiver, 0));
    check("each has its place", got.fds[0] == -1 && got.fds[2] == -1 && got.fds[1] > 2 && got.fds[3] > 2);
    check("new numbers", got.fds[1] != writer && got.fds[3] != reader);
    must("writing", write(got.fds[1], b"x") == Ok(1));
    equal("the same pipe", read(reader, &mut [0; 4]), Ok(1));
    close_all(&[sender, receiver, reader, writer, got.fds[1], got.fds[3]]);
}

fn a_full_table() {
    let ended = in_a_child(|| {
        let (sender, receiver) = channel(2);
        let message = Message { fds: [0, 0, 0, 0], ..Message::new(4) };
        done("sending", send(sender, &message, 0));
        done("sending", send(sender, &Message::new(5), 0));
        let limit = libc::rlimit { rlim_cur: receiver as u64 + 3, rlim_max: 1024 };
        // SAFETY: one structure of ours.
        must("setrlimit works", unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } == 0);
        let before = open_count();
        equal("no room for all of them", receive(receiver, 0), Err(libc::EMFILE));
        equal("none has come", open_count(), before);
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 1024 };
        // SAFETY: one structure of ours.
        must("setrlimit works", unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } == 0);
        equal("no place for the message", receive_at(receiver, NOWHERE, 0), Err(libc::EFAULT));
        equal("still none", open_count(), before);
        let got = done("receiving", receive(receiver, DO_NOT_BLOCK));
        check("the message was still in the channel, with all it carries", got.tag == 4 && got.fds.iter().all(|fd| *fd > 2));
        equal("and the next behind it", receive(receiver, 0).map(|message| message.tag), Ok(5));
        0
    });
    equal("a full table", ended, Ended::Exited(0));
}

/// A message that cannot be delivered, over and over, while another thread puts something where its file would have been.
fn what_another_thread_put_there_stays() {
    let (sender, receiver) = channel(1);
    done("sending", send(sender, &Message::carrying(1, 0), 0));
    must_stay("what another thread put where a file would have been stays", 5000, || {
        must("nowhere", receive_at(receiver, NOWHERE, 0) == Err(libc::EFAULT));
    });
    must_stay("and where a channel would have been", 5000, || {
        must("nowhere", ipc_create(NOWHERE as *mut i32, 1, 0) == Err(libc::EFAULT));
    });
    let got = done("receiving", receive(receiver, DO_NOT_BLOCK));
    check("the message has waited", got.tag == 1 && got.fds[0] > 2);
    close_all(&[sender, receiver, got.fds[0]]);
}

fn never_received() {
    let (sender, receiver) = channel(4);
    let (reader, writer) = pipe();
    done("sending", send(sender, &Message::carrying(1, writer), 0));
    done("close", close(writer));
    done("close", close(receiver));
    equal("what nobody receives is closed", read(reader, &mut [0; 4]), Ok(0));
    equal("what could not be sent is not kept", send(sender, &Message::carrying(1, reader), 0), Err(libc::EPIPE));
    close_all(&[sender, reader]);
}

/// Closes all of them, and waits for what a pipe's end that is inside of it all shows: that it is gone.
fn must_be_gone(what: &str, close_these: &[i32], inside: (i32, i32), into: i32) {
    let (reader, writer) = inside;
    done("sending a pipe along", send(into, &Message::carrying(0, writer), 0));
    done("close", close(writer));
    close_all(close_these);
    equal(what, read(reader, &mut [0; 4]), Ok(0));
    done("close", close(reader));
}

fn circles() {
    let (sender, receiver) = channel(4);
    done("sending", send(sender, &Message::carrying(1, receiver), 0));
    must_be_gone("a channel in itself goes", &[sender, receiver], pipe(), sender);
    let (sender, receiver) = channel(4);
    done("sending", send(sender, &Message::carrying(1, sender), 0));
    must_be_gone("its sending end in it too", &[sender, receiver], pipe(), sender);
    let ring: Vec<(i32, i32)> = (0..50).map(|_| channel(4)).collect();
    for (index, (sender, _)) in ring.iter().enumerate() {
        let next = ring[(index + 1) % ring.len()].1;
        done("sending", send(*sender, &Message::carrying(1, next), 0));
    }
    let all: Vec<i32> = ring.iter().flat_map(|(sender, receiver)| [*sender, *receiver]).collect();
    must_be_gone("fifty in a circle go", &all, pipe(), ring[7].0);
    let (one, other) = (channel(4), channel(4));
    done("sending", send(one.0, &Message::carrying(1, other.1), 0));
    done("sending", send(other.0, &Message::carrying(1, one.1), 0));
    done("close", close(one.1));
    let got = done("one of two that hold each other is still ours", receive(other.1, 0));
    let further = done("and so is what it holds", receive(got.fds[0], 0));
    let all = [one.0, other.0, other.1, got.fds[0], further.fds[0]];
    close_all(&all);
}

/// Each channel's receiving end lies in the next one: `depth` of them hang on the last.
fn chain(depth: usize) -> i32 {
    let (sender, mut last) = channel(1);
    done("close", close(sender));
    for _ in 1..depth {
        let (sender, receiver) = channel(1);
        done("sending", send(sender, &Message::carrying(1, last), 0));
        close_all(&[sender, last]);
        last = receiver;
    }
    last
}

fn main() {
    // A thread leaves something behind that the next one uses.
    std::thread::scope(|scope| drop(scope.spawn(|| ())));
    let before = Objects::of_one_thread();
    a_pipe_arrives();
    four_at_once_in_their_places();
    a_full_table();
    never_received();
    what_another_thread_put_there_stays();
    circles();
    before.must_be_all_there_is();
    done("close", close(chain(1000)));
    before.must_be_all_there_is();
    let ended = in_a_child(|| {
        let _last = chain(300);
        let (sender, receiver) = channel(1);
        i32::from(send(sender, &Message::carrying(1, receiver), 0).is_err())
    });
    equal("a program ends with chains and circles", ended, Ended::Exited(0));
    before.must_be_all_there_is();
    println!("ok");
}
