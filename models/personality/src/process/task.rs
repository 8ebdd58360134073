//! Nobody asks for tasks.

use sync::{Counter, Published, TaskContext};

pub struct Task {
    pub death_signal: Published<u32>,
    pub awaited: Counter,
}

impl Task {
    pub fn id(&self) -> i32 {
        0
    }
}

/// No report names the threads of a model.
pub fn current(_: &TaskContext) -> Option<Task> {
    None
}
