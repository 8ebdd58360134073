//! A CPU that comes back to a space uses nothing that was taken away meanwhile, though nobody has told it.
#![cfg(any(loom, shuttle))]

use memory_models::addr::PhysAddr;
use memory_models::buffers::{self, translate};
use memory_models::explore::Extent::All;
use memory_models::explore::{fails, holds, spawn};
use memory_models::translation::{self, Translation};
use std::sync::Arc;
use sync::twin::Twin;
use sync::{CpuId, IrqOff, PreemptOff, Published, cpu};

const OLD: u64 = 1;
const NEW: u64 = 2;

/// A space of two pages, and what the CPU that plays a program was told to forget: the generation of each page's change.
struct World {
    translation: Translation,
    entries: [Published<u64>; 2],
    told: [Published<u64>; 2],
}

impl World {
    fn new() -> Arc<World> {
        buffers::clear();
        cpu::host::play(CpuId::BOOT);
        let two = |value| core::array::from_fn(|_| Published::<u64>::new(value));
        Arc::new(World { translation: Translation::new(PhysAddr(1)), entries: two(OLD), told: two(0) })
    }

    fn enter(&self) {
        self.translation.enter(&IrqOff::new());
    }

    fn leave(&self) {
        memory_models::paging::flush::load_root(PhysAddr(0));
        translation::use_none();
        self.translation.leave(&IrqOff::new());
    }

    fn touch(&self, page: usize) -> u64 {
        translate(page, &self.entries[page])
    }

    /// Another CPU changes a page, and tells who is to be told.
    fn change(&self, page: usize) {
        self.entries[page].store(NEW);
        let change = self.translation.change(false);
        self.translation.note(&change, &(page as u64..page as u64 + 1));
        if change.cpus.contains(CpuId::BOOT) {
            self.told[page].store(change.generation << 8 | change.space);
        }
    }

    /// The interrupts that have come so far.
    fn serve(&self) {
        for (page, told) in self.told.iter().enumerate() {
            let change = told.swap(0);
            if change != 0 {
                buffers::mine(|buffer| buffer.forget(page));
                translation::forgot(change & 0xff, change >> 8);
            }
        }
    }
}

fn on_cpu(number: usize, world: &Arc<World>, work: impl FnOnce(&World) + Send + 'static) -> memory_models::explore::JoinHandle<()> {
    let world = world.clone();
    spawn(move || {
        cpu::host::play(CpuId::new(number));
        work(&world);
    })
}

/// The CPU comes back while a page changes.
fn comes_back() {
    let world = World::new();
    world.enter();
    assert_eq!(world.touch(0), OLD);
    world.leave();
    let changer = on_cpu(1, &world, |world| world.change(0));
    world.enter();
    world.touch(0);
    changer.join().unwrap();
    world.serve();
    assert_eq!(world.touch(0), NEW, "a page was used that had been taken away");
    world.leave();
    world.enter();
    assert_eq!(world.touch(0), NEW, "a page was remembered that had been taken away");
    world.leave();
}

/// Two pages change while the CPU leaves, and it was told of one of them or of both.
fn leaves_meanwhile() {
    let world = World::new();
    world.enter();
    assert_eq!((world.touch(0), world.touch(1)), (OLD, OLD));
    let first = on_cpu(1, &world, |world| world.change(0));
    let second = on_cpu(2, &world, |world| world.change(1));
    world.serve();
    world.leave();
    first.join().unwrap();
    second.join().unwrap();
    world.serve();
    world.enter();
    assert_eq!((world.touch(0), world.touch(1)), (NEW, NEW), "a page was remembered that had been taken away");
    world.leave();
}

/// The CPU rests while two pages change, and uses them again.
fn rests_meanwhile() {
    let world = World::new();
    world.enter();
    assert_eq!((world.touch(0), world.touch(1)), (OLD, OLD));
    let stays = PreemptOff::new();
    world.translation.rest(&stays);
    let first = on_cpu(1, &world, |world| world.change(0));
    let second = on_cpu(2, &world, |world| world.change(1));
    world.translation.resume(&stays);
    drop(stays);
    first.join().unwrap();
    second.join().unwrap();
    world.serve();
    assert_eq!((world.touch(0), world.touch(1)), (NEW, NEW), "a page was used that had been taken away");
    world.leave();
}

#[test]
fn who_rests_catches_up() {
    holds(All, rests_meanwhile);
}

#[test]
#[should_panic(expected = "ComparedBeforeResuming")]
fn who_compares_before_it_resumes_misses_a_change() {
    fails(Twin::ComparedBeforeResuming, All, rests_meanwhile);
}

#[test]
fn who_comes_back_uses_nothing_that_was_taken_away() {
    holds(All, comes_back);
}

#[test]
fn who_leaves_before_it_is_told_catches_up() {
    holds(All, leaves_meanwhile);
}

#[test]
#[should_panic(expected = "ComparedBeforeEntering")]
fn a_cpu_that_compares_before_it_enters_misses_a_change() {
    fails(Twin::ComparedBeforeEntering, All, comes_back);
}

#[test]
#[should_panic(expected = "GenerationAfterSet")]
fn a_change_that_reads_the_set_first_misses_a_cpu() {
    fails(Twin::GenerationAfterSet, All, comes_back);
}

#[test]
#[should_panic(expected = "ForgotTooMuch")]
fn a_cpu_that_takes_the_first_change_for_done_with_the_second_keeps_a_page() {
    fails(Twin::ForgotTooMuch, All, leaves_meanwhile);
}
