//! A process that is only a number, and a parent.

use super::times::Usage;
use crate::wait::WaitQueue;
use sync::TaskContext;

pub struct Process {
    id: i32,
    pub child_changed: WaitQueue,
}

pub struct Credentials {
    pub uid: u32,
}

impl Process {
    pub fn new(id: i32) -> Self {
        Process { id, child_changed: WaitQueue::named("a child") }
    }

    pub fn id(&self) -> i32 {
        self.id
    }

    pub fn credentials(&self, _: &TaskContext) -> Credentials {
        Credentials { uid: 0 }
    }

    pub fn usage(&self, _: &TaskContext) -> Usage {
        Usage::default()
    }

    pub fn children_usage(&self, _: &TaskContext) -> Usage {
        Usage::default()
    }

    pub fn add_child(&self, _: &TaskContext, _: Usage) {}
}
