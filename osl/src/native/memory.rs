//! The descriptor of shared memory: for `mmap`, and nothing else.
//!
//! Invariant: its size never changes.

use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::address_space::PageSource;
use libkernel::ipc::SharedMemory;
use sync::TaskContext;

use crate::file::event::anonymous_attributes;
use crate::file::file::File;
use crate::fs::Attributes;

/// Memory, in a program's hand.
pub struct MemoryFile(pub Arc<SharedMemory>);

impl File for MemoryFile {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(Attributes { size: self.0.size(), ..anonymous_attributes() })
    }

    fn pages(&self) -> Option<Arc<dyn PageSource>> {
        Some(self.0.clone())
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[shared-memory]"))
    }
}
