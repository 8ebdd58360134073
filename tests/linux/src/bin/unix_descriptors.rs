//! Descriptors and credentials in messages: they arrive, or are let go of, whatever happens on the way.

use linux_tests::process::{Ended, child_must_succeed, close, close_all, fork, my_pid, pipe, pipe_with, read, wait, wait_for_byte, write};
use linux_tests::socket::*;
use linux_tests::{call, check, done, equal, must, must_equal, signal};

const RIGHTS: i32 = libc::SCM_RIGHTS;

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    passing();
    several();
    borders();
    looking();
    without_room();
    full_table();
    bad_messages();
    unreceived();
    circles();
    chains();
    to_the_dead();
    many_at_once();
}

/// Whether every writing end of a pipe is gone.
fn is_abandoned(from: i32) -> bool {
    match read(from, &mut [0]) {
        Ok(count) => count == 0,
        Err(error) => {
            must_equal("an empty pipe that does not wait", error, libc::EAGAIN);
            false
        }
    }
}

fn pass(through: i32, descriptors: &[i32]) {
    must_equal("a message", send_message(through, b"d", &rights(descriptors), 0), Ok(1));
}

/// Takes one message that came with descriptors.
fn take(from: i32) -> Vec<i32> {
    done("recvmsg", receive_message(from, 9, 64, 0)).descriptors
}

fn passing() {
    for kind in [STREAM, DATAGRAM, PACKET] {
        let (one, other) = pair(kind);
        let (from, to) = pipe();
        pass(one, &[to]);
        close_all(&[to]);
        let message = done("recvmsg", receive_message(other, 9, 64, 0));
        equal("a descriptor comes with its bytes", (message.bytes.as_slice(), message.descriptors.len()), (b"d".as_slice(), 1));
        equal("as the lowest that is free", message.descriptors[0], to);
        equal("flags and length", (message.flags, message.control_length), (0, 24));
        equal("it is the same pipe", (write(to, b"x"), read(from, &mut [0])), (Ok(1), Ok(1)));
        equal("close-on-exec is off", call!(SYS_fcntl, to, libc::F_GETFD), Ok(0));
        pass(one, &[to]);
        let message = done("recvmsg", receive_message(other, 9, 64, libc::MSG_CMSG_CLOEXEC));
        equal("or on, with MSG_CMSG_CLOEXEC", call!(SYS_fcntl, message.descriptors[0], libc::F_GETFD), Ok(libc::FD_CLOEXEC as usize));
        close_all(&[one, other, from, to, message.descriptors[0]]);
    }
    let (one, other) = pair(STREAM);
    let file = done("a file", call!(SYS_open, c"/proc/self/exe".as_ptr(), 0)) as i32;
    pass(one, &[file]);
    let copy = take(other)[0];
    done("lseek", call!(SYS_lseek, file, 2, libc::SEEK_SET));
    equal("a file comes with its position", call!(SYS_lseek, copy, 0, libc::SEEK_CUR), Ok(2));
    let child = fork(|| {
        let came = take(other);
        i32::from(call!(SYS_lseek, came[0], 3, libc::SEEK_SET) != Ok(3))
    });
    pass(one, &[file]);
    equal("and in another program too", (wait(child), call!(SYS_lseek, file, 0, libc::SEEK_CUR)), (Ended::Exited(0), Ok(3)));
    close_all(&[one, other, file, copy]);
}

fn several() {
    let (one, other) = pair(STREAM);
    let (from, to) = pipe();
    pass(one, &[from, to, from]);
    let came = take(other);
    equal("three in one message, in order", came.len(), 3);
    equal("and they work", (write(came[1], b"abc"), read(came[0], &mut [0]), read(came[2], &mut [0; 9])), (Ok(3), Ok(1), Ok(2)));
    close_all(&came);
    let both = [rights(&[from]), rights(&[to])].concat();
    equal("two control messages", send_message(one, b"d", &both, 0), Ok(1));
    let came = take(other);
    equal("arrive as one", came.len(), 2);
    close_all(&came);
    pass(one, &[from; 253]);
    let message = done("recvmsg", receive_message(other, 9, 2048, 0));
    equal("as many as 253", message.descriptors.len(), 253);
    close_all(&message.descriptors);
    equal("254: EINVAL", send_message(one, b"d", &rights(&[from; 254]), 0), Err(libc::EINVAL));
    let halves = [rights(&[from; 200]), rights(&[from; 54])].concat();
    equal("also in two pieces", send_message(one, b"d", &halves, 0), Err(libc::EINVAL));
    equal("no descriptors in it is no error", send_message(one, b"d", &control(RIGHTS, &[]), 0), Ok(1));
    equal("and none arrive", receive_message(other, 9, 64, 0).map(|message| message.control_length), Ok(0));
    close_all(&[one, other, from, to]);
}

/// A stream shows where descriptors came: what follows them is read by another call.
fn borders() {
    let (one, other) = pair(STREAM);
    let (from, to) = pipe();
    done("write", write(one, b"before"));
    pass(one, &[from]);
    done("write", write(one, b"after"));
    let message = done("recvmsg", receive_message(other, 99, 64, 0));
    equal("what came before is read with it", (message.bytes.as_slice(), message.descriptors.len()), (b"befored".as_slice(), 1));
    close_all(&message.descriptors);
    equal("what came after is not", receive(other, 99, 0), Ok(b"after".to_vec()));
    done("message", send_message(one, b"abc", &rights(&[from]), 0));
    let message = done("recvmsg", receive_message(other, 1, 64, 0));
    equal("with the first byte", (message.bytes.as_slice(), message.descriptors.len()), (b"a".as_slice(), 1));
    close_all(&message.descriptors);
    let message = done("recvmsg", receive_message(other, 9, 64, 0));
    equal("and not again", (message.bytes.as_slice(), message.descriptors.len()), (b"bc".as_slice(), 0));
    equal("no bytes, no message", send_message(one, b"", &rights(&[from]), 0), Ok(0));
    equal("nothing came", receive(other, 9, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
    close_all(&[one, other, from, to]);
}

fn looking() {
    for kind in [STREAM, PACKET] {
        let (one, other) = pair(kind);
        let (from, to) = pipe_with(libc::O_NONBLOCK);
        pass(one, &[to]);
        close_all(&[to]);
        let looked = done("recvmsg", receive_message(other, 9, 64, libc::MSG_PEEK));
        equal("a look gives descriptors too", looked.descriptors.len(), 1);
        close_all(&looked.descriptors);
        check("and leaves them there", !is_abandoned(from));
        let came = take(other);
        equal("for who takes them", write(came[0], b"x"), Ok(1));
        done("read", read(from, &mut [0]));
        close_all(&came);
        check("then they are gone", is_abandoned(from));
        close_all(&[one, other, from]);
    }
}

fn without_room() {
    let (one, other) = pair(STREAM);
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let told = |room: usize, copies: usize| {
        pass(one, &vec![to; copies]);
        let message = done("recvmsg", receive_message(other, 9, room, 0));
        close_all(&message.descriptors);
        (message.descriptors.len(), message.flags, message.control_length)
    };
    equal("no room for control messages: MSG_CTRUNC", told(0, 1), (0, libc::MSG_CTRUNC, 0));
    equal("room for a head only", told(16, 1), (0, libc::MSG_CTRUNC, 0));
    equal("room for one of two", told(20, 2), (1, libc::MSG_CTRUNC, 20));
    equal("and without an odd end", told(24, 3), (2, libc::MSG_CTRUNC, 24));
    equal("room for all", told(64, 2), (2, 0, 24));
    pass(one, &[to]);
    equal("read takes the bytes", read(other, &mut [0; 9]), Ok(1));
    pass(one, &[to]);
    equal("and so does recv", receive(other, 9, 0), Ok(b"d".to_vec()));
    close_all(&[to]);
    check("descriptors without room are let go of", is_abandoned(from));
    close_all(&[one, other, from]);
}

fn full_table() {
    let (one, other) = pair(PACKET);
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let highest = done("dup", call!(SYS_dup, to)) as i32;
    close_all(&[highest]);
    child_must_succeed("child", || {
        pass(one, &[to, to, to]);
        close_all(&[to]);
        let limit = [highest as u64, 4096];
        let limit = [limit[0], limit[0]];
        done("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_NOFILE, limit.as_ptr()));
        let message = done("recvmsg", receive_message(other, 9, 64, 0));
        must_equal("one fits", (message.descriptors.as_slice(), message.flags), ([to].as_slice(), libc::MSG_CTRUNC));
    });
    println!("a table with one free place takes one: MSG_CTRUNC");
    close_all(&[to]);
    check("the others are let go of", is_abandoned(from));
    close_all(&[one, other, from]);
}

fn bad_messages() {
    let (one, other) = pair(STREAM);
    let sent = |control: &[u8]| send_message(one, b"d", control, 0);
    let head = |length: u64, kind: i32| {
        [&length.to_ne_bytes()[..], &libc::SOL_SOCKET.to_ne_bytes(), &kind.to_ne_bytes(), &0_u64.to_ne_bytes()].concat()
    };
    equal("a descriptor that is none: EBADF", (sent(&rights(&[999])), sent(&rights(&[-1]))), (Err(libc::EBADF), Err(libc::EBADF)));
    equal("a length of 0: EINVAL", sent(&head(0, RIGHTS)), Err(libc::EINVAL));
    equal("a length below its head: EINVAL", sent(&head(15, RIGHTS)), Err(libc::EINVAL));
    equal("a length beyond the end: EINVAL", sent(&head(25, RIGHTS)), Err(libc::EINVAL));
    equal("an absurd length: EINVAL", sent(&head(u64::MAX, RIGHTS)), Err(libc::EINVAL));
    equal("an unknown kind: EINVAL", sent(&head(24, 77)), Err(libc::EINVAL));
    equal("credentials of a wrong size: EINVAL", sent(&control(libc::SCM_CREDENTIALS, &[0; 11])), Err(libc::EINVAL));
    equal("too short for a head is nothing", sent(&[1; 15]), Ok(1));
    must_equal("which arrived", receive(other, 1, 0), Ok(b"d".to_vec()));
    let raw = |header: [u64; 7]| call!(SYS_sendmsg, one, header.as_ptr(), libc::MSG_DONTWAIT);
    let piece = [b"d".as_ptr() as u64, 1];
    let pieces = piece.as_ptr() as u64;
    equal("a header from nowhere: EFAULT", call!(SYS_sendmsg, one, 8, 0), Err(libc::EFAULT));
    equal("pieces from nowhere: EFAULT", raw([0, 0, 8, 1, 0, 0, 0]), Err(libc::EFAULT));
    equal("control messages from nowhere: EFAULT", raw([0, 0, pieces, 1, 8, 24, 0]), Err(libc::EFAULT));
    equal("too many pieces: EMSGSIZE", raw([0, 0, pieces, 1025, 0, 0, 0]), Err(libc::EMSGSIZE));
    equal("absurdly many: EMSGSIZE", raw([0, 0, pieces, u64::MAX, 0, 0, 0]), Err(libc::EMSGSIZE));
    equal("absurdly long control messages: ENOBUFS", raw([0, 0, pieces, 1, pieces, 1 << 40, 0]), Err(libc::ENOBUFS));
    let taken = |header: [u64; 7]| call!(SYS_recvmsg, other, header.as_ptr(), libc::MSG_DONTWAIT);
    equal("receiving: too many pieces: EMSGSIZE", taken([0, 0, pieces, 1025, 0, 0, 0]), Err(libc::EMSGSIZE));
    equal("a name's length below zero: EINVAL", taken([pieces, 0xffff_ffff, pieces, 1, 0, 0, 0]), Err(libc::EINVAL));
    equal("nothing came of all that", receive(other, 9, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    pass(one, &[to]);
    close_all(&[to]);
    let mut byte = 0_u8;
    let piece = [&raw mut byte as u64, 1];
    let told = call!(SYS_recvmsg, other, [0, 0, piece.as_ptr() as u64, 1, 8_u64, 64, 0].as_mut_ptr(), 0);
    equal("nowhere to put descriptors", told, Ok(1));
    check("lets go of them", is_abandoned(from));
    close_all(&[one, other, from]);
}

fn unreceived() {
    for kind in [STREAM, DATAGRAM, PACKET] {
        let (one, other) = pair(kind);
        let (from, to) = pipe_with(libc::O_NONBLOCK);
        pass(one, &[to]);
        close_all(&[to]);
        check("in flight, a descriptor is open", !is_abandoned(from));
        close_all(&[one]);
        check("even when its sender is gone", !is_abandoned(from));
        close_all(&[other]);
        check("not when its receiver is", is_abandoned(from));
        close_all(&[from]);
    }
    let name = address(format!("\0braid-{}-unaccepted", my_pid()).as_bytes());
    let listening = listener(STREAM, &name, 1);
    let client = socket(STREAM);
    done("connect", connect(client, &name));
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    pass(client, &[to]);
    close_all(&[to]);
    close_all(&[listening]);
    check("nor when nobody accepted it", is_abandoned(from));
    close_all(&[client, from]);
    let (one, other) = pair(STREAM);
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let child = fork(|| {
        pass(one, &[to]);
        0
    });
    must_equal("child", wait(child), Ended::Exited(0));
    close_all(&[to]);
    check("a dead sender's descriptor arrives", take(other).len() == 1);
    close_all(&[one, other, from]);
}

/// Sockets that only their own messages hold: nobody can receive them, and they go.
fn circles() {
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let (one, other) = pair(STREAM);
    pass(one, &[one, other, to]);
    pass(other, &[other]);
    close_all(&[one, other]);
    let gone = pair(STREAM);
    close_all(&[gone.0, gone.1]);
    let (second, third) = (pair(DATAGRAM), pair(PACKET));
    pass(second.0, &[third.0, third.1, to]);
    pass(third.0, &[second.0, second.1, to]);
    close_all(&[second.0, second.1, third.0, third.1]);
    let name = address(format!("\0braid-{}-circle", my_pid()).as_bytes());
    let listening = listener(STREAM, &name, 1);
    let client = socket(STREAM);
    done("connect", connect(client, &name));
    pass(client, &[listening, to]);
    close_all(&[listening, client]);
    close_all(&[to]);
    let gone = pair(STREAM);
    close_all(&[gone.0, gone.1]);
    must("pipe", waited_for_the_end(from));
    println!("circles of sockets in flight are let go of");
    let (one, other) = pair(STREAM);
    pass(one, &[one, other]);
    let kept = done("dup", call!(SYS_dup, other)) as i32;
    close_all(&[one, other]);
    let gone = pair(STREAM);
    close_all(&[gone.0, gone.1]);
    let came = take(kept);
    equal("one that is held by a program is not", (came.len(), write(came[0], b"x"), read(kept, &mut [0])), (2, Ok(1), Ok(1)));
    close_all(&came);
    close_all(&[kept, from]);
}

/// Linux may let go somewhat later.
fn waited_for_the_end(from: i32) -> bool {
    (0..500).any(|_| {
        let is_over = is_abandoned(from);
        if !is_over {
            linux_tests::sleep_ms(2);
        }
        is_over
    })
}

/// Each pair waits in the queue of the next: letting go of the last lets go of all.
fn chains() {
    const LINKS: usize = 1500;
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let mut inner = pair(DATAGRAM);
    pass(inner.0, &[to]);
    close_all(&[to]);
    for _ in 0..LINKS {
        let outer = pair(DATAGRAM);
        if send_message(outer.0, b"d", &rights(&[inner.0, inner.1]), 0).is_err() {
            // An ordinary user's limit.
            close_all(&[outer.0, outer.1]);
            break;
        }
        close_all(&[inner.0, inner.1]);
        inner = outer;
    }
    check("a chain of sockets in sockets", !is_abandoned(from));
    close_all(&[inner.0, inner.1]);
    must("pipe", waited_for_the_end(from));
    println!("ends with its first link");
    close_all(&[from]);
}

fn to_the_dead() {
    let (one, other) = pair(STREAM);
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    close_all(&[other]);
    equal("to nobody: EPIPE", send_message(one, b"d", &rights(&[to]), 0), Err(libc::EPIPE));
    close_all(&[to, one]);
    check("and the descriptor is let go of", is_abandoned(from));
    close_all(&[from]);
    let (one, other) = pair(STREAM | libc::SOCK_NONBLOCK);
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    while write(one, &[0; 4096]).is_ok() {}
    equal("no room: EAGAIN", send_message(one, b"d", &rights(&[to]), 0), Err(libc::EAGAIN));
    let child = fork(|| {
        let flags = done("F_GETFL", call!(SYS_fcntl, one, libc::F_GETFL));
        done("F_SETFL", call!(SYS_fcntl, one, libc::F_SETFL, flags & !(libc::O_NONBLOCK as usize)));
        let _never = send_message(one, b"d", &rights(&[to]), 0);
        1
    });
    linux_tests::sleep_ms(5);
    done("kill", linux_tests::process::kill(child, libc::SIGKILL));
    must_equal("child", wait(child), Ended::Killed(libc::SIGKILL));
    close_all(&[to]);
    check("a sender that is killed lets go of it", is_abandoned(from));
    close_all(&[one, other, from]);
}

/// Sockets sent round and round by several programs, with circles among them, and none is lost or left.
fn many_at_once() {
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let hub = pair(STREAM);
    let workers: Vec<_> = (0..4)
        .map(|_| {
            fork(|| {
                for _ in 0..60 {
                    let (one, other) = pair(STREAM);
                    pass(one, &[one, other, to]);
                    pass(other, &[one, hub.0]);
                    close_all(&[one, other]);
                    pass(hub.0, &[to]);
                    let message = done("recvmsg", receive_message(hub.1, 1, 64, 0));
                    must_equal("its descriptors", message.descriptors.len(), 1);
                    close_all(&message.descriptors);
                }
                0
            })
        })
        .collect();
    check("four that make circles at once", workers.into_iter().all(|worker| wait(worker) == Ended::Exited(0)));
    close_all(&[hub.0, hub.1, to]);
    must("pipe", waited_for_the_end(from));
    println!("and nothing is left");
    must_equal("close", close(from), Ok(0));
    let (one, other) = pair(STREAM);
    done("write", write(one, b"x"));
    must("still", wait_for_byte(other));
}
