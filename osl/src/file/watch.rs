//! Waiting for several files at once.
//!
//! Invariant: the files that are watched stay open while they are, whatever happens to the descriptors; those that they stand for do
//! not, and whoever joins these while someone waits is waited for too.

use alloc::sync::Arc;
use alloc::vec::Vec;

use libkernel::error::KernelError;
use libkernel::wait::{Deadline, WaitQueue, wait_on};
use sync::TaskContext;

use super::file::{File, QueueOwner, Queues};
use super::open_file::OpenFile;

/// How deep files that stand for others are followed.
const DEPTH: usize = 5;

/// Someone whose queues are waited on.
pub enum Watched {
    File(Arc<dyn File>),
    Owner(Arc<dyn QueueOwner>),
}

impl Watched {
    /// Whom to watch for an open file.
    pub fn new(open: &OpenFile) -> Self {
        let file = open.file();
        file.queue_owner().map_or_else(|| Self::File(file.clone()), Self::Owner)
    }

    /// Its queues.
    pub fn queues(&self) -> Queues<'_> {
        match self {
            Self::File(file) => file.queues(),
            Self::Owner(owner) => owner.queues(),
        }
    }

    fn membership(&self) -> u64 {
        match self {
            Self::File(file) => file.membership(),
            Self::Owner(_) => 0,
        }
    }
}

/// Sleeps until `condition` answers, looking again whenever one of the files changes.
pub fn wait<R>(
    cx: &mut TaskContext,
    files: &[Arc<OpenFile>],
    deadline: Option<u64>,
    mut condition: impl FnMut(&mut TaskContext) -> Option<R>,
) -> Result<R, KernelError> {
    loop {
        let all = with_members(cx, files);
        let queues: Vec<&WaitQueue> = all.iter().flat_map(|(watched, _)| watched.queues()).collect();
        let are_others = || all.iter().any(|(watched, membership)| watched.membership() != *membership);
        let look = |cx: &mut TaskContext| match condition(cx) {
            Some(answer) => Some(Some(answer)),
            None => are_others().then_some(None),
        };
        if let Some(answer) = wait_on(cx, &queues, Deadline(deadline), true, look)? {
            return Ok(answer);
        }
    }
}

/// The files, and those that they stand for, each with the count of its memberships before its members were asked for.
fn with_members(cx: &mut TaskContext, files: &[Arc<OpenFile>]) -> Vec<(Watched, u64)> {
    let mut all = Vec::new();
    let mut level = files.to_vec();
    for _ in 0..=DEPTH {
        let mut next = Vec::new();
        for open in level {
            let watched = Watched::new(&open);
            let membership = watched.membership();
            next.extend(open.file().members(cx));
            all.push((watched, membership));
        }
        level = next;
    }
    all
}
