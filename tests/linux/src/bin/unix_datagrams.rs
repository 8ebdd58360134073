//! Messages that stay whole: datagrams from anyone, sequenced packets from a peer; and who is told when there is one.

use linux_tests::asleep::{ends_promptly, wait_until_asleep};
use linux_tests::process::{Ended, close_all, fork, in_a_child, my_pid, read, wait, wait_for_byte, write};
use linux_tests::scratch::Scratch;
use linux_tests::socket::*;
use linux_tests::{call, check, done, equal, must, must_equal, signal};

const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;
const HUP: i16 = libc::POLLHUP;
const GONE: i16 = libc::POLLRDHUP;

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    let scratch = Scratch::new("datagrams");
    borders();
    truncated();
    ends();
    named(&scratch);
    connected(&scratch);
    full_queues();
    emptied_queue();
    shut();
    too_large();
    several_at_once();
    epoll();
    wakes();
    killed();
}

fn hidden(name: &str) -> Vec<u8> {
    address(format!("\0braid-{}-{name}", my_pid()).as_bytes())
}

fn borders() {
    for kind in [DATAGRAM, PACKET] {
        let (one, other) = pair(kind);
        done("write", write(one, b"one"));
        done("write", write(one, b"two!"));
        equal("FIONREAD", unread(other), if kind == DATAGRAM { 3 } else { 7 });
        equal("a look", receive(other, 9, libc::MSG_PEEK), Ok(b"one".to_vec()));
        equal("messages keep their borders", (receive(other, 9, 0), receive(other, 9, 0)), (Ok(b"one".to_vec()), Ok(b"two!".to_vec())));
        equal("none left: EAGAIN", receive(other, 9, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
        equal("an empty one is one", (send(one, b"", 0), polled(other, IN)), (Ok(0), IN));
        equal("and arrives", receive(other, 9, 0), Ok(vec![]));
        equal("then there is none", polled(other, IN), 0);
        equal("writing nothing sends one too", (write(one, b""), polled(other, IN)), (Ok(0), IN));
        equal("reading nothing takes none", (read(other, &mut []), polled(other, IN)), (Ok(0), IN));
        equal("receiving nothing does", (receive(other, 0, 0), polled(other, IN)), (Ok(vec![]), 0));
        let parts = [[b"ab".as_ptr() as usize, 2], [b"cde".as_ptr() as usize, 3]];
        equal("writev makes one", call!(SYS_writev, one, parts.as_ptr(), 2), Ok(5));
        equal("MSG_WAITALL does not wait for more", receive(other, 9, libc::MSG_WAITALL), Ok(b"abcde".to_vec()));
        close_all(&[one, other]);
    }
}

fn unread(descriptor: i32) -> i32 {
    let mut count = -1_i32;
    done("FIONREAD", call!(SYS_ioctl, descriptor, libc::FIONREAD, &raw mut count));
    count
}

fn truncated() {
    for kind in [DATAGRAM, PACKET] {
        let (one, other) = pair(kind);
        done("write", write(one, b"too long"));
        equal("what has no room is cut off", receive(other, 3, 0), Ok(b"too".to_vec()));
        equal("and gone", receive(other, 9, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
        done("write", write(one, b"too long"));
        let message = done("recvmsg", receive_message(other, 3, 0, 0));
        equal("recvmsg says so", (message.bytes.as_slice(), message.flags), (b"too".as_slice(), libc::MSG_TRUNC));
        done("write", write(one, b"too long"));
        let mut short = [0_u8; 3];
        let told = call!(SYS_recvfrom, other, short.as_mut_ptr(), 3, libc::MSG_TRUNC | libc::MSG_PEEK, 0, 0);
        equal("MSG_TRUNC tells its length", told, Ok(8));
        equal("a look leaves it", receive(other, 9, 0), Ok(b"too long".to_vec()));
        close_all(&[one, other]);
    }
}

fn ends() {
    let (one, other) = pair(DATAGRAM);
    done("write", write(other, b"last"));
    close_all(&[other]);
    equal("a datagram to nobody: ECONNREFUSED", write(one, b"x"), Err(libc::ECONNREFUSED));
    equal("after which there is no peer: ENOTCONN", write(one, b"x"), Err(libc::ENOTCONN));
    close_all(&[one]);
    let (one, other) = pair(PACKET);
    done("write", write(other, b"last"));
    close_all(&[other]);
    equal("the end of packets: poll", polled(one, IN | OUT | GONE), IN | OUT | GONE | HUP);
    equal("what was sent before is received", receive(one, 9, 0), Ok(b"last".to_vec()));
    equal("then the end", receive(one, 9, 0), Ok(vec![]));
    equal("EPIPE", write(one, b"x"), Err(libc::EPIPE));
    let child = in_a_child(|| {
        signal::set_disposition(libc::SIGPIPE, libc::SIG_DFL);
        (write(one, b"x").err().unwrap_or(0) != libc::EPIPE) as i32
    });
    equal("without a signal", child, Ended::Exited(0));
    close_all(&[one]);
    let (one, other) = pair(PACKET);
    done("write", write(one, b"never read"));
    close_all(&[other]);
    equal("unread packets: ECONNRESET, once", (receive(one, 9, 0), receive(one, 9, 0)), (Err(libc::ECONNRESET), Ok(vec![])));
    close_all(&[one]);
    let lone = socket(PACKET);
    equal("no peer: ENOTCONN", (receive(lone, 1, 0), write(lone, b"x")), (Err(libc::ENOTCONN), Err(libc::ENOTCONN)));
    equal("and poll", polled(lone, IN | OUT), OUT | HUP);
    close_all(&[lone]);
}

fn named(scratch: &Scratch) {
    let (server, client) = (socket(DATAGRAM), socket(DATAGRAM));
    let (to, from) = (at(&scratch.path("server")), at(&scratch.path("client")));
    done("bind", bind(server, &to));
    equal("a datagram to a name", send_to(client, b"who", 0, &to), Ok(3));
    equal("comes from nobody", receive_from(server, 9, 0), Ok((b"who".to_vec(), vec![])));
    done("bind", bind(client, &from));
    done("sendto", send_to(client, b"me", 0, &to));
    equal("or from its sender's name", receive_from(server, 9, 0), Ok((b"me".to_vec(), from.clone())));
    equal("which may be answered", send_to(server, b"you", 0, &from), Ok(3));
    equal("by name", receive_from(client, 9, 0), Ok((b"you".to_vec(), to.clone())));
    equal("no such name: ENOENT", send_to(client, b"x", 0, &at(&scratch.path("none"))), Err(libc::ENOENT));
    equal("nobody has it: ECONNREFUSED", send_to(client, b"x", 0, &hidden("none")), Err(libc::ECONNREFUSED));
    equal("no address: EINVAL", send_to(client, b"x", 0, &[2, 0, 0]), Err(libc::EINVAL));
    equal("neither name nor peer: ENOTCONN", write(client, b"x"), Err(libc::ENOTCONN));
    let stream = listener(STREAM, &at(&scratch.path("stream")), 1);
    equal("a stream's name: EPROTOTYPE", send_to(client, b"x", 0, &at(&scratch.path("stream"))), Err(libc::EPROTOTYPE));
    equal("to oneself", (send_to(server, b"self", 0, &to), receive(server, 9, 0)), (Ok(4), Ok(b"self".to_vec())));
    close_all(&[server]);
    equal("a closed receiver: ECONNREFUSED", send_to(client, b"x", 0, &to), Err(libc::ECONNREFUSED));
    close_all(&[client, stream]);
}

fn connected(scratch: &Scratch) {
    let (one, other, third) = (socket(DATAGRAM), socket(DATAGRAM), socket(DATAGRAM));
    let names = [at(&scratch.path("a")), at(&scratch.path("b")), at(&scratch.path("c"))];
    for (socket, name) in [one, other, third].into_iter().zip(&names) {
        done("bind", bind(socket, name));
    }
    equal("a datagram socket may have a peer", connect(one, &names[1]), Ok(0));
    equal("and writes to it", (write(one, b"x"), receive_from(other, 9, 0)), (Ok(1), Ok((b"x".to_vec(), names[0].clone()))));
    equal("getpeername", name(libc::SYS_getpeername, one), Ok(names[1].clone()));
    equal(
        "others may not write to it: EPERM",
        (send_to(third, b"x", 0, &names[0]), connect(third, &names[0])),
        (Err(libc::EPERM), Err(libc::EPERM)),
    );
    equal("its peer may", send_to(other, b"y", 0, &names[0]), Ok(1));
    equal("it may write to others", (send_to(one, b"z", 0, &names[2]), receive(third, 9, 0)), (Ok(1), Ok(b"z".to_vec())));
    equal("and change its peer", (connect(one, &names[2]), write(one, b"w"), receive(third, 9, 0)), (Ok(0), Ok(1), Ok(b"w".to_vec())));
    equal("what the old one had sent is lost", receive(one, 9, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
    equal("AF_UNSPEC: no peer", (connect(one, &[0, 0]), write(one, b"x")), (Ok(0), Err(libc::ENOTCONN)));
    equal("then anyone may write again", (send_to(third, b"x", 0, &names[0]), receive(one, 9, 0)), (Ok(1), Ok(b"x".to_vec())));
    close_all(&[one, other, third]);
}

fn full_queues() {
    let server = socket(DATAGRAM);
    let to = hidden("full");
    done("bind", bind(server, &to));
    let client = socket(DATAGRAM | libc::SOCK_NONBLOCK);
    done("connect", connect(client, &to));
    equal("room: poll", polled(client, OUT), OUT);
    let mut count = 0;
    while write(client, b"x") == Ok(1) {
        count += 1;
    }
    check("a queue takes some, but not everything", (5..5000).contains(&count));
    equal("then EAGAIN, and no POLLOUT", (write(client, b"x"), polled(client, OUT)), (Err(libc::EAGAIN), 0));
    let child = fork(|| {
        let mut asked = libc::pollfd { fd: client, events: OUT, revents: 0 };
        must_equal("poll waits for room", call!(SYS_poll, &raw mut asked, 1, -1_i64), Ok(1));
        let blocking = socket(DATAGRAM);
        must_equal("or a send does", send_to(blocking, b"late", 0, &to), Ok(4));
        0
    });
    linux_tests::sleep_ms(5);
    for _ in 0..count {
        must_equal("receive", receive(server, 9, 0), Ok(b"x".to_vec()));
    }
    equal("a sender that waits is let in", receive(server, 9, 0), Ok(b"late".to_vec()));
    equal("and so its program", wait(child), Ended::Exited(0));
    close_all(&[server, client]);
    let (one, other) = pair(DATAGRAM | libc::SOCK_NONBLOCK);
    let mut filled = 0;
    while write(one, &[1; 1000]) == Ok(1000) {
        filled += 1;
    }
    check("between two, their buffer is the limit", filled > 11);
    let mut taken = 0;
    while receive(other, 1000, 0).is_ok() {
        taken += 1;
    }
    equal("all of it arrives, and there is room again", (taken, polled(one, OUT)), (filled, OUT));
    close_all(&[one, other]);
}

/// A queue also becomes shorter when its socket gets another peer, or none: what was in it is thrown away.
fn emptied_queue() {
    let (server, friend, filler) = (socket(DATAGRAM), socket(DATAGRAM), socket(DATAGRAM | libc::SOCK_NONBLOCK));
    let (to, other) = (hidden("emptied"), hidden("friend"));
    done("bind", bind(server, &to));
    done("bind", bind(friend, &other));
    while send_to(filler, b"x", 0, &to) == Ok(1) {}
    let child = fork(|| {
        must_equal("a send waits", send_to(socket(DATAGRAM), b"late", 0, &to), Ok(4));
        0
    });
    wait_until_asleep(child);
    equal("a peer, and none again", (connect(server, &other), connect(server, &[0, 0])), (Ok(0), Ok(0)));
    equal("let in whoever waited", ends_promptly(child, 0), Ended::Exited(0));
    equal("whose datagram is the only one", receive(server, 9, 0), Ok(b"late".to_vec()));
    close_all(&[server, friend, filler]);
}

fn shut() {
    let (one, other) = pair(DATAGRAM);
    done("shutdown", shutdown(other, libc::SHUT_RD));
    equal("a receiver that is shut: EPIPE", write(one, b"x"), Err(libc::EPIPE));
    equal("it reads the end", receive(other, 9, 0), Ok(vec![]));
    equal("or EAGAIN, if it does not wait", receive(other, 9, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
    equal("and still sends", (write(other, b"y"), receive(one, 9, 0)), (Ok(1), Ok(b"y".to_vec())));
    equal("poll", (polled(other, IN | GONE), polled(one, IN | GONE)), (IN | GONE, 0));
    done("shutdown", shutdown(other, libc::SHUT_WR));
    equal("a sender that is shut: EPIPE", write(other, b"x"), Err(libc::EPIPE));
    equal("both ways: POLLHUP", polled(other, IN | GONE), IN | GONE | HUP);
    close_all(&[one, other]);
}

fn too_large() {
    for kind in [DATAGRAM, PACKET] {
        let (one, other) = pair(kind);
        let large = vec![5; 300_000];
        equal("larger than the buffer: EMSGSIZE", write(one, &large), Err(libc::EMSGSIZE));
        done("SO_SNDBUF", set_option(one, libc::SO_SNDBUF, 3000));
        equal("the buffer may be smaller", write(one, &large[..5990]), Err(libc::EMSGSIZE));
        done("SO_SNDBUF", set_option(one, libc::SO_SNDBUF, 150_000));
        equal("or larger", write(one, &large[..200_000]), Ok(200_000));
        equal("and it comes whole", receive(other, 300_000, 0).map(|bytes| bytes.len()), Ok(200_000));
        close_all(&[one, other]);
    }
}

fn several_at_once() {
    let (one, other) = pair(DATAGRAM);
    let texts: [&[u8]; 3] = [b"a", b"bc", b""];
    let pieces: Vec<[u64; 2]> = texts.iter().map(|text| [text.as_ptr() as u64, text.len() as u64]).collect();
    let mut headers: Vec<[u64; 8]> = pieces.iter().map(|piece| [0, 0, piece.as_ptr() as u64, 1, 0, 0, 0, 77]).collect();
    equal("sendmmsg", call!(SYS_sendmmsg, one, headers.as_mut_ptr(), 3, 0), Ok(3));
    equal("tells each length", headers.iter().map(|header| header[7]).collect::<Vec<_>>(), vec![1, 2, 0]);
    let mut buffers = [[0_u8; 4]; 5];
    let pieces: Vec<[u64; 2]> = buffers.iter_mut().map(|buffer| [buffer.as_mut_ptr() as u64, 4]).collect();
    let mut headers: Vec<[u64; 8]> = pieces.iter().map(|piece| [0, 0, piece.as_ptr() as u64, 1, 0, 0, 0, 77]).collect();
    equal("recvmmsg takes what there is", call!(SYS_recvmmsg, other, headers.as_mut_ptr(), 5, libc::MSG_DONTWAIT, 0), Ok(3));
    equal("with each length", headers.iter().map(|header| header[7]).collect::<Vec<_>>(), vec![1, 2, 0, 77, 77]);
    equal("and its bytes", (buffers[0][0], &buffers[1][..2]), (b'a', b"bc".as_slice()));
    equal("nothing there: EAGAIN", call!(SYS_recvmmsg, other, headers.as_mut_ptr(), 5, libc::MSG_DONTWAIT, 0), Err(libc::EAGAIN));
    done("write", write(one, b"x"));
    equal("MSG_WAITFORONE", call!(SYS_recvmmsg, other, headers.as_mut_ptr(), 5, libc::MSG_WAITFORONE, 0), Ok(1));
    done("write", write(one, b"x"));
    let mut time = [0_u64, 10_000_000];
    let child = fork(|| {
        linux_tests::sleep_ms(30);
        done("write", write(one, b"late"));
        0
    });
    equal("a time limit ends it after the next", call!(SYS_recvmmsg, other, headers.as_mut_ptr(), 5, 0, time.as_mut_ptr()), Ok(2));
    must_equal("child", wait(child), Ended::Exited(0));
    equal(
        "an absurd time: EINVAL",
        call!(SYS_recvmmsg, other, headers.as_mut_ptr(), 5, 0, [0_u64, u64::MAX].as_mut_ptr()),
        Err(libc::EINVAL),
    );
    equal("from nowhere: EFAULT", call!(SYS_sendmmsg, one, 8, 1, 0), Err(libc::EFAULT));
    equal("none at all", call!(SYS_sendmmsg, one, 8, 0, 0), Ok(0));
    close_all(&[one, other]);
}

fn watch(set: i32, descriptor: i32, events: i32) {
    let event = libc::epoll_event { events: events as u32, u64: descriptor as u64 };
    done("epoll_ctl", call!(SYS_epoll_ctl, set, libc::EPOLL_CTL_ADD, descriptor, &raw const event));
}

/// What is ready now, by descriptor.
fn ready(set: i32) -> Vec<(i32, i32)> {
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
    let count = done("epoll_wait", call!(SYS_epoll_wait, set, events.as_mut_ptr(), 8, 0));
    let mut found: Vec<(i32, i32)> = events[..count].iter().map(|event| ({ event.u64 } as i32, { event.events } as i32)).collect();
    found.sort_unstable();
    found
}

fn epoll() {
    let set = done("epoll_create1", call!(SYS_epoll_create1, 0)) as i32;
    let (one, other) = pair(STREAM);
    watch(set, one, libc::EPOLLIN | libc::EPOLLRDHUP);
    watch(set, other, libc::EPOLLIN | libc::EPOLLET);
    equal("nothing yet", ready(set), vec![]);
    done("write", write(one, b"ab"));
    equal("an edge", ready(set), vec![(other, libc::EPOLLIN)]);
    equal("is told once", ready(set), vec![]);
    done("write", write(one, b"c"));
    equal("and again when there is more", ready(set), vec![(other, libc::EPOLLIN)]);
    done("write", write(other, b"x"));
    equal("a level", ready(set), vec![(one, libc::EPOLLIN)]);
    equal("stays", ready(set), vec![(one, libc::EPOLLIN)]);
    done("read", read(one, &mut [0; 9]));
    done("read", read(other, &mut [0; 9]));
    close_all(&[other]);
    equal("a closed peer", ready(set), vec![(one, libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP)]);
    close_all(&[one]);
    let listening = listener(STREAM, &hidden("epoll"), 5);
    watch(set, listening, libc::EPOLLIN);
    let client = socket(STREAM);
    done("connect", connect(client, &hidden("epoll")));
    equal("a listener", ready(set), vec![(listening, libc::EPOLLIN)]);
    close_all(&[set, listening, client]);
}

fn wakes() {
    let pairs: Vec<_> = [STREAM, DATAGRAM, PACKET, STREAM].into_iter().map(pair).collect();
    let child = fork(|| {
        for (to, _) in pairs.iter().cycle().take(100) {
            done("write", write(*to, b"x"));
        }
        0
    });
    let mut seen = 0;
    while seen < 100 {
        let mut asked: Vec<libc::pollfd> = pairs.iter().map(|pair| libc::pollfd { fd: pair.1, events: IN, revents: 0 }).collect();
        done("poll", call!(SYS_poll, asked.as_mut_ptr(), asked.len(), -1_i64));
        for asked in asked.iter().filter(|asked| asked.revents & IN != 0) {
            seen += done("read", read(asked.fd, &mut [0; 100]));
        }
    }
    equal("a poll of four sockets wakes for each", (seen, wait(child)), (100, Ended::Exited(0)));
    pairs.into_iter().for_each(|(one, other)| close_all(&[one, other]));
    let (one, other) = pair(PACKET);
    let readers: Vec<_> = (0..4).map(|_| fork(|| (0..25).map(|_| i32::from(!wait_for_byte(other))).sum())).collect();
    for _ in 0..100 {
        done("write", write(one, b"x"));
    }
    check("four readers, each message to one", readers.into_iter().all(|reader| wait(reader) == Ended::Exited(0)));
    close_all(&[one, other]);
}

fn killed() {
    let (one, other) = pair(DATAGRAM);
    let reader = fork(|| read(other, &mut [0]).map_or(1, |_| 0));
    let writer = fork(|| {
        while write(one, &[0; 1000]).is_ok() {}
        1
    });
    linux_tests::sleep_ms(10);
    for child in [reader, writer] {
        done("kill", linux_tests::process::kill(child, libc::SIGKILL));
    }
    must("ends", matches!(wait(reader), Ended::Killed(libc::SIGKILL) | Ended::Exited(0)));
    equal("SIGKILL ends a sender that waits", wait(writer), Ended::Killed(libc::SIGKILL));
    close_all(&[one, other]);
}
