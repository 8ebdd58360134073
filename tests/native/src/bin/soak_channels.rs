//! Channels under a storm: each message comes once and whole, to one receiver, in its sender's order; ends are heard of.

use std::sync::atomic::{AtomicU64, Ordering};

use native_tests::process::{Ended, close, close_all, fork, pipe, read, wait, write};
use native_tests::soak::{Random, sign_of_life, soak};
use native_tests::{Message, channel, done, fail, must, must_equal, receive, send};

fn main() {
    soak("each message came once, whole and in order", |random| match random.below(4) {
        0 => many_to_many(random),
        1 => ping_pong(random),
        2 => files_along(random),
        _ => receivers_leave(random),
    });
}

fn many_to_many(random: &mut Random) {
    let (senders, receivers, each) = (1 + random.below(4) as u64, 1 + random.below(4), 20 + random.below(150) as u64);
    let (to, from) = channel(random.below(4) as u32);
    let (count, sum) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..receivers {
            let (count, sum, mut own) = (&count, &sum, random.fork());
            scope.spawn(move || {
                let mut last = [None; 4];
                loop {
                    let message = match receive(from, 0) {
                        Ok(message) => message,
                        Err(libc::EPIPE) => return,
                        Err(errno) => fail(&format!("receiving: errno {errno}")),
                    };
                    must_equal("a whole message", message, Message::new(message.tag));
                    let (sender, number) = ((message.tag >> 32) as usize, message.tag & 0xffff_ffff);
                    must("one receiver sees a sender's messages in order", last[sender].is_none_or(|last| last < number));
                    last[sender] = Some(number);
                    count.fetch_add(1, Ordering::SeqCst);
                    sum.fetch_add(number, Ordering::SeqCst);
                    sign_of_life();
                    own.dawdle();
                }
            });
        }
        let sending: Vec<_> = (0..senders)
            .map(|sender| {
                let mut own = random.fork();
                scope.spawn(move || {
                    for number in 0..each {
                        done("send", send(to, &Message::new(sender << 32 | number), 0));
                        own.dawdle();
                    }
                })
            })
            .collect();
        sending.into_iter().for_each(|sender| done("a sender", sender.join()));
        done("close", close(to));
    });
    close_all(&[from]);
    must_equal("messages", count.into_inner(), senders * each);
    must_equal("their numbers' sum", sum.into_inner(), senders * (each * (each - 1) / 2));
}

/// Hand to hand, between processes.
fn ping_pong(random: &mut Random) {
    let turns = 20 + random.below(200) as u64;
    let ((there, here), (answer, answers)) = (channel(0), channel(random.below(2) as u32));
    let child = fork(|| {
        for turn in 0..turns {
            must_equal("the ball", receive(here, 0), Ok(Message::new(turn)));
            done("send", send(answer, &Message::new(turn + 1), 0));
        }
        0
    });
    for turn in 0..turns {
        done("send", send(there, &Message::new(turn), 0));
        must_equal("the ball comes back", receive(answers, 0), Ok(Message::new(turn + 1)));
        sign_of_life();
    }
    must_equal("the child", wait(child), Ended::Exited(0));
    close_all(&[there, here, answer, answers]);
}

/// A file goes along with each message, and is the receiver's then.
fn files_along(random: &mut Random) {
    let (to, from) = channel(random.below(3) as u32);
    let turns = 5 + random.below(40) as u64;
    let mut own = random.fork();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for turn in 0..turns {
                let (reading, writing) = pipe();
                done("send", send(to, &Message::carrying(turn, reading), 0));
                done("close", close(reading));
                must_equal("written", write(writing, &[turn as u8]), Ok(1));
                done("close", close(writing));
                own.dawdle();
            }
        });
        for turn in 0..turns {
            let message = done("receive", receive(from, 0));
            must_equal("its tag", message.tag, turn);
            let mut byte = [0];
            must_equal("a byte", read(message.fds[0], &mut byte), Ok(1));
            must_equal("the one that was sent", byte[0], turn as u8);
            must_equal("then the end", read(message.fds[0], &mut byte), Ok(0));
            done("close", close(message.fds[0]));
            sign_of_life();
        }
    });
    close_all(&[to, from]);
}

/// Senders that wait hear that the last receiver has gone.
fn receivers_leave(random: &mut Random) {
    let (to, from) = channel(random.below(3) as u32);
    std::thread::scope(|scope| {
        for _ in 0..1 + random.below(4) {
            scope.spawn(move || {
                loop {
                    match send(to, &Message::new(1), 0) {
                        Ok(_) => {}
                        Err(libc::EPIPE) => return,
                        Err(errno) => fail(&format!("sending: errno {errno}")),
                    }
                }
            });
        }
        for _ in 0..random.below(20) {
            done("receive", receive(from, 0));
        }
        random.dawdle();
        done("close", close(from));
        sign_of_life();
    });
    close_all(&[to]);
}
