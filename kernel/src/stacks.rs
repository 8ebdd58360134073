//! The stacks that a CPU starts with: its idle thread's, and one each for what may come at any instruction.
//!
//! Invariant: each stack has a page below it that is never mapped; a CPU's stacks are its own for ever.

use libkernel::thread::stack::Stack;
use machine::boot::CpuStacks;
use sync::CpuId;

/// Stacks for a CPU that is about to be started; `None` when there is no memory for them.
pub fn of_cpu(_: CpuId) -> Option<CpuStacks> {
    Some(CpuStacks { kernel: keep()?, double_fault: keep()?, nmi: keep()?, machine_check: keep()? })
}

/// The top of a stack that is never given back.
fn keep() -> Option<u64> {
    let stack = Stack::take().ok()?;
    let top = stack.top();
    core::mem::forget(stack);
    Some(top)
}
