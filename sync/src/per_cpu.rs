//! One value per CPU, an array by `CpuId`.
//!
//! Invariant: `PerCpu` values are shared and say themselves how; a `CpuLocal` value is touched by its
//! own CPU only, with interrupts off, and never twice at once.

use crate::context::IrqOff;
use crate::cpu::{self, CpuId, MAXIMUM_CPUS};
use core::cell::{Cell, UnsafeCell};

/// One shared value per CPU.
#[repr(transparent)]
pub struct PerCpu<T: Sync>([T; MAXIMUM_CPUS]);

impl<T: Sync> PerCpu<T> {
    pub const fn new(values: [T; MAXIMUM_CPUS]) -> Self {
        PerCpu(values)
    }

    #[inline]
    pub fn of(&self, cpu: CpuId) -> &T {
        &self.0[cpu.index()]
    }

    /// This CPU's; the proof says that "this" stays true.
    #[inline]
    pub fn mine(&self, _proof: &IrqOff) -> &T {
        self.of(cpu::current())
    }

    pub fn iter_online(&self) -> impl Iterator<Item = (CpuId, &T)> {
        cpu::online().iter().map(|cpu| (cpu, self.of(cpu)))
    }

    pub fn iter_all(&self) -> impl Iterator<Item = (CpuId, &T)> {
        self.0.iter().enumerate().map(|(index, value)| (CpuId::new(index), value))
    }
}

/// One private value per CPU: plain data, no atomics.
pub struct CpuLocal<T: Send>([Slot<T>; MAXIMUM_CPUS]);

#[repr(align(64))]
struct Slot<T> {
    busy: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: 1. a slot is reached only by the CPU of its index (`mine`), with interrupts off, so that two
// threads never are in one slot at once; 2. values move between the threads of a CPU, hence `T: Send`.
unsafe impl<T: Send> Sync for CpuLocal<T> {}

/// Marks a slot as lent, until dropped (a panic in between included).
struct Lent<'a>(&'a Cell<bool>);

impl<'a> Lent<'a> {
    #[inline]
    #[track_caller]
    fn new(busy: &'a Cell<bool>) -> Self {
        assert!(!busy.replace(true), "this CPU's value is in use further up the stack");
        Lent(busy)
    }
}

impl Drop for Lent<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl<T: Send> CpuLocal<T> {
    pub const fn new(values: [T; MAXIMUM_CPUS]) -> Self {
        // A loop over `ManuallyDrop`, because arrays cannot be mapped in a `const fn`.
        let values = core::mem::ManuallyDrop::new(values);
        let source = (&raw const values).cast::<T>();
        let mut slots = [const { core::mem::MaybeUninit::<Slot<T>>::uninit() }; MAXIMUM_CPUS];
        let mut index = 0;
        while index < MAXIMUM_CPUS {
            // SAFETY: `index` is within the array, and each value is moved out of it once.
            let value = unsafe { source.add(index).read() };
            slots[index] = core::mem::MaybeUninit::new(Slot { busy: Cell::new(false), value: UnsafeCell::new(value) });
            index += 1;
        }
        // SAFETY: every slot was written above, and `MaybeUninit` has the layout of what it holds.
        CpuLocal(unsafe { core::mem::transmute_copy(&slots) })
    }

    #[inline]
    #[track_caller]
    pub fn with_mut<R>(&self, _proof: &mut IrqOff, f: impl FnOnce(&mut T) -> R) -> R {
        let slot = &self.0[cpu::current().index()];
        let _lent = Lent::new(&slot.busy);
        // SAFETY: this CPU's slot (interrupts are off, so it stays this CPU), and nobody else is in it.
        f(unsafe { &mut *slot.value.get() })
    }

    #[inline]
    #[track_caller]
    pub fn get(&self, _proof: &IrqOff) -> T
    where
        T: Copy,
    {
        let slot = &self.0[cpu::current().index()];
        let _lent = Lent::new(&slot.busy);
        // SAFETY: as in `with_mut`.
        unsafe { *slot.value.get() }
    }
}

#[cfg(test)]
#[cfg(not(any(loom, shuttle)))]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn each_cpu_counts_for_itself() {
        static COUNT: CpuLocal<u64> = CpuLocal::new([0; MAXIMUM_CPUS]);
        static TOTAL: PerCpu<crate::Counter> = PerCpu::new([const { crate::Counter::new(0) }; MAXIMUM_CPUS]);
        std::thread::scope(|scope| {
            for index in 40..44 {
                scope.spawn(move || {
                    cpu::host::play(CpuId::new(index));
                    for _ in 0..index {
                        let mut off = IrqOff::new();
                        COUNT.with_mut(&mut off, |count| *count += 1);
                    }
                    let off = IrqOff::new();
                    TOTAL.mine(&off).add(COUNT.get(&off));
                });
            }
        });
        let seen: std::vec::Vec<u64> = (40..44).map(|index| TOTAL.of(CpuId::new(index)).get()).collect();
        assert_eq!(seen, [40, 41, 42, 43]);
    }

    #[test]
    #[should_panic(expected = "in use further up the stack")]
    fn a_value_is_not_lent_twice() {
        static VALUE: CpuLocal<u64> = CpuLocal::new([0; MAXIMUM_CPUS]);
        VALUE.with_mut(&mut IrqOff::new(), |_| VALUE.with_mut(&mut IrqOff::new(), |_| ()));
    }
}
