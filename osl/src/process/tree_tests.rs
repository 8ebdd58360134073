//! The tree: who is whose child, group and session, and when a number is free again.

use alloc::sync::Arc;

use super::sample;
use super::status::ExitStatus;
use super::times::Usage;
use super::tree::{FIRST, Tree, Zombie};

/// The first process, with one task.
fn tree() -> Tree {
    let mut tree = Tree::new();
    assert_eq!(tree.take_number(), Some(FIRST));
    let process = sample::process(FIRST);
    tree.add_task(sample::task(FIRST, &process), 0);
    tree.add_process(process, 0, 0);
    tree
}

fn child(tree: &mut Tree, parent: i32) -> i32 {
    let id = tree.take_number().unwrap();
    let process = sample::process(id);
    tree.add_task(sample::task(id, &process), 1000);
    tree.add_process(process, parent, 17);
    id
}

fn end(tree: &mut Tree, id: i32) {
    let task = tree.task(id).unwrap();
    drop(tree.remove_task(id, &task));
    let zombie = Zombie { status: ExitStatus::Exited(0), usage: Usage::default() };
    tree.entries.get_mut(&id).unwrap().zombie = Some(zombie);
}

#[test]
fn a_child_is_in_its_parents_group_and_session() {
    let mut tree = tree();
    let id = child(&mut tree, FIRST);
    let entry = &tree.entries[&id];
    assert_eq!((entry.parent, entry.group, entry.session), (FIRST, FIRST, FIRST));
    assert_eq!(tree.group(FIRST).len(), 2);
    assert_eq!(tree.parent_of(id).unwrap().id(), FIRST);
}

#[test]
fn tasks_are_counted_for_their_user_and_follow_it() {
    let mut tree = tree();
    let id = child(&mut tree, FIRST);
    assert_eq!(tree.count(1000), (2, 1));
    tree.charge(id, 5);
    assert_eq!(tree.count(1000), (2, 0));
    assert_eq!(tree.count(5), (2, 1));
    end(&mut tree, id);
    assert_eq!(tree.count(5), (1, 0));
}

#[test]
fn a_number_is_held_until_the_zombie_is_buried_and_its_group_is_empty() {
    let mut tree = tree();
    let leader = child(&mut tree, FIRST);
    tree.move_to_group(leader, leader);
    let member = child(&mut tree, leader);
    assert_eq!(tree.entries[&member].group, leader);
    end(&mut tree, leader);
    assert!(tree.holds_number(leader), "a zombie keeps its number");
    drop(tree.bury(leader));
    assert!(tree.holds_number(leader), "a group keeps its leader's number");
    end(&mut tree, member);
    drop(tree.bury(member));
    assert!(!tree.holds_number(leader) && !tree.holds_number(member));
}

#[test]
fn a_task_that_took_the_first_ones_number_over_is_not_removed_with_it() {
    let mut tree = tree();
    let process = tree.entries[&FIRST].process.clone();
    let first = tree.task(FIRST).unwrap();
    let id = tree.take_number().unwrap();
    let other = sample::task(id, &process);
    tree.add_task(other.clone(), 0);
    drop(tree.rename_to_first(id, FIRST));
    assert!(tree.remove_task(FIRST, &first).is_none());
    assert!(Arc::ptr_eq(&tree.task(FIRST).unwrap(), &other));
    assert!(!tree.holds_number(id));
    assert_eq!(tree.count(0), (1, 1));
}

#[test]
fn a_group_is_orphaned_when_no_parent_outside_it_is_in_its_session() {
    let mut tree = tree();
    let shell = child(&mut tree, FIRST);
    drop(tree.begin_session(shell));
    let job = child(&mut tree, shell);
    tree.move_to_group(job, job);
    assert!(!tree.is_orphaned(job), "the shell would continue it");
    assert!(tree.is_orphaned(shell), "the shell's parent is in another session");
    tree.entries.get_mut(&job).unwrap().parent = FIRST;
    assert!(tree.is_orphaned(job));
}

#[test]
fn a_session_ends_with_its_last_member() {
    let mut tree = tree();
    let leader = child(&mut tree, FIRST);
    assert!(tree.begin_session(leader).is_none(), "the old session has members left");
    assert_eq!(tree.entries[&leader].group, leader);
    end(&mut tree, leader);
    let (_, session) = tree.bury(leader).unwrap();
    assert!(session.is_some());
    assert!(!tree.sessions.contains_key(&leader));
}

#[test]
fn orphans_go_to_the_nearest_ancestor_that_adopts() {
    let mut tree = tree();
    let manager = child(&mut tree, FIRST);
    let middle = child(&mut tree, manager);
    assert_eq!(tree.adopter_of(middle), FIRST);
    tree.entries.get_mut(&manager).unwrap().adopts = true;
    assert_eq!(tree.adopter_of(middle), manager);
    end(&mut tree, manager);
    assert_eq!(tree.adopter_of(middle), FIRST);
}

#[test]
fn burying_a_process_a_second_time_leaves_alone_whoever_has_its_number_now() {
    let mut tree = tree();
    let id = child(&mut tree, FIRST);
    let process = tree.entries[&id].process.clone();
    end(&mut tree, id);
    drop(tree.bury_this(&process).unwrap());
    assert!(tree.bury_this(&process).is_none());
    tree.add_process(sample::process(id), FIRST, 17);
    assert!(tree.bury_this(&process).is_none());
    assert!(tree.entries.contains_key(&id));
}
