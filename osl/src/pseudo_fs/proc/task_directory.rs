//! /proc/PID and /proc/PID/task/TID.
//!
//! Invariant: a directory holds only numbers; when the process is gone, so is all that it shows.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::super::tree::{Ask, Content, FIRST_POSITION, Made, Name, Owner};
use super::gather::Subject;
use super::task_files::{FILES, Look, TaskFile, What};
use super::{VOLUME, access, descriptors, root};
use crate::fs::{Kind, Node};

/// Numbers of the files of one process or thread begin at its own number times this.
const NUMBERS_EACH: u64 = 1 << 24;
/// Set in the numbers of a thread's directory, which may have the same number as its process's.
const THREAD: u64 = 1 << 23;
/// Numbers of descriptors begin here within a directory's numbers.
pub(super) const DESCRIPTOR: u64 = 1 << 22;

/// Which task a directory shows.
#[derive(Clone, Copy)]
pub struct Which {
    process: i32,
    thread: Option<i32>,
}

impl Which {
    /// The task, if it is still there.
    pub fn subject(self, cx: &mut TaskContext) -> Result<Subject, Errno> {
        let subject = match self.thread {
            None => Subject::process(cx, self.process)?,
            Some(thread) => Subject::thread(cx, thread)?,
        };
        if subject.process.id() == self.process { Ok(subject) } else { Err(Errno::ESRCH) }
    }

    /// The task, if it is still there and the looker may look into it.
    pub fn inspected(self, cx: &mut TaskContext) -> Result<Subject, Errno> {
        let subject = self.subject(cx)?;
        access::may_inspect(cx, &subject.process)?;
        Ok(subject)
    }

    /// The number of the directory itself.
    pub fn number(self) -> u64 {
        match self.thread {
            None => process_number(self.process),
            Some(thread) => u64::from(thread.unsigned_abs()) * NUMBERS_EACH + THREAD,
        }
    }

    /// Who owns its files.
    pub fn owner(self) -> Owner {
        Box::new(move |cx| {
            let subject = self.subject(cx)?;
            Ok(access::owner(cx, &subject.process))
        })
    }

    fn files(self) -> &'static [TaskFile] {
        match self.thread {
            None => &FILES,
            Some(_) => FILES.split_last().map_or(&[], |(_, files)| files),
        }
    }
}

/// The number of a process's directory.
pub fn process_number(process: i32) -> u64 {
    u64::from(process.unsigned_abs()) * NUMBERS_EACH
}

/// /proc/PID.
pub fn of_process(process: i32) -> Arc<dyn Node> {
    directory(Which { process, thread: None }, root::root())
}

/// /proc/PID/task/TID.
pub fn of_thread(process: i32, thread: i32) -> Arc<dyn Node> {
    directory(Which { process, thread: Some(thread) }, threads(process))
}

fn directory(which: Which, above: Arc<dyn Node>) -> Arc<dyn Node> {
    let content = Content::Directory {
        list: Box::new(move |cx| {
            which.subject(cx)?;
            Ok(names(which))
        }),
        find: Box::new(move |cx, name| {
            which.subject(cx).map_err(|_| Errno::ENOENT)?;
            find(which, name).ok_or(Errno::ENOENT)
        }),
        parent: Some(above),
    };
    Made::owned(VOLUME, which.number(), 0o555, which.owner(), content)
}

fn names(which: Which) -> Vec<Name> {
    let placed = which.files().iter().zip(0_u64..);
    placed
        .map(|(file, place)| Name {
            name: file.name.as_bytes().to_vec(),
            position: FIRST_POSITION + place,
            number: which.number() + 1 + place,
            kind: kind(&file.what),
        })
        .collect()
}

fn kind(what: &What) -> Kind {
    match what {
        What::Open(_) | What::Private(_) | What::Writable(..) => Kind::Regular,
        What::Link(..) => Kind::Link,
        What::Descriptors | What::Threads => Kind::Directory,
    }
}

fn find(which: Which, name: &[u8]) -> Option<Arc<dyn Node>> {
    let (file, place) = which.files().iter().zip(0_u64..).find(|(file, _)| file.name.as_bytes() == name)?;
    let number = which.number() + 1 + place;
    let (mode, content) = match file.what {
        What::Descriptors => return Some(descriptors::directory(which, number)),
        What::Threads => return Some(threads(which.process)),
        What::Open(read) => (0o444, Content::Text(for_all(which, read))),
        What::Private(read) => (0o400, Content::Text(for_inspectors(which, read))),
        What::Writable(read, write) => {
            let take = move |cx: &mut TaskContext, text: &[u8]| {
                let subject = which.inspected(cx)?;
                write(cx, &subject, text)
            };
            (0o644, Content::WritableText(for_all(which, read), Box::new(take)))
        }
        What::Link(target, lead) => (0o777, Content::Link(for_inspectors(which, target), Some(for_inspectors(which, lead)))),
    };
    Some(Made::owned(VOLUME, number, mode, which.owner(), content))
}

fn for_all<T: 'static>(which: Which, look: Look<T>) -> Ask<T> {
    Box::new(move |cx| {
        let subject = which.subject(cx)?;
        look(cx, &subject)
    })
}

fn for_inspectors<T: 'static>(which: Which, look: Look<T>) -> Ask<T> {
    Box::new(move |cx| {
        let subject = which.inspected(cx)?;
        look(cx, &subject)
    })
}

/// /proc/PID/task.
fn threads(process: i32) -> Arc<dyn Node> {
    let which = Which { process, thread: None };
    let content = Content::Directory {
        list: Box::new(move |cx| {
            let tasks = which.subject(cx)?.process.tasks(cx);
            let directory = |thread: i32| root::numbered(thread, Which { process, thread: Some(thread) }.number());
            Ok(tasks.iter().map(|task| directory(task.id())).collect())
        }),
        find: Box::new(move |cx, name| {
            let thread = root::number_of(name).ok_or(Errno::ENOENT)?;
            Which { process, thread: Some(thread) }.subject(cx).map_err(|_| Errno::ENOENT)?;
            Ok(of_thread(process, thread))
        }),
        parent: Some(of_process(process)),
    };
    let number = process_number(process) + u64::try_from(FILES.len()).unwrap_or(0);
    Made::owned(VOLUME, number, 0o555, which.owner(), content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_no_directory_of_threads_and_a_process_has_one() {
        let thread = Which { process: 3, thread: Some(4) };
        assert!(names(thread).iter().all(|name| name.name != b"task"));
        assert!(names(Which { process: 3, thread: None }).iter().any(|name| name.name == b"task"));
    }

    #[test]
    fn files_of_a_first_thread_are_not_those_of_its_process() {
        let process = names(Which { process: 3, thread: None });
        let thread = names(Which { process: 3, thread: Some(3) });
        assert!(process.iter().all(|one| thread.iter().all(|other| one.number != other.number)));
    }

    #[test]
    fn what_is_private_is_not_readable_by_others_in_its_mode() {
        for name in ["environ", "maps"] {
            let file = FILES.iter().find(|file| file.name == name);
            assert!(file.is_some_and(|file| matches!(file.what, What::Private(_))));
        }
    }
}
