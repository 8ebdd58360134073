//! Rings: what the program reads is what was written, and what it writes is believed only if it can be true.
#![cfg(any(loom, shuttle))]

use objects_models::actor::Actor;
use objects_models::explore::Extent::{self, Preemptions};
use objects_models::explore::{fails, holds, spawn};
use objects_models::ipc::{CompletionPort, CompletionRing, Finished, Layout, SubmissionRing};
use objects_models::memory::Page;
use sync::cpu;
use sync::twin::Twin;

const FAR: Extent = Preemptions(3);
const LAYOUT: Layout = Layout { head: 0, tail: 4, mask: 8, entries: 16, entry_bytes: 4 };
const ENTRIES: u32 = 2;

fn encode(finished: &Finished, write: &mut dyn FnMut(&[u8])) {
    write(&(finished.user_data as u32).to_le_bytes());
}

fn ring(page: &Page) -> CompletionRing {
    CompletionRing::new(page.clone(), LAYOUT, ENTRIES, encode)
}

fn entry(page: &Page, index: u32) -> u32 {
    let mut word = [0; 4];
    page.read(LAYOUT.entries + 4 * (index % ENTRIES) as usize, &mut word);
    u32::from_le_bytes(word)
}

/// The program takes completions while they come.
fn taken_by_the_program() {
    let (port, page) = (CompletionPort::new(), Page::zeroed());
    Actor::new(0).play(|cx| {
        let ids = [1, 2, 3].map(|word| port.begin(cx, word, 0).unwrap());
        assert_eq!(port.set_ring(cx, ring(&page)), Ok(()));
        let theirs = page.clone();
        let program = spawn(move || {
            let mut head = 0;
            for _ in 0..2 {
                while head != theirs.load(LAYOUT.tail) {
                    head += 1;
                    assert_eq!(entry(&theirs, head - 1), head, "the program read an entry that was not there");
                    theirs.store(LAYOUT.head, head);
                }
                cpu::relax();
            }
        });
        for id in ids {
            port.finish(cx, id, 0);
        }
        program.join().unwrap();
        let ready = port.ready_in_ring(cx).unwrap();
        assert!(ready == ENTRIES || page.load(LAYOUT.head) + ready == 3, "a completion was lost");
    });
}

#[test]
fn the_program_reads_each_completion_whole() {
    holds(FAR, taken_by_the_program);
}

#[test]
#[should_panic(expected = "IndexBeforeEntry: assertion `left == right` failed: the program read an entry that was not there")]
fn an_index_that_moves_before_its_entry_is_there_shows_what_is_not() {
    fails(Twin::IndexBeforeEntry, FAR, taken_by_the_program);
}

/// The program writes nonsense into its index while completions come, and then the truth.
fn the_program_lies() {
    let (port, page) = (CompletionPort::new(), Page::zeroed());
    Actor::new(0).play(|cx| {
        let ids = [1, 2].map(|word| port.begin(cx, word, 0).unwrap());
        assert_eq!(port.set_ring(cx, ring(&page)), Ok(()));
        let theirs = page.clone();
        let program = spawn(move || {
            for nonsense in [77, u32::MAX, 0] {
                theirs.store(LAYOUT.head, nonsense);
            }
        });
        for id in ids {
            port.finish(cx, id, 0);
            if let Ok(ready) = port.ready_in_ring(cx) {
                assert!(ready <= ENTRIES, "more are ready than there is room for");
            }
        }
        program.join().unwrap();
        assert_eq!(port.ready_in_ring(cx), Ok(2), "a completion was lost over a lie");
        assert_eq!([0, 1].map(|index| entry(&page, index)), [1, 2]);
    });
}

#[test]
fn an_index_that_lies_costs_no_completion() {
    holds(FAR, the_program_lies);
}

#[test]
#[should_panic(expected = "IndexBelieved: more are ready than there is room for")]
fn an_index_that_lies_and_is_believed_makes_more_than_there_is() {
    fails(Twin::IndexBelieved, FAR, the_program_lies);
}

/// The program asks for things and changes its mind about how many, while the kernel takes them.
fn asked_for() {
    let page = Page::zeroed();
    let mut asked = SubmissionRing::new(page.clone(), LAYOUT, ENTRIES);
    let theirs = page.clone();
    let program = spawn(move || {
        for (index, tail) in [(0, 1), (1, 2), (1, 1000), (1, 2)] {
            theirs.write(LAYOUT.entries + 4 * index, &(index as u32 + 1).to_le_bytes());
            theirs.store(LAYOUT.tail, tail);
        }
    });
    let mut begun = Vec::new();
    for _ in 0..3 {
        let waiting = asked.waiting().unwrap_or(0);
        assert!(waiting <= ENTRIES, "more wait than there is room for");
        for _ in 0..waiting {
            let mut word = [0; 4];
            asked.first(&mut word);
            asked.advance();
            begun.push(u32::from_le_bytes(word));
        }
    }
    program.join().unwrap();
    assert!([1, 2].starts_with(&begun), "an entry was begun that was not there");
    assert_eq!(asked.waiting(), Ok(ENTRIES - begun.len() as u32));
}

#[test]
fn the_kernel_begins_each_entry_once_and_whole() {
    holds(FAR, asked_for);
}
