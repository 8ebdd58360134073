//! Who reads what a change took away reads that change's, or nothing.
#![cfg(any(loom, shuttle))]

use memory_models::explore::Extent::All;
use memory_models::explore::{fails, holds, spawn};
use memory_models::history::History;
use std::sync::Arc;
use sync::twin::Twin;

/// Generation 4 is noted where 2 was, while 2 is read.
fn one_is_noted_over_another() {
    let history = Arc::new(History::new());
    history.note(2, &(20..29));
    let writer = {
        let history = history.clone();
        spawn(move || history.note(4, &(40..49)))
    };
    let read = history.of(2);
    assert!(read.is_none() || read == Some(20..29), "{read:?} passes for what the second change took away");
    writer.join().unwrap();
    assert_eq!(history.of(4), Some(40..49));
}

#[test]
fn what_is_read_is_whole() {
    holds(All, one_is_noted_over_another);
}

#[test]
#[should_panic(expected = "HistoryUnmarked")]
fn an_entry_that_is_not_marked_is_read_in_halves() {
    fails(Twin::HistoryUnmarked, All, one_is_noted_over_another);
}
