//! Who waits for whom: from a waiter to the one it waits for, and on.
//!
//! Invariant: each thread is named once; a chain that comes back to one that it has named is a deadlock.

use super::waits::{Waiting, name};
use crate::thread::list;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use sync::TaskContext;

/// Longer chains are cut.
const LONGEST: usize = 16;

/// How a chain ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// The last one waits for nobody in particular.
    Open,
    /// At a thread that sleeps for nothing we know, or runs.
    Awake(u64),
    /// At this one of the chain.
    Circle(u64),
}

/// The waits behind `first`, and where they lead.
pub(super) fn follow(first: &Waiting, next: impl Fn(u64) -> Option<Waiting>) -> (Vec<Waiting>, End) {
    let mut links = Vec::new();
    let mut seen = Vec::from([first.thread.id()]);
    let mut holder = first.holder;
    while let Some(id) = holder {
        if seen.contains(&id) {
            return (links, End::Circle(id));
        }
        let Some(link) = next(id).filter(|_| seen.len() < LONGEST) else { return (links, End::Awake(id)) };
        seen.push(id);
        holder = link.holder;
        links.push(link);
    }
    (links, End::Open)
}

pub(super) fn is_deadlock(first: &Waiting) -> bool {
    matches!(follow(first, waiting).1, End::Circle(_))
}

fn waiting(id: u64) -> Option<Waiting> {
    list::find(id).and_then(|thread| Waiting::of(&thread))
}

/// One line for the wait and one for each that it waits for.
pub(super) fn lines(cx: &TaskContext, first: &Waiting) -> Vec<String> {
    let (links, end) = follow(first, waiting);
    let mut lines = Vec::from([line(cx, first)]);
    lines.extend(links.iter().map(|link| format!("  and {}", line(cx, link))));
    match end {
        End::Open => {}
        End::Awake(id) => lines.extend(list::find(id).map(|thread| {
            let state = if thread.is_runnable() { "runs or waits for a CPU" } else { "sleeps" };
            format!("  and {} {state}", name(cx, &thread))
        })),
        End::Circle(id) => lines.push(format!("  which is a deadlock: the chain comes back to thread {id}")),
    }
    lines
}

fn line(cx: &TaskContext, waiting: &Waiting) -> String {
    let holder = match waiting.holder {
        Some(id) => format!(", held by thread {id}"),
        None => String::new(),
    };
    waiting.text(cx) + &holder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::thread::Thread;
    use crate::thread::scheduling::Scheduling;
    use crate::thread::waiting::{Manner, Wait};
    use alloc::sync::Arc;
    use core::panic::Location;
    use sync::Published;

    fn waiting_for(thread: &Arc<Thread>, holder: Option<&Arc<Thread>>) -> Waiting {
        let place = holder.map_or(core::ptr::null_mut(), |thread| Arc::as_ptr(thread).cast_mut().cast());
        let holder = Published::<*mut ()>::new(place);
        let wait = Wait {
            names: &|index| (index == 0).then_some("a lock"),
            holder: Some(&holder),
            location: Location::caller(),
            since: 0,
            until: None,
            manner: Manner::Steadfast,
        };
        let mut seen = None;
        thread.waits.during(&wait, || seen = Waiting::of(thread));
        seen.unwrap_or_else(|| panic!("a waiting thread was not seen waiting"))
    }

    #[test]
    fn two_that_wait_for_each_other_are_a_deadlock_and_three_in_a_row_are_none() {
        let threads: Vec<_> = ["one", "two", "three"].map(|name| Thread::for_test(name, Scheduling::NORMAL)).into();
        let ids: Vec<u64> = threads.iter().map(|thread| thread.id()).collect();
        let row = |id: u64| (id == ids[1]).then(|| waiting_for(&threads[1], Some(&threads[2])));
        let (links, end) = follow(&waiting_for(&threads[0], Some(&threads[1])), row);
        assert_eq!((links.len(), end), (1, End::Awake(ids[2])));
        let circle = |id: u64| (id == ids[1]).then(|| waiting_for(&threads[1], Some(&threads[0])));
        let (links, end) = follow(&waiting_for(&threads[0], Some(&threads[1])), circle);
        assert_eq!((links.len(), end), (1, End::Circle(ids[0])));
        assert_eq!(follow(&waiting_for(&threads[0], Some(&threads[0])), circle).1, End::Circle(ids[0]), "it waits for itself");
        assert_eq!(follow(&waiting_for(&threads[0], None), circle).1, End::Open);
    }
}
