//! A serial line, played: bytes that wait in the device.

use std::cell::RefCell;
use std::collections::VecDeque;

pub const COM1: u16 = 0x3f8;
pub const COM3: u16 = 0x3e8;

// One model's threads all run on one OS thread; the device itself is not what is explored.
std::thread_local! {
    static LINE: RefCell<VecDeque<u8>> = const { RefCell::new(VecDeque::new()) };
}

/// The other end sends these, and what was left goes.
pub fn send(bytes: &[u8]) {
    LINE.with_borrow_mut(|line| line.extend(bytes));
}

pub fn clear() {
    LINE.with_borrow_mut(VecDeque::clear);
}

pub struct Port;

impl Port {
    pub const fn new(_: u16) -> Self {
        Port
    }

    pub fn initialise(&self) {}

    pub fn receive(&self) -> Option<u8> {
        LINE.with_borrow_mut(VecDeque::pop_front)
    }

    pub fn enable_receive_interrupt(&self) {}

    pub fn disable_receive_interrupt(&self) {}
}
