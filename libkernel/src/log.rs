//! The kernel log: the last lines in memory, and a sink that shows them as they come.
//!
//! Invariant: a line is put together on the caller's stack, stored under the innermost lock of all, and
//! shown after that lock is released; so a line may be logged anywhere.

use arrayvec::ArrayVec;
use core::fmt::{self, Write};
use sync::{Once, SpinLock, order};

/// Bytes of log that are kept.
pub const KEPT_BYTES: usize = 64 * 1024;
/// Longer lines are cut.
const LINE_BYTES: usize = 320;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    Error,
    Warning,
    Information,
}

impl Level {
    const fn mark(self) -> &'static str {
        match self {
            Level::Error => "error: ",
            Level::Warning => "warning: ",
            Level::Information => "",
        }
    }
}

#[macro_export]
macro_rules! info {
    ($($argument:tt)*) => { $crate::log::line($crate::log::Level::Information, format_args!($($argument)*)) };
}

#[macro_export]
macro_rules! warn {
    ($($argument:tt)*) => { $crate::log::line($crate::log::Level::Warning, format_args!($($argument)*)) };
}

#[macro_export]
macro_rules! error {
    ($($argument:tt)*) => { $crate::log::line($crate::log::Level::Error, format_args!($($argument)*)) };
}

pub use crate::{error, info, warn};

/// The newest bytes; `written` counts all that ever came, so a reader knows its place.
struct Ring {
    bytes: [u8; KEPT_BYTES],
    written: u64,
}

impl Ring {
    const fn new() -> Self {
        Ring { bytes: [0; KEPT_BYTES], written: 0 }
    }

    fn push(&mut self, line: &[u8]) {
        for &byte in line {
            self.bytes[(self.written % KEPT_BYTES as u64) as usize] = byte;
            self.written += 1;
        }
    }

    fn oldest(&self) -> u64 {
        self.written.saturating_sub(KEPT_BYTES as u64)
    }

    /// Copies from place `from` on; returns how many bytes and the place after them.
    fn read(&self, from: u64, into: &mut [u8]) -> (usize, u64) {
        let from = from.clamp(self.oldest(), self.written);
        let count = into.len().min((self.written - from) as usize);
        for (offset, byte) in into[..count].iter_mut().enumerate() {
            *byte = self.bytes[((from + offset as u64) % KEPT_BYTES as u64) as usize];
        }
        (count, from + count as u64)
    }
}

static RING: SpinLock<Ring, order::Log> = SpinLock::new(Ring::new());
static SINK: Once<fn(&[u8])> = Once::new();
/// Whoever shows a line: lines of several CPUs do not mix.
static TURN: SpinLock<(), order::Log> = SpinLock::new(());

/// Who shows the lines from now on (the serial port). Set once, by the kernel crate.
pub fn set_sink(sink: fn(&[u8])) {
    if SINK.set(sink).is_err() {
        warn!("the log has a sink already");
    }
}

/// Reads kept bytes from place `from` (0 for the oldest): how many were copied, and the next place.
pub fn read(from: u64, into: &mut [u8]) -> (usize, u64) {
    RING.lock_without_context().read(from, into)
}

/// How many bytes are kept now.
pub fn kept() -> usize {
    let ring = RING.lock_without_context();
    (ring.written - ring.oldest()) as usize
}

/// One line under construction; what does not fit is dropped.
struct Line(ArrayVec<u8, LINE_BYTES>);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LINE_BYTES - 1 - self.0.len().min(LINE_BYTES - 1);
        for &byte in text.as_bytes().iter().take(room) {
            self.0.push(byte);
        }
        Ok(())
    }
}

/// What the macros call: one line, with its time since boot.
pub fn line(level: Level, text: fmt::Arguments<'_>) {
    let line = composed(level, text);
    RING.lock_without_context().push(&line.0);
    if let Some(sink) = SINK.get() {
        let turn = TURN.lock_without_context();
        sink(&line.0);
        drop(turn);
    }
}

fn composed(level: Level, text: fmt::Arguments<'_>) -> Line {
    let now = crate::clock::now();
    let mut line = Line(ArrayVec::new());
    // `Line` takes everything, and a failing `Display` only shortens the line.
    let _ = write!(line, "[{:5}.{:06}] {}{}", now / 1_000_000_000, now / 1_000 % 1_000_000, level.mark(), text);
    line.0.push(b'\n');
    line
}

/// As `line`, for reports on CPUs that may hold the log's own locks: waits a little for each, and goes on without it.
pub fn insist(level: Level, text: fmt::Arguments<'_>) {
    let line = composed(level, text);
    if let Some(mut ring) = patiently(|| RING.try_lock()) {
        ring.push(&line.0);
    }
    if let Some(sink) = SINK.get() {
        let turn = patiently(|| TURN.try_lock());
        sink(&line.0);
        drop(turn);
    }
}

fn patiently<T>(attempt: impl Fn() -> Option<T>) -> Option<T> {
    const TURNS: usize = 100_000;
    (0..TURNS).find_map(|_| {
        sync::cpu::relax();
        attempt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    #[test]
    fn a_reader_that_was_too_slow_goes_on_at_the_oldest_byte() {
        let mut ring = Box::new(Ring::new());
        for _ in 0..KEPT_BYTES {
            ring.push(b"ab");
        }
        let mut bytes = [0; 4];
        let (count, next) = ring.read(0, &mut bytes);
        assert_eq!((count, next, &bytes), (4, KEPT_BYTES as u64 + 4, b"abab"));
        assert_eq!(ring.read(u64::MAX, &mut bytes).0, 0);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_leaves_room_for_its_end() {
        let mut line = Line(ArrayVec::new());
        for _ in 0..LINE_BYTES {
            assert!(line.write_str("xyz").is_ok());
        }
        assert_eq!(line.0.len(), LINE_BYTES - 1);
    }
}
