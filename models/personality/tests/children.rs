//! wait4: a parent that waits for its child sees it die, whenever that is.
#![cfg(any(loom, shuttle))]

use abi::signal::SIGCHLD;
use personality_models::actor::Actor;
use personality_models::explore::Extent::{All, Preemptions};
use personality_models::explore::{fails, holds};
use personality_models::process::ending::end;
use personality_models::process::shared::Process;
use personality_models::process::status::ExitStatus;
use personality_models::process::table::TREE;
use personality_models::process::times::Usage;
use personality_models::process::tree::Zombie;
use personality_models::process::wait::{Event, Kind, Wanted, Which, wait};
use std::sync::Arc;
use sync::TaskContext;
use sync::twin::Twin;

const ANY_THAT_ENDED: Wanted = Wanted {
    which: Which::Any,
    kind: Kind::All,
    made_by: None,
    ended: true,
    stopped: false,
    continued: false,
    keep: false,
    at_once: false,
};

fn die(cx: &mut TaskContext, child: &Arc<Process>) {
    end(cx, child, Zombie { status: ExitStatus::Exited(child.id() as u8), usage: Usage::default() });
}

fn family(children: i32) -> (Arc<Process>, Vec<Arc<Process>>) {
    let parent = Arc::new(Process::new(1));
    let children: Vec<_> = (2..2 + children).map(|id| Arc::new(Process::new(id))).collect();
    (parent, children)
}

fn children_die(count: i32) {
    let (parent, children) = family(count);
    Actor::new(0).play(|cx| {
        let mut tree = TREE.lock(cx);
        tree.add_process(parent.clone(), 0, 0);
        children.iter().for_each(|child| tree.add_process(child.clone(), 1, SIGCHLD));
        drop(tree);
        let start = |child: Arc<Process>| Actor::new(child.id() as usize - 1).start(move |cx| die(cx, &child));
        let dying: Vec<_> = children.into_iter().map(start).collect();
        let mut seen = 0;
        for _ in 0..count {
            let found = wait(cx, &parent, &ANY_THAT_ENDED).unwrap().unwrap();
            assert_eq!(found.event, Event::Ended(ExitStatus::Exited(found.id as u8)));
            seen += found.id;
        }
        assert_eq!(seen, (2..2 + count).sum(), "a child was seen twice");
        assert!(wait(cx, &parent, &ANY_THAT_ENDED).is_err(), "a child is left");
        dying.into_iter().for_each(|child| child.join().unwrap());
    });
}

#[test]
fn a_parent_sees_its_child_die() {
    holds(Preemptions(5), || children_die(1));
}

#[test]
fn a_parent_sees_both_of_its_children_die() {
    holds(Preemptions(1), || children_die(2));
}

#[test]
#[should_panic(expected = "RegistersAfterLooking: deadlock")]
fn a_parent_that_looks_and_then_registers_waits_for_ever() {
    fails(Twin::RegistersAfterLooking, All, || children_die(1));
}

#[test]
#[should_panic(expected = "BlockedMarkedLate: deadlock")]
fn a_parent_marked_blocked_after_looking_waits_for_ever() {
    fails(Twin::BlockedMarkedLate, All, || children_die(1));
}

#[test]
#[should_panic(expected = "ZombieAfterWake: deadlock")]
fn a_zombie_written_down_after_the_wake_is_never_seen() {
    fails(Twin::ZombieAfterWake, All, || children_die(1));
}
