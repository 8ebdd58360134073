//! The descriptor of a notification.
//!
//! Invariant: polling tells of a signal that no operation has taken; only an operation takes it.

use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::ipc::Notification;
use sync::TaskContext;

use crate::file::event::anonymous_attributes;
use crate::file::file::{File, Queues};
use crate::file::readiness::Readiness;
use crate::fs::Attributes;

/// A notification, in a program's hand.
pub struct NotificationFile(pub Arc<Notification>);

impl File for NotificationFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, self.0.is_signalled(cx));
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([self.0.signalled()])
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[notification]"))
    }
}
