//! Bytes from the interrupt to the sleeping reader.
//!
//! Invariant: push under the lock, wake after it; a full buffer stops taking from the device, so nothing is dropped.

use super::framing::{Decoder, Item};
use libkernel::device::ConsoleEvent;

const CAPACITY: usize = 4096;

/// What has arrived and was not read yet.
pub struct Arrived {
    decoder: Decoder,
    bytes: [u8; CAPACITY],
    /// Place of the oldest byte, below `CAPACITY`.
    first: usize,
    count: usize,
    ended: bool,
    window: (u16, u16),
    window_is_news: bool,
}

impl Arrived {
    pub const fn new() -> Self {
        Arrived {
            decoder: Decoder::new(false),
            bytes: [0; CAPACITY],
            first: 0,
            count: 0,
            ended: false,
            window: (0, 0),
            window_is_news: false,
        }
    }

    pub fn configure(&mut self, framed: bool, window: (u16, u16)) {
        self.decoder = Decoder::new(framed);
        self.window = window;
    }

    pub fn has_room(&self) -> bool {
        self.count < CAPACITY
    }

    /// Something that `take` would return.
    pub fn has_news(&self) -> bool {
        self.count > 0 || self.ended || self.window_is_news
    }

    pub fn window(&self) -> (u16, u16) {
        self.window
    }

    /// Takes one byte from the line; only when `has_room`.
    pub fn push(&mut self, byte: u8) {
        match self.decoder.feed(byte) {
            Some(Item::Byte(byte)) => {
                if let Some(place) = self.bytes.get_mut((self.first + self.count) % CAPACITY) {
                    *place = byte;
                    self.count += 1;
                }
            }
            Some(Item::End) => self.ended = true,
            Some(Item::Window { rows, columns }) => {
                self.window = (rows, columns);
                self.window_is_news = true;
            }
            None => {}
        }
    }

    /// The next event, if one is there: a new size first, then bytes, then the end.
    pub fn take(&mut self, buffer: &mut [u8]) -> Option<ConsoleEvent> {
        if self.window_is_news {
            self.window_is_news = false;
            let (rows, columns) = self.window;
            return Some(ConsoleEvent::Window { rows, columns });
        }
        let taken = self.count.min(buffer.len());
        if taken > 0 {
            for place in buffer.iter_mut().take(taken) {
                *place = self.bytes.get(self.first).copied().unwrap_or_default();
                self.first = (self.first + 1) % CAPACITY;
            }
            self.count -= taken;
            return Some(ConsoleEvent::Bytes(taken));
        }
        (self.ended && self.count == 0).then_some(ConsoleEvent::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_around_the_end_of_the_buffer() {
        let mut arrived = Arrived::new();
        let mut next_in = 0u8;
        let mut next_out = 0u8;
        let mut buffer = [0; 1000];
        for _ in 0..20 {
            for _ in 0..900 {
                arrived.push(next_in);
                next_in = next_in.wrapping_add(1);
            }
            assert_eq!(arrived.take(&mut buffer), Some(ConsoleEvent::Bytes(900)));
            for &byte in &buffer[..900] {
                assert_eq!(byte, next_out);
                next_out = next_out.wrapping_add(1);
            }
        }
        assert_eq!(arrived.take(&mut buffer), None);
    }

    #[test]
    fn the_end_comes_after_the_last_byte_and_stays() {
        let mut arrived = Arrived::new();
        arrived.configure(true, (0, 0));
        for byte in [b'x', 0x10, b'E'] {
            arrived.push(byte);
        }
        let mut buffer = [0; 8];
        assert_eq!(arrived.take(&mut buffer), Some(ConsoleEvent::Bytes(1)));
        assert_eq!(arrived.take(&mut buffer), Some(ConsoleEvent::End));
        assert_eq!(arrived.take(&mut buffer), Some(ConsoleEvent::End));
    }

    #[test]
    fn a_full_buffer_says_so() {
        let mut arrived = Arrived::new();
        for _ in 0..CAPACITY {
            assert!(arrived.has_room());
            arrived.push(1);
        }
        assert!(!arrived.has_room());
    }
}
