//! Where each CPU is: asked by NMI, so that a CPU with interrupts off answers too.
//!
//! Invariant: a CPU writes its own place only, then the number of the round that it answers; who asks reads it after that. Nothing here
//! takes a lock, allocates or waits without a bound.

use crate::{symbols, upcalls};
use core::fmt;
use libkernel::log::{self, Level};
use libkernel::thread::thread::NAME_BYTES;
use libkernel::watchdog;
use machine::trap::frame::TrapFrame;
use machine::{apic, backtrace, clock};
use sync::order::Names;
use sync::{Counter, CpuId, Flag, MAXIMUM_CPUS, PerCpu, Published, cpu};

const NAME_WORDS: usize = NAME_BYTES / 8;
pub const DEPTH: usize = 24;
/// How long a CPU has to answer.
const PATIENCE_NS: u64 = 100_000_000;
/// NMIs from outside come to all CPUs at once; within this time they are one.
const ONE_CALL_NS: u64 = 1_000_000_000;

struct Place {
    addresses: [Published<u64>; DEPTH],
    /// The name of its thread.
    thread: [Counter; NAME_WORDS],
    spin_held: Counter,
    sleep_held: Counter,
    preemption_off: Counter,
    interrupts_off: Counter,
    /// The round that this place answers.
    round: Published<u64>,
}

static PLACES: PerCpu<Place> = PerCpu::new(
    [const {
        Place {
            addresses: [const { Published::<u64>::new(0) }; DEPTH],
            thread: [const { Counter::new(0) }; NAME_WORDS],
            spin_held: Counter::new(0),
            sleep_held: Counter::new(0),
            preemption_off: Counter::new(0),
            interrupts_off: Counter::new(0),
            round: Published::<u64>::new(0),
        }
    }; MAXIMUM_CPUS],
);

/// The round that is being asked for.
static ROUND: Published<u64> = Published::<u64>::new(0);

/// This CPU answers.
pub fn note(trace: impl Iterator<Item = u64>) {
    let round = ROUND.load();
    let place = PLACES.of(cpu::current());
    for (slot, address) in place.addresses.iter().zip(trace.chain(core::iter::once(0))) {
        slot.store(address);
    }
    for (slot, word) in place.thread.iter().zip(words_of(&upcalls::thread_name())) {
        slot.set(word);
    }
    place.spin_held.set(cpu::spin_held());
    place.sleep_held.set(cpu::sleep_held());
    place.preemption_off.set(u64::from(cpu::preemption_off_depth()));
    place.interrupts_off.set(u64::from(cpu::interrupts_off_depth()));
    place.round.store(round);
}

fn words_of(name: &str) -> [u64; NAME_WORDS] {
    let mut words = [0; NAME_WORDS];
    for (place, byte) in name.bytes().take(NAME_BYTES).enumerate() {
        words[place / 8] |= u64::from(byte) << (place % 8 * 8);
    }
    words
}

/// A new round begins: answers from now on count.
pub fn begin_round() {
    ROUND.fetch_add(1);
}

/// Prints where all other CPUs are, after `begin_round` and the NMIs.
pub fn print_others(say: &dyn Fn(fmt::Arguments<'_>)) {
    let me = cpu::current();
    let until = clock::tsc::now().saturating_add(clock::tsc::from_nanoseconds(PATIENCE_NS));
    cpu::online().iter().filter(|&cpu| cpu != me).for_each(|cpu| print(cpu, until, say));
}

fn print(cpu: CpuId, until: u64, say: &dyn Fn(fmt::Arguments<'_>)) {
    let place = PLACES.of(cpu);
    let round = ROUND.load();
    while place.round.load() != round && clock::tsc::now() < until {
        sync::cpu::relax();
    }
    if place.round.load() != round {
        say(format_args!("  cpu {} did not answer", cpu.index()));
        return;
    }
    say(format_args!("  cpu {} was at, thread {}", cpu.index(), Name(&place.thread)));
    say(format_args!(
        "    held: spin {}; sleeping {}; preemption off {}, interrupts off {}",
        Names(place.spin_held.get()),
        Names(place.sleep_held.get()),
        place.preemption_off.get(),
        place.interrupts_off.get()
    ));
    place.addresses.iter().map(|slot| slot.load()).take_while(|&address| address != 0).for_each(|address| line(address, say));
}

/// A name as it was noted.
struct Name<'a>(&'a [Counter; NAME_WORDS]);

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.iter().flat_map(|word| word.get().to_le_bytes());
        bytes.filter(u8::is_ascii_graphic).try_for_each(|byte| write!(formatter, "{}", char::from(byte)))
    }
}

/// One line of a backtrace.
pub fn line(address: u64, say: &dyn Fn(fmt::Arguments<'_>)) {
    match symbols::find(address) {
        Some((name, offset)) => say(format_args!("    {address:016x} {name}+{offset:#x}")),
        None => say(format_args!("    {address:016x}")),
    }
}

/// What every CPU does now, in the log: for watchdogs.
pub fn show_all() {
    let stay = sync::IrqOff::new();
    say_in_log(format_args!("all CPUs, asked by cpu {}, thread {}:", cpu::current().index(), upcalls::thread_name()));
    backtrace::here().take(DEPTH).for_each(|address| line(address, &say_in_log));
    ASKED_BY_US.set();
    begin_round();
    apic::ipi::nmi_all_others();
    print_others(&say_in_log);
    drop(stay);
}

fn say_in_log(text: fmt::Arguments<'_>) {
    log::insist(Level::Information, text);
}

/// The current round was asked for by this kernel: its NMIs are no call from outside.
static ASKED_BY_US: Flag = Flag::new(false);
static ANSWERING: Flag = Flag::new(false);
static ANSWERED_AT: Counter = Counter::new(0);

/// An NMI that is no panic's: of a round of ours, or from outside (`nmi` of the machine's monitor), which wants to know everything.
pub fn answer(frame: &TrapFrame) {
    let round = ROUND.load();
    let asked = ASKED_BY_US.is_set() && PLACES.of(cpu::current()).round.load() != round;
    note(backtrace::from(frame));
    let now = clock::tsc::now();
    let again = now.saturating_sub(ANSWERED_AT.get()) < clock::tsc::from_nanoseconds(ONE_CALL_NS);
    if asked || again {
        return;
    }
    if !ANSWERING.claim() {
        // Another CPU was called as well and prints: it begins a round of its own.
        let until = now.saturating_add(clock::tsc::from_nanoseconds(PATIENCE_NS));
        while ROUND.load() == round && clock::tsc::now() < until {
            sync::cpu::relax();
        }
        return note(backtrace::from(frame));
    }
    ANSWERED_AT.set(now);
    ASKED_BY_US.clear();
    begin_round();
    say_in_log(format_args!("an NMI from outside, taken by cpu {}, thread {}:", cpu::current().index(), upcalls::thread_name()));
    backtrace::from(frame).take(DEPTH).for_each(|address| line(address, &say_in_log));
    print_others(&say_in_log);
    watchdog::ask_for_report();
    ANSWERED_AT.set(clock::tsc::now());
    ANSWERING.clear();
}
