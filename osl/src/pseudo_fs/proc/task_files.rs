//! The files in /proc/PID and in /proc/PID/task/TID: their names, who may read them, what they say.
//!
//! Invariant: what is not for everybody is marked here, and checked at every look.

use alloc::format;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use sync::TaskContext;

use super::gather::{self, Subject};
use super::{limits, maps, mounts, task_text};
use crate::fs::{Found, Location, names};
use crate::process;

/// Most bytes of arguments or environment that are shown.
const MOST_STRINGS: u64 = 1 << 20;

/// A question about a task.
pub type Look<T> = fn(&mut TaskContext, &Subject) -> Result<T, Errno>;
type Read = Look<Vec<u8>>;
type Write = fn(&mut TaskContext, &Subject, &[u8]) -> Result<(), Errno>;
type Lead = Look<Found>;

/// What one of the files is.
pub enum What {
    /// A text for everybody.
    Open(Read),
    /// A text for those who may look into the process.
    Private(Read),
    /// A text for everybody that those who may look into the process may write.
    Writable(Read, Write),
    /// A link to a place, for those who may look into the process: the path it shows, and where it leads.
    Link(Read, Lead),
    /// The descriptors.
    Descriptors,
    /// The threads; only in a process's directory.
    Threads,
}

/// One of the files.
pub struct TaskFile {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub what: What,
}

const fn file(name: &'static str, what: What) -> TaskFile {
    TaskFile { name, what }
}

/// All of them, in the order of a listing. `task` stands last, so that a thread's directory is the list without its end.
pub static FILES: [TaskFile; 19] = [
    file("cmdline", What::Open(arguments)),
    file("comm", What::Writable(name, set_name)),
    file("cwd", What::Link(|cx, subject| shown(cx, subject, working_directory), working_directory)),
    file("environ", What::Private(environment)),
    file("exe", What::Link(|cx, subject| shown(cx, subject, executable), executable)),
    file("fd", What::Descriptors),
    file("limits", What::Open(all_limits)),
    file("maps", What::Private(maps::read)),
    file("mountinfo", What::Open(mounts::read_with_numbers)),
    file("mounts", What::Open(mounts::read)),
    file("oom_adj", What::Open(|_, _| Ok(b"0\n".to_vec()))),
    file("oom_score", What::Open(|_, _| Ok(b"0\n".to_vec()))),
    file("oom_score_adj", What::Writable(|_, _| Ok(b"0\n".to_vec()), |_, _, _| Ok(()))),
    file("root", What::Link(|cx, subject| shown(cx, subject, root), root)),
    file("stat", What::Open(|cx, subject| Ok(task_text::stat(&gather::snapshot(cx, subject)?).into_bytes()))),
    file("statm", What::Open(|cx, subject| Ok(task_text::statm(&gather::snapshot(cx, subject)?).into_bytes()))),
    file("status", What::Open(|cx, subject| Ok(task_text::status(&gather::snapshot(cx, subject)?).into_bytes()))),
    file("wchan", What::Open(|_, _| Ok(b"0".to_vec()))),
    file("task", What::Threads),
];

fn name(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let name = match &subject.task {
        Some(task) => task.name(cx),
        None => subject.process.name(cx),
    };
    Ok(format!("{name}\n").into_bytes())
}

fn set_name(cx: &mut TaskContext, subject: &Subject, text: &[u8]) -> Result<(), Errno> {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or(&[]);
    subject.task()?.set_name(cx, line);
    Ok(())
}

fn all_limits(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<u8>, Errno> {
    Ok(limits::text(|number| subject.process.limit(cx, number)).into_bytes())
}

fn arguments(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let area = subject.process.argument_area(cx);
    strings(cx, subject, area)
}

fn environment(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let area = subject.process.environment_area(cx);
    strings(cx, subject, area)
}

/// What the program's memory holds there now; a program may have changed or unmapped it.
fn strings(cx: &mut TaskContext, subject: &Subject, (start, end): (u64, u64)) -> Result<Vec<u8>, Errno> {
    let Some(space) = subject.process.space(cx) else { return Ok(Vec::new()) };
    let length = end.saturating_sub(start).min(MOST_STRINGS);
    let length = usize::try_from(length).map_err(|_| Errno::EIO)?;
    let mut bytes = Vec::new();
    bytes.try_room_exact(length).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(length, 0);
    match space.read(cx, libkernel::address_space::UserAddress::new(start), &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(_) => Ok(Vec::new()),
    }
}

fn working_directory(cx: &mut TaskContext, subject: &Subject) -> Result<Found, Errno> {
    let context = subject.task()?.working_context(cx).ok_or(Errno::ESRCH)?;
    Ok(directory(context.working(cx)))
}

fn root(cx: &mut TaskContext, subject: &Subject) -> Result<Found, Errno> {
    let context = subject.task()?.working_context(cx).ok_or(Errno::ESRCH)?;
    Ok(directory(context.root(cx)))
}

/// The program's file itself, whatever stands at its path by now; none for a task that never ran one.
fn executable(cx: &mut TaskContext, subject: &Subject) -> Result<Found, Errno> {
    subject.process.executable(cx).ok_or(Errno::ENOENT)
}

fn shown(cx: &mut TaskContext, subject: &Subject, lead: Lead) -> Result<Vec<u8>, Errno> {
    let found = lead(cx, subject)?;
    path(cx, &found)
}

fn directory(location: Location) -> Found {
    Found { location, entry: None }
}

/// The path by which a found file is known to whoever looks.
pub fn path(cx: &mut TaskContext, found: &Found) -> Result<Vec<u8>, Errno> {
    let looker = process::current(cx).ok_or(Errno::ESRCH)?;
    let root = looker.file_system(cx).root(cx);
    Ok(names::path_of(cx, &root, found))
}
