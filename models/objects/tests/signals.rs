//! Notifications and interrupt lines: no signal is lost, none is two, and a line is open only for somebody.
#![cfg(any(loom, shuttle))]

use objects_models::actor::{Actor, in_handler};
use objects_models::error::KernelError;
use objects_models::explore::Extent::{self, Preemptions};
use objects_models::explore::{JoinHandle, fails, holds, spawn};
use objects_models::ipc::{CompletionPort, Finished, InterruptLine, Notification, OperationId, as_taker};
use objects_models::wait::Deadline;
use objects_models::{apic, interrupt};
use std::sync::Arc;
use sync::twin::Twin;
use sync::{CpuId, Published, TaskContext, cpu};

const FAR: Extent = Preemptions(3);

/// Waits for one completion, and answers its result.
fn take(cx: &mut TaskContext, port: &CompletionPort) -> i64 {
    let mut found = [Finished::default(); 1];
    let taken = as_taker(port, |taker| {
        while taker.look(cx, &mut found) == 0 {
            assert_eq!(taker.wait(cx, Deadline::NEVER), Ok(()));
        }
        taker.handed_out(cx, 1);
    });
    assert_eq!(taken, Ok(()));
    port.take_spent(cx);
    found[0].result
}

/// Each signaller does a piece of work and says so; one waits until it has seen all of it.
fn signalled(signallers: usize, each: u32) {
    let shared = Arc::new((Notification::new(), Published::<u32>::new(0)));
    let start = |cpu| {
        let shared = shared.clone();
        Actor::new(cpu).start(move |cx| {
            for _ in 0..each {
                shared.1.fetch_add(1);
                shared.0.signal(cx);
            }
        })
    };
    let signallers: Vec<_> = (1..=signallers).map(start).collect();
    let all = each * signallers.len() as u32;
    Actor::new(0).play(|cx| {
        let port = CompletionPort::new();
        let mut completions = 0;
        while shared.1.load() < all || completions == 0 {
            let id = port.begin(cx, 0, 7).unwrap();
            assert_eq!(shared.0.arm(cx, &port, id), Ok(()));
            take(cx, &port);
            completions += 1;
        }
        signallers.into_iter().for_each(|signaller| signaller.join().unwrap());
        completions += u32::from(shared.0.is_signalled(cx));
        assert!(completions <= all, "a signal was two");
    });
}

#[test]
fn who_waits_for_a_notification_hears_of_all_that_was_done() {
    holds(FAR, || signalled(1, 2));
}

#[test]
fn signals_of_two_cpus_are_heard() {
    holds(Preemptions(1), || signalled(2, 1));
}

#[test]
#[should_panic(expected = "ArmsAfterLooking: deadlock")]
fn who_looks_for_signals_and_then_registers_waits_for_ever() {
    fails(Twin::ArmsAfterLooking, FAR, || signalled(1, 1));
}

/// An operation is cancelled while the signal comes: it is that operation's, or it is remembered.
fn cancelled() {
    let notification = Notification::new();
    let theirs = notification.clone();
    let signaller = Actor::new(1).start(move |cx| theirs.signal(cx));
    Actor::new(0).play(|cx| {
        let port = CompletionPort::new();
        let id = port.begin(cx, 0, 7).unwrap();
        assert_eq!(notification.arm(cx, &port, id), Ok(()));
        let second = port.begin(cx, 0, 7).unwrap();
        let is_busy = notification.arm(cx, &port, second) == Err(KernelError::Busy);
        notification.disarm(&port, id);
        notification.disarm(&port, second);
        signaller.join().unwrap();
        let is_done = port.has_news(cx);
        assert_ne!(is_done, notification.is_signalled(cx), "a signal was lost, or was two");
        assert!(is_done || is_busy);
    });
}

#[test]
fn a_signal_ends_a_wait_or_is_remembered() {
    holds(FAR, cancelled);
}

/// A device on a CPU of its own asks for attention so often, each time as soon as its line is open.
fn device(cpu: usize, interrupts: u32) -> JoinHandle<()> {
    spawn(move || {
        cpu::host::play(CpuId::new(cpu));
        for _ in 0..interrupts {
            apic::wait_until_open();
            in_handler(interrupt::arrives);
        }
    })
}

fn arm(cx: &TaskContext, line: &InterruptLine, port: &Arc<CompletionPort>) -> OperationId {
    let id = port.begin(cx, 0, 4).unwrap();
    assert_eq!(line.arm(cx, port, id), Ok(()));
    id
}

/// A program waits for interrupts until it has had all.
fn interrupted(devices: usize, each: u32) {
    let line = InterruptLine::request(5, CpuId::BOOT).unwrap();
    let port = CompletionPort::new();
    let devices: Vec<_> = (1..=devices).map(|cpu| device(cpu, each)).collect();
    let all = i64::from(each) * devices.len() as i64;
    Actor::new(0).play(|cx| {
        let mut seen = 0;
        while seen < all {
            arm(cx, &line, &port);
            seen += take(cx, &port);
        }
        assert_eq!(seen, all, "an interrupt was counted twice");
        devices.into_iter().for_each(|device| device.join().unwrap());
        assert!(!apic::is_open(), "the line is open for nobody");
    });
}

#[test]
fn every_interrupt_reaches_who_waits() {
    holds(FAR, || interrupted(1, 2));
}

#[test]
fn interrupts_that_come_late_are_counted() {
    holds(Preemptions(1), || interrupted(2, 1));
}

#[test]
#[should_panic(expected = "MaskedAfterEnd: deadlock")]
fn a_line_masked_after_its_wait_has_ended_is_masked_for_the_next() {
    fails(Twin::MaskedAfterEnd, FAR, || interrupted(1, 2));
}

/// A wait is cancelled while its interrupt comes, and another begins.
fn a_wait_is_cancelled() {
    let line = InterruptLine::request(5, CpuId::BOOT).unwrap();
    let port = CompletionPort::new();
    let device = device(1, 1);
    Actor::new(0).play(|cx| {
        let first = arm(cx, &line, &port);
        line.disarm(&port, first);
        assert!(!apic::is_open(), "the line is open for nobody");
        let second = arm(cx, &line, &port);
        assert_eq!(take(cx, &port), 1);
        device.join().unwrap();
        line.disarm(&port, second);
        assert!(!port.has_news(cx), "an interrupt was counted twice");
        assert!(!apic::is_open(), "the line is open for nobody");
    });
}

#[test]
fn an_interrupt_that_crosses_a_cancellation_is_not_lost() {
    holds(FAR, a_wait_is_cancelled);
}
