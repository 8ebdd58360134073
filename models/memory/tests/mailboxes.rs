//! A CPU that is written to reads it: by itself while it listens, by an interrupt otherwise.
#![cfg(any(loom, shuttle))]

use memory_models::explore::Extent::All;
use memory_models::explore::{fails, holds, spawn};
use memory_models::mailbox::Mailbox;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use sync::twin::Twin;
use sync::{CpuId, cpu};

/// Two CPUs write to one that begins to listen, looks once, and stops.
fn listens_for_a_while() {
    cpu::host::play(CpuId::BOOT);
    let mailbox = Arc::new(Mailbox::new());
    let read = Arc::new(AtomicU32::new(0));
    let writers = [1, 2].map(|number| {
        let mailbox = mailbox.clone();
        spawn(move || {
            cpu::host::play(CpuId::new(number));
            mailbox.post(CpuId::new(number))
        })
    });
    let note = |writer: CpuId| assert_eq!(read.fetch_or(1 << writer.index(), Relaxed) & 1 << writer.index(), 0, "read twice");
    mailbox.listen();
    mailbox.look(note);
    mailbox.stop(note);
    let interrupts = writers.map(|writer| writer.join().unwrap());
    if interrupts.contains(&true) {
        mailbox.look(note);
    }
    assert_eq!(read.load(Relaxed), 0b110, "a letter was never read");
}

#[test]
fn every_letter_is_read_once() {
    holds(All, listens_for_a_while);
}

#[test]
#[should_panic(expected = "LooksBeforeDeaf")]
fn who_looks_before_it_is_deaf_leaves_one_unread() {
    fails(Twin::LooksBeforeDeaf, All, listens_for_a_while);
}
