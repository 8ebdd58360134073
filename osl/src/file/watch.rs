//! Waiting for several files at once.
//!
//! Invariant: the files that are watched stay open while they are, whatever happens to the descriptors.

use alloc::sync::Arc;
use alloc::vec::Vec;

use libkernel::error::KernelError;
use libkernel::wait::{Deadline, WaitQueue, wait_on};
use sync::TaskContext;

use super::open_file::OpenFile;

/// How deep files that stand for others are followed.
const DEPTH: usize = 5;

/// Sleeps until `condition` answers, looking again whenever one of the files changes.
pub fn wait<R>(
    cx: &mut TaskContext,
    files: &[Arc<OpenFile>],
    deadline: Option<u64>,
    condition: impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    let all = with_members(cx, files);
    let queues: Vec<&WaitQueue> = all.iter().flat_map(|open| open.file().queues()).collect();
    wait_on(cx, &queues, Deadline(deadline), true, condition)
}

/// The files, and those that they stand for.
fn with_members(cx: &mut TaskContext, files: &[Arc<OpenFile>]) -> Vec<Arc<OpenFile>> {
    let mut all = files.to_vec();
    let mut begin = 0;
    for _ in 0..DEPTH {
        let members: Vec<_> = all.iter().skip(begin).flat_map(|open| open.file().members(cx)).collect();
        if members.is_empty() {
            break;
        }
        begin = all.len();
        all.extend(members);
    }
    all
}
