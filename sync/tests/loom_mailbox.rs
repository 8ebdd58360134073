//! Mailbox, explored: each letter arrives once, whole, whoever writes at the same time.
#![cfg(loom)]

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering, Ordering::*};
use loom::thread;
use std::sync::Mutex;
use sync::Mailbox;

/// What is in a letter is a cell that loom watches.
type Letter = Box<UnsafeCell<u32>>;

trait Post: Send + Sync + 'static {
    fn new() -> Self;
    fn push(&self, letter: Letter) -> bool;
    fn pop(&self) -> Option<Letter>;
}

impl Post for Mailbox<Letter, 2> {
    fn new() -> Self {
        Mailbox::new()
    }
    fn push(&self, letter: Letter) -> bool {
        self.push(letter).is_ok()
    }
    fn pop(&self) -> Option<Letter> {
        self.pop()
    }
}

fn read(letter: Letter) -> u32 {
    // SAFETY: loom checks that the write came before.
    letter.with(|text| unsafe { *text })
}

fn write(text: u32) -> Letter {
    let letter = Letter::default();
    // SAFETY: nobody else has it yet.
    letter.with_mut(|at| unsafe { *at = text });
    letter
}

/// Two CPUs write a letter each, a third looks twice meanwhile and reads the rest in the end.
fn every_letter_arrives_once<P: Post>() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let post = Arc::new(P::new());
        let writers: Vec<_> = [1, 2]
            .map(|text| {
                let post = post.clone();
                thread::spawn(move || assert!(post.push(write(text)), "FULL with two letters in two boxes"))
            })
            .into();
        let mut seen: Vec<u32> = [post.pop(), post.pop()].into_iter().flatten().map(read).collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        seen.extend(std::iter::from_fn(|| post.pop()).map(read));
        seen.sort_unstable();
        assert_eq!(seen, [1, 2], "LOST OR DOUBLED");
    });
}

#[test]
fn two_writers_and_a_reader() {
    every_letter_arrives_once::<Mailbox<Letter, 2>>();
}

#[test]
fn a_box_is_used_again_only_after_it_was_read() {
    loom::model(|| {
        let post = Arc::new(Mailbox::<Letter, 2>::new());
        let other = post.clone();
        let writer = thread::spawn(move || (1..=3).filter(|text| Post::push(&*other, write(*text))).count());
        let mut seen: Vec<u32> = [post.pop(), post.pop()].into_iter().flatten().map(read).collect();
        let sent = writer.join().unwrap();
        seen.extend(std::iter::from_fn(|| post.pop()).map(read));
        assert!(seen.is_sorted() && seen.len() == sent, "{sent} sent, {seen:?} seen");
    });
}

/// Twins: one announces the letter with a relaxed turn, one takes its place in two steps.
struct Twin<const TWO_STEPS: bool> {
    turns: [AtomicUsize; 2],
    letters: [Mutex<Option<Letter>>; 2],
    write: AtomicUsize,
    read: AtomicUsize,
}

impl<const TWO_STEPS: bool> Post for Twin<TWO_STEPS> {
    fn new() -> Self {
        Twin {
            turns: [AtomicUsize::new(0), AtomicUsize::new(1)],
            letters: Default::default(),
            write: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
        }
    }
    fn push(&self, letter: Letter) -> bool {
        const ANNOUNCE: [Ordering; 2] = [Relaxed, Release];
        let position = if TWO_STEPS {
            let position = self.write.load(Relaxed);
            self.write.store(position + 1, Relaxed);
            position
        } else {
            self.write.fetch_add(1, Relaxed)
        };
        *self.letters[position % 2].lock().unwrap() = Some(letter);
        self.turns[position % 2].store(position + 1, ANNOUNCE[usize::from(TWO_STEPS)]);
        true
    }
    fn pop(&self) -> Option<Letter> {
        let position = self.read.load(Relaxed);
        if self.turns[position % 2].load(Acquire) != position + 1 {
            return None;
        }
        self.read.store(position + 1, Relaxed);
        self.letters[position % 2].lock().unwrap().take()
    }
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent")]
fn a_relaxed_turn_shows_an_unwritten_letter() {
    every_letter_arrives_once::<Twin<false>>();
}

#[test]
#[should_panic(expected = "LOST OR DOUBLED")]
fn taking_a_place_in_two_steps_loses_a_letter() {
    every_letter_arrives_once::<Twin<true>>();
}
