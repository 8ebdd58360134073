//! Hands memory and a way to answer to another process, through a channel.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering::{Acquire, Release};

use braid::{Message, Received, Sender, SharedMemory};

const BYTES: usize = 64 * 1024;

fn main() -> io::Result<()> {
    let (hand, taken) = braid::channel(1)?;
    let (reply, answers) = braid::channel(1)?;
    let memory = SharedMemory::new(BYTES as u64)?;
    let here = memory.map(BYTES)?;
    here.write(64, &vec![3; BYTES - 64]);
    here.word(0).store(1, Release);
    hand.send(&Message::new(BYTES as u64, [0; 3]).with(memory.as_fd()).with(reply.as_fd()))?;
    drop((memory, reply));
    let worker = std::thread::spawn(move || sum_up(taken.receive()?));
    let answer = answers.receive()?;
    assert_eq!(answer.data[0], 3 * (BYTES as u64 - 64));
    assert_eq!(here.word(0).load(Acquire), 2, "the worker has seen the same memory");
    worker.join().map_err(|_| io::Error::other("the worker panicked"))??;
    println!("memory and a channel handed over, the sum is {}", answer.data[0]);
    Ok(())
}

/// Knows nothing but what came with the message.
fn sum_up(message: Received) -> io::Result<()> {
    let [Some(memory), Some(reply), ..] = message.handles else { return Err(io::Error::other("two handles were to come")) };
    let length = usize::try_from(message.tag).map_err(io::Error::other)?;
    let memory = SharedMemory::from(memory).map(length)?;
    while memory.word(0).load(Acquire) != 1 {
        std::thread::yield_now();
    }
    let mut bytes = vec![0; length - 64];
    memory.read(64, &mut bytes);
    memory.word(0).store(2, Release);
    let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
    Sender::from(reply).send(&Message::new(0, [sum, 0, 0]))
}
