//! The two ends of a channel, and the files that travel through it.
//!
//! Invariant: a channel's messages are held by its receiving end: with that they go.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::ipc::Channel;
use sync::TaskContext;

use crate::file::event::anonymous_attributes;
use crate::file::file::{File, QueueOwner, Queues};
use crate::file::in_flight::InFlight;
use crate::file::readiness::Readiness;
use crate::fs::Attributes;

/// How many files a message has room for.
pub const MOST_FILES: usize = 4;
/// The files of a message, each in its place.
pub type Files = Box<[Option<InFlight>; MOST_FILES]>;
/// A channel of this kernel's programs.
pub type FileChannel = Channel<Files>;
/// What goes through it.
pub type FileMessage = libkernel::ipc::Message<Files>;

/// Where messages go in.
pub struct SendEnd(Arc<FileChannel>);

/// Where they come out.
pub struct ReceiveEnd(Arc<FileChannel>);

/// Both ends of a new channel.
pub fn ends(capacity: usize) -> (SendEnd, ReceiveEnd) {
    let channel = FileChannel::new(capacity);
    (SendEnd(channel.clone()), ReceiveEnd(channel))
}

impl SendEnd {
    /// The channel it leads into.
    pub fn channel(&self) -> &Arc<FileChannel> {
        &self.0
    }
}

impl ReceiveEnd {
    /// The channel it leads out of.
    pub fn channel(&self) -> &Arc<FileChannel> {
        &self.0
    }
}

impl QueueOwner for FileChannel {
    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.receivable(), self.sendable()])
    }
}

impl File for SendEnd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let state = self.0.state(cx);
        let mut ready = Readiness::empty();
        ready.set(Readiness::WRITE, state.has_room && state.has_receiver);
        ready.set(Readiness::ERROR, !state.has_receiver);
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.0.sendable()])
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.0.clone())
    }

    fn events(&self) -> u64 {
        self.0.events()
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[channel-send]"))
    }
}

impl Drop for SendEnd {
    fn drop(&mut self) {
        self.0.close_sender();
    }
}

impl File for ReceiveEnd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let state = self.0.state(cx);
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, state.has_message);
        ready.set(Readiness::HANG_UP, !state.has_sender);
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.0.receivable()])
    }

    fn queue_owner(&self) -> Option<Arc<dyn QueueOwner>> {
        Some(self.0.clone())
    }

    fn events(&self) -> u64 {
        self.0.events()
    }

    fn is_keeper(&self) -> bool {
        true
    }

    fn for_each_held(&self, cx: &TaskContext, visit: &mut dyn FnMut(&InFlight)) {
        self.0.for_each_load(cx, |files| files.iter().flatten().for_each(&mut *visit));
    }

    fn let_go(&self, cx: &mut TaskContext) {
        self.0.clear(cx);
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[channel-receive]"))
    }
}

impl Drop for ReceiveEnd {
    fn drop(&mut self) {
        self.0.close_receiver();
    }
}
