//! The descriptor of an interrupt line.
//!
//! Invariant: the line is let go of with the last descriptor and the last operation that waits for it.

use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::ipc::InterruptLine;
use sync::TaskContext;

use crate::file::event::anonymous_attributes;
use crate::file::file::File;
use crate::fs::Attributes;

/// A device's line, in a program's hand.
pub struct InterruptFile(pub Arc<InterruptLine>);

impl File for InterruptFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[interrupt]"))
    }
}
