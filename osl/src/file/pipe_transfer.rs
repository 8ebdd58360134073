//! Bytes into and out of a pipe for the kernel's own hands: what splice and tee are made of.
//!
//! Invariant: bytes go in whole or not at all; they are taken out by whose turn it is to read.

use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use sync::TaskContext;

use super::pipe::{CAPACITY, Pipe};
use crate::error::restarting;

impl Pipe {
    /// Waits until at least so many bytes may go in: how many may.
    pub fn wait_for_room(&self, cx: &mut TaskContext, least: usize, nonblocking: bool) -> Result<usize, Errno> {
        let room = |cx: &TaskContext| {
            let state = self.state.lock(cx);
            let room = CAPACITY.saturating_sub(state.bytes.len());
            if state.readers == 0 { Some(Err(Errno::EPIPE)) } else { (room >= least).then_some(Ok(room)) }
        };
        match room(cx) {
            Some(room) => room,
            None if nonblocking => Err(Errno::EAGAIN),
            None => self.writable.wait_until_or_interrupted(cx, |cx| room(cx)).map_err(restarting)?,
        }
    }

    /// Puts all of it in, or nothing: `None` when there is not so much room.
    pub fn put_whole(&self, cx: &TaskContext, bytes: &[u8]) -> Option<Result<(), Errno>> {
        let put = self.put(cx, bytes, true)?;
        if put.is_ok() {
            self.events_to_read.fetch_add(1);
            self.readable.wake_all(cx);
        }
        Some(put.map(|_| ()))
    }

    /// The first bytes, at most `most`, which stay; none when no more can come.
    pub fn look(&self, cx: &mut TaskContext, most: usize, nonblocking: bool) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        bytes.try_room_exact(most).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(most, 0);
        let count = match self.peek(cx, &mut bytes) {
            Some(count) => count,
            None if nonblocking => return Err(Errno::EAGAIN),
            None => self.readable.wait_until_or_interrupted(cx, |cx| self.peek(cx, &mut bytes)).map_err(restarting)?,
        };
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Takes the first bytes out, at most `most`; none when no more can come.
    pub fn take(&self, cx: &mut TaskContext, most: usize, nonblocking: bool) -> Result<Vec<u8>, Errno> {
        loop {
            if self.look(cx, 1, nonblocking)?.is_empty() {
                return Ok(Vec::new());
            }
            let turn = self.turn_to_read.lock(cx);
            let bytes = self.look(cx, most, true);
            if let Ok(bytes) = &bytes {
                self.remove(cx, bytes.len());
            }
            drop(turn);
            match bytes {
                // Another reader was faster.
                Err(Errno::EAGAIN) if !nonblocking => {}
                Ok(bytes) if !bytes.is_empty() => {
                    self.events_to_write.fetch_add(1);
                    self.writable.wake_all(cx);
                    return Ok(bytes);
                }
                ended => return ended,
            }
        }
    }

    /// Puts back what was taken and found no taker. Only who reads the same pipe meanwhile gets later bytes first.
    pub fn give_back(&self, cx: &mut TaskContext, bytes: &[u8]) {
        let turn = self.turn_to_read.lock(cx);
        let mut state = self.state.lock(cx);
        for &byte in bytes.iter().rev() {
            state.bytes.push_front(byte);
        }
        drop(state);
        drop(turn);
        self.events_to_read.fetch_add(1);
        self.readable.wake_all(cx);
    }
}
