//! A process that is only a number, and a parent.

use super::times::Usage;
use crate::wait::WaitQueue;
use sync::{Published, TaskContext};

pub struct Process {
    id: i32,
    pub child_changed: WaitQueue,
    pub life: WaitQueue,
    stage: Published<u8>,
}

/// As the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    Alive,
    Ended,
    Buried,
}

pub struct Credentials {
    pub uid: u32,
}

impl Process {
    pub fn new(id: i32) -> Self {
        Process {
            id,
            child_changed: WaitQueue::named("a child"),
            life: WaitQueue::named("a life"),
            stage: Published::<u8>::new(Stage::Alive as u8),
        }
    }

    pub fn id(&self) -> i32 {
        self.id
    }

    pub(super) fn reach(&self, stage: Stage) {
        self.stage.store(stage as u8);
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
