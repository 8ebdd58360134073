//! SharedMutex: a sleeping lock that many hold at once to look, or one to change.
//!
//! Invariant: those who look are inside the gate, each counted on its CPU's own line, so they share no line while nobody
//! changes anything. Whoever changes holds `turn`, has closed the gate, and has seen it empty. Who finds the gate
//! closed gets in line for `turn`, and enters while it holds that.

use super::mutex::{Mutex, MutexGuard, comes_soon};
use super::queue::WaitQueue;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use sync::twin::{self, Twin};
use sync::{Gate, Inside, Left, LockClass, PreemptOff, TaskContext, kind, might_sleep, order};

pub struct SharedMutex<T, C> {
    gate: Gate,
    /// Where the one who closed the gate waits for the last that is inside.
    emptied: WaitQueue,
    turn: Mutex<(), C>,
    data: UnsafeCell<T>,
}

// SAFETY: the gate and the turn let either many `&T` through, or one `&mut T`.
#[allow(unsafe_code)]
unsafe impl<T: Send + Sync, C> Sync for SharedMutex<T, C> {}
// SAFETY: it owns its data.
#[allow(unsafe_code)]
unsafe impl<T: Send, C> Send for SharedMutex<T, C> {}

/// The right to look, until dropped, by the thread that took it.
#[must_use]
pub struct SharedGuard<'a, T, C: LockClass<Kind = kind::Sleep>> {
    lock: &'a SharedMutex<T, C>,
    inside: Option<Inside>,
    not_send: PhantomData<*mut ()>,
}

/// The right to change, until dropped, by the thread that took it.
#[must_use]
pub struct ExclusiveGuard<'a, T, C: LockClass<Kind = kind::Sleep>> {
    lock: &'a SharedMutex<T, C>,
    _turn: MutexGuard<'a, (), C>,
}

impl<T, C: LockClass<Kind = kind::Sleep>> SharedMutex<T, C> {
    sync::const_unless_loom! {
        pub const fn new(value: T) -> Self {
            SharedMutex { gate: Gate::new(), emptied: WaitQueue::named(C::NAME), turn: Mutex::new(()), data: UnsafeCell::new(value) }
        }
    }

    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }

    /// To look, beside others who do.
    #[track_caller]
    pub fn share(&self, cx: &mut TaskContext) -> SharedGuard<'_, T, C> {
        might_sleep();
        order::sleep_acquire::<C>();
        let inside = self.gate.enter().unwrap_or_else(|| self.enter_in_turn(cx));
        SharedGuard { lock: self, inside: Some(inside), not_send: PhantomData }
    }

    /// Somebody changes the data, or is about to: behind that one.
    #[cold]
    fn enter_in_turn(&self, cx: &mut TaskContext) -> Inside {
        if !twin::is(Twin::TurnedAwaySilent) {
            self.tell();
        }
        order::sleep_release::<C>();
        let turn = self.turn.lock(cx);
        let inside = self.gate.enter_held_open();
        drop(turn);
        order::sleep_acquire::<C>();
        inside
    }

    /// To change, alone.
    #[track_caller]
    pub fn lock(&self, cx: &mut TaskContext) -> ExclusiveGuard<'_, T, C> {
        let turn = self.turn.lock(cx);
        self.gate.close();
        if !self.gate.is_empty() && !comes_soon(cx, || self.gate.is_empty()) {
            self.emptied.wait_until(cx, |_| self.gate.is_empty().then_some(()));
        }
        ExclusiveGuard { lock: self, _turn: turn }
    }

    fn tell(&self) {
        self.emptied.wake_all(&PreemptOff::new());
    }
}

impl<T, C: LockClass<Kind = kind::Sleep>> Deref for SharedGuard<'_, T, C> {
    type Target = T;

    #[allow(unsafe_code)]
    fn deref(&self) -> &T {
        // SAFETY: inside the gate: whoever would change it waits until this has left.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T, C: LockClass<Kind = kind::Sleep>> Drop for SharedGuard<'_, T, C> {
    fn drop(&mut self) {
        order::sleep_release::<C>();
        let Some(inside) = self.inside.take() else { return };
        if self.lock.gate.leave(inside) == Left::Closed && !twin::is(Twin::LastReaderSilent) {
            self.lock.tell();
        }
    }
}

impl<T, C: LockClass<Kind = kind::Sleep>> Deref for ExclusiveGuard<'_, T, C> {
    type Target = T;

    #[allow(unsafe_code)]
    fn deref(&self) -> &T {
        // SAFETY: the gate was closed and empty when this was made, and is closed until it goes.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T, C: LockClass<Kind = kind::Sleep>> DerefMut for ExclusiveGuard<'_, T, C> {
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the gate was closed and empty when this was made, and is closed until it goes; it is borrowed mutably.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T, C: LockClass<Kind = kind::Sleep>> Drop for ExclusiveGuard<'_, T, C> {
    /// Before the turn goes to the next, who closes the gate again or enters.
    fn drop(&mut self) {
        self.lock.gate.open();
    }
}
