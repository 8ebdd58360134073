//! A device's interrupt, handed to a program.
//!
//! Invariant: the line is unmasked only while an operation waits for it; the handler masks it before it ends that
//! operation. Interrupts that nobody waited for are counted for the next who does.

use super::completion_port::CompletionPort;
use super::places::OperationId;
use crate::census::{Census, Counted};
use crate::error::KernelError;
use crate::interrupt::DeviceInterrupt;
use alloc::sync::Arc;
use machine::apic::io;
use sync::twin::{self, Twin};
use sync::{Allows, CpuId, IrqOff, Once, SpinLock, TaskContext, kind, order};

/// Interrupt lines that programs have.
pub static LIVING: Census = Census::new("interrupt lines");

#[derive(Default)]
struct State {
    /// Interrupts since an operation was last ended.
    count: u64,
    waiter: Option<(Arc<CompletionPort>, OperationId)>,
}

/// Switches a line on and off: the IO-APIC, or a test's own.
pub trait Gate: Send + Sync {
    fn set_open(&self, is_open: bool);
}

struct Chip {
    line: u32,
}

impl Gate for Chip {
    fn set_open(&self, is_open: bool) {
        // The line is there: it was routed.
        let _ = if is_open { io::unmask(self.line) } else { io::mask(self.line) };
    }
}

/// What the handler and the waiting programs share.
struct Shared {
    gate: Arc<dyn Gate>,
    state: SpinLock<State, order::InterruptLine>,
}

pub struct InterruptLine {
    _counted: Counted,
    shared: Arc<Shared>,
    /// Goes first when the line is let go of: then no handler runs any more.
    interrupt: Once<DeviceInterrupt>,
}

impl InterruptLine {
    /// Routes the line to a fresh vector on `cpu`, masked. `Busy` when somebody has the line or all vectors are taken,
    /// `Invalid` when there is no such line.
    pub fn request(line: u32, cpu: CpuId) -> Result<Arc<Self>, KernelError> {
        let made = Self::new(Arc::new(Chip { line }));
        let shared = Arc::clone(&made.shared);
        let interrupt = DeviceInterrupt::request_masked(line, "program", cpu, Arc::new(move |context| shared.signal(context)))?;
        // Set once, here.
        let _ = made.interrupt.set(interrupt);
        Ok(made)
    }

    fn new(gate: Arc<dyn Gate>) -> Arc<Self> {
        let shared = Arc::new(Shared { gate, state: SpinLock::new(State::default()) });
        Arc::new(InterruptLine { _counted: LIVING.count(), shared, interrupt: Once::new() })
    }

    /// The operation ends with the next interrupt, or at once if one came late. `Busy` when another waits.
    pub fn arm(&self, cx: &TaskContext, port: &Arc<CompletionPort>, id: OperationId) -> Result<(), KernelError> {
        let mut state = self.shared.state.lock(cx);
        if state.waiter.is_some() {
            return Err(KernelError::Busy);
        }
        let count = core::mem::take(&mut state.count);
        if count == 0 {
            state.waiter = Some((Arc::clone(port), id));
            self.shared.gate.set_open(true);
            return Ok(());
        }
        drop(state);
        port.finish(cx, id, count.cast_signed());
        Ok(())
    }

    /// The operation waits no longer.
    pub fn disarm(&self, port: &Arc<CompletionPort>, id: OperationId) {
        let off = IrqOff::new();
        let mut state = self.shared.state.lock(&off);
        let is_it = state.waiter.as_ref().is_some_and(|(other, armed)| Arc::ptr_eq(other, port) && *armed == id);
        let waiter = if is_it { state.waiter.take() } else { None };
        if is_it {
            self.shared.gate.set_open(false);
        }
        drop(state);
        drop(waiter);
    }
}

impl Shared {
    /// The handler.
    fn signal<X: Allows<kind::Irq>>(&self, context: &X) {
        let mut state = self.state.lock(context);
        if !twin::is(Twin::MaskedAfterEnd) {
            self.gate.set_open(false);
        }
        state.count += 1;
        let waiter = state.waiter.take();
        let count = if waiter.is_some() { core::mem::take(&mut state.count) } else { 0 };
        drop(state);
        if let Some((port, id)) = waiter {
            port.finish(context, id, count.cast_signed());
        }
        if twin::is(Twin::MaskedAfterEnd) {
            self.gate.set_open(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::Finished;
    use core::ptr::NonNull;
    use sync::Flag;

    /// A line that a test rings.
    #[derive(Default)]
    struct Fake(Flag);

    impl Gate for Fake {
        fn set_open(&self, is_open: bool) {
            if is_open { self.0.set() } else { self.0.clear() }
        }
    }

    #[allow(unsafe_code)]
    fn context() -> TaskContext {
        // SAFETY: nobody asks it for its thread.
        unsafe { TaskContext::enter(NonNull::dangling()) }
    }

    fn results(cx: &TaskContext, port: &CompletionPort) -> std::vec::Vec<i64> {
        let Ok(taker) = port.taker() else { panic!("a second taker") };
        let mut found = [Finished::default(); 8];
        let count = taker.look(cx, &mut found);
        taker.handed_out(cx, count);
        found[..count].iter().map(|finished| finished.result).collect()
    }

    #[test]
    fn the_line_is_open_only_while_somebody_waits_and_late_interrupts_count() {
        let cx = context();
        let (gate, port) = (Arc::new(Fake::default()), CompletionPort::new());
        let line = InterruptLine::new(gate.clone());
        let begin = || port.begin(&cx, 0, 4).expect("there is room");
        let (first, second, third) = (begin(), begin(), begin());
        assert!(!gate.0.is_set());
        assert_eq!(line.arm(&cx, &port, first), Ok(()));
        assert!(gate.0.is_set());
        assert_eq!(line.arm(&cx, &port, second), Err(KernelError::Busy));
        // Two come before the mask takes effect.
        line.shared.signal(&cx);
        line.shared.signal(&cx);
        assert!(!gate.0.is_set());
        assert_eq!(results(&cx, &port), [1]);
        assert_eq!(line.arm(&cx, &port, second), Ok(()));
        assert_eq!(results(&cx, &port), [1], "the late one");
        assert!(!gate.0.is_set());
        assert_eq!(line.arm(&cx, &port, third), Ok(()));
        line.disarm(&port, second);
        assert!(gate.0.is_set(), "another's");
        line.disarm(&port, third);
        assert!(!gate.0.is_set());
        line.shared.signal(&cx);
        assert!(results(&cx, &port).is_empty());
    }
}
