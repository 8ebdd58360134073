//! A process has ended: what that changes in the tree, and who hears of it.
//!
//! ```text
//! the leaving thread                                  the parent in wait
//! tree lock { zombie is written down,   <-- or -->    tree lock { look; nothing } asleep, registered
//!             the parent signalled }
//! then: wake the parent                 ---------->   tree lock { look; found }
//! ```
//!
//! Invariant: the zombie is posted under the tree's lock and looked for under it; so are the signals that go with it, and waking comes
//! after both.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::signal::{SIGCHLD, SignalInfo, code};
use sync::TaskContext;
use sync::twin::{self, Twin};

use super::shared::{Process, Stage};
use super::signals::{child, post};
use super::table::TREE;
use super::tree::{Tree, Zombie};

/// What is to be done once the tree's lock is released.
#[derive(Default)]
struct Consequences {
    parent: Option<Arc<Process>>,
    /// Who has children now that had ended already.
    adopter: Option<Arc<Process>>,
    /// Processes that have ended and that nobody will wait for.
    strays: Vec<Arc<Process>>,
}

/// Writes a process's end down, and tells whom it concerns.
pub fn end(cx: &mut TaskContext, process: &Arc<Process>, zombie: Zombie) {
    let consequences = {
        let mut tree = TREE.lock(cx);
        write_down(cx, &mut tree, process, zombie)
    };
    process.life.wake_all(cx);
    wake_all(cx, consequences);
    if twin::is(Twin::ZombieAfterWake)
        && let Some(entry) = TREE.lock(cx).entries.get_mut(&process.id())
    {
        entry.zombie = Some(zombie);
    }
}

fn write_down(cx: &TaskContext, tree: &mut Tree, process: &Arc<Process>, zombie: Zombie) -> Consequences {
    let id = process.id();
    let mut consequences = Consequences::default();
    let Some(entry) = tree.entries.get(&id) else {
        return consequences;
    };
    let (group, exit_signal) = (entry.group, entry.exit_signal);
    let mut groups: Vec<i32> = entry.children.iter().filter_map(|child| Some(tree.entries.get(child)?.group)).collect();
    groups.push(group);
    groups.sort_unstable();
    groups.dedup();
    groups.retain(|group| !tree.is_orphaned(*group));
    hand_on_children(cx, tree, id, &mut consequences);
    let parent = tree.parent_of(id);
    let is_unwanted = |parent: &Arc<Process>| exit_signal == SIGCHLD && child::discards_children(cx, parent);
    let is_stray = parent.as_ref().is_some_and(is_unwanted);
    if let Some(entry) = tree.entries.get_mut(&id) {
        entry.zombie = (!twin::is(Twin::ZombieAfterWake)).then_some(zombie);
        process.reach(Stage::Ended);
        // At once: nobody may find a zombie that nobody is to wait for.
        entry.is_stray = is_stray;
        entry.stopped = None;
        entry.continued = false;
    }
    groups.retain(|group| tree.is_orphaned(*group) && has_stopped(cx, tree, *group));
    groups.iter().for_each(|group| child::signal_orphans(cx, &tree.group(*group)));
    if is_stray {
        consequences.strays.push(process.clone());
    }
    if let Some(parent) = &parent {
        child::signal_end(cx, process, parent, exit_signal, zombie.status);
    }
    consequences.parent = parent;
    consequences
}

fn hand_on_children(cx: &TaskContext, tree: &mut Tree, id: i32, consequences: &mut Consequences) {
    let adopter = tree.adopter_of(id);
    let Some(children) = tree.entries.get_mut(&id).map(|entry| core::mem::take(&mut entry.children)) else {
        return;
    };
    let Some(new_parent) = tree.entries.get(&adopter).map(|entry| entry.process.clone()) else {
        return;
    };
    for child in children {
        let Some(entry) = tree.entries.get_mut(&child) else {
            continue;
        };
        entry.parent = adopter;
        entry.maker = adopter;
        // Whoever adopts a child is told of its end in the usual way.
        entry.exit_signal = SIGCHLD;
        match entry.zombie {
            // Its own last thread may be about to bury it too.
            Some(_) if entry.is_stray => consequences.strays.push(entry.process.clone()),
            Some(zombie) => {
                entry.is_stray = child::discards_children(cx, &new_parent);
                if entry.is_stray {
                    consequences.strays.push(entry.process.clone());
                }
                child::signal_end(cx, &entry.process, &new_parent, SIGCHLD, zombie.status);
                consequences.adopter = Some(new_parent.clone());
            }
            None => {
                signal_bereaved(cx, &entry.process, id);
            }
        }
        if let Some(entry) = tree.entries.get_mut(&adopter) {
            entry.children.insert(child);
        }
    }
}

fn has_stopped(cx: &TaskContext, tree: &Tree, group: i32) -> bool {
    tree.group(group).iter().any(|process| process.signals.lock(cx).stopping.is_some())
}

/// The tasks that asked to be told of their parent's end.
fn signal_bereaved(cx: &TaskContext, child: &Process, parent: i32) {
    for task in child.tasks(cx) {
        let signal = task.death_signal.load();
        if signal != 0 {
            post::send_to_task(cx, &task, SignalInfo::new(signal, code::USER).with_sender(parent, 0));
        }
    }
}

fn wake_all(cx: &mut TaskContext, consequences: Consequences) {
    let Consequences { parent, adopter, strays } = consequences;
    if let Some(adopter) = adopter {
        adopter.child_changed.wake_all(cx);
    }
    for stray in strays {
        bury(cx, &stray);
    }
    if let Some(parent) = parent {
        // The child is about to leave its CPU for good.
        parent.child_changed.wake_all_donating(cx);
    }
}

/// Two may come to bury the same process: its own last thread, and that of its parent. The second finds nobody, or
/// someone else who has the number now.
fn bury(cx: &mut TaskContext, stray: &Arc<Process>) {
    let gone = TREE.lock(cx).bury_this(stray);
    stray.life.wake_all(cx);
    drop(gone);
}
