//! What a bucket does for those in it.

use super::*;

struct Sleeper {
    place: Published<usize>,
    woken: Flag,
    for_lock: bool,
}

impl Waits for Sleeper {
    type Lock = ();

    fn place(&self) -> &Published<usize> {
        &self.place
    }

    fn woken(&self) -> &Flag {
        &self.woken
    }

    fn is_for_lock(&self) -> bool {
        self.for_lock
    }

    fn claims(&self, lock: Key) -> bool {
        self.for_lock && lock == OTHER
    }
}

fn all_to(to: Key, limit: usize, end: u64) -> Move {
    Move { from: WORD, to, limit, end, to_lock: false }
}

const WORD: Key = Key { memory: 0, offset: 4 };
const OTHER: Key = Key { memory: 0, offset: 8 };

fn empty() -> Bucket<Sleeper> {
    Bucket { entries: VecDeque::new(), arrivals: 0, locks: Vec::new() }
}

fn add(bucket: &mut Bucket<Sleeper>, key: Key, bits: u32, priority: u8) -> Arc<Sleeper> {
    let sleeper = Arc::new(Sleeper { place: Published::<usize>::new(0), woken: Flag::new(false), for_lock: false });
    bucket.insert(Entry::new(key, bits, priority, sleeper.clone()));
    sleeper
}

fn woken(bucket: &mut Bucket<Sleeper>, bits: u32, limit: usize) -> usize {
    let (mut batch, end) = (Batch::new(), bucket.end());
    assert_eq!(bucket.take((WORD, bits), limit, end, &mut batch), Ok(()));
    assert!(batch.iter().all(|sleeper| sleeper.woken.is_set()));
    batch.len()
}

#[test]
fn a_wake_takes_the_longest_waiting_of_its_word_only() {
    let mut bucket = empty();
    let other = add(&mut bucket, OTHER, 1, 0);
    let first = add(&mut bucket, WORD, 1, 0);
    let second = add(&mut bucket, WORD, 1, 0);
    assert_eq!(woken(&mut bucket, u32::MAX, 1), 1);
    assert!(first.woken.is_set() && !second.woken.is_set() && !other.woken.is_set());
}

#[test]
fn a_higher_priority_is_woken_before_a_longer_wait() {
    let mut bucket = empty();
    let low = add(&mut bucket, WORD, 1, 1);
    let high = add(&mut bucket, WORD, 1, 9);
    assert_eq!(woken(&mut bucket, 1, 1), 1);
    assert!(high.woken.is_set() && !low.woken.is_set());
}

#[test]
fn bits_choose_among_waiters() {
    let mut bucket = empty();
    let one = add(&mut bucket, WORD, 0b01, 0);
    let two = add(&mut bucket, WORD, 0b10, 0);
    assert_eq!(woken(&mut bucket, 0b10, usize::MAX), 1);
    assert!(!one.woken.is_set() && two.woken.is_set());
}

#[test]
fn a_plain_wake_is_refused_where_someone_waits_for_a_lock() {
    let mut bucket = empty();
    let sleeper = Sleeper { place: Published::<usize>::new(0), woken: Flag::new(false), for_lock: true };
    bucket.insert(Entry::new(WORD, 1, 0, Arc::new(sleeper)));
    assert_eq!(bucket.take((WORD, 1), 1, 9, &mut Batch::new()), Err(Refused::ForLock));
    assert_eq!(bucket.rename(all_to(OTHER, 1, 9)), (0, Err(Refused::ForLock)));
    let to_lock = |to| Move { to_lock: true, ..all_to(to, 1, 9) };
    assert_eq!(bucket.rename(to_lock(WORD)), (0, Err(Refused::ForLock)), "it claims another");
    assert_eq!(bucket.rename(to_lock(OTHER)), (1, Ok(())));
}

#[test]
fn who_moves_goes_behind_those_who_wait_already_and_names_its_new_bucket() {
    let (mut source, mut target) = (empty(), empty());
    let there = add(&mut target, OTHER, 1, 0);
    let moved = add(&mut source, WORD, 1, 0);
    let stays = add(&mut source, WORD, 1, 0);
    let end = source.end();
    let line = Line::new();
    assert_eq!(line.receive(&mut source, &mut target, 7, all_to(OTHER, 1, end)), (1, Ok(())));
    assert!(line.may_have_waiters(), "who came is counted before the bucket is unlocked");
    assert_eq!((moved.place.load(), stays.place.load()), (7, 0));
    let order: Vec<_> = target.waiting(OTHER).map(|entry| entry.waiter.clone()).collect();
    assert!(Arc::ptr_eq(&order[0], &there) && Arc::ptr_eq(&order[1], &moved));
    assert_eq!(source.waiting(WORD).count(), 1);
}

#[test]
fn renaming_to_the_same_word_counts_each_waiter_once() {
    let mut bucket = empty();
    add(&mut bucket, WORD, 1, 0);
    add(&mut bucket, WORD, 1, 0);
    let end = bucket.end();
    assert_eq!(bucket.rename(all_to(WORD, usize::MAX, end)), (2, Ok(())));
    assert_eq!(bucket.waiting(WORD).count(), 2);
}

#[test]
fn a_wake_of_many_takes_those_who_were_there_when_it_began() {
    let mut bucket = empty();
    let sleepers: Vec<_> = (0..40).map(|_| add(&mut bucket, WORD, 1, 0)).collect();
    let end = bucket.end();
    let late = add(&mut bucket, WORD, 1, 0);
    let mut count = 0;
    loop {
        let mut batch = Batch::new();
        bucket.take((WORD, 1), usize::MAX, end, &mut batch).unwrap();
        count += batch.len();
        if !batch.is_full() {
            break;
        }
    }
    assert_eq!(count, 40);
    assert!(sleepers.iter().all(|sleeper| sleeper.woken.is_set()) && !late.woken.is_set());
}
