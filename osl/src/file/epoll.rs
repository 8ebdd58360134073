//! epoll: a set of files, and which of them are ready.
//!
//! Invariant: the set holds no file open: one that is closed everywhere leaves it by itself.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::ops::Bound;

use abi::Errno;
use abi::constant::{EPOLLERR, EPOLLET, EPOLLEXCLUSIVE, EPOLLHUP, EPOLLONESHOT, EPOLLWAKEUP};
use abi::poll::EpollEvent;
use libkernel::census::{Census, Counted};
use libkernel::wait::WaitQueue;
use sync::{IrqOff, Published, SpinLock, TaskContext, order};

use super::event::anonymous_attributes;
use super::file::{File, Queues};
use super::open_file::OpenFile;
use super::readiness::Readiness;
use super::watch;
use crate::error::errno;
use crate::fs::Attributes;
use libkernel::error::KernelError;

/// Bits that say how, not what for.
const MANNER: u32 = EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP;

/// A descriptor and the opening that it meant when it was added.
type Key = (i32, usize);

#[derive(Clone)]
struct Interest {
    open: Weak<OpenFile>,
    events: u32,
    data: u64,
    /// Edge-triggered: what was reported last, and the file's count of events then.
    reported: (u16, u64),
    is_spent: bool,
}

/// What is watched; pure.
#[derive(Default)]
struct Interests {
    all: BTreeMap<Key, Interest>,
    /// Who was told of last: the next look begins behind it, so that those who are always ready hide nobody
    /// (`man 2 epoll_wait`, "round robin").
    told_last: Option<Key>,
}

/// Sets of watched files.
pub static LIVING: Census = Census::new("epoll sets");

/// A set of watched files.
pub struct EventSet {
    _counted: Counted,
    interests: SpinLock<Interests, order::Poll>,
    /// How often a file was added or is watched again.
    joined: Published<u64>,
    changed: WaitQueue,
}

fn key(fd: i32, open: &Arc<OpenFile>) -> Key {
    (fd, Arc::as_ptr(open).addr())
}

impl Default for EventSet {
    fn default() -> Self {
        Self::new()
    }
}

impl EventSet {
    /// A set that watches nothing.
    pub fn new() -> Self {
        Self {
            _counted: LIVING.count(),
            interests: SpinLock::new(Interests::default()),
            joined: Published::<u64>::new(0),
            changed: WaitQueue::named("a watched file"),
        }
    }

    /// Adds a file.
    pub fn add(&self, cx: &TaskContext, fd: i32, open: &Arc<OpenFile>, event: EpollEvent) -> Result<(), Errno> {
        let mut interests = self.interests.lock(cx);
        interests.all.retain(|_, interest| interest.open.strong_count() > 0);
        if interests.all.contains_key(&key(fd, open)) {
            return Err(Errno::EEXIST);
        }
        interests.all.insert(key(fd, open), Interest::new(open, event));
        drop(interests);
        self.wake();
        Ok(())
    }

    /// Watches a file for something else.
    pub fn modify(&self, cx: &TaskContext, fd: i32, open: &Arc<OpenFile>, event: EpollEvent) -> Result<(), Errno> {
        let mut interests = self.interests.lock(cx);
        let interest = interests.all.get_mut(&key(fd, open)).ok_or(Errno::ENOENT)?;
        if interest.events & EPOLLEXCLUSIVE != 0 {
            return Err(Errno::EINVAL);
        }
        let before = core::mem::replace(interest, Interest::new(open, event));
        drop(interests);
        drop(before);
        self.wake();
        Ok(())
    }

    /// Watches a file no longer.
    pub fn remove(&self, cx: &TaskContext, fd: i32, open: &Arc<OpenFile>) -> Result<(), Errno> {
        let gone = self.interests.lock(cx).all.remove(&key(fd, open));
        gone.map(|_| ()).ok_or(Errno::ENOENT)
    }

    fn wake(&self) {
        self.joined.fetch_add(1);
        self.changed.wake_all(&IrqOff::new());
    }

    fn snapshot(&self, cx: &TaskContext) -> Vec<(Key, Arc<OpenFile>, Interest)> {
        let interests = self.interests.lock(cx);
        let after = interests.told_last.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = interests.all.range((after, Bound::Unbounded));
        let before = interests.told_last.into_iter().flat_map(|last| interests.all.range(..=last));
        let living = behind.chain(before).filter(|(_, interest)| !interest.is_spent);
        living.filter_map(|(&key, interest)| Some((key, interest.open.upgrade()?, interest.clone()))).collect()
    }

    /// The events that are there now, at most `most`; taken, so that edges and one-shots are not told twice.
    fn take_ready(&self, cx: &mut TaskContext, most: usize) -> Vec<EpollEvent> {
        let mut events = Vec::new();
        for (key, open, _) in self.snapshot(cx) {
            if events.len() == most {
                break;
            }
            // In this order: what comes after the count was read is told the next time.
            let count = open.file().events();
            let ready = open.file().readiness(cx);
            events.extend(self.tell(cx, key, ready, count));
        }
        events
    }

    /// What of this is to be told, and by this call alone: others may have looked at the same time.
    fn tell(&self, cx: &TaskContext, key: Key, ready: Readiness, count: u64) -> Option<EpollEvent> {
        let mut interests = self.interests.lock(cx);
        let interest = interests.all.get_mut(&key)?;
        let (told, data) = (interest.tell(ready, count), interest.data);
        if told == 0 {
            return None;
        }
        interests.told_last = Some(key);
        Some(EpollEvent { events: u32::from(told), data })
    }

    /// Waits until there are events; none when the time is over.
    pub fn wait(self_open: &Arc<OpenFile>, cx: &mut TaskContext, most: usize, deadline: Option<u64>) -> Result<Vec<EpollEvent>, Errno> {
        let set = self_open.file().as_any().downcast_ref::<Self>().ok_or(Errno::EINVAL)?;
        let look = |cx: &mut TaskContext| {
            let events = set.take_ready(cx, most);
            (!events.is_empty()).then_some(events)
        };
        match watch::wait(cx, core::slice::from_ref(self_open), deadline, look) {
            Ok(events) => Ok(events),
            Err(KernelError::TimedOut) => Ok(Vec::new()),
            Err(error) => Err(errno(error)),
        }
    }
}

impl Interest {
    fn new(open: &Arc<OpenFile>, event: EpollEvent) -> Self {
        let events = (event.events & (MANNER | 0xffff)) | EPOLLERR | EPOLLHUP;
        Self { open: Arc::downgrade(open), events, data: event.data, reported: (0, 0), is_spent: false }
    }

    /// What is told: level-triggered all that is ready; edge-triggered only after something happened since the last time.
    fn tells(&self, ready: Readiness, count: u64) -> u16 {
        let ready = ready.answer(u16::try_from(self.events & 0xffff).unwrap_or(0));
        let is_edge = self.events & EPOLLET != 0;
        let happened = ready & !self.reported.0 != 0 || count > self.reported.1;
        if self.is_spent || is_edge && !happened { 0 } else { ready }
    }

    /// The same, and notes that it was told.
    fn tell(&mut self, ready: Readiness, count: u64) -> u16 {
        let told = self.tells(ready, count);
        let wanted = u16::try_from(self.events & 0xffff).unwrap_or(0);
        self.reported = (ready.answer(wanted), count.max(self.reported.1));
        self.is_spent |= told != 0 && self.events & EPOLLONESHOT != 0;
        told
    }
}

impl File for EventSet {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn attributes(&self, _cx: &mut TaskContext) -> Result<Attributes, Errno> {
        Ok(anonymous_attributes())
    }

    fn readiness(&self, cx: &mut TaskContext) -> Readiness {
        for (_, open, interest) in self.snapshot(cx) {
            let count = open.file().events();
            if interest.tells(open.file().readiness(cx), count) != 0 {
                return Readiness::READ;
            }
        }
        Readiness::empty()
    }

    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.changed])
    }

    fn members(&self, cx: &mut TaskContext) -> Vec<Arc<OpenFile>> {
        self.snapshot(cx).into_iter().map(|(_, open, _)| open).collect()
    }

    fn membership(&self) -> u64 {
        self.joined.load()
    }

    fn label(&self) -> Option<String> {
        Some(String::from("anon_inode:[eventpoll]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Credentials;
    use crate::file::event::EventCounter;
    use abi::constant::EPOLLIN;

    fn interest(events: u32) -> Interest {
        let file = Arc::new(EventCounter::new(0, false));
        let open = OpenFile::new(file, 0, None, Arc::new(Credentials::root()));
        Interest::new(&open, EpollEvent { events, data: 0 })
    }

    #[test]
    fn a_level_is_told_again_and_an_edge_only_after_a_new_event() {
        let ready = Readiness::READ;
        let level = Interest { reported: (1, 5), ..interest(EPOLLIN) };
        assert_eq!(level.tells(ready, 5), 1);
        let edge = Interest { reported: (1, 5), ..interest(EPOLLIN | EPOLLET) };
        assert_eq!(edge.tells(ready, 5), 0);
        assert_eq!(edge.tells(ready, 6), 1);
        let was_not_ready = Interest { reported: (0, 5), ..edge };
        assert_eq!(was_not_ready.tells(ready, 5), 1);
    }

    #[test]
    fn of_two_that_look_at_once_one_is_told_of_an_edge_or_of_a_single_shot() {
        for manner in [EPOLLET, EPOLLONESHOT] {
            let mut interest = interest(EPOLLIN | manner);
            let told = [5, 4].map(|count| interest.tell(Readiness::READ, count));
            assert_eq!(told, [1, 0], "{manner:x}");
        }
    }
}
