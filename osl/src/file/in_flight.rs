//! References to open files that files hold, rather than programs: on their way in a message, awaited by a port.
//!
//! Files that hold others are *keepers*. Those that hold each other in a circle, and that no program can reach, are found by
//! trial: of each keeper that another holds, the references that keepers hold are counted; one that has more is held from
//! outside, and so is all that it leads to. The rest let go of what they hold.
//!
//! Invariant: `MOVES` grows before a keeper is held by one more or by one less, and after a program got a reference from
//! where it is held; so if it stayed the same while all were counted, the counts belong together.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use libkernel::thread::current;
use sync::{Flag, Published, SpinLock, TaskContext, fence_full, order};

use super::open_file::OpenFile;

/// A keeper that is held by keepers, and how often.
struct Held {
    open: Weak<OpenFile>,
    times: usize,
}

static HELD: SpinLock<BTreeMap<usize, Held>, order::InFlight> = SpinLock::new(BTreeMap::new());
/// How many there are in it.
static NUMBER: Published<usize> = Published::<usize>::new(0);
static MOVES: Published<u64> = Published::<u64>::new(0);

/// Keepers that wait to be dropped, by the thread that drops them: one after the other, however deep they hold each other.
static GRAVES: SpinLock<BTreeMap<usize, Vec<Arc<OpenFile>>>, order::InFlight> = SpinLock::new(BTreeMap::new());

/// A thread is looking for what nobody can reach; another wants it done.
static SEARCHING: Flag = Flag::new(false);
static WANTED: Flag = Flag::new(false);
/// While others hold on moving keepers, a search gives up after so many tries.
const TRIES: usize = 16;

/// How many keepers may be looked at for each that was let go of since the last search: so a search costs no more than what made
/// it necessary.
static CREDIT: Published<usize> = Published::<usize>::new(0);
const WORTH_OF_CLOSE: usize = 64;
const WORTH_OF_END: usize = 1024;

/// An open file that a file holds.
pub struct InFlight(Option<Arc<OpenFile>>);

fn key(open: &Arc<OpenFile>) -> usize {
    Arc::as_ptr(open).addr()
}

impl InFlight {
    /// Holds it.
    pub fn new(open: Arc<OpenFile>) -> Self {
        if open.file().is_keeper() {
            let mut held = HELD.lock_without_context();
            MOVES.fetch_add(1);
            held.entry(key(&open)).or_insert_with(|| Held { open: Arc::downgrade(&open), times: 0 }).times += 1;
            NUMBER.store(held.len());
        }
        Self(Some(open))
    }

    /// The file.
    pub fn open(&self) -> Option<&Arc<OpenFile>> {
        self.0.as_ref()
    }

    /// One more reference to it, a program's own. Counts as a move: a search that has looked at this one before, and looks at
    /// the keeper only after the program has let go of it, would see both held from inside only.
    pub fn share(&self) -> Option<Arc<OpenFile>> {
        let open = self.0.clone()?;
        if open.file().is_keeper() {
            MOVES.fetch_add(1);
        }
        Some(open)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Some(open) = self.0.take() else { return };
        if !open.file().is_keeper() {
            return;
        }
        let mut held = HELD.lock_without_context();
        MOVES.fetch_add(1);
        let is_last = held.get_mut(&key(&open)).is_some_and(|held| {
            held.times -= 1;
            held.times == 0
        });
        let forgotten = if is_last { held.remove(&key(&open)) } else { None };
        NUMBER.store(held.len());
        drop(held);
        drop(forgotten);
        bury(open);
    }
}

/// Drops a keeper, and what it held, one after the other.
fn bury(open: Arc<OpenFile>) {
    let me = current::number();
    let mut graves = GRAVES.lock_without_context();
    if let Some(waiting) = graves.get_mut(&me) {
        waiting.push(open);
        return;
    }
    graves.insert(me, Vec::new());
    drop(graves);
    let mut next = Some(open);
    while let Some(open) = next {
        drop(open);
        let mut graves = GRAVES.lock_without_context();
        next = graves.get_mut(&me).and_then(Vec::pop);
        if next.is_none() {
            graves.remove(&me);
        }
    }
}

/// A program let go of a keeper: what nobody can reach any more goes too, at the latest after as many of these as make up for
/// the search.
pub fn collect_after_close(cx: &mut TaskContext) {
    collect_for(cx, WORTH_OF_CLOSE);
}

/// A program ends, and may let go of many.
pub fn collect_after_end(cx: &mut TaskContext) {
    collect_for(cx, WORTH_OF_END);
}

fn collect_for(cx: &mut TaskContext, worth: usize) {
    let number = NUMBER.load();
    if number > 0 && CREDIT.fetch_add(worth).saturating_add(worth) >= number {
        CREDIT.store(0);
        collect(cx);
    }
}

/// Lets go of what nobody can reach any more.
pub fn collect(cx: &mut TaskContext) {
    if NUMBER.load() == 0 {
        return;
    }
    WANTED.set();
    while WANTED.is_set() && SEARCHING.claim() {
        WANTED.clear();
        let lost = (0..TRIES).find_map(|_| search(cx)).unwrap_or_default();
        lost.iter().for_each(|open| open.file().let_go(cx));
        drop(lost);
        SEARCHING.clear();
    }
}

/// The keepers that nobody can reach; `None` when something moved meanwhile.
fn search(cx: &mut TaskContext) -> Option<Vec<Arc<OpenFile>>> {
    let before = MOVES.load();
    let keepers: Vec<Arc<OpenFile>> = HELD.lock(cx).values().filter_map(|held| held.open.upgrade()).collect();
    let places: BTreeMap<usize, usize> = keepers.iter().map(key).zip(0..).collect();
    let mut holds: Vec<Vec<usize>> = Vec::new();
    for keeper in &keepers {
        let mut held = Vec::new();
        keeper.file().for_each_held(cx, &mut |in_flight| held.extend(in_flight.open().and_then(|open| places.get(&key(open)))));
        holds.push(held);
    }
    // One of each is this search's own.
    let references: Vec<usize> = keepers.iter().map(|keeper| Arc::strong_count(keeper) - 1).collect();
    fence_full();
    let lost = unreachable(&holds, &references);
    if MOVES.load() != before {
        return None;
    }
    Some(keepers.into_iter().zip(lost).filter_map(|(keeper, is_lost)| is_lost.then_some(keeper)).collect())
}

/// Which of them nobody can reach: pure. `holds` says whom each one holds, `references` how many references each one has.
fn unreachable(holds: &[Vec<usize>], references: &[usize]) -> Vec<bool> {
    let mut from_inside = alloc::vec![0; references.len()];
    for &held in holds.iter().flatten() {
        if let Some(count) = from_inside.get_mut(held) {
            *count += 1;
        }
    }
    let mut lost: Vec<bool> = references.iter().zip(&from_inside).map(|(all, inside)| all <= inside).collect();
    let mut reached: Vec<usize> = (0..).zip(&lost).filter_map(|(place, lost): (usize, _)| (!lost).then_some(place)).collect();
    while let Some(place) = reached.pop() {
        for &held in holds.get(place).into_iter().flatten() {
            if let Some(lost) = lost.get_mut(held).filter(|lost| **lost) {
                *lost = false;
                reached.push(held);
            }
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_circle_is_lost_when_nobody_outside_holds_one_of_it() {
        let circle = [vec![1], vec![2], vec![0]];
        assert_eq!(unreachable(&circle, &[1, 1, 1]), [true; 3]);
        assert_eq!(unreachable(&circle, &[1, 2, 1]), [false; 3], "one is a program's too");
    }

    #[test]
    fn what_a_circle_holds_is_lost_with_it_and_what_a_program_reaches_is_not() {
        // 0 holds itself and 1; 2, a program's, holds 3.
        let holds = [vec![0, 1], vec![], vec![3], vec![]];
        assert_eq!(unreachable(&holds, &[1, 1, 2, 1]), [true, true, false, false]);
    }

    #[test]
    fn a_reference_that_is_in_no_keeper_keeps_alive() {
        // On its way from one message to a descriptor, it is counted nowhere.
        assert_eq!(unreachable(&[vec![]], &[1]), [false]);
    }
}
