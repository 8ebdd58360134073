//! A thread's stack is that of the checker's thread.

use crate::error::KernelError;

pub struct Stack;

pub enum StackAddress {
    Guard { slot: usize },
    Inside { slot: usize },
}

impl Stack {
    pub fn take() -> Result<Stack, KernelError> {
        Ok(Stack)
    }

    pub const fn top(&self) -> u64 {
        0
    }
}

pub fn describe(_: u64) -> Option<StackAddress> {
    None
}
