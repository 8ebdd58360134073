//! Processes and tasks that no CPU runs, for tests of what is written down about them.

use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::file::Statfs;
use abi::signal::SignalStack;
use sync::TaskContext;

use super::limits::Limits;
use super::shared::{Beginning, Process, Program};
use super::signals::SignalActions;
use super::task::{Inheritance, NAME_BYTES, Task};
use crate::credentials::Credentials;
use crate::file::FileTable;
use crate::fs::node::Identity;
use crate::fs::{Attributes, FileSystemContext, Kind, Location, Mount, Node};

struct Root;

impl Node for Root {
    fn identity(&self) -> Identity {
        Identity { file_system: 0, number: 1 }
    }

    fn kind(&self) -> Kind {
        Kind::Directory
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Err(Errno::EIO)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn file_system(&self) -> Statfs {
        Statfs::default()
    }
}

/// A process with this number, without tasks.
pub fn process(id: i32) -> Arc<Process> {
    let beginning = Beginning {
        limits: Limits::first(100),
        program: Arc::new(Program::default()),
        credentials: Arc::new(Credentials::root()),
        name: [0; NAME_BYTES],
        space: None,
        actions: Arc::new(SignalActions::new()),
    };
    Process::new(id, beginning)
}

/// A task with this number, of this process.
pub fn task(id: i32, process: &Arc<Process>) -> Arc<Task> {
    let mount = Mount { number: 1, root: Arc::new(Root), covers: None, source: String::new(), kind: "test" };
    let inheritance = Inheritance {
        files: Arc::new(FileTable::new()),
        file_system: Arc::new(FileSystemContext::new(Location::root_of(&Arc::new(mount)))),
        credentials: Arc::new(Credentials::root()),
        name: [0; NAME_BYTES],
        signal_stack: SignalStack::default(),
        lender: None,
    };
    Task::new(id, process.clone(), inheritance)
}
