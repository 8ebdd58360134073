//! Copies a file with a port in ring mode: several reads, then several writes, for each entry into the kernel.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use braid::{Done, Operation, Outcome, RingPort};

const BLOCK: usize = 4096;
const BLOCKS: u32 = 40;

fn main() -> io::Result<()> {
    let (from, to) = ("/tmp/ring-source", "/tmp/ring-copy");
    let content: Vec<u8> = (0..BLOCK * BLOCKS as usize).map(|at| (at / 7 % 251) as u8).collect();
    std::fs::write(from, &content)?;
    let (source, copy) = (File::open(from)?, File::create(to)?);
    let mut rings = RingPort::new(16, 32)?;
    for first in (0..BLOCKS).step_by(16) {
        let offsets = (first..BLOCKS.min(first + 16)).map(|block| block * BLOCK as u32);
        let reads = offsets.map(|offset| Ok(Operation::Read { file: source.try_clone()?.into(), buffer: vec![0; BLOCK], offset }));
        let blocks = run(&mut rings, reads.collect::<io::Result<Vec<_>>>()?)?;
        let mut writes = Vec::new();
        for done in blocks {
            let Operation::Read { buffer, offset, .. } = done.operation else { return Err(io::Error::other("not a read")) };
            writes.push(Operation::Write { file: OwnedFd::from(copy.try_clone()?), buffer, offset });
        }
        run(&mut rings, writes)?;
    }
    assert_eq!(std::fs::read(to)?, content);
    println!("{BLOCKS} blocks copied through rings");
    Ok(())
}

/// Hands the operations over together and waits for all of them.
fn run(rings: &mut RingPort, operations: Vec<Operation>) -> io::Result<Vec<Done>> {
    let count = operations.len();
    for operation in operations {
        rings.push(operation).map_err(|_| io::Error::other("the ring is full"))?;
    }
    let mut all = Vec::new();
    while all.len() < count {
        rings.enter(1)?;
        while let Some(done) = rings.pop() {
            match &done.outcome {
                Ok(Outcome::Bytes(BLOCK)) => all.push(done),
                other => return Err(io::Error::other(format!("a block of {other:?}"))),
            }
        }
    }
    Ok(all)
}
