//! Socket pairs under a storm: bytes and datagrams come once, in order and whole; files sent along arrive; ends are heard of.

use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

use linux_tests::scratch::Scratch;
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{done, must, must_equal};

fn main() {
    soak("every byte, datagram and end came to its peer", |random| match random.below(4) {
        0 => stream(random),
        1 => datagrams(random),
        2 => ping_pong(random),
        _ => callers(random),
    });
}

fn pattern(at: usize) -> u8 {
    (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

fn send_pattern(mut socket: UnixStream, length: usize, random: &mut Random) {
    let mut sent = 0;
    while sent < length {
        let piece: Vec<u8> = (sent..length.min(sent + 1 + random.below(70_000))).map(pattern).collect();
        sent += piece.len();
        done("write", socket.write_all(&piece));
        random.dawdle();
    }
    done("shutdown", socket.shutdown(std::net::Shutdown::Write));
}

fn expect_pattern(mut socket: UnixStream, length: usize, random: &mut Random) {
    let mut buffer = vec![0; 80_000];
    let mut seen = 0;
    loop {
        let room = 1 + random.below(buffer.len());
        let count = done("read", socket.read(&mut buffer[..room]));
        if count == 0 {
            break;
        }
        must("the bytes are those that were sent", buffer[..count].iter().enumerate().all(|(at, byte)| *byte == pattern(seen + at)));
        seen += count;
        sign_of_life();
        random.dawdle();
    }
    must_equal("bytes", seen, length);
}

/// Both ways at once.
fn stream(random: &mut Random) {
    let (one, other) = done("socketpair", UnixStream::pair());
    let lengths = [1 + random.below(200_000), 1 + random.below(200_000)];
    std::thread::scope(|scope| {
        for (socket, out, back) in [(one, lengths[0], lengths[1]), (other, lengths[1], lengths[0])] {
            let copy = done("dup", socket.try_clone());
            let (mut writes, mut reads) = (random.fork(), random.fork());
            scope.spawn(move || send_pattern(copy, out, &mut writes));
            scope.spawn(move || expect_pattern(socket, back, &mut reads));
        }
    });
}

/// Several send, several receive: each datagram whole, to one receiver.
fn datagrams(random: &mut Random) {
    let (to, from) = done("socketpair", UnixDatagram::pair());
    let (senders, receivers, each) = (1 + random.below(4), 1 + random.below(3), 10 + random.below(100));
    let sums: Vec<usize> = std::thread::scope(|scope| {
        let receiving: Vec<_> = (0..receivers)
            .map(|_| {
                let from = &from;
                scope.spawn(move || {
                    let (mut buffer, mut sum) = ([0; 4_000], 0);
                    loop {
                        let count = done("recv", from.recv(&mut buffer));
                        if count == 1 {
                            return sum;
                        }
                        let number = usize::from(buffer[0]) << 8 | usize::from(buffer[1]);
                        must_equal("a datagram's length", count, 2 + number % 3_000);
                        must("its bytes", buffer[2..count].iter().all(|byte| *byte == number as u8));
                        sum += number;
                        sign_of_life();
                    }
                })
            })
            .collect();
        let sending: Vec<_> = (0..senders)
            .map(|sender| {
                let (to, mut own) = (&to, random.fork());
                scope.spawn(move || {
                    for turn in 0..each {
                        let number = sender * each + turn;
                        let mut letter = vec![number as u8; 2 + number % 3_000];
                        letter[..2].copy_from_slice(&(number as u16).to_be_bytes());
                        must_equal("sent whole", done("send", to.send(&letter)), letter.len());
                        own.dawdle();
                    }
                })
            })
            .collect();
        sending.into_iter().for_each(|sender| done("a sender", sender.join()));
        (0..receivers).for_each(|_| must_equal("sent", done("send", to.send(b"x")), 1));
        receiving.into_iter().map(|receiver| done("a receiver", receiver.join())).collect()
    });
    let all = senders * each;
    must_equal("sum", sums.iter().sum::<usize>(), all * (all - 1) / 2);
}

fn ping_pong(random: &mut Random) {
    let (mut one, mut other) = done("socketpair", UnixStream::pair());
    let turns = 20 + random.below(200);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut byte = [0];
            while done("read", other.read(&mut byte)) == 1 {
                done("write", other.write_all(&byte));
            }
        });
        for turn in 0..turns {
            let mut byte = [turn as u8];
            done("write", one.write_all(&byte));
            done("read", one.read_exact(&mut byte));
            must_equal("the answer", byte[0], turn as u8);
            sign_of_life();
        }
        drop(one);
    });
}

/// Many connect to one listener at once.
fn callers(random: &mut Random) {
    let scratch = Scratch::new("soak-sockets");
    let path = scratch.path("socket");
    let listener = done("bind", UnixListener::bind(&path));
    let calls = 1 + random.below(12);
    std::thread::scope(|scope| {
        for number in 0..calls {
            let (path, mut own) = (&path, random.fork());
            scope.spawn(move || {
                own.dawdle();
                let mut socket = done("connect", UnixStream::connect(path));
                done("write", socket.write_all(&[number as u8; 100]));
                let mut answer = Vec::new();
                done("shutdown", socket.shutdown(std::net::Shutdown::Write));
                done("read", socket.read_to_end(&mut answer));
                must_equal("the answer", answer, vec![number as u8 + 1; 100]);
                sign_of_life();
            });
        }
        for _ in 0..calls {
            let (mut socket, _) = done("accept", listener.accept());
            scope.spawn(move || {
                let mut letter = Vec::new();
                done("read", socket.read_to_end(&mut letter));
                must_equal("a whole letter", letter.len(), 100);
                let answer: Vec<u8> = letter.iter().map(|byte| byte + 1).collect();
                done("write", socket.write_all(&answer));
            });
        }
    });
}
