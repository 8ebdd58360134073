//! Mutex: a lock that sleeps instead of spinning, and may be held across sleeps.
//!
//! Invariant: the word is FREE, HELD, or CONTENDED; it is CONTENDED whenever someone sleeps for the lock, so the
//! holder that finds it so at the end wakes one, who takes the lock as CONTENDED again.

use super::queue::WaitQueue;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use sync::twin::{self, Twin};
use sync::{LockClass, Published, TaskContext, kind, might_sleep, order};
#[cfg(not(any(loom, shuttle)))]
use {crate::memory::forget::Listener, crate::thread::user, sync::cpu};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

pub struct Mutex<T: ?Sized, C> {
    word: Published<u32>,
    queue: WaitQueue,
    class: PhantomData<fn() -> C>,
    data: UnsafeCell<T>,
}

// SAFETY: the word lets one holder at a time through to the data.
#[allow(unsafe_code)]
unsafe impl<T: ?Sized + Send, C> Sync for Mutex<T, C> {}
// SAFETY: it owns its data.
#[allow(unsafe_code)]
unsafe impl<T: ?Sized + Send, C> Send for Mutex<T, C> {}

/// A class, and that the guard stays with its thread.
type Stays<C> = PhantomData<(fn() -> C, *mut ())>;

/// The lock, until dropped, by the thread that took it.
#[must_use]
pub struct MutexGuard<'a, T: ?Sized, C: LockClass<Kind = kind::Sleep>> {
    word: &'a Published<u32>,
    queue: &'a WaitQueue,
    data: &'a UnsafeCell<T>,
    class: Stays<C>,
}

impl<T, C: LockClass> Mutex<T, C> {
    sync::const_unless_loom! {
        pub const fn new(value: T) -> Self {
            Mutex { word: Published::<u32>::new(FREE), queue: WaitQueue::named(C::NAME), class: PhantomData, data: UnsafeCell::new(value) }
        }
    }

    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized, C> Mutex<T, C> {
    pub const fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Holds it as another class of its pair: for the second of two locks of one class.
    #[track_caller]
    pub fn lock_as<D: LockClass<Kind = kind::Sleep>>(&self, cx: &mut TaskContext) -> MutexGuard<'_, T, D> {
        might_sleep();
        order::sleep_acquire::<D>();
        let take = || self.word.compare_exchange(FREE, HELD).is_ok();
        if !take() && !comes_soon(cx, || self.word.load() == FREE && take()) {
            self.queue.wait_until(cx, |_| {
                (self.word.swap(if twin::is(Twin::LockForgetsOthers) { HELD } else { CONTENDED }) == FREE).then_some(())
            });
        }
        self.guard(cx)
    }

    fn guard<D: LockClass<Kind = kind::Sleep>>(&self, cx: &TaskContext) -> MutexGuard<'_, T, D> {
        self.queue.hold(cx);
        MutexGuard { word: &self.word, queue: &self.queue, data: &self.data, class: PhantomData }
    }
}

impl<T: ?Sized, C: LockClass<Kind = kind::Sleep>> Mutex<T, C> {
    #[track_caller]
    pub fn lock(&self, cx: &mut TaskContext) -> MutexGuard<'_, T, C> {
        self.lock_as::<C>(cx)
    }

    /// Only if nobody holds it now, and the thread holds none of this class.
    pub fn try_lock(&self, cx: &mut TaskContext) -> Option<MutexGuard<'_, T, C>> {
        if self.word.compare_exchange(FREE, HELD).is_err() {
            return None;
        }
        if !order::sleep_acquired_without_waiting::<C>() {
            release(&self.word, &self.queue);
            return None;
        }
        Some(self.guard(cx))
    }
}

/// Does it come true before a sleep would have begun? Whoever can make it true runs on another CPU, mostly.
#[cfg(not(any(loom, shuttle)))]
pub(super) fn comes_soon(cx: &TaskContext, mut condition: impl FnMut() -> bool) -> bool {
    const LOOKS: usize = 250;
    if cpu::online().bits().count_ones() <= 1 {
        return false;
    }
    let listener = Listener::resting_in(user::memory(cx).map(|memory| memory.translation()));
    (0..LOOKS).take_while(|_| !cpu::need_reschedule()).any(|_| {
        cpu::relax();
        // Whoever holds it may be waiting for this CPU to forget a table.
        listener.look();
        condition()
    })
}

/// Models explore the sleep.
#[cfg(any(loom, shuttle))]
pub(super) fn comes_soon(_: &TaskContext, _: impl FnMut() -> bool) -> bool {
    false
}

fn release(word: &Published<u32>, queue: &WaitQueue) {
    queue.set_holder(None);
    if twin::is(Twin::ReleaseLooksFirst) {
        let contended = word.load() == CONTENDED;
        word.store(FREE);
        if !contended {
            return;
        }
        return queue.wake_one_from_drop();
    }
    if word.swap(FREE) == CONTENDED {
        queue.wake_one_from_drop();
    }
}

impl<T: ?Sized, C: LockClass<Kind = kind::Sleep>> Deref for MutexGuard<'_, T, C> {
    type Target = T;

    #[allow(unsafe_code)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the lock's one holder.
        unsafe { &*self.data.get() }
    }
}

impl<T: ?Sized, C: LockClass<Kind = kind::Sleep>> DerefMut for MutexGuard<'_, T, C> {
    #[allow(unsafe_code)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the lock's one holder, and is borrowed mutably.
        unsafe { &mut *self.data.get() }
    }
}

impl<T: ?Sized, C: LockClass<Kind = kind::Sleep>> Drop for MutexGuard<'_, T, C> {
    fn drop(&mut self) {
        order::sleep_release::<C>();
        release(self.word, self.queue);
    }
}

impl<T: ?Sized, C> fmt::Debug for Mutex<T, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mutex")
    }
}
