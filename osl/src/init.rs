//! Starting the first program, and hearing of its end.
//!
//! Invariant: there is one first program per boot; when it ends, whoever started it is told once, and the machine has nothing left to do.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use crate::elf::stack::Strings;
use crate::file::{FileTable, OpenFile};
use crate::fs::{FileSystemContext, Location};
use crate::process::program::Wish;
use crate::process::status::ExitStatus;
use crate::process::{Task, death, first};
use crate::system_v::segment;
use crate::tty::{Terminal, jobs};

/// The first program and what it finds.
pub struct FirstProgram {
    /// The path of its file.
    pub path: Vec<u8>,
    /// Its arguments, its own name first.
    pub arguments: Vec<Vec<u8>>,
    /// Its environment, `NAME=value`.
    pub environment: Vec<Vec<u8>>,
    /// Standard input, output and error.
    pub standard: [Arc<OpenFile>; 3],
    /// Where it starts and what it sees as root.
    pub root: Location,
    /// The terminal that its session controls, if it is to have one.
    pub terminal: Option<Arc<Terminal>>,
    /// Called once when it has ended.
    pub ended: fn(&mut TaskContext, ExitStatus),
}

/// Runs the first program. On failure nothing has started, and `ended` is never called.
pub fn start(cx: &mut TaskContext, program: FirstProgram) -> Result<(), Errno> {
    let _set_by_the_first_attempt = death::FIRST_ENDED.set(program.ended);
    segment::set_process_of(|payload| Some(payload.downcast_ref::<Task>()?.process().id()));
    let files = Arc::new(FileTable::new());
    for open in program.standard {
        files.insert(cx, open, false, 0, u64::MAX)?;
    }
    let places = Arc::new(FileSystemContext::new(program.root));
    let wish = Wish { path: program.path, arguments: strings(&program.arguments)?, environment: strings(&program.environment)? };
    let task = first::make(cx, files, places)?;
    if let Some(terminal) = program.terminal {
        jobs::claim(cx, &terminal, &task, task.id(), false)?;
    }
    let started = first::run(cx, &task, wish);
    if started.is_err() {
        first::unmake(cx, &task);
    }
    started
}

fn strings(of: &[Vec<u8>]) -> Result<Strings, Errno> {
    let mut strings = Strings::new();
    for string in of {
        strings.push(string).ok_or(Errno::ENOMEM)?;
    }
    Ok(strings)
}
