//! Many writers and readers on pipes: every byte comes out once, in its place, whoever closes when.

use std::sync::atomic::{AtomicU64, Ordering};

use linux_tests::process::{close, close_all, fork, pipe, read, wait, write};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::{call, done, fail, must, must_equal, signal};

/// Divides PIPE_BUF and the pipe's size, so that records stay whole whoever reads.
const RECORD: usize = 64;

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    soak("every byte of every pipe came once and in its place", |random| match random.below(6) {
        0 | 1 => records(random),
        2 => stream(random),
        3 => ring(random),
        4 => readers_leave(random),
        _ => to_a_child(random),
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

fn record(writer: u64, number: u64) -> [u8; RECORD] {
    let mut record = [(writer * 31 + number) as u8; RECORD];
    record[..8].copy_from_slice(&writer.to_le_bytes());
    record[8..16].copy_from_slice(&number.to_le_bytes());
    record
}

/// Several writers and several readers on one pipe.
fn records(random: &mut Random) {
    let (writers, readers, each) = (1 + random.below(5), 1 + random.below(5), 20 + random.below(200) as u64);
    let (from, to) = pipe();
    let sums: Vec<AtomicU64> = (0..writers).map(|_| AtomicU64::new(0)).collect();
    let counts: Vec<AtomicU64> = (0..writers).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for _ in 0..readers {
            let mut own = random.fork();
            let (sums, counts) = (&sums, &counts);
            scope.spawn(move || read_records(from, &mut own, sums, counts));
        }
        let writing: Vec<_> = (0..writers as u64)
            .map(|writer| {
                let mut own = random.fork();
                scope.spawn(move || {
                    let mut number = 0;
                    while number < each {
                        let batch: Vec<u8> =
                            (number..each.min(number + 1 + own.below(64) as u64)).flat_map(|n| record(writer, n)).collect();
                        number += (batch.len() / RECORD) as u64;
                        write_all(to, &batch);
                        own.dawdle();
                    }
                })
            })
            .collect();
        writing.into_iter().for_each(|writer| done("a writer", writer.join()));
        done("close", close(to));
    });
    close_all(&[from]);
    for writer in 0..writers {
        must_equal("records", counts[writer].load(Ordering::Relaxed), each);
        must_equal("their numbers' sum", sums[writer].load(Ordering::Relaxed), each * (each - 1) / 2);
    }
}

fn read_records(from: i32, random: &mut Random, sums: &[AtomicU64], counts: &[AtomicU64]) {
    let mut last = vec![None; sums.len()];
    let mut buffer = [0; 16 * RECORD];
    loop {
        let room = RECORD * (1 + random.below(16));
        let count = match read(from, &mut buffer[..room]) {
            Ok(0) => return,
            Ok(count) => count,
            Err(libc::EINTR) => continue,
            Err(errno) => fail(&format!("reading: errno {errno}")),
        };
        must("records come whole", count.is_multiple_of(RECORD));
        for found in buffer[..count].chunks(RECORD) {
            let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| found[at + index]));
            let (writer, number) = (word(0), word(8));
            must("a writer that exists", (writer as usize) < sums.len());
            must("its bytes are its own", found == record(writer, number));
            must("one reader sees a writer's records in order", last[writer as usize].is_none_or(|last| last < number));
            last[writer as usize] = Some(number);
            sums[writer as usize].fetch_add(number, Ordering::Relaxed);
            counts[writer as usize].fetch_add(1, Ordering::Relaxed);
        }
        sign_of_life();
        random.dawdle();
    }
}

fn pattern(at: usize) -> u8 {
    (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

/// One writer, one reader, pieces of all sizes, sometimes waited for by poll.
fn stream(random: &mut Random) {
    let length = 1 + random.below(400_000);
    let (from, to) = pipe();
    let mut own = random.fork();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut sent = 0;
            while sent < length {
                let piece: Vec<u8> = (sent..length.min(sent + 1 + own.below(90_000))).map(pattern).collect();
                sent += piece.len();
                write_all(to, &piece);
                own.dawdle();
            }
            done("close", close(to));
        });
        check_stream(from, length, random);
    });
    close_all(&[from]);
}

fn check_stream(from: i32, length: usize, random: &mut Random) {
    let mut buffer = vec![0; 100_000];
    let mut seen = 0;
    loop {
        if random.below(2) == 0 {
            must("there is something to read, or an end", wait_readable(from));
        }
        let room = 1 + random.below(buffer.len());
        match read(from, &mut buffer[..room]) {
            Ok(0) => break,
            Ok(count) => {
                let right = buffer[..count].iter().enumerate().all(|(at, byte)| *byte == pattern(seen + at));
                must("the bytes are those that were sent", right);
                seen += count;
            }
            Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("reading: errno {errno}")),
        }
        sign_of_life();
        random.dawdle();
    }
    must_equal("bytes", seen, length);
}

fn wait_readable(descriptor: i32) -> bool {
    let mut wanted = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    loop {
        match call!(SYS_poll, &raw mut wanted, 1, -1_isize) {
            Ok(count) => return count == 1,
            Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("poll: errno {errno}")),
        }
    }
}

/// Bytes that go round and round.
fn ring(random: &mut Random) {
    let (members, turns, tokens) = (2 + random.below(7), 10 + random.below(60), 1 + random.below(2));
    let pipes: Vec<(i32, i32)> = (0..members).map(|_| pipe()).collect();
    std::thread::scope(|scope| {
        for member in 0..members {
            let (from, to) = (pipes[member].0, pipes[(member + 1) % members].1);
            let mut own = random.fork();
            scope.spawn(move || {
                let mut byte = [0];
                for _ in 0..turns * tokens {
                    if own.below(3) == 0 {
                        must("it comes round", wait_readable(from));
                    }
                    must_equal("one byte", done("read", read(from, &mut byte)), 1);
                    must_equal("unchanged", byte, *b"o");
                    write_all(to, &byte);
                    sign_of_life();
                }
            });
        }
        (0..tokens).for_each(|_| write_all(pipes[0].1, b"o"));
    });
    pipes.iter().for_each(|(from, to)| close_all(&[*from, *to]));
}

/// The last reader goes while writers wait for room: they get EPIPE, and nobody waits for ever.
fn readers_leave(random: &mut Random) {
    let (from, to) = pipe();
    let writers = 1 + random.below(4);
    let mut own = random.fork();
    std::thread::scope(|scope| {
        for _ in 0..writers {
            scope.spawn(move || {
                let block = [7; 5_000];
                loop {
                    match write(to, &block) {
                        Ok(_) | Err(libc::EINTR) => {}
                        Err(libc::EPIPE) => return,
                        Err(errno) => fail(&format!("writing: errno {errno}")),
                    }
                }
            });
        }
        let mut buffer = [0; 3_000];
        for _ in 0..own.below(40) {
            must("there is something", done("read", read(from, &mut buffer)) > 0);
            own.dawdle();
        }
        done("close", close(from));
    });
    close_all(&[to]);
}

/// Between processes; the end comes when the child has gone.
fn to_a_child(random: &mut Random) {
    let length = 1 + random.below(200_000);
    let (from, to) = pipe();
    let mut own = random.fork();
    let child = fork(|| {
        done("close", close(from));
        let mut sent = 0;
        while sent < length {
            let piece: Vec<u8> = (sent..length.min(sent + 1 + own.below(70_000))).map(pattern).collect();
            sent += piece.len();
            write_all(to, &piece);
        }
        9
    });
    done("close", close(to));
    check_stream(from, length, random);
    close_all(&[from]);
    must_equal("the writer", wait(child), linux_tests::process::Ended::Exited(9));
}
