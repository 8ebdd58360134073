//! A played CPU, its guards, and when it changes threads.
extern crate std;

use super::*;
use crate::context::{IrqContext, IrqOff, PreemptOff};
use std::thread;

std::thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

fn count_calls() {
    CALLS.set(CALLS.get() + 1);
    clear_need_reschedule();
    let off = IrqOff::new();
    set_need_reschedule();
    off.end_quietly();
    clear_need_reschedule();
}

#[test]
fn the_last_guard_to_go_changes_threads_if_that_is_wanted() {
    set_preemption_point(count_calls);
    let (outer, inner) = (PreemptOff::new(), IrqOff::new());
    set_need_reschedule();
    drop(inner);
    assert_eq!(CALLS.get(), 0, "called under a PreemptOff");
    drop(outer);
    assert_eq!(CALLS.get(), 1);
    drop(IrqOff::new());
    assert_eq!(CALLS.get(), 1, "called though nobody wants it");
    disable_interrupts();
    set_need_reschedule();
    drop(IrqOff::new());
    drop(PreemptOff::new());
    assert_eq!(CALLS.get(), 1, "called with interrupts off");
    enable_interrupts();
    // SAFETY: plays a handler.
    let irq = unsafe { IrqContext::enter() };
    drop(PreemptOff::new());
    assert_eq!(CALLS.get(), 1, "called in a handler");
    drop(irq);
    PreemptOff::new().end_quietly();
    assert_eq!(CALLS.get(), 1, "called by a guard that ends quietly");
    drop(PreemptOff::new());
    assert_eq!((CALLS.get(), need_reschedule()), (2, false));
}

#[test]
fn interrupts_come_back_as_they_were() {
    disable_interrupts();
    drop((IrqOff::new(), IrqOff::new()));
    assert!(!interrupts_are_on());
    enable_interrupts();
    drop((IrqOff::new(), IrqOff::new()));
    assert!(interrupts_are_on());
}

#[test]
fn two_threads_never_play_the_same_cpu() {
    let mine = current();
    let (theirs, baton) = thread::spawn(|| (current(), host::hand_over())).join().unwrap();
    assert_ne!(mine, theirs);
    drop(baton);
}

#[test]
fn a_cpu_handed_over_goes_on_where_it_was() {
    let handed = thread::spawn(|| {
        exchange_sleep_held(0b101);
        core::mem::forget(IrqOff::new());
        (current(), host::hand_over())
    });
    let (cpu, baton) = handed.join().unwrap();
    let resumed = thread::spawn(move || {
        host::adopt(baton);
        // SAFETY: the one that the other thread forgot.
        let off = unsafe { IrqOff::take_over() };
        assert!(!interrupts_are_on());
        drop(off);
        assert!(interrupts_are_on());
        (current(), sleep_held())
    });
    assert_eq!(resumed.join().unwrap(), (cpu, 0b101));
}

#[test]
fn what_belongs_to_a_thread_is_exchanged() {
    assert_eq!((exchange_sleep_held(7), exchange_sleep_held(0)), (0, 7));
    let off = IrqOff::new();
    assert!(exchange_interrupts_were_on(false), "interrupts were on before");
    drop(off);
    assert!(!interrupts_are_on());
    enable_interrupts();
}
