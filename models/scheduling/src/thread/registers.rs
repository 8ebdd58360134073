//! No program's registers are played.

use super::current;
use super::thread::Private;
use sync::{IrqOff, TaskContext};

pub(crate) fn with_private<R>(cx: &TaskContext, f: impl FnOnce(&mut Private, &mut IrqOff) -> R) -> R {
    let mut irq = IrqOff::new();
    // SAFETY: the thread itself, interrupts off.
    unsafe { current::of(cx).private.with(|private| f(private, &mut irq)) }
}
