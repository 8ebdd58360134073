//! Pseudo-terminals under a storm: every byte and line comes through, both ways at once, and every hang-up is heard of.

use linux_tests::process::{close, close_all, read, write};
use linux_tests::soak::{Random, sign_of_life, soak};
use linux_tests::terminal::{Pty, make_raw};
use linux_tests::{done, fail, must, must_equal};

fn main() {
    soak("every byte and line came through, and every end was heard of", |random| match random.below(4) {
        0 => streams(random),
        1 => lines(random),
        2 => the_master_goes(random),
        _ => the_slave_goes(random),
    });
}

fn raw_pair() -> (i32, i32) {
    let pty = Pty::with(make_raw);
    let ends = (pty.master, pty.slave);
    std::mem::forget(pty);
    ends
}

fn pattern(at: usize) -> u8 {
    (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]
}

fn send(descriptor: i32, length: usize, random: &mut Random) {
    let mut sent = 0;
    while sent < length {
        let piece: Vec<u8> = (sent..length.min(sent + 1 + random.below(600))).map(pattern).collect();
        match write(descriptor, &piece) {
            Ok(count) => sent += count,
            Err(libc::EINTR) => {}
            Err(errno) => fail(&format!("writing: errno {errno}")),
        }
        random.dawdle();
    }
}

fn expect(descriptor: i32, length: usize, random: &mut Random) {
    let (mut buffer, mut seen) = ([0; 700], 0);
    while seen < length {
        let room = 1 + random.below(buffer.len());
        let count = done("read", read(descriptor, &mut buffer[..room]));
        must("there is something before the end", count > 0);
        must("the bytes are those that were sent", buffer[..count].iter().enumerate().all(|(at, byte)| *byte == pattern(seen + at)));
        seen += count;
        sign_of_life();
        random.dawdle();
    }
}

/// Raw, both ways at once.
fn streams(random: &mut Random) {
    let (master, slave) = raw_pair();
    let lengths = [1 + random.below(20_000), 1 + random.below(20_000)];
    std::thread::scope(|scope| {
        for (end, out, back) in [(master, lengths[0], lengths[1]), (slave, lengths[1], lengths[0])] {
            let (mut writes, mut reads) = (random.fork(), random.fork());
            scope.spawn(move || send(end, out, &mut writes));
            scope.spawn(move || expect(end, back, &mut reads));
        }
    });
    close_all(&[slave, master]);
}

/// Edited lines: one for each read, whoever reads.
fn lines(random: &mut Random) {
    let pty = Pty::with(|settings| settings.c_lflag &= !libc::ECHO);
    let (master, slave, count) = (pty.master, pty.slave, 5 + random.below(60));
    let mut own = random.fork();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for number in 0..count {
                // With a mistake that is taken back before the line ends.
                let line = format!("line x\x7f{number}\n");
                must_equal("typed", write(master, line.as_bytes()), Ok(line.len()));
                own.dawdle();
            }
        });
        let mut buffer = [0; 100];
        for number in 0..count {
            let length = done("read", read(slave, &mut buffer));
            must_equal("a line", String::from_utf8_lossy(&buffer[..length]).into_owned(), format!("line {number}\n"));
            sign_of_life();
            random.dawdle();
        }
    });
}

/// Readers that wait on the slave hear of the end.
fn the_master_goes(random: &mut Random) {
    let (master, slave) = raw_pair();
    std::thread::scope(|scope| {
        for _ in 0..1 + random.below(3) {
            scope.spawn(move || {
                let ended = read(slave, &mut [0; 10]);
                must("a hang-up ends a read", matches!(ended, Ok(0) | Err(libc::EIO)));
            });
        }
        random.dawdle();
        done("close", close(master));
    });
    close_all(&[slave]);
    sign_of_life();
}

/// The reader that waits on the master hears that nobody has the slave any more.
fn the_slave_goes(random: &mut Random) {
    let (master, slave) = raw_pair();
    std::thread::scope(|scope| {
        scope.spawn(move || must_equal("nobody has the slave", read(master, &mut [0; 10]), Err(libc::EIO)));
        random.dawdle();
        done("close", close(slave));
    });
    close_all(&[master]);
    sign_of_life();
}
