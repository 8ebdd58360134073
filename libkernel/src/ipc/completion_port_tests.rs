//! Ports without anybody asleep.

use super::*;
use crate::ipc::{Layout, SubmissionRing};
use crate::memory::{Page, on_host};
use core::ptr::NonNull;
use std::vec::Vec;

/// A context of no thread: nothing here waits.
#[allow(unsafe_code)]
fn context() -> TaskContext {
    // SAFETY: nobody asks it for its thread.
    unsafe { TaskContext::enter(NonNull::dangling()) }
}

fn take_all(cx: &TaskContext, port: &CompletionPort) -> Vec<(u64, i64)> {
    let Ok(taker) = port.taker() else { panic!("somebody else takes") };
    let mut all = Vec::new();
    loop {
        let mut found = [Finished::default(); 5];
        let count = taker.look(cx, &mut found);
        if count == 0 {
            while port.take_spent(cx).is_some() {}
            return all;
        }
        all.extend(found[..count].iter().map(|finished| (finished.user_data, finished.result)));
        taker.handed_out(cx, count);
    }
}

#[test]
fn completions_come_in_the_order_in_which_they_finished_and_once_each() {
    let cx = context();
    let port = CompletionPort::new();
    let ids: Vec<_> = (0..3).filter_map(|number| port.begin(&cx, number, 0)).collect();
    for index in [2, 0, 2, 0, 1] {
        port.finish(&cx, ids[index], index as i64 * 10);
    }
    assert_eq!(take_all(&cx, &port), [(2, 20), (0, 0), (1, 10)]);
    port.finish(&cx, ids[1], 5);
    assert_eq!(take_all(&cx, &port), [], "its place may be another's by now");
}

#[test]
fn a_full_port_refuses_to_begin_and_has_room_again_when_completions_were_handed_out() {
    let cx = context();
    let port = CompletionPort::new();
    let ids: Vec<_> = core::iter::from_fn(|| port.begin(&cx, 7, 0)).collect();
    assert_eq!(ids.len(), 1024);
    ids.iter().for_each(|id| port.finish(&cx, *id, 1));
    assert!(port.begin(&cx, 7, 0).is_none(), "finished, but not handed out");
    assert_eq!(take_all(&cx, &port).len(), 1024);
    assert!(port.begin(&cx, 7, 0).is_some());
}

#[test]
fn what_was_stirred_is_looked_at_once_and_not_after_it_has_finished() {
    let cx = context();
    let port = CompletionPort::new();
    let ids: Vec<_> = (0..3).filter_map(|number| port.begin(&cx, number, 0)).collect();
    for index in [0, 1, 1, 2] {
        port.stir(&cx, ids[index]);
    }
    port.finish(&cx, ids[1], 0);
    assert_eq!(core::iter::from_fn(|| port.take_stirred(&cx)).collect::<Vec<_>>(), [ids[0], ids[2]]);
    port.stir(&cx, ids[1]);
    assert!(port.take_stirred(&cx).is_none());
    port.stir(&cx, ids[0]);
    assert_eq!(port.take_stirred(&cx), Some(ids[0]), "again, after it was looked at");
}

#[test]
fn there_is_one_taker() {
    let port = CompletionPort::new();
    let taker = port.taker();
    assert!(matches!(port.taker(), Err(KernelError::Busy)));
    drop(taker);
    assert!(port.taker().is_ok());
}

const LAYOUT: Layout = Layout { head: 0, tail: 4, mask: 8, entries: 64, entry_bytes: 8 };

fn encode(finished: &Finished, write: &mut dyn FnMut(&[u8])) {
    write(&finished.user_data.to_le_bytes());
}

#[test]
fn a_full_ring_keeps_completions_back_and_a_lying_index_is_found_out() {
    let _alone = on_host::alone();
    let cx = context();
    let port = CompletionPort::new();
    let Ok(page) = Page::zeroed() else { panic!("no memory") };
    assert_eq!(port.set_ring(&cx, CompletionRing::new(page.clone(), LAYOUT, 4, encode)), Ok(()));
    for number in 0..6 {
        let Some(id) = port.begin(&cx, number, 0) else { panic!("no room") };
        port.finish(&cx, id, 0);
    }
    assert_eq!((page.load(4), port.ready_in_ring(&cx)), (4, Ok(4)));
    page.store(0, 3);
    assert_eq!((port.ready_in_ring(&cx), page.load(4)), (Ok(3), 6));
    let entry = |index: usize| {
        let mut bytes = [0; 8];
        page.read(64 + index % 4 * 8, &mut bytes);
        u64::from_le_bytes(bytes)
    };
    assert_eq!([entry(3), entry(4), entry(5)], [3, 4, 5]);
    for nonsense in [7, 2, u32::MAX, 1 << 31] {
        page.store(0, nonsense);
        assert_eq!(port.ready_in_ring(&cx), Err(KernelError::Invalid), "head {nonsense}");
    }
    page.store(0, 6);
    page.store(4, 5);
    assert_eq!(port.ready_in_ring(&cx), Err(KernelError::Invalid), "the kernel's own index was changed");
    page.store(4, 6);
    assert_eq!(port.ready_in_ring(&cx), Ok(0));
}

#[test]
fn a_submission_rings_indices_are_believed_only_as_far_as_they_make_sense() {
    let _alone = on_host::alone();
    let Ok(page) = Page::zeroed() else { panic!("no memory") };
    let mut ring = SubmissionRing::new(page.clone(), LAYOUT, 4);
    assert_eq!(page.load(8), 3);
    for (tail, waiting) in [(0, Ok(0)), (4, Ok(4)), (5, Err(KernelError::Invalid)), (u32::MAX, Err(KernelError::Invalid))] {
        page.store(4, tail);
        assert_eq!(ring.waiting(), waiting);
    }
    page.store(4, 1);
    ring.advance();
    assert_eq!((ring.waiting(), page.load(0)), (Ok(0), 1));
    page.store(0, 0);
    assert_eq!(ring.waiting(), Err(KernelError::Invalid));
}
