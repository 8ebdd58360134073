//! A process that is only a number, and a parent.

use super::signals::{Actions, SignalState};
use super::task::Task;
use super::times::Usage;
use crate::wait::WaitQueue;
use std::sync::Arc;
use sync::{Published, SpinLock, TaskContext, order};

pub struct Process {
    id: i32,
    pub child_changed: WaitQueue,
    pub life: WaitQueue,
    pub signals: SpinLock<SignalState, order::Signals>,
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
            signals: SpinLock::new(SignalState::default()),
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

    pub fn actions(&self, _: &TaskContext) -> Actions {
        Actions
    }

    pub fn tasks(&self, _: &TaskContext) -> Vec<Arc<Task>> {
        Vec::new()
    }

    pub fn usage(&self, _: &TaskContext) -> Usage {
        Usage::default()
    }

    pub fn children_usage(&self, _: &TaskContext) -> Usage {
        Usage::default()
    }

    pub fn add_child(&self, _: &TaskContext, _: Usage) {}
}
