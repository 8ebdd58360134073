//! What a thread waits for at this moment, copied from its record.

use super::personality;
use crate::clock;
use crate::thread::waiting::{Manner, Wait};
use crate::thread::{Thread, list};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use core::panic::Location;
use sync::{Published, TaskContext};

/// So many queues of one wait are named.
const NAMES: usize = 6;

/// One thread's wait.
pub struct Waiting {
    pub thread: Arc<Thread>,
    names: ArrayVec<&'static str, NAMES>,
    location: &'static Location<'static>,
    /// Nanoseconds since boot.
    pub since: u64,
    pub until: Option<u64>,
    pub manner: Manner,
    /// The number of the thread it waits for.
    pub holder: Option<u64>,
}

/// Its wait, and where the one is that it waits for.
type Copied = (Waiting, *mut ());

impl Waiting {
    /// What `thread` waits for, if it sleeps.
    pub fn of(thread: &Arc<Thread>) -> Option<Waiting> {
        let (waiting, holder): Copied = thread.waits.look(|wait| Waiting::copied(thread, wait))?;
        let holder = if holder.is_null() { None } else { list::find_at(holder).map(|thread| thread.id()) };
        Some(Waiting { holder, ..waiting })
    }

    fn copied(thread: &Arc<Thread>, wait: &Wait<'_>) -> Copied {
        let waiting = Waiting {
            thread: Arc::clone(thread),
            names: (0..NAMES).map_while(|index| (wait.names)(index)).collect(),
            location: wait.location,
            since: wait.since,
            until: wait.until,
            manner: wait.manner,
            holder: None,
        };
        (waiting, wait.holder.map_or(core::ptr::null_mut(), Published::<*mut ()>::load))
    }

    pub fn seconds(&self) -> u64 {
        clock::now().saturating_sub(self.since) / 1_000_000_000
    }

    /// Does it end by itself, or by whatever an interruptible wait is open for?
    pub fn is_the_kernels(&self) -> bool {
        self.until.is_none() && self.manner == Manner::Steadfast
    }

    /// "thread 7 (ls) pid 5 ... waits 12 s for bytes in a pipe at osl/src/file/pipe.rs:146"
    pub fn text(&self, cx: &TaskContext) -> String {
        let names = if self.names.is_empty() { String::from("an interruption") } else { self.names.join(", ") };
        let who = name(cx, &self.thread);
        format!("{who} waits {} s for {names} at {}:{}", self.seconds(), self.location.file(), self.location.line())
    }
}

/// A thread's number and name, and what the system above says of it.
pub(super) fn name(cx: &TaskContext, thread: &Thread) -> String {
    let mut name = format!("thread {} ({})", thread.id(), thread.name());
    // A `String` takes everything.
    let _ = personality::describe(cx, thread, &mut name);
    name
}

/// All threads that sleep now, with what they wait for.
pub(super) fn all() -> impl Iterator<Item = Waiting> {
    list::all().filter_map(|thread| Waiting::of(&thread))
}
