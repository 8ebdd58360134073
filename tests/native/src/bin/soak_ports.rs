//! Completion ports under a storm: each operation completes once, whoever submits, fulfils, waits, is interrupted or goes away.

use std::sync::atomic::{AtomicU64, Ordering};

use native_tests::opcode::{NOTHING, NOTIFIED, READ, RECEIVE, TIMEOUT};
use native_tests::process::{Ended, close, close_all, fork, kill, pipe, wait as wait_for, write};
use native_tests::rings::Rings;
use native_tests::soak::{Random, sign_of_life, soak};
use native_tests::{
    Completion, Message, Submission, channel, done, fail, must, must_equal, notify, notify_create, op, port, ring_enter, send, submit, wait,
};

fn main() {
    soak("each operation completed once", |random| match random.below(4) {
        0 => many_producers(random),
        1 => through_rings(random),
        2 => fulfilled_by_others(random),
        _ => gone_while_it_waits(random),
    });
}

/// Something that is done at once, or after a moment.
fn begin_any(random: &mut Random, port: i32, number: u64) {
    begin(port, any(random, number));
    random.dawdle();
}

fn any(random: &mut Random, number: u64) -> Submission {
    let timeout = random.number() % 300_000;
    if random.below(2) == 0 { op(number, NOTHING, -1) } else { Submission { timeout, ..op(number, TIMEOUT, -1) } }
}

/// Until it is accepted: a port that is full accepts nothing.
fn begin(port: i32, entry: Submission) {
    while done("io_submit", submit(port, &[entry])) == 0 {
        std::thread::yield_now();
    }
}

/// Takes `count` completions, so many at a time as chance wills; each number below `count` once.
fn take_all(random: &mut Random, port: i32, count: u64, each: impl Fn(&Completion)) {
    let mut seen = vec![false; count as usize];
    let mut left = count;
    while left != 0 {
        let most = 1 + random.below(64);
        let least = 1 + random.below(most.min(left as usize));
        let timeout = if random.below(2) == 0 { 0 } else { 1_000 + random.number() % 2_000_000 };
        let got = match wait(port, most, least as u32, timeout) {
            Ok(got) => got,
            Err(libc::ETIMEDOUT) => continue,
            Err(errno) => fail(&format!("io_wait: errno {errno}")),
        };
        must("fewer than were asked for, without an end", timeout != 0 || got.len() >= least);
        for one in &got {
            let seen = &mut seen[one.user_data as usize];
            must("a completion came twice", !std::mem::replace(seen, true));
            each(one);
        }
        left -= got.len() as u64;
        sign_of_life();
    }
    must_equal("and no more", wait(port, 8, 0, 0), Ok(vec![]));
}

fn many_producers(random: &mut Random) {
    let (producers, each, port) = (1 + random.below(6) as u64, 10 + random.below(120) as u64, port());
    std::thread::scope(|scope| {
        for producer in 0..producers {
            let mut own = random.fork();
            scope.spawn(move || {
                (producer * each..(producer + 1) * each).for_each(|number| begin_any(&mut own, port, number));
            });
        }
        take_all(random, port, producers * each, |_| ());
    });
    close_all(&[port]);
}

/// One thread by rings of any size, others by calls; handlers write into the ring meanwhile.
fn through_rings(random: &mut Random) {
    let rings = Rings::new(1 << random.below(7), 1 << random.below(8));
    let (producers, each) = (random.below(4) as u64, 10 + random.below(120) as u64);
    let (count, port) = ((producers + 1) * each, rings.port);
    std::thread::scope(|scope| {
        for producer in 0..producers {
            let mut own = random.fork();
            scope.spawn(move || (producer * each..(producer + 1) * each).for_each(|number| begin_any(&mut own, port, number)));
        }
        let (mut seen, mut left, mut next) = (vec![false; count as usize], count, producers * each);
        while left != 0 {
            let pushed = random.below(rings.params.submissions as usize + 1).min((count - next) as usize) as u32;
            (0..pushed).for_each(|_| {
                rings.push(any(random, next));
                next += 1;
            });
            let under_way = (left - (count - next)).min(u64::from(rings.params.completions));
            let mut to_submit = pushed;
            loop {
                let least = if to_submit == 0 { random.below(under_way as usize + 1) } else { 0 };
                done("io_ring_enter", ring_enter(port, to_submit, least as u32, 0));
                for (number, result) in rings.all() {
                    must_equal("its result", result, 0);
                    must("a completion came twice", !std::mem::replace(&mut seen[number as usize], true));
                    left -= 1;
                }
                to_submit = rings.waiting();
                if to_submit == 0 {
                    break;
                }
            }
            sign_of_life();
            random.dawdle();
        }
    });
    rings.close();
}

/// Messages, notifications and bytes that others send after the port began to wait for them.
fn fulfilled_by_others(random: &mut Random) {
    let (count, port) = (3 * (5 + random.below(40) as u64), port());
    let ((to, from), (reader, writer)) = (channel(random.below(3) as u32), pipe());
    let notifications: Vec<i32> = (0..count / 3).map(|_| done("notify_create", notify_create(0)) as i32).collect();
    let mut messages: Vec<Message> = (0..count / 3).map(|_| Message::new(u64::MAX)).collect();
    let mut bytes = vec![0_u8; count as usize];
    let sum = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (mut own, notifications) = (random.fork(), &notifications);
        scope.spawn(move || {
            for number in 0..count / 3 {
                done("send", send(to, &Message::new(number), 0));
                own.dawdle();
                done("notify", notify(notifications[number as usize]));
                own.dawdle();
                must_equal("a byte", write(writer, &[1]), Ok(1));
            }
        });
        for (number, message) in (0..count / 3).zip(&mut messages) {
            let buffer = std::ptr::from_mut(message).addr() as u64;
            begin(port, Submission { buffer, ..op(number, RECEIVE, from) });
            begin(port, op(count / 3 + number, NOTIFIED, notifications[number as usize]));
            let buffer = (&raw mut bytes[number as usize]).addr() as u64;
            begin(port, Submission { buffer, length: 1, ..op(2 * count / 3 + number, READ, reader) });
            random.dawdle();
        }
        take_all(random, port, count, |one| {
            must("it was fulfilled", one.result == i64::from(one.opcode == READ));
            sum.fetch_add(1, Ordering::SeqCst);
        });
    });
    let mut tags: Vec<u64> = messages.iter().map(|message| message.tag).collect();
    tags.sort_unstable();
    must_equal("each message came once", tags, (0..count / 3).collect::<Vec<_>>());
    must_equal("each byte too", bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>(), count / 3);
    close_all(&notifications);
    close_all(&[port, to, from, reader, writer]);
}

/// Who waits is killed, and the port closed with operations under way: the others never notice.
fn gone_while_it_waits(random: &mut Random) {
    let port = port();
    let ((to, from), fd) = (channel(0), done("notify_create", notify_create(0)) as i32);
    let pause = random.below(2_000) as u64;
    let child = fork(|| {
        let mut message = Message::new(0);
        let buffer = std::ptr::from_mut(&mut message).addr() as u64;
        begin(port, Submission { buffer, ..op(1, RECEIVE, from) });
        begin(port, op(2, NOTIFIED, fd));
        begin(port, Submission { timeout: u64::MAX, ..op(3, TIMEOUT, -1) });
        drop(wait(port, 4, 4, 0));
        0
    });
    std::thread::sleep(std::time::Duration::from_micros(pause));
    done("notify", notify(fd));
    random.dawdle();
    done("kill", kill(child, libc::SIGKILL));
    must_equal("killed as it waits", wait_for(child), Ended::Killed(libc::SIGKILL));
    if random.below(2) == 0 {
        done("close", close(port));
        close_all(&[to, from, fd]);
    } else {
        close_all(&[to, from, fd, port]);
    }
    sign_of_life();
}
