//! Who may change whose scheduling, and what a wanted scheduling must look like.
//!
//! Invariant: pure; without privilege nobody gets ahead of what the limits on nice and real-time priority grant.

use abi::Errno;
use abi::process::policy;

use crate::credentials::Credentials;

/// Scheduling in Linux's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `SCHED_*` without the reset flag.
    pub policy: u32,
    /// -20 to 19, for the policies without priority.
    pub nice: i32,
    /// 1 to 99 for FIFO and RR, else 0.
    pub priority: u32,
    /// Children start with ordinary scheduling.
    pub reset_on_fork: bool,
}

/// What the caller may use up without privilege.
#[derive(Clone, Copy, Debug)]
pub struct Grants {
    /// `RLIMIT_NICE`: lowest nice is 20 minus this.
    pub nice: u64,
    /// `RLIMIT_RTPRIO`.
    pub priority: u64,
}

/// FIFO and RR.
pub fn is_real_time(policy: u32) -> bool {
    matches!(policy, policy::FIFO | policy::ROUND_ROBIN)
}

/// Lowest and highest priority of a policy.
pub fn priorities(policy: u32) -> Result<(u32, u32), Errno> {
    match policy {
        policy::FIFO | policy::ROUND_ROBIN => Ok((1, 99)),
        policy::OTHER | policy::BATCH | policy::IDLE | policy::DEADLINE => Ok((0, 0)),
        _ => Err(Errno::EINVAL),
    }
}

/// Checks that policy and priority go together; the deadline policy is not there.
pub fn is_valid(wanted: &Wanted) -> Result<(), Errno> {
    if wanted.policy == policy::DEADLINE {
        return Err(Errno::EINVAL);
    }
    let (lowest, highest) = priorities(wanted.policy)?;
    if (lowest..=highest).contains(&wanted.priority) { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Whether the nice value may be lowered so far.
pub fn may_be_nice(nice: i32, grants: Grants) -> bool {
    i64::from(20 - nice) <= i64::try_from(grants.nice).unwrap_or(i64::MAX)
}

/// Whether `who` may act on threads of `owner` at all.
pub fn owns(who: &Credentials, owner: &Credentials) -> bool {
    who.is_privileged() || who.euid == owner.uid || who.euid == owner.euid
}

/// Whether an owner without privilege may go from `now` to `wanted`.
pub fn may_change(now: &Wanted, wanted: &Wanted, grants: Grants) -> Result<(), Errno> {
    if is_real_time(wanted.policy) {
        if wanted.policy != now.policy && grants.priority == 0 {
            return Err(Errno::EPERM);
        }
        if wanted.priority > now.priority && u64::from(wanted.priority) > grants.priority {
            return Err(Errno::EPERM);
        }
    } else if wanted.nice < now.nice && !may_be_nice(wanted.nice, grants) {
        return Err(Errno::EPERM);
    }
    let leaves_idle = now.policy == policy::IDLE && wanted.policy != policy::IDLE;
    if leaves_idle && !may_be_nice(now.nice, grants) {
        return Err(Errno::EPERM);
    }
    if now.reset_on_fork && !wanted.reset_on_fork {
        return Err(Errno::EPERM);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDINARY: Wanted = Wanted { policy: policy::OTHER, nice: 0, priority: 0, reset_on_fork: false };
    const NOTHING: Grants = Grants { nice: 0, priority: 0 };

    #[test]
    fn real_time_needs_a_grant_as_high_as_the_priority() {
        let wanted = Wanted { policy: policy::FIFO, priority: 10, ..ORDINARY };
        assert_eq!(may_change(&ORDINARY, &wanted, NOTHING), Err(Errno::EPERM));
        assert_eq!(may_change(&ORDINARY, &wanted, Grants { nice: 0, priority: 9 }), Err(Errno::EPERM));
        assert_eq!(may_change(&ORDINARY, &wanted, Grants { nice: 0, priority: 10 }), Ok(()));
    }

    #[test]
    fn being_nicer_is_always_allowed_and_less_nice_is_not() {
        assert_eq!(may_change(&ORDINARY, &Wanted { nice: 19, ..ORDINARY }, NOTHING), Ok(()));
        assert_eq!(may_change(&ORDINARY, &Wanted { nice: -1, ..ORDINARY }, NOTHING), Err(Errno::EPERM));
        assert!(may_be_nice(-5, Grants { nice: 25, priority: 0 }));
        assert!(!may_be_nice(-6, Grants { nice: 25, priority: 0 }));
    }

    #[test]
    fn an_ordinary_policy_has_no_priority_and_a_real_time_one_must() {
        assert_eq!(is_valid(&Wanted { priority: 1, ..ORDINARY }), Err(Errno::EINVAL));
        assert_eq!(is_valid(&Wanted { policy: policy::ROUND_ROBIN, ..ORDINARY }), Err(Errno::EINVAL));
        assert_eq!(is_valid(&Wanted { policy: policy::FIFO, priority: 99, ..ORDINARY }), Ok(()));
        assert_eq!(is_valid(&Wanted { policy: 77, ..ORDINARY }), Err(Errno::EINVAL));
    }

    #[test]
    fn idle_is_not_left_without_a_grant() {
        let idle = Wanted { policy: policy::IDLE, ..ORDINARY };
        assert_eq!(may_change(&idle, &ORDINARY, NOTHING), Err(Errno::EPERM));
        assert_eq!(may_change(&idle, &ORDINARY, Grants { nice: 20, priority: 0 }), Ok(()));
    }

    #[test]
    fn a_stranger_owns_nothing() {
        assert!(!owns(&Credentials::of(1000, 100), &Credentials::of(1001, 100)));
        assert!(owns(&Credentials::of(0, 0), &Credentials::of(1001, 100)));
        let set_user = Credentials { uid: 1000, ..Credentials::of(0, 0) };
        assert!(owns(&Credentials::of(1000, 100), &set_user));
    }
}
