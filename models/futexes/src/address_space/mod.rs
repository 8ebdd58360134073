//! The memory of the one program: a few words, private to it.

pub mod user;

use crate::error::KernelError;
use crate::explore::Mutex;
use alloc::sync::Arc;
use core::any::Any;
use sync::{Flag, Once, TaskContext};

/// An address as a program gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserAddress(u64);

impl UserAddress {
    pub const fn new(address: u64) -> Self {
        UserAddress(address)
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Contents that several programs map, of which there are none.
pub trait PageSource: Send + Sync {
    fn identity(&self) -> usize;
}

/// What is attached is explored too: `is_attached` is set behind it, and is all that the explorer knows of it.
#[derive(Default)]
pub struct AddressSpace {
    attachment: Once<Arc<dyn Any + Send + Sync>>,
    is_attached: Flag,
    attaching: Mutex<()>,
}

sync::shared_static! {
    static SPACE: AddressSpace = AddressSpace::default();
}

impl AddressSpace {
    pub fn attachment(&self) -> Option<&Arc<dyn Any + Send + Sync>> {
        if self.is_attached.is_set() { self.attachment.get() } else { None }
    }

    pub fn attach(&self, attachment: Arc<dyn Any + Send + Sync>) -> &Arc<dyn Any + Send + Sync> {
        let attaching = self.attaching.lock();
        let _another_was_first = self.attachment.set(attachment);
        self.is_attached.set();
        drop(attaching);
        self.attachment.expect_set("what hangs on a space")
    }

    pub fn shared_source(&self, _: &TaskContext, _: UserAddress) -> Result<Option<(Arc<dyn PageSource>, u64)>, KernelError> {
        Ok(None)
    }
}

pub fn current_space(_: &TaskContext) -> Option<Arc<AddressSpace>> {
    None
}

pub fn borrowed_space(_: &TaskContext) -> Option<&AddressSpace> {
    Some(&SPACE)
}
