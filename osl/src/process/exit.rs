//! Asking for an end: of the calling thread, or of its whole process.
//!
//! Invariant: nothing ends here. The thread is marked, and leaves (`death`) on its way back to its program, when its call has let go
//! of all it held.

use alloc::sync::Arc;

use sync::TaskContext;

use super::signals::post;
use super::status::ExitStatus;
use super::task::Task;

/// The calling thread leaves with this code; the process goes on if there are others.
pub fn leave_thread(cx: &TaskContext, task: &Arc<Task>, code: u8) {
    if let Some(member) = task.process().signals.lock(cx).members.get_mut(&task.id()) {
        member.leaving = Some(code);
    }
    task.must_look();
}

/// The whole process ends, unless it ends already in another way.
pub fn end_process(cx: &TaskContext, task: &Arc<Task>, status: ExitStatus) {
    post::end_process(cx, task.process(), status);
    task.must_look();
}
