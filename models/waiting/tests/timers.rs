//! Timers: called when due, and never after they were cancelled and waited for.
#![cfg(any(loom, shuttle))]

use std::sync::Arc;
use sync::twin::Twin;
use sync::{Counter, CpuId, Flag, IrqContext};
use waiting_models::actor::Actor;
use waiting_models::alarm;
use waiting_models::explore::Extent::{All, Preemptions};
use waiting_models::explore::{JoinHandle, fails, holds, spawn};
use waiting_models::wait::{Timer, TimerTarget, timers};

/// What a timer's owner takes away once nothing calls it any more.
#[derive(Default)]
struct Target {
    gone: Flag,
    calls: Counter,
}

impl TimerTarget for Target {
    fn expired(&self, _: &IrqContext) {
        assert!(!self.gone.is_set(), "a target was called after its timer had gone");
        self.calls.increment();
    }
}

fn interrupts(cpu: usize) -> JoinHandle<()> {
    spawn(move || {
        sync::cpu::host::play(CpuId::new(cpu));
        alarm::play();
    })
}

/// The timer goes off while its owner takes it away.
fn taken_away() {
    timers::initialise();
    let interrupts = interrupts(0);
    let target = Arc::new(Target::default());
    Actor::new(0).play(|cx| {
        let timer = Timer::at(5, target.clone());
        timer.cancel_and_wait(cx);
        target.gone.set();
        assert!(target.calls.get() <= 1, "one arming called twice");
    });
    alarm::stop(CpuId::BOOT);
    interrupts.join().unwrap();
}

#[test]
fn nothing_is_called_after_its_end() {
    holds(Preemptions(5), taken_away);
}

#[test]
#[should_panic(expected = "CallCountedLate: a target was called after its timer had gone")]
fn a_call_that_counts_late_is_not_waited_for() {
    fails(Twin::CallCountedLate, All, taken_away);
}

#[test]
#[should_panic(expected = "CancelForgetsTheList: a target was called after its timer had gone")]
fn a_cancelled_timer_left_in_its_list_fires() {
    fails(Twin::CancelForgetsTheList, All, taken_away);
}

/// Two CPUs arm the same timer: it is in one list in the end, and cancelling finds it.
fn armed_twice() {
    timers::initialise();
    let target = Arc::new(Target::default());
    let timer = Arc::new(Timer::new(target.clone()));
    let theirs = timer.clone();
    let other = Actor::new(1).start(move |_| theirs.arm(7));
    Actor::new(0).play(|cx| {
        timer.arm(5);
        other.join().unwrap();
        assert!(matches!(timer.due(), Some(5 | 7)));
        timer.cancel_and_wait(cx);
        assert_eq!(timer.due(), None);
    });
}

#[test]
fn a_timer_armed_on_two_cpus_is_in_one_list() {
    holds(All, armed_twice);
}
