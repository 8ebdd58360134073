//! A gate: many are inside at once, each counted on a line of its own CPU, until one closes it and waits for the last.
//!
//! Invariant: whoever enters counts before it looks at the gate, and whoever closes it says so before it looks at the
//! counts, with a full barrier between on both sides: so one of the two sees the other. The same at the end: who
//! leaves a closed gate takes itself out of the count before it looks, and says so.

use crate::atomic::{AtomicBool, AtomicU32, Ordering, fence_full};
use crate::cpu;
use crate::twin::{self, Twin};

/// Beyond so many CPUs, several share a line. Explorers play two CPUs.
const LINES: usize = if cfg!(any(loom, shuttle)) { 2 } else { 8 };

/// A cache line of its own.
#[repr(align(64))]
struct Line(AtomicU32);

pub struct Gate {
    closed: AtomicBool,
    lines: [Line; LINES],
}

/// Somebody is inside; given back by `leave`.
#[must_use]
#[derive(Debug)]
pub struct Inside(usize);

/// Is somebody to be told, who may have seen the one that left and waits?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    Open,
    Closed,
}

impl Gate {
    const_unless_loom! {
        pub const fn new() -> Self {
            #[cfg(not(loom))]
            let lines = [const { Line(AtomicU32::new(0)) }; LINES];
            #[cfg(loom)]
            let lines = core::array::from_fn(|_| Line(AtomicU32::new(0)));
            Gate { closed: AtomicBool::new(false), lines }
        }
    }

    /// Inside, unless it is closed: then one who may wait for it is to be told, as by `leave`.
    #[inline]
    pub fn enter(&self) -> Option<Inside> {
        if twin::is(Twin::LooksBeforeEntering) {
            let closed = self.closed.load(Ordering::Acquire);
            let inside = self.count_in();
            return if closed { self.leave_at_once(inside) } else { Some(inside) };
        }
        let inside = self.count_in();
        fence_full();
        // What the one who opened it wrote is seen by whoever finds it open.
        if self.closed.load(Ordering::Acquire) { self.leave_at_once(inside) } else { Some(inside) }
    }

    #[cold]
    fn leave_at_once(&self, inside: Inside) -> Option<Inside> {
        self.lines[inside.0].0.fetch_sub(1, Ordering::AcqRel);
        None
    }

    fn count_in(&self) -> Inside {
        let line = cpu::current().index() % LINES;
        let before = self.lines[line].0.fetch_add(1, Ordering::AcqRel);
        assert!(before < u32::MAX / 2, "a gate's count ran over");
        Inside(line)
    }

    /// Inside in any case: for one who knows that nobody can close it meanwhile.
    pub fn enter_held_open(&self) -> Inside {
        self.count_in()
    }

    #[inline]
    pub fn leave(&self, inside: Inside) -> Left {
        let before = self.lines[inside.0].0.fetch_sub(1, Ordering::AcqRel);
        assert!(before != 0, "somebody left a gate who was not inside");
        fence_full();
        if self.closed.load(Ordering::Acquire) { Left::Closed } else { Left::Open }
    }

    /// Nobody comes in from now on. One at a time may do this: the caller sees to that.
    pub fn close(&self) {
        if !twin::is(Twin::LooksBeforeClosing) {
            self.closed.store(true, Ordering::Release);
            fence_full();
        }
    }

    pub fn open(&self) {
        self.closed.store(false, Ordering::Release);
    }

    /// Of a closed gate: have all left? Then all that they did is seen.
    pub fn is_empty(&self) -> bool {
        let empty = self.lines.iter().all(|line| line.0.load(Ordering::Acquire) == 0);
        if twin::is(Twin::LooksBeforeClosing) {
            self.closed.store(true, Ordering::Release);
            fence_full();
        }
        empty
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
