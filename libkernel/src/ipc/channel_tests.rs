//! Channels without anybody asleep.

use super::*;
use core::ptr::NonNull;
use std::vec::Vec;
use sync::Counter;

/// A context of no thread: nothing here waits.
#[allow(unsafe_code)]
fn context() -> TaskContext {
    // SAFETY: nobody asks it for its thread.
    unsafe { TaskContext::enter(NonNull::dangling()) }
}

fn message(tag: u64) -> Message<Arc<()>> {
    Message { words: [tag, 0, 0, 0], load: None }
}

/// Counts how it was settled.
#[derive(Default)]
struct Word {
    accepted: Counter,
    refused: Counter,
}

impl Ticket for Word {
    fn settle(&self, accepted: bool) {
        if accepted { &self.accepted } else { &self.refused }.increment();
    }
}

fn ticket() -> (Arc<Word>, Arc<dyn Ticket>) {
    let word = Arc::new(Word::default());
    (word.clone(), word)
}

fn tag(received: Result<Message<Arc<()>>, KernelError>) -> Result<u64, KernelError> {
    received.map(|message| message.words[0])
}

#[test]
fn a_buffer_holds_its_capacity_and_gives_in_order() {
    let mut cx = context();
    let channel = Channel::new(2);
    let sent: Vec<_> = (0..3).map(|tag| channel.send(&mut cx, message(tag), false)).collect();
    assert_eq!(sent, [Ok(()), Ok(()), Err(KernelError::WouldBlock)]);
    let got: Vec<_> = (0..3).map(|_| tag(channel.receive(&mut cx, false))).collect();
    assert_eq!(got, [Ok(0), Ok(1), Err(KernelError::WouldBlock)]);
}

#[test]
fn a_message_beyond_the_buffer_is_accepted_when_it_comes_within() {
    let mut cx = context();
    let channel = Channel::new(1);
    assert!(channel.send(&mut cx, message(0), false).is_ok());
    let (words, tickets): (Vec<_>, Vec<_>) = (0..2).map(|_| ticket()).unzip();
    for (ticket, tag) in tickets.iter().zip(1..) {
        assert!(channel.post(&cx, message(tag), ticket).is_ok());
    }
    let accepted = || words.iter().map(|word| word.accepted.get()).collect::<Vec<_>>();
    assert_eq!(accepted(), [0, 0]);
    assert_eq!(tag(channel.receive(&mut cx, false)), Ok(0));
    assert_eq!(accepted(), [1, 0]);
    assert_eq!(tag(channel.receive(&mut cx, false)), Ok(1));
    assert_eq!(accepted(), [1, 1]);
}

#[test]
fn from_hand_to_hand_a_message_is_accepted_when_taken_and_not_before() {
    let mut cx = context();
    let channel = Channel::new(0);
    let (word, ticket) = ticket();
    assert_eq!(channel.send(&mut cx, message(1), false), Err(KernelError::WouldBlock));
    assert!(channel.post(&cx, message(2), &ticket).is_ok());
    assert_eq!(word.accepted.get(), 0);
    assert_eq!(tag(channel.receive(&mut cx, false)), Ok(2));
    assert_eq!((word.accepted.get(), word.refused.get()), (1, 0));
    channel.expect(&cx);
    assert_eq!(channel.send(&mut cx, message(3), false), Ok(()), "somebody expects it");
    assert_eq!(channel.send(&mut cx, message(4), false), Err(KernelError::WouldBlock), "one, and not two");
}

#[test]
fn a_message_that_was_withdrawn_is_not_received_and_one_that_was_received_not_withdrawn() {
    let mut cx = context();
    let channel = Channel::new(0);
    let ((_, first), (word, second)) = (ticket(), ticket());
    assert!(channel.post(&cx, message(1), &first).is_ok() && channel.post(&cx, message(2), &second).is_ok());
    assert!(channel.withdraw(&cx, &first).is_some());
    assert_eq!(tag(channel.receive(&mut cx, false)), Ok(2));
    assert!(channel.withdraw(&cx, &second).is_none());
    assert_eq!(word.accepted.get(), 1);
}

#[test]
fn what_is_never_received_is_let_go_of_and_its_senders_hear_of_it() {
    let mut cx = context();
    let channel = Channel::new(1);
    let load = Arc::new(());
    assert!(channel.send(&mut cx, Message { words: [0; 4], load: Some(load.clone()) }, false).is_ok());
    let (word, ticket) = ticket();
    assert!(channel.post(&cx, message(1), &ticket).is_ok());
    channel.close_receiver();
    assert_eq!((word.accepted.get(), word.refused.get()), (0, 1));
    assert_eq!(Arc::strong_count(&load), 1);
    assert_eq!(channel.send(&mut cx, message(1), true), Err(KernelError::Gone));
}

#[test]
fn the_receiver_drains_before_it_hears_of_the_end() {
    let mut cx = context();
    let channel = Channel::new(2);
    assert!(channel.send(&mut cx, message(1), false).is_ok());
    channel.close_sender();
    let got = channel.receive(&mut cx, true);
    assert!(matches!(&got, Ok(message) if message.words[0] == 1));
    if let Ok(message) = got {
        channel.give_back(&cx, message);
    }
    assert_eq!(tag(channel.receive(&mut cx, true)), Ok(1), "it was given back");
    assert_eq!(tag(channel.receive(&mut cx, true)), Err(KernelError::Gone));
}

#[test]
fn who_was_expected_and_has_its_message_is_expected_no_longer() {
    let mut cx = context();
    let channel = Channel::new(0);
    channel.expect(&cx);
    let mut is_expected = true;
    assert_eq!(tag(channel.receive_expected(&cx, &mut is_expected)), Err(KernelError::WouldBlock));
    assert!(is_expected, "nothing came");
    assert_eq!(channel.send(&mut cx, message(1), false), Ok(()));
    assert_eq!(tag(channel.receive_expected(&cx, &mut is_expected)), Ok(1));
    assert!(!is_expected);
    assert_eq!(channel.send(&mut cx, message(2), false), Err(KernelError::WouldBlock), "nobody receives");
}

#[test]
fn a_message_that_was_given_back_is_news() {
    let mut cx = context();
    let channel = Channel::new(1);
    assert!(channel.send(&mut cx, message(1), false).is_ok());
    let Ok(received) = channel.receive(&mut cx, false) else { panic!("it was sent") };
    let before = channel.events();
    channel.give_back(&cx, received);
    assert_ne!(channel.events(), before);
}

#[test]
fn what_travels_with_a_withdrawn_message_is_the_callers_to_drop() {
    let cx = context();
    let channel = Channel::new(0);
    let (load, (_, ticket)) = (Arc::new(()), ticket());
    assert!(channel.post(&cx, Message { words: [0; 4], load: Some(load.clone()) }, &ticket).is_ok());
    let withdrawn = channel.withdraw(&cx, &ticket);
    assert_eq!(Arc::strong_count(&load), 2);
    drop(withdrawn);
    assert_eq!(Arc::strong_count(&load), 1);
}
