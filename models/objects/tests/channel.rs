//! Channels: each message is received once, or its sender hears that it was not; nobody sleeps beside a message or a closed end.
#![cfg(any(loom, shuttle))]

use objects_models::actor::Actor;
use objects_models::error::KernelError;
use objects_models::explore::Extent::{self, All, Preemptions};
use objects_models::explore::{fails, holds};
use objects_models::ipc::{Channel, Message};
use std::sync::Arc;
use sync::TaskContext;
use sync::twin::Twin;

type Line = Channel<()>;
/// As far as two CPUs are explored where every execution would take minutes.
const FAR: Extent = Preemptions(3);

fn send(cx: &mut TaskContext, line: &Line, word: u64) -> Result<(), KernelError> {
    line.send(cx, Message { words: [word; 4], load: None }, true)
}

fn receive(cx: &mut TaskContext, line: &Line) -> Result<u64, KernelError> {
    line.receive(cx, true).map(|message| message.words[0])
}

/// One sends some messages to another.
fn sent_in_order(capacity: usize, count: u64) {
    let line = Line::new(capacity);
    let theirs = line.clone();
    let sender = Actor::new(1).start(move |cx| (1..=count).for_each(|word| assert_eq!(send(cx, &theirs, word), Ok(()))));
    Actor::new(0).play(|cx| {
        for word in 1..=count {
            assert_eq!(receive(cx, &line), Ok(word), "another message than was sent next");
        }
        sender.join().unwrap();
        assert!(!line.state(cx).has_message, "a message is there twice");
    });
}

#[test]
fn a_message_goes_from_hand_to_hand() {
    holds(All, || sent_in_order(0, 1));
}

#[test]
fn messages_from_hand_to_hand_come_in_order() {
    holds(FAR, || sent_in_order(0, 2));
}

#[test]
fn messages_through_a_buffer_come_in_order() {
    holds(FAR, || sent_in_order(1, 3));
}

#[test]
#[should_panic(expected = "MessageAfterWake: deadlock")]
fn a_message_that_comes_after_its_wake_is_not_received() {
    fails(Twin::MessageAfterWake, FAR, || sent_in_order(1, 1));
}

#[test]
#[should_panic(expected = "OutcomeAfterWake: deadlock")]
fn a_sender_that_is_woken_before_its_outcome_is_there_sleeps_on() {
    fails(Twin::OutcomeAfterWake, FAR, || sent_in_order(0, 1));
}

#[test]
#[should_panic(expected = "RegistersAfterLooking: deadlock")]
fn a_receiver_that_looks_and_then_registers_sleeps_on_a_message() {
    fails(Twin::RegistersAfterLooking, FAR, || sent_in_order(1, 1));
}

/// Two send, a third takes both.
fn two_send(capacity: usize) {
    let line = Line::new(capacity);
    let start = |word| {
        let theirs = line.clone();
        Actor::new(word as usize).start(move |cx| assert_eq!(send(cx, &theirs, word), Ok(())))
    };
    let senders = [start(1), start(2)];
    Actor::new(0).play(|cx| {
        let sum = receive(cx, &line).unwrap() + receive(cx, &line).unwrap();
        assert_eq!(sum, 3, "a message was received twice");
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert!(!line.state(cx).has_message, "a message is left");
    });
}

#[test]
fn each_of_two_senders_is_heard_from_hand_to_hand() {
    holds(Preemptions(1), || two_send(0));
}

#[test]
fn each_of_two_senders_is_heard_through_a_buffer() {
    holds(Preemptions(1), || two_send(1));
}

/// A receiver waits and is called out, while another thread sends if somebody waits.
fn a_receiver_is_called_out() {
    let line = Line::new(0);
    let receiver = Actor::new(0);
    let (theirs, called_out) = (line.clone(), receiver.thread.clone());
    let sender = Actor::new(1).start(move |cx| {
        let message = Message { words: [7; 4], load: None };
        let sent = theirs.send(cx, message, false).is_ok();
        called_out.interrupt();
        sent
    });
    receiver.play(|cx| {
        let received = receive(cx, &line);
        let sent = sender.join().unwrap();
        assert_eq!(received.is_ok(), sent, "a message was accepted, and nobody has it");
        assert!(!line.state(cx).has_room, "somebody is counted who waits no longer");
    });
}

#[test]
fn who_is_called_out_takes_the_message_that_was_sent_to_it() {
    holds(FAR, a_receiver_is_called_out);
}

#[test]
#[should_panic(expected = "ReceiverLeavesMessage: ")]
fn who_leaves_a_message_when_called_out_loses_it() {
    fails(Twin::ReceiverLeavesMessage, FAR, a_receiver_is_called_out);
}

/// A sender waits and is called out, while another thread takes what is there.
fn a_sender_is_called_out() {
    let line = Line::new(0);
    let sender = Actor::new(0);
    let (theirs, called_out) = (line.clone(), sender.thread.clone());
    let receiver = Actor::new(1).start(move |cx| {
        called_out.interrupt();
        theirs.receive(cx, false).is_ok()
    });
    sender.play(|cx| {
        let sent = send(cx, &line, 7);
        let received = receiver.join().unwrap();
        assert_eq!(sent.is_ok(), received, "a message and its sender's answer do not agree");
        assert!(!line.state(cx).has_message, "a message is left whose sender took it back");
    });
}

#[test]
fn a_sender_that_is_called_out_knows_whether_its_message_was_taken() {
    holds(FAR, a_sender_is_called_out);
}

#[test]
#[should_panic(expected = "SenderLeavesMessage: ")]
fn a_sender_that_leaves_its_message_behind_tells_its_program_a_lie() {
    fails(Twin::SenderLeavesMessage, FAR, a_sender_is_called_out);
}

/// What cannot be delivered goes back while another waits for it.
fn one_gives_back() {
    let line = Line::new(1);
    let theirs = line.clone();
    let clumsy = Actor::new(1).start(move |cx| {
        assert_eq!(send(cx, &theirs, 7), Ok(()));
        if let Ok(message) = theirs.receive(cx, false) {
            theirs.give_back(cx, message);
        }
    });
    Actor::new(0).play(|cx| assert_eq!(receive(cx, &line), Ok(7)));
    clumsy.join().unwrap();
}

#[test]
fn a_message_that_goes_back_is_received_by_another() {
    holds(FAR, one_gives_back);
}

#[test]
#[should_panic(expected = "GivenBackSilently: deadlock")]
fn a_message_that_goes_back_silently_leaves_a_receiver_asleep() {
    fails(Twin::GivenBackSilently, FAR, one_gives_back);
}

/// The last sender goes while a receiver waits.
fn the_sender_goes(messages: u64) {
    let line = Line::new(1);
    let theirs = line.clone();
    let sender = Actor::new(1).start(move |cx| {
        (0..messages).for_each(|word| assert_eq!(send(cx, &theirs, word), Ok(())));
        theirs.close_sender();
    });
    Actor::new(0).play(|cx| {
        for word in 0..messages {
            assert_eq!(receive(cx, &line), Ok(word), "what was sent before the end is lost");
        }
        assert_eq!(receive(cx, &line), Err(KernelError::Gone));
        sender.join().unwrap();
    });
}

#[test]
fn a_receiver_hears_that_nobody_sends_any_more() {
    holds(All, || the_sender_goes(0));
}

#[test]
fn a_receiver_gets_what_was_sent_before_the_end() {
    holds(FAR, || the_sender_goes(1));
}

#[test]
#[should_panic(expected = "ClosedAfterWake: deadlock")]
fn an_end_that_closes_after_its_wake_leaves_the_other_asleep() {
    fails(Twin::ClosedAfterWake, FAR, || the_sender_goes(0));
}

/// The last receiver goes while a sender waits.
fn the_receiver_goes() {
    let line = Line::new(0);
    let theirs = line.clone();
    let receiver = Actor::new(1).start(move |_| theirs.close_receiver());
    Actor::new(0).play(|cx| {
        assert_eq!(send(cx, &line, 7), Err(KernelError::Gone), "a message was accepted that nobody has");
        receiver.join().unwrap();
        assert!(!line.state(cx).has_message, "a message is left that nobody will receive");
    });
}

#[test]
fn a_sender_hears_that_nobody_receives_any_more() {
    holds(Preemptions(4), the_receiver_goes);
}

#[test]
#[should_panic(expected = "RefusedSilently: deadlock")]
fn a_sender_that_is_not_told_waits_for_ever() {
    fails(Twin::RefusedSilently, FAR, the_receiver_goes);
}

/// A receiver takes one message and goes; of two senders one is told that it was heard.
fn the_receiver_goes_after_one() {
    let line = Line::new(0);
    let start = |word| {
        let theirs = line.clone();
        Actor::new(word as usize).start(move |cx| send(cx, &theirs, word).is_ok())
    };
    let senders = [start(1), start(2)];
    Actor::new(0).play(|cx| {
        let heard = receive(cx, &line).unwrap();
        Arc::clone(&line).close_receiver();
        let told = senders.map(|sender| sender.join().unwrap());
        assert_eq!(told, [heard == 1, heard == 2], "the wrong sender was told that it was heard");
    });
}

#[test]
fn the_one_sender_that_was_heard_is_told_so() {
    holds(Preemptions(1), the_receiver_goes_after_one);
}
