//! The one tree of processes, and the questions asked of it.
//!
//! Invariant: the tree's lock is held only to look and to write down; whoever is to be told is told after it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use libkernel::wait::Mutex;
use sync::{TaskContext, order};

use super::shared::Process;
use super::task::Task;
use super::terminal::ControllingTerminal;
use super::tree::Tree;

/// Everybody.
pub static TREE: Mutex<Tree, order::ProcessTree> = Mutex::new(Tree::new());

/// A process's place among the others.
#[derive(Clone)]
pub struct Relations {
    /// Its parent's number, 0 for the first.
    pub parent: i32,
    /// Its group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// Its session's terminal.
    pub terminal: Option<Arc<dyn ControllingTerminal>>,
    /// Whether it has ended.
    pub is_zombie: bool,
}

/// The process with this number.
pub fn find(cx: &mut TaskContext, id: i32) -> Option<Arc<Process>> {
    TREE.lock(cx).entries.get(&id).map(|entry| entry.process.clone())
}

/// The task with this number.
pub fn find_task(cx: &mut TaskContext, id: i32) -> Option<Arc<Task>> {
    TREE.lock(cx).task(id)
}

/// All processes, by number; those too that have ended and were not waited for.
pub fn all(cx: &mut TaskContext) -> Vec<Arc<Process>> {
    TREE.lock(cx).entries.values().map(|entry| entry.process.clone()).collect()
}

/// How many places in the tree are taken, by kind.
pub fn places(cx: &mut TaskContext) -> [(&'static str, usize); 3] {
    TREE.lock(cx).places()
}

/// The processes of a group.
pub fn in_group(cx: &mut TaskContext, group: i32) -> Vec<Arc<Process>> {
    TREE.lock(cx).group(group)
}

/// The processes of a session.
pub fn in_session(cx: &mut TaskContext, session: i32) -> Vec<Arc<Process>> {
    let tree = TREE.lock(cx);
    let members = tree.entries.values().filter(|entry| entry.session == session);
    members.map(|entry| entry.process.clone()).collect()
}

impl Process {
    /// Its place among the others; all zero once it was waited for.
    pub fn relations(&self, cx: &mut TaskContext) -> Relations {
        let mut relations = self.own_relations(cx);
        let session = relations.session;
        relations.terminal = relations.terminal.filter(|terminal| terminal.controls(cx, session));
        relations
    }

    fn own_relations(&self, cx: &mut TaskContext) -> Relations {
        let tree = TREE.lock(cx);
        let Some(entry) = tree.entries.get(&self.id()) else {
            return Relations { parent: 0, group: 0, session: 0, terminal: None, is_zombie: true };
        };
        Relations {
            parent: entry.parent,
            group: entry.group,
            session: entry.session,
            terminal: tree.sessions.get(&entry.session).and_then(|session| session.terminal.clone()).filter(|_| !entry.left_terminal),
            is_zombie: entry.zombie.is_some(),
        }
    }

    /// Its parent's number.
    pub fn parent_id(&self, cx: &mut TaskContext) -> i32 {
        self.relations(cx).parent
    }
}
