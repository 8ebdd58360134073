//! SequenceLock and Once, explored: no reader sees half of what a writer wrote.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering::*, fence};
use loom::thread;
use sync::{Once, SequenceLock};

trait Pair: Send + Sync + 'static {
    fn new() -> Self;
    fn write(&self, value: u64);
    fn read(&self) -> [u64; 2];
}

impl Pair for SequenceLock<[u64; 2]> {
    fn new() -> Self {
        SequenceLock::from_words([0; 2])
    }
    fn write(&self, value: u64) {
        self.write([value; 2]);
    }
    fn read(&self) -> [u64; 2] {
        self.read()
    }
}

fn no_read_is_torn<P: Pair>(writes: u64) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let pair = Arc::new(P::new());
        let other = pair.clone();
        let writer = thread::spawn(move || (1..=writes).for_each(|value| other.write(value)));
        let [one, two] = pair.read();
        assert_eq!(one, two, "TORN read");
        writer.join().unwrap();
        assert_eq!(pair.read(), [writes; 2], "the last write is not seen");
    });
}

#[test]
fn a_reader_sees_one_write() {
    no_read_is_torn::<SequenceLock<[u64; 2]>>(1);
}

#[test]
fn a_reader_sees_one_of_two_writes() {
    no_read_is_torn::<SequenceLock<[u64; 2]>>(2);
}

#[test]
fn two_writers_take_turns() {
    loom::model(|| {
        let pair = Arc::new(<SequenceLock<[u64; 2]> as Pair>::new());
        let other = pair.clone();
        let writer = thread::spawn(move || other.write([1; 2]));
        pair.write([2; 2]);
        writer.join().unwrap();
        let [one, two] = pair.read();
        assert_eq!(one, two, "TORN write");
    });
}

/// Twins: the reader's fence or the writer's fence left out.
struct Twin<const READER_FENCE: bool, const WRITER_FENCE: bool> {
    sequence: AtomicU64,
    words: [AtomicU64; 2],
}

impl<const READER_FENCE: bool, const WRITER_FENCE: bool> Pair for Twin<READER_FENCE, WRITER_FENCE> {
    fn new() -> Self {
        Twin { sequence: AtomicU64::new(0), words: [AtomicU64::new(0), AtomicU64::new(0)] }
    }
    fn write(&self, value: u64) {
        let before = self.sequence.load(Relaxed);
        self.sequence.store(before + 1, Relaxed);
        if WRITER_FENCE {
            fence(Release);
        }
        self.words.iter().for_each(|word| word.store(value, Relaxed));
        self.sequence.store(before + 2, Release);
    }
    fn read(&self) -> [u64; 2] {
        loop {
            let before = self.sequence.load(Acquire);
            let words = [self.words[0].load(Relaxed), self.words[1].load(Relaxed)];
            if READER_FENCE {
                fence(Acquire);
            }
            if before % 2 == 0 && self.sequence.load(Relaxed) == before {
                return words;
            }
            thread::yield_now();
        }
    }
}

#[test]
#[should_panic(expected = "TORN read")]
fn without_the_readers_fence_a_read_is_torn() {
    no_read_is_torn::<Twin<false, true>>(1);
}

#[test]
#[should_panic(expected = "TORN read")]
fn without_the_writers_fence_a_read_is_torn() {
    no_read_is_torn::<Twin<true, false>>(1);
}

#[test]
fn once_shows_the_whole_value_or_none() {
    loom::model(|| {
        let once = Arc::new(Once::<UnsafeCell<u32>>::new());
        let other = once.clone();
        let setter = thread::spawn(move || {
            let value = UnsafeCell::new(0);
            // SAFETY: nobody else has it yet.
            value.with_mut(|value| unsafe { *value = 7 });
            assert!(other.set(value).is_ok());
        });
        if let Some(value) = once.get() {
            // SAFETY: loom checks that the write came before.
            value.with(|value| assert_eq!(unsafe { *value }, 7));
        }
        setter.join().unwrap();
    });
}

/// The broken twin: announces the value relaxed.
#[test]
#[should_panic(expected = "Causality violation: Concurrent")]
fn a_relaxed_announcement_shows_an_unwritten_value() {
    loom::model(|| {
        let once = Arc::new((AtomicBool::new(false), UnsafeCell::new(0)));
        let other = once.clone();
        let setter = thread::spawn(move || {
            // SAFETY: loom checks that nobody else is at it.
            other.1.with_mut(|value| unsafe { *value = 7 });
            other.0.store(true, Relaxed);
        });
        if once.0.load(Acquire) {
            // SAFETY: loom checks that the write came before.
            once.1.with(|value| assert_eq!(unsafe { *value }, 7));
        }
        setter.join().unwrap();
    });
}
