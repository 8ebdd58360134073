//! Resource limits of a process.
//!
//! Invariant: a soft limit is never above its hard limit.

use abi::Errno;
use abi::process::{Rlimit, UNLIMITED, limit};

/// One soft and one hard limit for each resource.
#[derive(Clone, Debug)]
pub struct Limits([Rlimit; limit::COUNT]);

const STACK_BYTES: u64 = 8 << 20;
const OPEN_FILES: u64 = 1024;
const OPEN_FILES_HARD: u64 = 4096;
const LOCKED_BYTES: u64 = 8 << 20;
const MESSAGE_BYTES: u64 = 819_200;

impl Limits {
    /// What the first process starts with. `tasks` bounds threads and queued signals of one user.
    pub fn first(tasks: u64) -> Self {
        let both = |value| Rlimit { soft: value, hard: value };
        let mut limits = [both(UNLIMITED); limit::COUNT];
        let mut set = |number: u32, soft: u64, hard: u64| {
            if let Some(place) = usize::try_from(number).ok().and_then(|number| limits.get_mut(number)) {
                *place = Rlimit { soft, hard };
            }
        };
        set(limit::STACK, STACK_BYTES, UNLIMITED);
        set(limit::CORE, 0, UNLIMITED);
        set(limit::PROCESSES, tasks, tasks);
        set(limit::FILES, OPEN_FILES, OPEN_FILES_HARD);
        set(limit::LOCKED_MEMORY, LOCKED_BYTES, LOCKED_BYTES);
        set(limit::PENDING_SIGNALS, tasks, tasks);
        set(limit::MESSAGE_QUEUE, MESSAGE_BYTES, MESSAGE_BYTES);
        set(limit::NICE, 0, 0);
        set(limit::REAL_TIME_PRIORITY, 0, 0);
        Self(limits)
    }

    /// The limit with this number.
    pub fn get(&self, number: u32) -> Option<Rlimit> {
        self.0.get(usize::try_from(number).ok()?).copied()
    }

    /// Sets a limit. Only a privileged caller may raise a hard one.
    pub fn set(&mut self, number: u32, new: Rlimit, privileged: bool) -> Result<(), Errno> {
        let place = usize::try_from(number).ok().and_then(|number| self.0.get_mut(number)).ok_or(Errno::EINVAL)?;
        if new.soft > new.hard {
            return Err(Errno::EINVAL);
        }
        if new.hard > place.hard && !privileged {
            return Err(Errno::EPERM);
        }
        *place = new;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soft_limit_above_the_hard_one_is_refused() {
        let mut limits = Limits::first(100);
        assert_eq!(limits.set(limit::STACK, Rlimit { soft: 2, hard: 1 }, true), Err(Errno::EINVAL));
    }

    #[test]
    fn only_the_privileged_raise_a_hard_limit() {
        let mut limits = Limits::first(100);
        let more = Rlimit { soft: 200, hard: 200 };
        assert_eq!(limits.set(limit::PROCESSES, more, false), Err(Errno::EPERM));
        assert_eq!(limits.set(limit::PROCESSES, more, true), Ok(()));
        assert_eq!(limits.get(limit::PROCESSES), Some(more));
    }

    #[test]
    fn a_limit_that_does_not_exist_is_invalid() {
        let mut limits = Limits::first(100);
        assert_eq!(limits.get(16), None);
        assert_eq!(limits.set(16, Rlimit { soft: 0, hard: 0 }, true), Err(Errno::EINVAL));
    }
}
