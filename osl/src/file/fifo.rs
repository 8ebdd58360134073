//! Named pipes: a pipe that programs meet at by a path.
//!
//! Invariant: all who have a FIFO open share one pipe; when the last of them closes, its bytes are gone.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};

use abi::Errno;
use abi::constant::O_NONBLOCK;
use sync::{SpinLock, TaskContext, order};

use super::file::File;
use super::open_file::Access;
use super::pipe::Pipe;
use super::pipe_node::PipeNode;
use crate::error::restarting;
use crate::fs::node::{Identity, Node};

static PIPES: SpinLock<BTreeMap<Identity, Weak<Pipe>>, order::RecordLocks> = SpinLock::new(BTreeMap::new());

fn pipe_of(cx: &TaskContext, identity: Identity) -> Arc<Pipe> {
    let fresh = Pipe::new();
    let mut pipes = PIPES.lock(cx);
    if let Some(pipe) = pipes.get(&identity).and_then(Weak::upgrade) {
        return pipe;
    }
    pipes.retain(|_, pipe| pipe.strong_count() > 0);
    pipes.insert(identity, Arc::downgrade(&fresh));
    fresh
}

/// Opens a FIFO: a reader waits for a writer and a writer for a reader, unless `O_NONBLOCK`. An unnamed pipe waits for nobody.
pub fn open(cx: &mut TaskContext, node: &Arc<dyn Node>, flags: u32) -> Result<Arc<dyn File>, Errno> {
    let access = Access::of_flags(flags);
    if let Some(unnamed) = node.as_any().downcast_ref::<PipeNode>() {
        return Ok(Arc::new(unnamed.pipe().end(cx, access.read, access.write, node.clone())));
    }
    let pipe = pipe_of(cx, node.identity());
    let nonblocking = flags & O_NONBLOCK != 0;
    let ((readers_seen, readers), (writers_seen, writers)) = pipe.sides(cx);
    if access.write && !access.read && nonblocking && readers == 0 {
        return Err(Errno::ENXIO);
    }
    let end = pipe.end(cx, access.read, access.write, node.clone());
    let must_wait = !nonblocking && access.read != access.write && if access.read { writers == 0 } else { readers == 0 };
    if must_wait {
        let arrived = |cx: &mut TaskContext| {
            let ((readers_now, _), (writers_now, _)) = pipe.sides(cx);
            let came = if access.read { writers_now > writers_seen } else { readers_now > readers_seen };
            came.then_some(())
        };
        pipe.arrivals().wait_until_or_interrupted(cx, arrived).map_err(restarting)?;
    }
    Ok(Arc::new(end))
}
