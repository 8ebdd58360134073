//! SpinLock: its class decides its rank and what it keeps off; the order is checked on every take.
//!
//! Invariant: what the class keeps off goes off before the first try and comes back after the release.
//! Test, then set, with `pause`: no queue of waiters, since a virtual CPU in the queue may be asleep.

use crate::atomic::{AtomicBool, Ordering};
use crate::chaos;
use crate::context::{Allows, IrqOff, PreemptOff};
use crate::cpu;
use crate::order::{self, LockClass, PairClass, kind};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
#[cfg(any(debug_assertions, feature = "lockdep"))]
use core::panic::Location;
#[cfg(debug_assertions)]
use core::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// The two bands of spin locks, and what each keeps off while one is held.
pub trait SpinKind: kind::Kind {
    type Shield;
    const IN_HANDLERS: bool;

    fn shield() -> Self::Shield;
}

impl SpinKind for kind::Task {
    type Shield = PreemptOff;
    const IN_HANDLERS: bool = false;

    #[inline(always)]
    fn shield() -> PreemptOff {
        PreemptOff::new()
    }
}

impl SpinKind for kind::Irq {
    type Shield = IrqOff;
    const IN_HANDLERS: bool = true;

    #[inline(always)]
    fn shield() -> IrqOff {
        IrqOff::new()
    }
}

/// A lock that is waited for by spinning.
pub struct SpinLock<T: ?Sized, C> {
    locked: AtomicBool,
    /// Where the holder took it. Debugging only: plain core, read by a waiter that gives up.
    #[cfg(debug_assertions)]
    holder: AtomicPtr<Location<'static>>,
    class: PhantomData<fn() -> C>,
    data: UnsafeCell<T>,
}

// SAFETY: `locked` lets one holder at a time reach `data`.
unsafe impl<T: ?Sized + Send, C> Sync for SpinLock<T, C> {}
// SAFETY: it owns its data.
unsafe impl<T: ?Sized + Send, C> Send for SpinLock<T, C> {}

/// The right to the data of a `SpinLock`, until dropped.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct SpinGuard<'a, T: ?Sized, C: LockClass<Kind: SpinKind>> {
    lock: &'a SpinLock<T, C>,
    /// The bit that this guard set among the held ranks; 0 when it was set already (`try_lock`).
    rank: u64,
    shield: ManuallyDrop<<C::Kind as SpinKind>::Shield>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives only `&T`.
unsafe impl<T: ?Sized + Sync, C: LockClass<Kind: SpinKind>> Sync for SpinGuard<'_, T, C> {}

impl<T, C> SpinLock<T, C> {
    const_unless_loom! {
        pub const fn new(value: T) -> Self {
            SpinLock {
                locked: AtomicBool::new(false),
                #[cfg(debug_assertions)]
                holder: AtomicPtr::new(core::ptr::null_mut()),
                class: PhantomData,
                data: UnsafeCell::new(value),
            }
        }
    }

    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: Default, C> Default for SpinLock<T, C> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized, C> SpinLock<T, C> {
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
}

impl<T: ?Sized, C: LockClass<Kind: SpinKind>> SpinLock<T, C> {
    /// Takes it. The guard borrows the context, so nothing that needs `&mut TaskContext` (that is:
    /// may sleep) compiles while the guard lives.
    #[inline]
    #[track_caller]
    pub fn lock<'a, X: Allows<C::Kind>>(&'a self, _context: &'a X) -> SpinGuard<'a, T, C> {
        self.acquire()
    }

    /// For places that no context reaches (`Drop`, a panic, boot): the same checks at run time.
    #[inline]
    #[track_caller]
    pub fn lock_without_context(&self) -> SpinGuard<'_, T, C> {
        self.acquire()
    }

    /// Takes it if it is free. Cannot deadlock, so the order is not checked; the rank counts as held.
    #[inline]
    #[track_caller]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T, C>> {
        let shield = C::Kind::shield();
        refuse_in_handler::<C>();
        if self.locked.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return None;
        }
        Some(self.taken(shield, (1 << C::RANK) & !cpu::spin_held()))
    }

    /// Held by anybody at this moment? A guess, for reports.
    pub fn is_locked(&self) -> bool {
        self.locked.load(Ordering::Relaxed)
    }

    #[inline]
    #[track_caller]
    fn acquire(&self) -> SpinGuard<'_, T, C> {
        chaos::point();
        let shield = C::Kind::shield();
        refuse_in_handler::<C>();
        let held = cpu::spin_held();
        if held >> C::RANK != 0 {
            order::out_of_order(C::NAME, C::RANK, held);
        }
        #[cfg(feature = "lockdep")]
        crate::lockdep::acquired(C::NAME, C::RANK, Location::caller());
        self.spin(SPIN_LIMIT);
        self.taken(shield, 1 << C::RANK)
    }

    /// The second of a pair: counts as `Second`, whose place in the order is checked.
    #[inline]
    #[track_caller]
    fn acquire_second(&self) -> SpinGuard<'_, T, C>
    where
        C: PairClass,
    {
        let shield = C::Kind::shield();
        let held = cpu::spin_held();
        if held >> C::Second::RANK != 0 {
            order::out_of_order(C::Second::NAME, C::Second::RANK, held);
        }
        #[cfg(feature = "lockdep")]
        crate::lockdep::acquired(C::Second::NAME, C::Second::RANK, Location::caller());
        self.spin(SPIN_LIMIT);
        self.taken(shield, 1 << C::Second::RANK)
    }

    #[inline]
    #[track_caller]
    fn spin(&self, limit: u64) {
        let mut left = limit;
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            while self.locked.load(Ordering::Relaxed) {
                cpu::relax();
                if cfg!(debug_assertions) {
                    left -= 1;
                    if left == 0 {
                        self.waited_too_long(limit);
                    }
                }
            }
        }
    }

    #[inline]
    #[track_caller]
    fn taken(&self, shield: <C::Kind as SpinKind>::Shield, rank: u64) -> SpinGuard<'_, T, C> {
        #[cfg(debug_assertions)]
        self.holder.store(core::ptr::from_ref(Location::caller()).cast_mut(), Relaxed);
        cpu::add_spin_held(rank);
        SpinGuard { lock: self, rank, shield: ManuallyDrop::new(shield), not_send: PhantomData }
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn waited_too_long(&self, limit: u64) -> ! {
        #[cfg(debug_assertions)]
        {
            let holder = self.holder.load(Relaxed);
            // SAFETY: null, or a `&'static Location` that a holder stored.
            if let Some(holder) = unsafe { holder.as_ref() } {
                panic!("waited {limit} turns for {}, taken at {holder}", C::NAME);
            }
        }
        panic!("waited {limit} turns for {}, and nobody has taken it", C::NAME);
    }
}

/// Debug builds give up waiting after this many turns. Some ten seconds, far beyond any honest hold.
const SPIN_LIMIT: u64 = 1_000_000_000;

#[inline]
#[track_caller]
fn refuse_in_handler<C: LockClass<Kind: SpinKind>>() {
    if !C::Kind::IN_HANDLERS && cpu::in_handler() {
        not_for_handlers(C::NAME);
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn not_for_handlers(name: &str) -> ! {
    panic!("{name} is a task-class lock and was taken in an interrupt handler")
}

/// Takes two locks of one class, the one at the lower address first whatever the order of arguments.
#[track_caller]
pub fn lock_pair<'a, T, C, X>(
    first: &'a SpinLock<T, C>,
    second: &'a SpinLock<T, C>,
    _context: &'a X,
) -> (SpinGuard<'a, T, C>, SpinGuard<'a, T, C>)
where
    C: PairClass<Kind: SpinKind>,
    X: Allows<C::Kind>,
{
    let (one, other) = (core::ptr::from_ref(first), core::ptr::from_ref(second));
    assert!(one != other, "lock_pair: both are the same lock");
    if one < other {
        let first = first.acquire();
        (first, second.acquire_second())
    } else {
        let second = second.acquire();
        (first.acquire_second(), second)
    }
}

impl<T: ?Sized, C: LockClass<Kind = kind::Irq>> SpinGuard<'_, T, C> {
    /// A held Irq-class lock proves that interrupts are off.
    pub fn interrupts_off(&self) -> &IrqOff {
        &self.shield
    }
}

// A held guard is itself a context: under an Irq-class lock, only such locks are taken.
// SAFETY: whoever holds a Task-class lock is no handler.
unsafe impl<T: ?Sized, C: LockClass<Kind = kind::Task>> Allows<kind::Task> for SpinGuard<'_, T, C> {}
// SAFETY: Irq-class locks may be taken anywhere.
unsafe impl<T: ?Sized, C: LockClass<Kind: SpinKind>> Allows<kind::Irq> for SpinGuard<'_, T, C> {}

impl<T: ?Sized, C: LockClass<Kind: SpinKind>> Deref for SpinGuard<'_, T, C> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard holds the lock.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized, C: LockClass<Kind: SpinKind>> DerefMut for SpinGuard<'_, T, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard holds the lock, and is borrowed exclusively.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized, C: LockClass<Kind: SpinKind>> Drop for SpinGuard<'_, T, C> {
    #[inline]
    fn drop(&mut self) {
        chaos::stretch();
        cpu::remove_spin_held(self.rank);
        self.lock.locked.store(false, Ordering::Release);
        chaos::point();
        // SAFETY: dropped here only, and after the release.
        unsafe { ManuallyDrop::drop(&mut self.shield) };
    }
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests;
