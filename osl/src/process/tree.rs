//! The tree of processes: parents, children, groups, sessions, and who has ended.
//!
//! Invariant: every process in `entries` has a living parent there (the first has itself none), its group is in `groups` and its
//! session in `sessions`; a number is held once for each task, each process not yet waited for, each group and each session.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::numbers::Numbers;
use super::shared::{Process, Stage};
use super::status::ExitStatus;
use super::task::Task;
use super::terminal::ControllingTerminal;
use super::times::Usage;

/// The first process's number.
pub const FIRST: i32 = 1;

/// A process that has ended and was not waited for yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zombie {
    /// How it ended.
    pub status: ExitStatus,
    /// What it and the children it waited for used.
    pub usage: Usage,
}

/// A process's place in the tree.
pub struct Entry {
    /// The process.
    pub process: Arc<Process>,
    /// Its parent's number, 0 for the first.
    pub parent: i32,
    /// The thread of its parent that made it.
    pub maker: i32,
    /// Its children's numbers.
    pub children: BTreeSet<i32>,
    /// Its group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// The signal its parent gets when it ends, 0 for none.
    pub exit_signal: u32,
    /// Whether it has changed its program: its parent may not move it to another group any more.
    pub has_new_program: bool,
    /// It gave its session's terminal up, for itself alone.
    pub left_terminal: bool,
    /// Whether it becomes the parent of its descendants' orphans.
    pub adopts: bool,
    /// It has ended, and its parent has said that it will never ask: it is as good as buried.
    pub is_stray: bool,
    /// Set when it has ended.
    pub zombie: Option<Zombie>,
    /// The signal that stopped it, until its parent has seen that.
    pub stopped: Option<u32>,
    /// It was continued, and its parent has not seen that.
    pub continued: bool,
}

/// A session.
pub struct Session {
    /// Its controlling terminal.
    pub terminal: Option<Arc<dyn ControllingTerminal>>,
    members: usize,
}

struct Place {
    task: Arc<Task>,
    user: u32,
}

/// The whole tree.
pub struct Tree {
    numbers: Numbers,
    /// Processes by number.
    pub entries: BTreeMap<i32, Entry>,
    tasks: BTreeMap<i32, Place>,
    groups: BTreeMap<i32, BTreeSet<i32>>,
    /// Sessions by number.
    pub sessions: BTreeMap<i32, Session>,
    users: BTreeMap<u32, usize>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            numbers: Numbers::new(),
            entries: BTreeMap::new(),
            tasks: BTreeMap::new(),
            groups: BTreeMap::new(),
            sessions: BTreeMap::new(),
            users: BTreeMap::new(),
        }
    }

    /// A number for a new task.
    pub fn take_number(&mut self) -> Option<i32> {
        self.numbers.take()
    }

    /// Gives a number back whose task never came to be.
    pub fn return_number(&mut self, number: i32) {
        self.numbers.release(number);
    }

    /// How many places are taken, by kind.
    pub fn places(&self) -> [(&'static str, usize); 3] {
        [("places of processes", self.entries.len()), ("groups", self.groups.len()), ("sessions", self.sessions.len())]
    }

    /// Whether somebody uses a number.
    #[cfg(test)]
    pub fn holds_number(&self, number: i32) -> bool {
        self.numbers.is_held(number)
    }

    /// How many tasks there are, and how many of one user.
    pub fn count(&self, user: u32) -> (usize, usize) {
        (self.tasks.len(), self.users.get(&user).copied().unwrap_or(0))
    }

    /// A new process as a child of `parent` (0: the first), in its parent's group and session.
    pub fn add_process(&mut self, process: Arc<Process>, parent: i32, exit_signal: u32) {
        let id = process.id();
        let (group, session, left_terminal) = match self.entries.get_mut(&parent) {
            Some(entry) => {
                entry.children.insert(id);
                (entry.group, entry.session, entry.left_terminal)
            }
            None => (id, id, false),
        };
        let entry = Entry {
            process,
            parent,
            maker: parent,
            children: BTreeSet::new(),
            group,
            session,
            exit_signal,
            has_new_program: false,
            left_terminal,
            adopts: false,
            is_stray: false,
            zombie: None,
            stopped: None,
            continued: false,
        };
        self.entries.insert(id, entry);
        self.join_group(id, group);
        self.join_session(session);
    }

    /// Notes which thread of its parent made a process.
    pub fn made_by(&mut self, id: i32, maker: i32) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.maker = maker;
        }
    }

    /// A new task, counted for its user.
    pub fn add_task(&mut self, task: Arc<Task>, user: u32) {
        *self.users.entry(user).or_insert(0) += 1;
        self.tasks.insert(task.id(), Place { task, user });
    }

    /// Counts a task for another user from now on.
    pub fn charge(&mut self, id: i32, user: u32) {
        let Some(place) = self.tasks.get_mut(&id) else {
            return;
        };
        let before = core::mem::replace(&mut place.user, user);
        self.uncharge(before);
        *self.users.entry(user).or_insert(0) += 1;
    }

    fn uncharge(&mut self, user: u32) {
        if let Some(count) = self.users.get_mut(&user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(&user);
            }
        }
    }

    /// A task has left; its number is free again, unless it is its process's too. Nothing happens when another task has taken its
    /// number over meanwhile. The reference is to be dropped unlocked.
    pub fn remove_task(&mut self, id: i32, task: &Arc<Task>) -> Option<Arc<Task>> {
        if !self.tasks.get(&id).is_some_and(|place| Arc::ptr_eq(&place.task, task)) {
            return None;
        }
        let place = self.tasks.remove(&id)?;
        self.uncharge(place.user);
        if !self.entries.contains_key(&id) {
            self.numbers.release(id);
        }
        Some(place.task)
    }

    /// A task takes its process's number; its own is free again. Answers who had the number, to be dropped unlocked.
    pub fn rename_to_first(&mut self, old: i32, first: i32) -> Option<Arc<Task>> {
        let place = self.tasks.remove(&old)?;
        self.numbers.release(old);
        let before = self.tasks.insert(first, place)?;
        self.uncharge(before.user);
        Some(before.task)
    }

    /// The task with this number.
    pub fn task(&self, id: i32) -> Option<Arc<Task>> {
        self.tasks.get(&id).map(|place| place.task.clone())
    }

    /// The parent of a process.
    pub fn parent_of(&self, id: i32) -> Option<Arc<Process>> {
        let parent = self.entries.get(&id)?.parent;
        self.entries.get(&parent).map(|entry| entry.process.clone())
    }

    /// The processes of a group.
    pub fn group(&self, group: i32) -> Vec<Arc<Process>> {
        let members = self.groups.get(&group).into_iter().flatten();
        members.filter_map(|id| self.entries.get(id)).map(|entry| entry.process.clone()).collect()
    }

    /// The session of a group, if there is such a group.
    pub fn session_of_group(&self, group: i32) -> Option<i32> {
        let member = self.groups.get(&group)?.first()?;
        self.entries.get(member).map(|entry| entry.session)
    }

    /// The process was stopped by this signal: its parent may see that once.
    pub fn set_stopped(&mut self, id: i32, signal: u32) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stopped = Some(signal);
            entry.continued = false;
        }
    }

    /// The process was continued: its parent may see that once.
    pub fn set_continued(&mut self, id: i32) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.stopped = None;
            entry.continued = true;
        }
    }

    /// Moves a process to a group of its session.
    pub fn move_to_group(&mut self, id: i32, group: i32) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let before = core::mem::replace(&mut entry.group, group);
        if before != group {
            self.join_group(id, group);
            self.leave_group(id, before);
        }
    }

    /// Makes a process the leader of a new session and a new group with its own number.
    pub fn begin_session(&mut self, id: i32) -> Option<Session> {
        let entry = self.entries.get_mut(&id)?;
        entry.left_terminal = false;
        let before = core::mem::replace(&mut entry.session, id);
        self.join_session(id);
        self.move_to_group(id, id);
        self.leave_session(before)
    }

    fn join_group(&mut self, id: i32, group: i32) {
        let members = self.groups.entry(group).or_default();
        if members.is_empty() {
            self.numbers.hold(group);
        }
        members.insert(id);
    }

    fn leave_group(&mut self, id: i32, group: i32) {
        if let Some(members) = self.groups.get_mut(&group) {
            members.remove(&id);
            if members.is_empty() {
                self.groups.remove(&group);
                self.numbers.release(group);
            }
        }
    }

    fn join_session(&mut self, session: i32) {
        if let Some(found) = self.sessions.get_mut(&session) {
            found.members += 1;
        } else {
            self.sessions.insert(session, Session { terminal: None, members: 1 });
            self.numbers.hold(session);
        }
    }

    fn leave_session(&mut self, session: i32) -> Option<Session> {
        let found = self.sessions.get_mut(&session)?;
        found.members -= 1;
        if found.members > 0 {
            return None;
        }
        self.numbers.release(session);
        self.sessions.remove(&session)
    }

    /// Whether nobody is left in the session who would continue the group: every member's parent is in the group itself or
    /// outside the session.
    pub fn is_orphaned(&self, group: i32) -> bool {
        let members = self.groups.get(&group).into_iter().flatten();
        !members.filter_map(|id| self.entries.get(id)).any(|entry| {
            entry.zombie.is_none()
                && self.entries.get(&entry.parent).is_some_and(|parent| parent.group != group && parent.session == entry.session)
        })
    }

    /// Who becomes the parent of the children of `id`.
    pub fn adopter_of(&self, id: i32) -> i32 {
        let mut next = self.entries.get(&id).map_or(FIRST, |entry| entry.parent);
        while let Some(entry) = self.entries.get(&next) {
            if entry.adopts && entry.zombie.is_none() {
                return next;
            }
            next = entry.parent;
        }
        FIRST
    }

    /// The same as `bury`, if the process is still in the tree.
    pub fn bury_this(&mut self, process: &Arc<Process>) -> Option<(Entry, Option<Session>)> {
        let is_here = self.entries.get(&process.id()).is_some_and(|entry| Arc::ptr_eq(&entry.process, process));
        if is_here { self.bury(process.id()) } else { None }
    }

    /// Takes an ended process out of the tree; its number is free again. The references are to be dropped unlocked.
    pub fn bury(&mut self, id: i32) -> Option<(Entry, Option<Session>)> {
        let entry = self.entries.remove(&id)?;
        entry.process.reach(Stage::Buried);
        if let Some(parent) = self.entries.get_mut(&entry.parent) {
            parent.children.remove(&id);
        }
        self.leave_group(id, entry.group);
        let session = self.leave_session(entry.session);
        self.numbers.release(id);
        Some((entry, session))
    }
}
