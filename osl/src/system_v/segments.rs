//! All segments: made, found, attached, removed.
//!
//! Invariant: a segment that is removed keeps its number until the last region that shows it has gone; its key goes at once.
//! Memory never ends under the table's lock: what a search finds goes out of it before it is let go of.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::{Published, SpinLock, TaskContext, order};

use super::keyed::Keyed;
use super::rights::{READ, Rights, WRITE};
use super::segment::{Attaching, Hold, Memory, Uses, all_pages, seconds};
use crate::credentials::Credentials;

/// What is set in /proc/sys/kernel: bytes of one segment, pages of all, and how many there may be.
pub static MOST_BYTES: Published<u64> = Published::<u64>::new(UNLIMITED);
pub static MOST_PAGES: Published<u64> = Published::<u64>::new(UNLIMITED);
pub static MOST: Published<u64> = Published::<u64>::new(4096);
const UNLIMITED: u64 = u64::MAX - (1 << 24);
/// In the mode that is told: it goes with its last region, its pages stay in memory.
const REMOVED: u32 = 0o1000;
const LOCKED: u32 = 0o2000;

/// What is known about a segment.
#[derive(Clone, Copy)]
pub struct Facts {
    pub number: i32,
    pub key: i32,
    pub rights: Rights,
    pub bytes: u64,
    /// In seconds.
    pub changed_at: i64,
    pub maker: i32,
    pub is_locked: bool,
    is_removed: bool,
}

impl Facts {
    /// As `shmctl` and /proc tell it.
    pub const fn mode(&self) -> u32 {
        self.rights.mode | if self.is_removed { REMOVED } else { 0 } | if self.is_locked { LOCKED } else { 0 }
    }
}

/// One segment as the table has it.
struct Segment {
    facts: Facts,
    hold: Hold,
}

static ALL: SpinLock<Keyed<Segment>, order::Keyed> = SpinLock::new(Keyed::new());

/// What `shmget` asks for.
#[derive(Clone, Copy)]
pub struct Wish {
    pub key: i32,
    pub bytes: u64,
    pub mode: u32,
    pub create: bool,
    pub exclusive: bool,
}

/// The number of the segment with this key, or of a new one.
pub fn find_or_make(cx: &TaskContext, who: &Credentials, process: i32, wish: Wish) -> Result<i32, Errno> {
    let mut all = ALL.lock(cx);
    let Some(number) = all.number_of(wish.key).filter(|_| wish.key != 0) else {
        if wish.key != 0 && !wish.create {
            return Err(Errno::ENOENT);
        }
        return make(&mut all, who, process, wish);
    };
    if wish.create && wish.exclusive {
        return Err(Errno::EEXIST);
    }
    let segment = all.get(number).ok_or(Errno::ENOENT)?;
    if wish.bytes > segment.facts.bytes {
        return Err(Errno::EINVAL);
    }
    if segment.facts.rights.allow(who, wish.mode) { Ok(number) } else { Err(Errno::EACCES) }
}

fn make(all: &mut Keyed<Segment>, who: &Credentials, process: i32, wish: Wish) -> Result<i32, Errno> {
    if wish.bytes == 0 || wish.bytes > MOST_BYTES.load() {
        return Err(Errno::EINVAL);
    }
    let pages = wish.bytes.div_ceil(4096);
    if all_pages().checked_add(pages).is_none_or(|pages| pages > MOST_PAGES.load()) {
        return Err(Errno::ENOSPC);
    }
    if pages > libkernel::memory::statistics().total {
        return Err(Errno::ENOMEM);
    }
    all.keep(|segment| !segment.hold.is_gone());
    let facts = |number| Facts {
        number,
        key: wish.key,
        rights: Rights::new(who, wish.mode),
        bytes: wish.bytes,
        changed_at: seconds(),
        maker: process,
        is_locked: false,
        is_removed: false,
    };
    let made =
        all.add(wish.key, MOST.load(), |number| Segment { facts: facts(number), hold: Hold::Own(Memory::new(wish.key, wish.bytes)) });
    made.ok_or(Errno::ENOSPC)
}

/// Which segment: by its number, or by its place in the list of all (for who lists them).
#[derive(Clone, Copy)]
pub enum Which {
    Number(i32),
    Place(u32),
}

/// What is at that place, with its memory.
fn find(all: &mut Keyed<Segment>, which: Which) -> Option<(&mut Segment, Arc<Memory>)> {
    let segment = match which {
        Which::Number(number) => all.get(number),
        Which::Place(place) => all.at(place),
    }?;
    let memory = segment.hold.memory()?;
    Some((segment, memory))
}

/// Does this with a segment that can still be had, with the table locked.
fn with<R>(cx: &TaskContext, which: Which, work: impl FnOnce(&mut Segment, &Arc<Memory>) -> Result<R, Errno>) -> Result<R, Errno> {
    let mut all = ALL.lock(cx);
    let Some((segment, memory)) = find(&mut all, which) else { return Err(Errno::EINVAL) };
    let answer = match which {
        _ if segment.hold.is_removed() && memory.uses().attached == 0 => Err(Errno::EINVAL),
        // Its place is another's by now.
        Which::Number(number) if number != segment.facts.number => Err(Errno::EINVAL),
        _ => work(segment, &memory),
    };
    if segment.hold.is_removed() {
        let (key, number) = (core::mem::take(&mut segment.facts.key), segment.facts.number);
        all.forget_key(key, number);
    }
    drop(all);
    drop(memory);
    answer
}

/// What is to be mapped.
pub fn attach(cx: &TaskContext, who: &Credentials, number: i32, wanted: u32) -> Result<Attaching, Errno> {
    with(cx, Which::Number(number), |segment, memory| {
        if !segment.facts.rights.allow(who, wanted) {
            return Err(Errno::EACCES);
        }
        Ok(Attaching::new(Arc::clone(memory), wanted & WRITE != 0))
    })
}

/// What is known about one, and how it is used.
pub fn facts(cx: &TaskContext, who: Option<&Credentials>, which: Which) -> Result<(Facts, Uses), Errno> {
    with(cx, which, |segment, memory| {
        if who.is_some_and(|who| !segment.facts.rights.allow(who, READ)) {
            return Err(Errno::EACCES);
        }
        Ok((segment.facts, memory.uses()))
    })
}

/// Changes what is known about it, if `who` may.
pub fn change(cx: &TaskContext, who: &Credentials, number: i32, change: impl FnOnce(&mut Facts)) -> Result<(), Errno> {
    with(cx, Which::Number(number), |segment, _| {
        if !segment.facts.rights.allow_control(who) {
            return Err(Errno::EPERM);
        }
        change(&mut segment.facts);
        Ok(())
    })
}

/// Nobody finds it by its key any more; it goes with its last region.
pub fn remove(cx: &TaskContext, who: &Credentials, number: i32) -> Result<(), Errno> {
    // The key goes with it, and the memory that `with` holds ends after the lock.
    with(cx, Which::Number(number), |segment, memory| {
        if !segment.facts.rights.allow_control(who) {
            return Err(Errno::EPERM);
        }
        segment.facts.is_removed = true;
        segment.hold = Hold::Removed(Arc::downgrade(memory));
        Ok(())
    })
}

/// All segments in the order of their places.
pub fn list(cx: &TaskContext) -> Vec<(u32, Facts, Uses)> {
    let mut list = Vec::new();
    let mut from = 0;
    // One at a time: the list may be long, and a lock is held for a moment only.
    while let Some(place) = next_place(cx, from) {
        if let Ok((facts, uses)) = facts(cx, None, Which::Place(place)) {
            list.push((place, facts, uses));
        }
        from = place + 1;
    }
    list
}

fn next_place(cx: &TaskContext, from: u32) -> Option<u32> {
    ALL.lock(cx).next_place(from)
}
