//! What the types refuse. Each block but the first must fail to compile.
//!
//! ```
//! use sync::{IrqContext, SpinLock, TaskContext, order};
//! static FILES: SpinLock<u32, order::FileTable> = SpinLock::new(0);
//! static TYPED: SpinLock<u32, order::ConsoleInput> = SpinLock::new(0);
//! fn sleep(_: &mut TaskContext) { sync::might_sleep() }
//! fn call(cx: &mut TaskContext) {
//!     {
//!         let files = FILES.lock(cx);
//!         let typed = TYPED.lock(&files);
//!         assert_eq!(*files, *typed);
//!     }
//!     sleep(cx); // no spin guard is alive
//! }
//! fn byte_arrived(irq: &IrqContext) { *TYPED.lock(irq) += 1; }
//! let mut cx = unsafe { TaskContext::enter(core::ptr::NonNull::dangling()) };
//! call(&mut cx);
//! byte_arrived(&unsafe { IrqContext::enter() });
//! assert_eq!(*TYPED.lock(&cx), 1);
//! ```
//!
//! 1. Sleeping while a spin guard lives:
//! ```compile_fail,E0502
//! use sync::{SpinLock, TaskContext, order};
//! static QUEUE: SpinLock<u32, order::RunQueue> = SpinLock::new(0);
//! fn sleep(_: &mut TaskContext) {}
//! fn bad(cx: &mut TaskContext) {
//!     let queue = QUEUE.lock(cx);
//!     sleep(cx);
//!     drop(queue);
//! }
//! ```
//!
//! 2. A task-class lock in an interrupt handler:
//! ```compile_fail,E0277
//! use sync::{IrqContext, SpinLock, order};
//! static FILES: SpinLock<u32, order::FileTable> = SpinLock::new(0);
//! fn handler(irq: &IrqContext) { let _ = FILES.lock(irq); }
//! ```
//!
//! 3. Sleeping in an interrupt handler:
//! ```compile_fail,E0308
//! use sync::{IrqContext, TaskContext};
//! fn sleep(_: &mut TaskContext) {}
//! fn handler(irq: &mut IrqContext) { sleep(irq); }
//! ```
//!
//! 4. A task-class lock where only "interrupts are off" is known (it may be a handler):
//! ```compile_fail,E0277
//! use sync::{IrqOff, SpinLock, order};
//! static FILES: SpinLock<u32, order::FileTable> = SpinLock::new(0);
//! fn bad(off: &IrqOff) { let _ = FILES.lock(off); }
//! ```
//!
//! 5. A task-class lock under an interrupt-class one:
//! ```compile_fail,E0271
//! use sync::{SpinLock, TaskContext, order};
//! static FILES: SpinLock<u32, order::FileTable> = SpinLock::new(0);
//! static TYPED: SpinLock<u32, order::ConsoleInput> = SpinLock::new(0);
//! fn bad(cx: &TaskContext) { let typed = TYPED.lock(cx); let _ = FILES.lock(&typed); }
//! ```
//!
//! 6. A table that puts a sleeping lock inside a spin lock:
//! ```compile_fail,E0080
//! sync::lock_order! { RunQueue: Irq, AddressSpace: Sleep }
//! ```
//!
//! 7. A guard that leaves its CPU:
//! ```compile_fail,E0277
//! use sync::{SpinLock, TaskContext, order};
//! static QUEUE: SpinLock<u32, order::RunQueue> = SpinLock::new(0);
//! fn to_another_cpu<T: Send>(_: T) {}
//! fn bad(cx: &TaskContext) { to_another_cpu(QUEUE.lock(cx)); }
//! ```
//!
//! 8. A context that leaves its CPU:
//! ```compile_fail,E0277
//! fn to_another_cpu<T: Send>(_: T) {}
//! to_another_cpu(sync::IrqOff::new());
//! ```
//!
//! 9. This CPU's data without proof that interrupts are off:
//! ```compile_fail,E0061
//! use sync::{CpuLocal, MAXIMUM_CPUS};
//! static CURRENT: CpuLocal<u32> = CpuLocal::new([0; MAXIMUM_CPUS]);
//! let _ = CURRENT.get();
//! ```
//!
//! 10. This CPU's data under a lock that leaves interrupts on:
//! ```compile_fail,E0599
//! use sync::{CpuLocal, MAXIMUM_CPUS, SpinLock, TaskContext, order};
//! static FILES: SpinLock<u32, order::FileTable> = SpinLock::new(0);
//! static CURRENT: CpuLocal<u32> = CpuLocal::new([0; MAXIMUM_CPUS]);
//! fn bad(cx: &TaskContext) { let files = FILES.lock(cx); CURRENT.get(files.interrupts_off()); }
//! ```
//!
//! 11. A spin lock of a sleeping class:
//! ```compile_fail,E0599
//! use sync::{SpinLock, TaskContext, order};
//! static NODE: SpinLock<u32, order::Node> = SpinLock::new(0);
//! fn bad(cx: &TaskContext) { let _ = NODE.lock(cx); }
//! ```
//!
//! 12. Two locks of a class that has no second rank:
//! ```compile_fail,E0277
//! use sync::{SpinLock, TaskContext, lock_pair, order};
//! fn bad(a: &SpinLock<u32, order::Pipe>, b: &SpinLock<u32, order::Pipe>, cx: &TaskContext) {
//!     let _ = lock_pair(a, b, cx);
//! }
//! ```
//!
//! 13. Data out of a lock, kept beyond the guard:
//! ```compile_fail,E0597
//! use sync::{SpinLock, TaskContext, order};
//! static TYPED: SpinLock<u32, order::ConsoleInput> = SpinLock::new(0);
//! fn bad(cx: &TaskContext) -> u32 {
//!     let kept;
//!     { let typed = TYPED.lock(cx); kept = &*typed; }
//!     *kept
//! }
//! ```
