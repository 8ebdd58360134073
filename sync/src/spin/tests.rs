//! What the spin lock refuses, and what it keeps.
extern crate std;

use super::*;
use crate::context::{IrqContext, PreemptOff, TaskContext, might_sleep};
use crate::order::{ConsoleInput, FileTable, Heap, Pipe, RunQueue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::thread;

/// Runs on a fresh thread, which plays a fresh CPU; gives the text of its panic.
fn on_a_cpu(f: impl FnOnce(&mut TaskContext) + Send + 'static) -> Option<String> {
    let cpu = thread::spawn(move || {
        // SAFETY: the only context of this thread; nobody looks behind the pointer.
        let mut cx = unsafe { TaskContext::enter(core::ptr::NonNull::dangling()) };
        let text = |panic: std::boxed::Box<dyn std::any::Any + Send>| match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => String::from(*panic.downcast_ref::<&str>().unwrap_or(&"")),
        };
        catch_unwind(AssertUnwindSafe(|| f(&mut cx))).err().map(text)
    });
    cpu.join().unwrap()
}

#[track_caller]
fn refused(with: &str, f: impl FnOnce(&mut TaskContext) + Send + 'static) {
    let text = on_a_cpu(f).expect("it was not refused");
    assert!(text.contains(with), "{text}");
}

#[test]
fn locks_are_taken_downward_in_the_table() {
    static FILES: SpinLock<u32, FileTable> = SpinLock::new(0);
    static TYPED: SpinLock<u32, ConsoleInput> = SpinLock::new(0);
    static HEAP: SpinLock<u32, Heap> = SpinLock::new(0);
    let fine = on_a_cpu(|cx| {
        let files = FILES.lock(cx);
        let typed = TYPED.lock(&files);
        let heap = HEAP.lock(typed.interrupts_off());
        assert_eq!(cpu::spin_held(), 1 << FileTable::RANK | 1 << ConsoleInput::RANK | 1 << Heap::RANK);
        drop(heap);
        drop(typed);
        drop(files);
        assert_eq!(cpu::spin_held(), 0);
        might_sleep();
    });
    assert_eq!(fine, None);
}

#[test]
fn the_first_upward_take_is_refused() {
    static QUEUE: SpinLock<u32, RunQueue> = SpinLock::new(0);
    static TYPED: SpinLock<u32, ConsoleInput> = SpinLock::new(0);
    refused("while holding RunQueue", |cx| drop((QUEUE.lock(cx), TYPED.lock(cx))));
}

#[test]
fn taking_a_held_lock_is_refused_before_it_spins() {
    static QUEUE: SpinLock<u32, RunQueue> = SpinLock::new(0);
    refused("taking RunQueue", |cx| drop((QUEUE.lock(cx), QUEUE.lock(cx))));
}

#[test]
fn a_task_class_lock_is_refused_in_a_handler_that_shows_no_context() {
    static FILES: SpinLock<u32, FileTable> = SpinLock::new(0);
    refused("FileTable is a task-class lock", |_| {
        // SAFETY: plays a handler.
        let _irq = unsafe { IrqContext::enter() };
        drop(FILES.lock_without_context());
    });
}

#[test]
fn nobody_sleeps_under_a_guard_that_borrowed_no_context() {
    static HEAP: SpinLock<u32, Heap> = SpinLock::new(0);
    refused("spin locks held: Heap", |_| {
        let _heap = HEAP.lock_without_context();
        might_sleep();
    });
}

#[test]
fn a_forgotten_guard_is_still_held() {
    static PIPE: SpinLock<u32, Pipe> = SpinLock::new(0);
    refused("spin locks held: Pipe", |cx| {
        core::mem::forget(PIPE.lock(cx));
        might_sleep();
    });
}

#[test]
fn guards_dropped_out_of_order_keep_interrupts_off() {
    static TYPED: SpinLock<u32, ConsoleInput> = SpinLock::new(0);
    static QUEUE: SpinLock<u32, RunQueue> = SpinLock::new(0);
    let fine = on_a_cpu(|cx| {
        let (typed, queue) = (TYPED.lock(cx), QUEUE.lock(cx));
        drop(typed);
        assert!(!cpu::interrupts_are_on());
        drop(queue);
        assert!(cpu::interrupts_are_on());
    });
    assert_eq!(fine, None);
}

#[test]
fn a_tried_lock_counts_as_held_and_a_held_one_is_not_had() {
    static QUEUE: SpinLock<u32, RunQueue> = SpinLock::new(0);
    static VICTIM: SpinLock<u32, RunQueue> = SpinLock::new(0);
    let fine = on_a_cpu(|cx| {
        let mine = QUEUE.lock(cx);
        assert!(QUEUE.try_lock().is_none());
        drop(VICTIM.try_lock().expect("nobody holds it"));
        assert_eq!(cpu::spin_held(), 1 << RunQueue::RANK, "the outer guard's rank went with the inner guard");
        drop(mine);
        assert_eq!((cpu::spin_held(), cpu::interrupts_off_depth()), (0, 0));
    });
    assert_eq!(fine, None);
}

#[test]
fn two_cpus_that_lock_the_same_pair_crosswise_do_not_deadlock() {
    static QUEUES: [SpinLock<u64, RunQueue>; 2] = [const { SpinLock::new(0) }; 2];
    let run = |first: usize, second: usize| {
        move |cx: &mut TaskContext| {
            for _ in 0..2_000 {
                let (mut one, mut other) = lock_pair(&QUEUES[first], &QUEUES[second], cx);
                *one += 1;
                *other += 1;
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(on_a_cpu(run(0, 1)), None));
        scope.spawn(|| assert_eq!(on_a_cpu(run(1, 0)), None));
    });
    assert_eq!(*QUEUES[0].lock_without_context(), 4_000);
}

#[test]
fn four_cpus_count_without_loss() {
    static COUNT: SpinLock<u64, Heap> = SpinLock::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5_000).for_each(|_| *COUNT.lock(&PreemptOff::new()) += 1));
        }
    });
    assert_eq!(*COUNT.lock_without_context(), 20_000);
}

#[test]
#[cfg(debug_assertions)]
fn whoever_waits_too_long_says_for_what_and_for_whom() {
    static PIPE: SpinLock<u32, Pipe> = SpinLock::new(0);
    let held = PIPE.lock_without_context();
    refused("waited 1000 turns for Pipe, taken at sync/src/spin/tests.rs", |_| PIPE.spin(1_000));
    drop(held);
}
