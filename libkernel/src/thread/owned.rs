//! What belongs to a thread and to the CPU that runs it, and to nobody else.
//!
//! Invariant: it is touched by the thread itself with interrupts off, by the CPU that switches from or to the
//! thread, or by whoever makes or takes apart the thread while nobody else has it; these never meet.

use core::cell::UnsafeCell;

pub(crate) struct Owned<T>(UnsafeCell<T>);

// SAFETY: never two at once (this file's invariant), so handing it from CPU to CPU is all that happens.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Owned<T> {}

impl<T> Owned<T> {
    pub(crate) const fn new(value: T) -> Self {
        Owned(UnsafeCell::new(value))
    }

    /// # Safety
    /// The caller is one of those that this file's invariant names, and `f` does not come here again.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the caller's promise is that nobody else has a reference.
        f(unsafe { &mut *self.0.get() })
    }

    pub(crate) const fn pointer(&self) -> *mut T {
        self.0.get()
    }
}
