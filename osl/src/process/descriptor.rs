//! A process as a descriptor: what `pidfd_open` gives.
//!
//! Invariant: it means the same process for ever, also when its number has another owner by now. It is ready to read once the process
//! has ended, and hung up once it was waited for.

use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use libkernel::census::{Census, Counted};
use sync::TaskContext;

use super::shared::{Process, Stage};
use crate::file::event::anonymous_attributes;
use crate::file::file::{File, Queues};
use crate::file::readiness::Readiness;
use crate::fs::Attributes;

/// Openings of processes.
pub static LIVING: Census = Census::new("process descriptors");

/// A process, opened.
pub struct ProcessDescriptor {
    _counted: Counted,
    process: Arc<Process>,
}

impl ProcessDescriptor {
    /// For this process.
    pub fn new(process: Arc<Process>) -> Arc<Self> {
        Arc::new(Self { _counted: LIVING.count(), process })
    }

    /// The process.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }
}

impl File for ProcessDescriptor {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn readiness(&self, _cx: &mut TaskContext) -> Readiness {
        let stage = self.process.stage();
        let mut ready = Readiness::empty();
        ready.set(Readiness::READ, stage != Stage::Alive);
        ready.set(Readiness::HANG_UP, stage == Stage::Buried);
        ready
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.process.life])
    }

    fn events(&self) -> u64 {
        self.process.stage() as u64
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[pidfd]"))
    }
}
