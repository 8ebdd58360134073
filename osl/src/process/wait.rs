//! Waiting for children.
//!
//! Invariant: looking for a child that has changed and registering for the next change are one step: the tree is locked in the
//! condition of `wait_until`, and whoever changes a child writes that down under the same lock before waking.

use alloc::sync::Arc;

use abi::Errno;
use abi::signal::SIGCHLD;
use libkernel::thread::stack;
use sync::TaskContext;

use super::current;
use super::shared::Process;
use super::status::ExitStatus;
use super::table::TREE;
use super::times::Usage;
use super::tree::{Entry, Session, Tree};

/// Which children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All.
    Any,
    /// The one with this number.
    Process(i32),
    /// Those of a group.
    Group(i32),
}

/// By the signal they send at their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those that send SIGCHLD.
    Usual,
    /// Those that send another signal or none.
    Cloned,
    /// Both.
    All,
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which children.
    pub which: Which,
    /// Of what kind.
    pub kind: Kind,
    /// Only those that this thread made.
    pub made_by: Option<i32>,
    /// Those that ended.
    pub ended: bool,
    /// Those that stopped.
    pub stopped: bool,
    /// Those that go on.
    pub continued: bool,
    /// Leave the child so that it can be waited for again.
    pub keep: bool,
    /// Do not wait.
    pub at_once: bool,
}

/// What happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It ended.
    Ended(ExitStatus),
    /// This signal stopped it.
    Stopped(u32),
    /// It goes on.
    Continued,
}

/// A child that changed.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its number.
    pub id: i32,
    /// Its real user.
    pub user: u32,
    /// What happened.
    pub event: Event,
    /// What it used, with its own children.
    pub usage: Usage,
}

/// What was taken out of the tree, to be let go of when it is unlocked.
type Buried = Option<(Entry, Option<Session>)>;
type Answer = Result<Option<(Found, Buried)>, Errno>;

/// Waits for a child of `parent`. `None` when there is none yet and `at_once` is asked for.
pub fn wait(cx: &mut TaskContext, parent: &Arc<Process>, wanted: &Wanted) -> Result<Option<Found>, Errno> {
    let me = current(cx);
    let note = |children| me.iter().for_each(|task| task.awaited.set(children));
    let answer = parent.child_changed.wait_until_or_interrupted(cx, |cx| {
        let mut tree = TREE.lock(cx);
        match look(cx, &mut tree, parent.id(), wanted) {
            Ok(None) if !wanted.at_once => {
                note(awaited(&tree, parent.id(), wanted));
                None
            }
            answer => Some(answer),
        }
    });
    note(0);
    let Some((found, buried)) = answer.map_err(|_| Errno::ERESTARTSYS)?? else {
        return Ok(None);
    };
    if let Some((entry, _)) = &buried {
        entry.process.life.wake_all(cx);
    }
    drop(buried);
    if matches!(found.event, Event::Ended(_)) && !wanted.keep {
        parent.add_child(cx, found.usage);
        stack::trim(cx);
    }
    Ok(Some(found))
}

fn look(cx: &TaskContext, tree: &mut Tree, parent: i32, wanted: &Wanted) -> Answer {
    let Some(entry) = tree.entries.get(&parent) else {
        return Err(Errno::ECHILD);
    };
    let mut any = false;
    let mut found = None;
    for id in entry.children.iter().copied().filter(|id| is_named(tree, *id, wanted)) {
        // Whoever has ended can stop or go on no more: for those who ask for that alone it is no child.
        any |= wanted.ended || tree.entries.get(&id).is_some_and(|entry| entry.zombie.is_none());
        found = tree.entries.get(&id).and_then(|entry| event(entry, wanted)).map(|event| (id, event));
        if found.is_some() {
            break;
        }
    }
    match found {
        Some((id, event)) => Ok(take(cx, tree, id, event, wanted)),
        None if any => Ok(None),
        None => Err(Errno::ECHILD),
    }
}

/// The children that are waited for, as `Task::awaited` has them.
fn awaited(tree: &Tree, parent: i32, wanted: &Wanted) -> u64 {
    let Some(entry) = tree.entries.get(&parent) else { return 0 };
    let mut named = entry.children.iter().filter(|id| is_named(tree, **id, wanted));
    let first = named.next().map_or(0, |id| u64::from(id.cast_unsigned()));
    first + ((1 + named.count() as u64) << 32)
}

fn is_named(tree: &Tree, id: i32, wanted: &Wanted) -> bool {
    let Some(entry) = tree.entries.get(&id) else {
        return false;
    };
    let kind_fits = match wanted.kind {
        Kind::All => true,
        Kind::Usual => entry.exit_signal == SIGCHLD,
        Kind::Cloned => entry.exit_signal != SIGCHLD,
    };
    let named = match wanted.which {
        Which::Any => true,
        Which::Process(wanted) => wanted == id,
        Which::Group(group) => group == entry.group,
    };
    // The children of a thread that has left are anybody's.
    let is_makers = wanted.made_by.is_none_or(|thread| entry.maker == thread || tree.task(entry.maker).is_none());
    kind_fits && named && is_makers && !entry.is_stray
}

fn event(entry: &Entry, wanted: &Wanted) -> Option<Event> {
    match entry.zombie {
        Some(zombie) => wanted.ended.then_some(Event::Ended(zombie.status)),
        None if wanted.stopped && entry.stopped.is_some() => entry.stopped.map(Event::Stopped),
        None => (wanted.continued && entry.continued).then_some(Event::Continued),
    }
}

fn take(cx: &TaskContext, tree: &mut Tree, id: i32, event: Event, wanted: &Wanted) -> Option<(Found, Buried)> {
    let entry = tree.entries.get_mut(&id)?;
    let user = entry.process.credentials(cx).uid;
    let usage = entry.zombie.map(|zombie| zombie.usage);
    let usage = usage.unwrap_or_else(|| entry.process.usage(cx).plus(entry.process.children_usage(cx)));
    let found = Found { id, user, event, usage };
    if wanted.keep {
        return Some((found, None));
    }
    match event {
        Event::Ended(_) => return Some((found, tree.bury(id))),
        Event::Stopped(_) => entry.stopped = None,
        Event::Continued => entry.continued = false,
    }
    Some((found, None))
}
