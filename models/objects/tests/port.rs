//! Completion ports: whatever ends, from wherever, is taken once, and who waits for it goes on.
#![cfg(any(loom, shuttle))]

use objects_models::actor::{Actor, handler};
use objects_models::error::KernelError;
use objects_models::explore::Extent::{self, Preemptions};
use objects_models::explore::{fails, holds};
use objects_models::ipc::{Bell, Channel, CompletionPort, CompletionRing, Finished, Layout, Message, Taker, as_taker};
use objects_models::memory::Page;
use objects_models::sched;
use objects_models::wait::{Deadline, Watch};
use std::sync::Arc;
use sync::TaskContext;
use sync::twin::Twin;

const FAR: Extent = Preemptions(3);
const LAYOUT: Layout = Layout { head: 0, tail: 4, mask: 8, entries: 16, entry_bytes: 4 };

fn encode(finished: &Finished, write: &mut dyn FnMut(&[u8])) {
    write(&(finished.user_data as u32).to_le_bytes());
}

fn ring(page: &Page) -> CompletionRing {
    CompletionRing::new(page.clone(), LAYOUT, 2, encode)
}

/// As `io_wait`: what is there, until there are so many.
fn take(cx: &mut TaskContext, taker: &Taker<'_>, least: usize) -> Vec<u64> {
    let mut taken = Vec::new();
    loop {
        let mut found = [Finished::default(); 4];
        let count = taker.look(cx, &mut found);
        taker.handed_out(cx, count);
        taken.extend(found[..count].iter().map(|finished| finished.user_data));
        if taken.len() >= least {
            return taken;
        }
        assert_eq!(taker.wait(cx, Deadline::NEVER), Ok(()));
    }
}

/// An operation ends in a handler, another in a thread.
fn two_end(with_thread: bool) {
    let port = CompletionPort::new();
    Actor::new(0).play(|cx| {
        let [first, second] = [1, 2].map(|word| port.begin(cx, word, 0).unwrap());
        let (from_handler, from_thread) = (port.clone(), port.clone());
        let interrupt = handler(1, move |context| {
            from_handler.finish(context, first, 0);
            if !with_thread {
                from_handler.finish(context, second, 0);
            }
        });
        let thread = with_thread.then(|| Actor::new(2).start(move |cx| from_thread.finish_donating(cx, second, 0)));
        let mut taken = as_taker(&port, |taker| take(cx, taker, 2)).unwrap();
        taken.sort_unstable();
        assert_eq!(taken, [1, 2], "a completion was taken twice");
        interrupt.join().unwrap();
        thread.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(!port.has_news(cx), "a completion is there twice");
    });
}

#[test]
fn who_waits_for_two_completions_of_a_handler_gets_both() {
    holds(FAR, || two_end(false));
}

#[test]
fn completions_of_a_handler_and_a_thread_are_taken_once_each() {
    holds(Preemptions(1), || two_end(true));
}

#[test]
#[should_panic(expected = "CompletionAfterWake: deadlock")]
fn a_completion_counted_after_its_wake_is_not_heard_of() {
    fails(Twin::CompletionAfterWake, FAR, || two_end(false));
}

/// Two end the same operation: a timer and a cancellation, say.
fn one_ends_twice() {
    let port = CompletionPort::new();
    Actor::new(0).play(|cx| {
        let id = port.begin(cx, 1, 0).unwrap();
        let theirs = port.clone();
        let interrupt = handler(1, move |context| theirs.finish(context, id, 1));
        port.finish(cx, id, 2);
        interrupt.join().unwrap();
        let taken = as_taker(&port, |taker| take(cx, taker, 1)).unwrap();
        assert_eq!(taken, [1], "an operation ended twice");
        assert!(!port.has_news(cx), "an operation ended twice");
        assert_eq!(port.take_spent(cx), Some(id));
        assert_eq!(port.take_spent(cx), None);
        // The place is another's now, who must not hear of the first.
        let next = port.begin(cx, 3, 0).unwrap();
        port.finish(cx, id, 4);
        assert!(!port.has_news(cx), "an operation ended in another's place");
        port.finish(cx, next, 0);
        assert_eq!(as_taker(&port, |taker| take(cx, taker, 1)).unwrap(), [3]);
    });
}

#[test]
fn an_operation_ends_once() {
    holds(FAR, one_ends_twice);
}

#[test]
#[should_panic(expected = "FinishedTwice: ")]
fn an_operation_that_may_end_twice_is_taken_twice() {
    fails(Twin::FinishedTwice, FAR, one_ends_twice);
}

/// A pending operation is stirred, and must be looked at.
fn one_is_stirred() {
    let port = CompletionPort::new();
    Actor::new(0).play(|cx| {
        let id = port.begin(cx, 1, 0).unwrap();
        let theirs = port.clone();
        let interrupt = handler(1, move |context| {
            theirs.stir(context, id);
            theirs.stir(context, id);
        });
        assert_eq!(as_taker(&port, |taker| taker.wait(cx, Deadline::NEVER)), Ok(Ok(())));
        assert_eq!(port.take_stirred(cx), Some(id));
        interrupt.join().unwrap();
        let again = port.take_stirred(cx);
        assert!(again.is_none_or(|other| other == id));
        assert_eq!(port.take_stirred(cx), None);
        port.finish(cx, id, 0);
        assert_eq!(as_taker(&port, |taker| take(cx, taker, 1)), Ok(vec![1]));
    });
}

#[test]
fn who_waits_hears_that_an_operation_may_be_possible() {
    holds(FAR, one_is_stirred);
}

/// Completions go into a ring, and one waits until two are there.
fn two_in_a_ring(with_thread: bool) {
    let (port, page) = (CompletionPort::new(), Page::zeroed());
    Actor::new(0).play(|cx| {
        let [first, second] = [1, 2].map(|word| port.begin(cx, word, 0).unwrap());
        assert_eq!(port.set_ring(cx, ring(&page)), Ok(()));
        let (from_handler, from_thread) = (port.clone(), port.clone());
        let interrupt = handler(1, move |context| {
            from_handler.finish(context, first, 0);
            if !with_thread {
                from_handler.finish(context, second, 0);
            }
        });
        let thread = with_thread.then(|| Actor::new(2).start(move |cx| from_thread.finish(cx, second, 0)));
        assert_eq!(as_taker(&port, |taker| taker.wait_for_ring(cx, 2)), Ok(Ok(())));
        assert_eq!(port.ready_in_ring(cx), Ok(2), "woken before both were there");
        let sum = [0, 1].map(|entry| page.load(LAYOUT.entries + 4 * entry)).iter().sum::<u32>();
        assert_eq!(sum, 3, "a completion is in the ring twice");
        interrupt.join().unwrap();
        thread.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn who_waits_for_two_in_a_ring_wakes_when_two_are_there() {
    holds(FAR, || two_in_a_ring(false));
}

#[test]
fn a_handler_and_a_thread_fill_a_ring() {
    holds(Preemptions(1), || two_in_a_ring(true));
}

#[test]
#[should_panic(expected = "CompletionAfterWake: deadlock")]
fn a_completion_in_a_ring_after_its_wake_is_not_heard_of() {
    fails(Twin::CompletionAfterWake, FAR, || two_in_a_ring(false));
}

/// As `io_wait` and `io_setup_rings` at once: either waits in the old mode and is served, or finds the new one.
fn a_ring_comes() {
    let (port, page) = (CompletionPort::new(), Page::zeroed());
    Actor::new(0).play(|cx| {
        let id = port.begin(cx, 1, 0).unwrap();
        let theirs = (port.clone(), page.clone());
        let other = Actor::new(1).start(move |cx| {
            let is_set = as_taker(&theirs.0, |_| theirs.0.set_ring(cx, ring(&theirs.1)).is_ok()).unwrap_or(false);
            theirs.0.finish(cx, id, 0);
            is_set
        });
        let waited = as_taker(&port, |taker| {
            let has_ring = port.has_ring(cx);
            if !has_ring {
                assert_eq!(take(cx, taker, 1), [1]);
            }
            has_ring
        });
        let is_set = other.join().unwrap();
        match waited {
            Ok(has_ring) => assert_eq!(has_ring, has_ring && is_set),
            Err(error) => assert_eq!((error, is_set), (KernelError::Busy, true)),
        }
        if waited != Ok(false) {
            assert_eq!(port.ready_in_ring(cx), Ok(1), "a completion was lost between the modes");
        }
    });
}

#[test]
fn a_ring_comes_before_a_wait_or_after_it() {
    holds(FAR, a_ring_comes);
}

#[test]
#[should_panic(expected = "SecondTaker: deadlock")]
fn a_ring_that_comes_in_the_middle_of_a_wait_takes_its_completion_away() {
    fails(Twin::SecondTaker, FAR, a_ring_comes);
}

/// A receive is pending at a port, as `io_submit` has it, and a message comes.
fn a_receive_is_pending() {
    let (port, channel) = (CompletionPort::new(), Channel::<()>::new(0));
    Actor::new(0).play(|cx| {
        let id = port.begin(cx, 1, 6).unwrap();
        let watch = Watch::new(Arc::new(Bell { port: port.clone(), id }));
        channel.receivable().watch(cx, &watch);
        channel.expect(cx);
        sched::woken_without_a_cpu();
        let theirs = channel.clone();
        let sender = Actor::new(1).start(move |cx| theirs.send(cx, Message { words: [7; 4], load: None }, true));
        assert_eq!(as_taker(&port, |taker| taker.wait(cx, Deadline::NEVER)), Ok(Ok(())));
        assert_eq!(port.take_stirred(cx), Some(id));
        let received = channel.receive_expected(cx, &mut true).map(|message| message.words[0]);
        assert_eq!(received, Ok(7), "a port was told of a message that was not there");
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_eq!(sched::woken_without_a_cpu(), 0, "the sender kept its CPU");
        channel.receivable().unwatch(cx, &watch);
    });
}

#[test]
fn a_sender_hands_its_cpu_to_whoever_waits_at_a_port_for_the_message() {
    holds(FAR, a_receive_is_pending);
}

#[test]
#[should_panic(expected = "MessageAfterWake: ")]
fn a_port_that_is_told_before_the_message_is_there_looks_in_vain() {
    fails(Twin::MessageAfterWake, FAR, a_receive_is_pending);
}

/// A thread that waits is called out while something ends: that stays for the next.
fn who_waits_is_called_out() {
    let port = CompletionPort::new();
    let waiter = Actor::new(0);
    let called_out = waiter.thread.clone();
    waiter.play(|cx| {
        let id = port.begin(cx, 1, 0).unwrap();
        let theirs = port.clone();
        let other = Actor::new(1).start(move |cx| {
            called_out.interrupt();
            theirs.finish(cx, id, 0);
        });
        let answer = as_taker(&port, |taker| taker.wait(cx, Deadline::NEVER)).unwrap();
        assert!(matches!(answer, Ok(()) | Err(KernelError::Interrupted)));
        other.join().unwrap();
        assert_eq!(as_taker(&port, |taker| take(cx, taker, 1)).unwrap(), [1]);
    });
}

#[test]
fn a_completion_outlives_an_interrupted_wait() {
    holds(FAR, who_waits_is_called_out);
}
