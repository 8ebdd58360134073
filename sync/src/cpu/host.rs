//! Seam 1 in tests: an OS thread (or a model checker's thread) plays a CPU.
//!
//! Invariant: no two threads play the same CPU at once, so per-CPU data is as private as on the machine.
//! A thread that asks for its CPU without having one gets the lowest free number.

use super::{CpuId, Local};
use core::cell::{Cell, RefCell};
use std::boxed::Box;

#[cfg(loom)]
use loom::{thread::yield_now, thread_local};
#[cfg(shuttle)]
use shuttle::{thread::yield_now, thread_local};
#[cfg(not(any(loom, shuttle)))]
use std::{thread::yield_now, thread_local};

/// A played CPU: its words and its interrupt flag. Moves from thread to thread like a baton.
pub struct Baton {
    local: Local,
    interrupts_on: Cell<bool>,
}

/// What a thread plays; gives the number back when the thread ends.
struct Seat(RefCell<Option<Box<Baton>>>);

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.0.get_mut().take());
    }
}

impl Drop for Baton {
    fn drop(&mut self) {
        seats::give(self.local.cpu.get() as usize);
    }
}

impl Baton {
    fn new(cpu: CpuId) -> Box<Self> {
        Box::new(Baton { local: Local::new(cpu), interrupts_on: Cell::new(true) })
    }

    pub fn cpu(&self) -> CpuId {
        CpuId::new(self.local.cpu.get() as usize)
    }
}

thread_local! {
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's thread_local! knows no const")]
    static SEAT: Seat = Seat(RefCell::new(None));
}

fn with<R>(f: impl FnOnce(&Baton) -> R) -> R {
    SEAT.with(|seat| {
        if seat.0.borrow().is_none() {
            *seat.0.borrow_mut() = Some(Baton::new(seats::take_any()));
        }
        let seat = seat.0.borrow();
        let Some(baton) = seat.as_ref() else { panic!("the seat was filled just above") };
        f(baton)
    })
}

/// This thread plays `cpu` from now on. Waits until no other thread plays it.
pub fn play(cpu: CpuId) {
    drop(hand_over_if_seated());
    seats::take(cpu);
    adopt(Baton::new(cpu));
}

fn hand_over_if_seated() -> Option<Box<Baton>> {
    SEAT.with(|seat| seat.0.borrow_mut().take())
}

/// Takes the CPU from this thread, with all its state, so that another may go on with it.
pub fn hand_over() -> Box<Baton> {
    let Some(baton) = hand_over_if_seated() else { panic!("this thread plays no CPU that it could hand over") };
    baton
}

/// This thread goes on with a CPU that another has handed over.
pub fn adopt(baton: Box<Baton>) {
    SEAT.with(|seat| {
        let before = seat.0.borrow_mut().replace(baton);
        assert!(before.is_none(), "this thread plays a CPU already");
    });
}

/// Which CPU numbers are played. Plain `std`, in the model checkers too: it is not what they explore.
#[cfg(not(any(loom, shuttle)))]
mod seats {
    use crate::cpu::{CpuId, CpuSet, MAXIMUM_CPUS};
    use std::sync::{Condvar, Mutex, PoisonError};

    static TAKEN: Mutex<CpuSet> = Mutex::new(CpuSet::EMPTY);
    static FREED: Condvar = Condvar::new();

    fn wait_for(pick: impl Fn(CpuSet) -> Option<CpuId>) -> CpuId {
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(cpu) = pick(*taken) {
                taken.insert(cpu);
                return cpu;
            }
            taken = FREED.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn take_any() -> CpuId {
        wait_for(|taken| CpuSet::from_bits(!taken.bits()).first())
    }

    pub fn take(cpu: CpuId) {
        wait_for(|taken| (!taken.contains(cpu)).then_some(cpu));
    }

    pub fn give(index: usize) {
        assert!(index < MAXIMUM_CPUS, "a baton with a number that no CPU has");
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner).remove(CpuId::new(index));
        FREED.notify_all();
    }
}

/// Models say who plays which CPU; a thread that does not say plays the boot CPU.
#[cfg(any(loom, shuttle))]
mod seats {
    use crate::cpu::CpuId;

    pub fn take_any() -> CpuId {
        CpuId::BOOT
    }

    pub fn take(_: CpuId) {}

    pub fn give(_: usize) {}
}

macro_rules! read {
    ($($name:ident: $type:ty),*) => { $(
        pub fn $name() -> $type {
            with(|baton| baton.local.$name.get())
        }
    )* };
}

read!(cpu: u32, preempt: u32, handler: u32, irq_depth: u32, irq_was_on: u32, need_reschedule: u32,
    spin_held: u64, sleep_held: u64);

/// Counts by `by` and returns the new value; a count below zero is a guard dropped on another CPU.
fn count(word: impl Fn(&Local) -> &Cell<u32>, by: i32) -> u32 {
    with(|baton| {
        let word = word(&baton.local);
        let Some(new) = word.get().checked_add_signed(by) else { panic!("a guard ended on a CPU that did not begin it") };
        word.set(new);
        new
    })
}

pub fn increment_preempt() {
    count(|local| &local.preempt, 1);
}

pub fn decrement_preempt() -> bool {
    count(|local| &local.preempt, -1) == 0
}

pub fn increment_handler() {
    count(|local| &local.handler, 1);
}

pub fn decrement_handler() {
    count(|local| &local.handler, -1);
}

pub fn increment_irq_depth() {
    count(|local| &local.irq_depth, 1);
}

pub fn decrement_irq_depth() -> bool {
    count(|local| &local.irq_depth, -1) == 0
}

pub fn add_spin_held(bits: u64) {
    with(|baton| baton.local.spin_held.update(|held| held | bits));
}

pub fn remove_spin_held(bits: u64) {
    with(|baton| baton.local.spin_held.update(|held| held & !bits));
}

pub fn add_sleep_held(bits: u64) {
    with(|baton| baton.local.sleep_held.update(|held| held | bits));
}

pub fn remove_sleep_held(bits: u64) {
    with(|baton| baton.local.sleep_held.update(|held| held & !bits));
}

pub fn write_need_reschedule(value: u32) {
    with(|baton| baton.local.need_reschedule.set(value));
}

pub fn write_irq_was_on(value: u32) {
    with(|baton| baton.local.irq_was_on.set(value));
}

pub fn exchange_irq_was_on(value: u32) -> u32 {
    with(|baton| baton.local.irq_was_on.replace(value))
}

pub fn exchange_sleep_held(value: u64) -> u64 {
    with(|baton| baton.local.sleep_held.replace(value))
}

pub fn interrupts_are_on() -> bool {
    with(|baton| baton.interrupts_on.get())
}

pub fn disable_interrupts() {
    with(|baton| baton.interrupts_on.set(false));
}

pub fn enable_interrupts() {
    with(|baton| baton.interrupts_on.set(true));
}

pub fn relax() {
    yield_now();
}
