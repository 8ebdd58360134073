//! Core's atomics, or a model checker's; and the few kinds of shared word that other crates may use.
//!
//! Invariant: every cross-CPU word outside this crate is one of these types, each with one regime:
//! `Counter` orders nothing, `Flag` and `Published` hand over what was written before them,
//! `CpuMask` and `fence_full` order a write before a later read of something else.

#[cfg(not(any(loom, shuttle)))]
pub(crate) use core::sync::atomic::*;
#[cfg(loom)]
pub(crate) use loom::sync::atomic::*;
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::*;

use crate::cpu::{CpuId, CpuSet};
use Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{AtomicU64 as PlainU64, Ordering as Plain};

/// A `const fn` where atomics can be made in one: everywhere but under loom.
#[doc(hidden)]
#[macro_export]
macro_rules! const_unless_loom {
    ($(#[$meta:meta])* $visibility:vis const fn $($rest:tt)*) => {
        #[cfg(not(loom))]
        $(#[$meta])* $visibility const fn $($rest)*
        #[cfg(loom)]
        $(#[$meta])* $visibility fn $($rest)*
    };
}

/// Everything that this CPU wrote before is seen by whoever reads after a `fence_full` of theirs that
/// this CPU's later reads missed (store buffering: TLB shootdown, idle flags).
#[inline]
pub fn fence_full() {
    fence(SeqCst);
}

/// Statistics: never orders anything, never decides anything. So the model checkers do not explore it.
#[derive(Default)]
pub struct Counter(PlainU64);

impl Counter {
    pub const fn new(value: u64) -> Self {
        Counter(PlainU64::new(value))
    }

    /// Returns the value before.
    #[inline]
    pub fn add(&self, amount: u64) -> u64 {
        self.0.fetch_add(amount, Plain::Relaxed)
    }

    /// Returns the value before.
    #[inline]
    pub fn sub(&self, amount: u64) -> u64 {
        self.0.fetch_sub(amount, Plain::Relaxed)
    }

    /// Returns the value before.
    #[inline]
    pub fn increment(&self) -> u64 {
        self.add(1)
    }

    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Plain::Relaxed)
    }

    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Plain::Relaxed);
    }
}

/// One bit, handed over: what was written before `set` is seen after `is_set`.
#[derive(Default)]
pub struct Flag(AtomicBool);

impl Flag {
    const_unless_loom! {
        pub const fn new(set: bool) -> Self {
            Flag(AtomicBool::new(set))
        }
    }

    #[inline]
    pub fn set(&self) {
        self.0.store(true, Release);
    }

    #[inline]
    pub fn clear(&self) {
        self.0.store(false, Release);
    }

    #[inline]
    pub fn is_set(&self) -> bool {
        self.0.load(Acquire)
    }

    /// Clears it; was it set? Exactly one of several takers gets `true`.
    #[inline]
    pub fn take(&self) -> bool {
        self.0.swap(false, AcqRel)
    }

    /// Sets it; was it clear? Exactly one of several setters gets `true`.
    #[inline]
    pub fn claim(&self) -> bool {
        !self.0.swap(true, AcqRel)
    }
}

/// A type that fits one atomic word.
pub trait Word: Copy {
    type Atomic;
}

/// A word or pointer, handed over: what was written before `store` is seen after `load`.
#[repr(transparent)]
pub struct Published<T: Word>(T::Atomic);

macro_rules! published {
    ([$($parameter:ident)?] $type:ty, $atomic:ty) => {
        impl$(<$parameter>)? Word for $type {
            type Atomic = $atomic;
        }

        impl$(<$parameter>)? Published<$type> {
            const_unless_loom! {
                pub const fn new(value: $type) -> Self {
                    Published(<$atomic>::new(value))
                }
            }

            #[inline]
            pub fn load(&self) -> $type {
                self.0.load(Acquire)
            }

            #[inline]
            pub fn store(&self, value: $type) {
                self.0.store(value, Release);
            }

            /// Returns the value before.
            #[inline]
            pub fn swap(&self, value: $type) -> $type {
                self.0.swap(value, AcqRel)
            }

            /// `Ok(current)` when the value was `current` and is now `new`; `Err(actual)` otherwise.
            #[inline]
            pub fn compare_exchange(&self, current: $type, new: $type) -> Result<$type, $type> {
                self.0.compare_exchange(current, new, AcqRel, Acquire)
            }
        }
    };
}

macro_rules! published_number {
    ($($type:ty, $atomic:ty;)*) => { $(
        published!([] $type, $atomic);

        impl Published<$type> {
            /// Returns the value before; wraps.
            #[inline]
            pub fn fetch_add(&self, amount: $type) -> $type {
                self.0.fetch_add(amount, AcqRel)
            }

            /// Returns the value before; wraps.
            #[inline]
            pub fn fetch_sub(&self, amount: $type) -> $type {
                self.0.fetch_sub(amount, AcqRel)
            }

            /// Returns the value before.
            #[inline]
            pub fn fetch_or(&self, bits: $type) -> $type {
                self.0.fetch_or(bits, AcqRel)
            }

            /// Returns the value before.
            #[inline]
            pub fn fetch_and(&self, bits: $type) -> $type {
                self.0.fetch_and(bits, AcqRel)
            }

            /// Returns the value before.
            #[inline]
            pub fn fetch_max(&self, value: $type) -> $type {
                self.0.fetch_max(value, AcqRel)
            }
        }
    )* };
}

published_number! {
    u64, AtomicU64;
    i64, AtomicI64;
    u32, AtomicU32;
    i32, AtomicI32;
    u8, AtomicU8;
    usize, AtomicUsize;
}
published!([P] *mut P, AtomicPtr<P>);

/// A set of CPUs that many CPUs change. Changing it, and reading it, is a full barrier: either the
/// reader sees the newcomer, or the newcomer sees what the reader wrote before.
#[derive(Default)]
pub struct CpuMask(AtomicU64);

impl CpuMask {
    const_unless_loom! {
        pub const fn new(cpus: CpuSet) -> Self {
            CpuMask(AtomicU64::new(cpus.bits()))
        }
    }

    /// Was it absent?
    #[inline]
    pub fn insert(&self, cpu: CpuId) -> bool {
        let before = self.0.fetch_or(CpuSet::single(cpu).bits(), AcqRel);
        fence(SeqCst);
        !CpuSet::from_bits(before).contains(cpu)
    }

    /// Was it present?
    #[inline]
    pub fn remove(&self, cpu: CpuId) -> bool {
        fence(SeqCst);
        let before = self.0.fetch_and(!CpuSet::single(cpu).bits(), AcqRel);
        fence(SeqCst);
        CpuSet::from_bits(before).contains(cpu)
    }

    /// Ordered after everything that this CPU wrote before.
    #[inline]
    pub fn load(&self) -> CpuSet {
        fence(SeqCst);
        CpuSet::from_bits(self.0.load(Acquire))
    }

    /// A guess: cheap, ordered after nothing.
    #[inline]
    pub fn peek(&self) -> CpuSet {
        CpuSet::from_bits(self.0.load(Relaxed))
    }
}

/// How many own a thing. The last to leave sees everything that the others did with it.
pub struct ReferenceCount(AtomicU32);

impl ReferenceCount {
    const_unless_loom! {
        pub const fn new(count: u32) -> Self {
            ReferenceCount(AtomicU32::new(count))
        }
    }

    /// The caller owns one reference already, or nobody else can see the count yet.
    #[inline]
    pub fn increment(&self) {
        let before = self.0.fetch_add(1, Relaxed);
        assert!(before < u32::MAX / 2, "a reference count ran over");
    }

    /// True for the last owner, who must now take the thing apart.
    #[inline]
    #[must_use]
    pub fn decrement(&self) -> bool {
        let before = self.0.fetch_sub(1, Release);
        assert!(before != 0, "a reference was given back that nobody had taken");
        if before == 1 {
            fence(Acquire);
        }
        before == 1
    }

    /// For those who found the thing without owning it: true when it was alive and is now theirs too.
    #[inline]
    #[must_use]
    pub fn increment_unless_zero(&self) -> bool {
        let mut count = self.0.load(Relaxed);
        while count != 0 {
            assert!(count < u32::MAX / 2, "a reference count ran over");
            match self.0.compare_exchange(count, count + 1, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(actual) => count = actual,
            }
        }
        false
    }

    /// Sees what former owners did when it says 1 to the one owner left.
    #[inline]
    pub fn get(&self) -> u32 {
        self.0.load(Acquire)
    }

    #[inline]
    pub fn set(&self, count: u32) {
        self.0.store(count, Release);
    }
}
