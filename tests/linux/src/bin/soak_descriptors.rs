//! Sockets made, connected, filled, passed through each other and closed by several threads and programs at once: every byte comes
//! once and in its place, and nothing that is in flight is left.

use linux_tests::process::{Ended, close, close_all, fork, pipe, pipe_with, read, wait, write};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::socket::*;
use linux_tests::{call, fail, must, must_equal, signal};
use std::sync::atomic::{AtomicU64, Ordering};

static NAMES: AtomicU64 = AtomicU64::new(0);

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    soak("every byte of every socket came once and in its place", |random| match random.below(6) {
        0 => stream(random),
        1 => packets(random),
        2 => clients(random),
        3 => anything(random),
        4 => circles(random),
        _ => spliced(random),
    });
}

fn write_all(descriptor: i32, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match write(descriptor, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("writing: errno {errno}")),
        }
    }
}

/// Byte number so and so of every stream.
fn byte(at: usize) -> u8 {
    (at ^ at >> 8 ^ at >> 15) as u8
}

fn read_stream(from: i32, random: &mut Random) -> usize {
    let mut at = 0;
    loop {
        let mut bytes = vec![0; 1 + random.below(40_000)];
        match read(from, &mut bytes) {
            Ok(0) => return at,
            Ok(count) => {
                must("bytes in their places", bytes[..count].iter().zip(at..).all(|(found, at)| *found == byte(at)));
                at += count;
            }
            Err(errno) => fail(&format!("reading: errno {errno}")),
        }
        random.dawdle();
        sign_of_life();
    }
}

/// Both ways at once.
fn stream(random: &mut Random) {
    let (one, other) = pair(STREAM);
    let total = random.below(300_000);
    let bytes: Vec<u8> = (0..total).map(byte).collect();
    std::thread::scope(|scope| {
        for side in [one, other] {
            let (mut writes, mut reads) = (random.fork(), random.fork());
            let bytes = &bytes;
            scope.spawn(move || {
                let mut at = 0;
                while at < total {
                    let count = (1 + writes.below(50_000)).min(total - at);
                    write_all(side, &bytes[at..at + count]);
                    at += count;
                    writes.dawdle();
                }
                must_equal("shutdown", shutdown(side, libc::SHUT_WR), Ok(0));
            });
            scope.spawn(move || must_equal("all of it", read_stream(side, &mut reads), total));
        }
    });
    close_all(&[one, other]);
}

/// Many senders, many receivers: each message to one of them, and whole.
fn packets(random: &mut Random) {
    let (one, other) = pair(if random.below(2) == 0 { PACKET } else { DATAGRAM });
    let (senders, receivers, each) = (1 + random.below(4), 1 + random.below(4), 10 + random.below(60));
    let sum = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let reading: Vec<_> = (0..receivers)
            .map(|_| {
                let sum = &sum;
                scope.spawn(move || {
                    loop {
                        let message = receive(other, 4096, 0).unwrap_or_else(|errno| fail(&format!("receiving: errno {errno}")));
                        if message.len() == 1 {
                            break;
                        }
                        must(
                            "a message is whole",
                            message.len() == 8 + message[0] as usize * 3 && message[8..].iter().all(|byte| *byte == message[0]),
                        );
                        sum.fetch_add(u64::from(message[0]), Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let sending: Vec<_> = (0..senders)
            .map(|_| {
                let mut own = random.fork();
                scope.spawn(move || {
                    let mut sum = 0;
                    for _ in 0..each {
                        let value = own.below(256);
                        write_all(one, &vec![value as u8; 8 + value * 3]);
                        sum += value as u64;
                        own.dawdle();
                    }
                    sum
                })
            })
            .collect();
        let sent: u64 = sending.into_iter().map(|sender| sender.join().unwrap_or(0)).sum();
        (0..receivers).for_each(|_| write_all(one, b"e"));
        reading.into_iter().for_each(|reader| must("a receiver ends", reader.join().is_ok()));
        must_equal("each message once", sum.load(Ordering::Relaxed), sent);
    });
    close_all(&[one, other]);
}

fn any_name() -> Vec<u8> {
    let number = NAMES.fetch_add(1, Ordering::Relaxed);
    address(format!("\0soak-{}-{number}", std::process::id()).as_bytes())
}

/// Clients that come while the listener goes.
fn clients(random: &mut Random) {
    let name = any_name();
    let listening = listener(STREAM, &name, random.below(4) as i32);
    let (clients, served) = (1 + random.below(5), random.below(40));
    std::thread::scope(|scope| {
        for _ in 0..clients {
            let (name, mut own) = (&name, random.fork());
            scope.spawn(move || {
                loop {
                    let client = socket(STREAM);
                    let connected = connect(client, name);
                    let talked = connected.and_then(|_| write(client, b"ping")).and_then(|_| read(client, &mut [0; 9]));
                    must_equal("close", close(client), Ok(0));
                    match talked {
                        Ok(4) => {}
                        Ok(0) | Err(libc::ECONNREFUSED | libc::ECONNRESET | libc::EPIPE) => break,
                        other => fail(&format!("a client: {other:?}")),
                    }
                    own.dawdle();
                }
            });
        }
        for _ in 0..served {
            let server = accept(listening).unwrap_or_else(|errno| fail(&format!("accept: errno {errno}")));
            must_equal("ping", read(server, &mut [0; 9]), Ok(4));
            must_equal("pong", write(server, b"pong"), Ok(4));
            close_all(&[server]);
        }
        close_all(&[listening]);
    });
}

/// Calls in any order on sockets that others close meanwhile.
fn anything(random: &mut Random) {
    let child = fork(|| {
        let name = any_name();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (name, mut own) = (&name, random.fork());
                scope.spawn(move || (0..150).for_each(|_| any_call(name, &mut own)));
            }
        });
        0
    });
    must_equal("child", wait(child), Ended::Exited(0));
}

fn any_call(name: &[u8], random: &mut Random) {
    let kind = [STREAM, DATAGRAM, PACKET][random.below(3)] | libc::SOCK_NONBLOCK;
    let mut ends = [0_i32; 2];
    let mut descriptor = || 3 + random.below(24) as i32;
    let (one, other) = (descriptor(), descriptor());
    let _any = match random.below(14) {
        0 => call!(SYS_socketpair, libc::AF_UNIX, kind, 0, ends.as_mut_ptr()),
        1 => call!(SYS_socket, libc::AF_UNIX, kind, 0),
        2 => bind(one, name),
        3 => listen(one, 3),
        4 => connect(one, name),
        5 => accept(one).map(|_| 0),
        6 | 7 => send_message(one, &vec![1; random.below(20_000)], &rights(&[one, other]), libc::MSG_DONTWAIT),
        8 => receive_message(one, 5000, 64, libc::MSG_DONTWAIT).map(|_| 0),
        9 => receive(one, 100, libc::MSG_DONTWAIT | libc::MSG_PEEK).map(|_| 0),
        10 => shutdown(one, random.below(3) as i32),
        11 => connect(one, &[0, 0]),
        12 => send_to(one, b"x", libc::MSG_DONTWAIT, name),
        _ => close(one),
    };
}

/// Circles that nobody can receive, made by several at once.
fn circles(random: &mut Random) {
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let children: Vec<_> = (0..1 + random.below(3))
        .map(|_| {
            let rounds = random.below(15);
            fork(move || {
                for _ in 0..rounds {
                    let (first, second) = (pair(STREAM), pair(DATAGRAM));
                    let passed = [
                        send_message(first.0, b"x", &rights(&[second.0, second.1, to]), 0),
                        send_message(second.0, b"x", &rights(&[first.0, first.1, second.0]), 0),
                    ];
                    must_equal("passed", passed, [Ok(1), Ok(1)]);
                    close_all(&[first.0, first.1, second.0, second.1]);
                }
                0
            })
        })
        .collect();
    children.into_iter().for_each(|child| must_equal("child", wait(child), Ended::Exited(0)));
    close_all(&[to]);
    let gone = pair(STREAM);
    close_all(&[gone.0, gone.1]);
    let is_over = (0..500).any(|_| {
        let is_over = read(from, &mut [0]) == Ok(0);
        if !is_over {
            linux_tests::sleep_ms(2);
        }
        is_over
    });
    must("circles are let go of", is_over);
    close_all(&[from]);
}

/// From a socket through a pipe into a socket.
fn spliced(random: &mut Random) {
    let (source, target, (from, to)) = (pair(STREAM), pair(STREAM), pipe());
    let total = random.below(200_000);
    let bytes: Vec<u8> = (0..total).map(byte).collect();
    let (mut reads, sizes) = (random.fork(), [1 + random.below(70_000), 1 + random.below(70_000)]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            write_all(source.0, &bytes);
            close_all(&[source.0]);
        });
        let move_all = |from: i32, to: i32, size: usize| {
            while call!(SYS_splice, from, 0, to, 0, size, 0) != Ok(0) {}
            close_all(&[to]);
        };
        scope.spawn(move || move_all(source.1, to, sizes[0]));
        scope.spawn(move || move_all(from, target.0, sizes[1]));
        scope.spawn(move || must_equal("all of it", read_stream(target.1, &mut reads), total));
    });
    close_all(&[source.1, from, target.1]);
}
