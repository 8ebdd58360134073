//! Console input: what arrives reaches who waits for it, byte for byte.
#![cfg(any(loom, shuttle))]

use personality_models::actor::{Actor, handler};
use personality_models::console::serial_console::{SerialConsole, Settings};
use personality_models::device::{Console, ConsoleEvent};
use personality_models::explore::Extent::{All, Preemptions};
use personality_models::explore::{fails, holds};
use personality_models::{interrupt, serial};
use sync::twin::Twin;
use sync::{SpinLock, order};

const SETTINGS: Settings = Settings { framed: false, window: (0, 0), separate_errors: false };

/// Bytes come with an interrupt each, while somebody reads them.
fn typed(bytes: &'static [u8]) {
    serial::clear();
    let console: &'static SerialConsole = Box::leak(Box::new(SerialConsole::new()));
    Actor::new(0).play(|cx| {
        assert!(console.start(cx, SETTINGS).is_ok());
        let keyboard = handler(1, move |context| {
            for byte in bytes {
                serial::send(&[*byte]);
                interrupt::arrives(context);
            }
        });
        let mut read = Vec::new();
        while read.len() < bytes.len() {
            let mut buffer = [0; 8];
            if let Ok(ConsoleEvent::Bytes(count)) = console.read(cx, &mut buffer) {
                read.extend_from_slice(&buffer[..count]);
            }
        }
        assert_eq!(read, bytes);
        keyboard.join().unwrap();
    });
}

#[test]
fn a_byte_reaches_its_reader() {
    holds(All, || typed(b"h"));
}

#[test]
fn every_byte_reaches_its_reader() {
    holds(Preemptions(3), || typed(b"hi"));
}

#[test]
#[should_panic(expected = "ByteAfterWake: deadlock")]
fn a_byte_that_comes_after_its_wake_is_not_read() {
    fails(Twin::ByteAfterWake, All, || typed(b"h"));
}

#[test]
#[should_panic(expected = "RegistersAfterLooking: deadlock")]
fn a_reader_that_looks_and_then_registers_sleeps_on_a_byte() {
    fails(Twin::RegistersAfterLooking, All, || typed(b"h"));
}

/// Who holds a scheduler's lock must not read the console: the handler takes the two the other way round.
#[test]
#[should_panic(expected = "taking ConsoleInput")]
fn reading_under_a_run_queues_lock_is_refused_before_anyone_waits() {
    holds(Preemptions(0), || {
        serial::clear();
        let console: &'static SerialConsole = Box::leak(Box::new(SerialConsole::new()));
        let queue = SpinLock::<(), order::RunQueue>::new(());
        let held = queue.lock_without_context();
        let _ = console.take_arrived(&mut [0; 8]);
        drop(held);
    });
}
