//! Signals, which are sent and never arrive: every process has the usual actions, and is told of its children by `child` itself.

#[path = "../../../../osl/src/process/signals/child.rs"]
pub mod child;

use abi::signal::SignalAction;

/// What a process does about signals: nothing of its own.
pub struct Actions;

impl Actions {
    pub fn get(&self, _: u32) -> SignalAction {
        SignalAction { handler: 0, flags: 0, restorer: 0, mask: 0 }
    }
}

#[derive(Default)]
pub struct SignalState {
    pub stopping: Option<u32>,
}

pub mod post {
    use crate::process::shared::Process;
    use crate::process::task::Task;
    use abi::signal::SignalInfo;
    use std::sync::Arc;
    use sync::TaskContext;

    pub fn send_to_process(_: &TaskContext, _: &Process, _: SignalInfo) {}

    pub fn send_to_task(_: &TaskContext, _: &Arc<Task>, _: SignalInfo) {}

    pub fn send_to_group(_: &TaskContext, _: i32, _: SignalInfo) {}
}
