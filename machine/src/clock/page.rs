//! The page that programs read the clock from: what turns ticks of the time-stamp counter into times.
//!
//! Invariant: the words are one write's, whoever reads them and where (`SequenceLock`); user/vdso.s knows where each of them stands.

use super::tsc;
use crate::addr::{Frame, PAGE_SIZE};
use crate::physical;
use sync::{SequenceLock, Snapshot};

/// How times are reckoned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reckoning {
    /// May programs reckon themselves? Otherwise they ask the kernel.
    pub is_usable: bool,
    /// The counter's value at boot.
    pub start: u64,
    /// A fraction of 2^32.
    pub nanoseconds_per_tick: u64,
    /// Nanoseconds from 1970 to boot.
    pub boot_time: u64,
}

const _: () = assert!(size_of::<SequenceLock<Reckoning>>() <= PAGE_SIZE);

/// Where a word stands in the page.
const fn word_at(number: usize) -> usize {
    SequenceLock::<Reckoning>::WORDS_AT + number * size_of::<u64>()
}

pub(crate) const SEQUENCE: usize = 0;
pub(crate) const IS_USABLE: usize = word_at(0);
pub(crate) const START: usize = word_at(1);
pub(crate) const NANOSECONDS_PER_TICK: usize = word_at(2);
pub(crate) const BOOT_TIME: usize = word_at(3);

impl Snapshot for Reckoning {
    fn to_words(self) -> [u64; sync::SNAPSHOT_WORDS] {
        [u64::from(self.is_usable), self.start, self.nanoseconds_per_tick, self.boot_time].to_words()
    }

    fn from_words(words: [u64; sync::SNAPSHOT_WORDS]) -> Self {
        let [usable, start, nanoseconds_per_tick, boot_time] = Snapshot::from_words(words);
        Reckoning { is_usable: usable != 0, start, nanoseconds_per_tick, boot_time }
    }
}

impl Reckoning {
    /// By the time-stamp counter from `start` on. Programs may use it unless some CPU saw another's counter run ahead.
    pub fn by_counter(start: u64, boot_time: u64) -> Self {
        let is_usable = tsc::worst_step_back() == 0;
        Reckoning { is_usable, start, nanoseconds_per_tick: tsc::nanoseconds_per_tick(), boot_time }
    }
}

/// The lock at the start of `frame`, which holds zeros or a lock already, and is the clock's for ever.
pub fn lock_in(frame: Frame) -> &'static SequenceLock<Reckoning> {
    // SAFETY: inside the window, aligned; RAM is never unmapped, zeros are a lock, and programs only read the frame.
    unsafe { &*physical::pointer(frame.start()).cast::<SequenceLock<Reckoning>>() }
}
