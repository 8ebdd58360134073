//! How a thread shares CPUs with others: policy, nice value, priority.
//!
//! Invariant: the numbers in a `Standing` are changed only under the lock of the run queue that the thread is on,
//! or by whoever has it in hand; reading one elsewhere is a guess.

use crate::error::KernelError;
use sync::Counter;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Policy {
    /// Shares CPU time by weight.
    Fair = 0,
    /// As `Fair`, and never interrupts another for having woken up.
    Batch = 1,
    /// As `Fair`, with hardly any weight.
    Idle = 2,
    /// Real time: runs until it sleeps or someone of higher priority comes.
    Fifo = 3,
    /// Real time: as `Fifo`, in turns among equals.
    RoundRobin = 4,
}

impl Policy {
    pub const fn is_real_time(self) -> bool {
        matches!(self, Policy::Fifo | Policy::RoundRobin)
    }

    const fn from_code(code: u8) -> Policy {
        match code {
            1 => Policy::Batch,
            2 => Policy::Idle,
            3 => Policy::Fifo,
            4 => Policy::RoundRobin,
            _ => Policy::Fair,
        }
    }
}

pub const LOWEST_PRIORITY: u8 = 1;
pub const HIGHEST_PRIORITY: u8 = 99;
/// The weight of nice 0.
pub const NORMAL_WEIGHT: u64 = 1024;
const IDLE_WEIGHT: u64 = 3;

/// Each step of nice is a quarter more or a fifth less; from nice -20 to 19.
const WEIGHTS: [u64; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024,
    820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scheduling {
    pub policy: Policy,
    /// -20 (most) to 19 (least); for fair policies.
    pub nice: i8,
    /// 1 to 99 (most); 0 for fair policies.
    pub priority: u8,
}

impl Scheduling {
    pub const NORMAL: Scheduling = Scheduling { policy: Policy::Fair, nice: 0, priority: 0 };

    /// Checked, as it may come from a program.
    pub const fn new(policy: Policy, nice: i8, priority: u8) -> Result<Self, KernelError> {
        let priority_fits = if policy.is_real_time() { priority >= LOWEST_PRIORITY && priority <= HIGHEST_PRIORITY } else { priority == 0 };
        if priority_fits && nice >= -20 && nice <= 19 { Ok(Scheduling { policy, nice, priority }) } else { Err(KernelError::Invalid) }
    }

    pub fn weight(self) -> u64 {
        match self.policy {
            Policy::Idle => IDLE_WEIGHT,
            _ => WEIGHTS.get((i32::from(self.nice) + 20) as usize).copied().unwrap_or(NORMAL_WEIGHT),
        }
    }

    /// The one of two that gets a CPU sooner.
    pub fn stronger(self, other: Self) -> Self {
        let strength = |one: Self| (one.policy.is_real_time(), one.priority, one.weight());
        if strength(other) > strength(self) { other } else { self }
    }

    const fn to_word(self) -> u64 {
        self.policy as u64 | (self.nice as u8 as u64) << 8 | (self.priority as u64) << 16
    }

    const fn from_word(word: u64) -> Self {
        Scheduling { policy: Policy::from_code(word as u8), nice: (word >> 8) as u8 as i8, priority: (word >> 16) as u8 }
    }
}

impl Default for Scheduling {
    fn default() -> Self {
        Scheduling::NORMAL
    }
}

/// In place of a lent scheduling: there is none.
const NOTHING_LENT: u64 = u64::MAX;

/// Where a thread stands in a run queue.
pub(crate) struct Standing {
    wanted: Counter,
    /// What others, who wait for the thread, have lent it.
    lent: Counter,
    counted: Counter,
    virtual_runtime: Counter,
    virtual_deadline: Counter,
    lag: Counter,
    slice_left: Counter,
}

impl Standing {
    pub(crate) const fn new(scheduling: Scheduling) -> Self {
        Standing {
            wanted: Counter::new(scheduling.to_word()),
            lent: Counter::new(NOTHING_LENT),
            counted: Counter::new(scheduling.to_word()),
            virtual_runtime: Counter::new(0),
            virtual_deadline: Counter::new(0),
            lag: Counter::new(0),
            slice_left: Counter::new(0),
        }
    }

    /// What the thread has asked for.
    pub(crate) fn wanted(&self) -> Scheduling {
        Scheduling::from_word(self.wanted.get())
    }

    /// What the thread is to have from the next time on that it enters a queue: what it asked for, or was lent.
    pub(crate) fn effective(&self) -> Scheduling {
        match self.lent.get() {
            NOTHING_LENT => self.wanted(),
            lent => self.wanted().stronger(Scheduling::from_word(lent)),
        }
    }

    pub(crate) fn lend(&self, scheduling: Option<Scheduling>) {
        self.lent.set(scheduling.map_or(NOTHING_LENT, Scheduling::to_word));
    }

    pub(crate) fn want(&self, scheduling: Scheduling) {
        self.wanted.set(scheduling.to_word());
    }

    /// What the queue that it is on counts it as.
    pub(crate) fn counted(&self) -> Scheduling {
        Scheduling::from_word(self.counted.get())
    }

    pub(crate) fn count_as_effective(&self) {
        self.counted.set(self.effective().to_word());
    }

    pub(crate) fn virtual_runtime(&self) -> i64 {
        self.virtual_runtime.get().cast_signed()
    }

    pub(crate) fn set_virtual_runtime(&self, value: i64) {
        self.virtual_runtime.set(value.cast_unsigned());
    }

    pub(crate) fn virtual_deadline(&self) -> i64 {
        self.virtual_deadline.get().cast_signed()
    }

    pub(crate) fn set_virtual_deadline(&self, value: i64) {
        self.virtual_deadline.set(value.cast_unsigned());
    }

    /// What the queue that it left owes it, in virtual nanoseconds; negative when it had too much.
    pub(crate) fn lag(&self) -> i64 {
        self.lag.get().cast_signed()
    }

    pub(crate) fn set_lag(&self, value: i64) {
        self.lag.set(value.cast_unsigned());
    }

    /// Nanoseconds left of a round-robin turn.
    pub(crate) fn slice_left(&self) -> u64 {
        self.slice_left.get()
    }

    pub(crate) fn set_slice_left(&self, nanoseconds: u64) {
        self.slice_left.set(nanoseconds);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduling_survives_its_word() {
        for nice in -20..20 {
            let scheduling = Scheduling { policy: Policy::RoundRobin, nice, priority: 99 };
            assert_eq!(Scheduling::from_word(scheduling.to_word()), scheduling);
        }
    }

    #[test]
    fn each_step_of_nice_is_about_a_quarter() {
        for pair in WEIGHTS.windows(2) {
            let percent = pair[0] * 100 / pair[1];
            assert!((119..=131).contains(&percent), "{pair:?}");
        }
        assert_eq!(Scheduling::NORMAL.weight(), NORMAL_WEIGHT);
    }

    #[test]
    fn what_is_lent_counts_only_while_it_is_stronger() {
        let fair = |nice| Scheduling { nice, ..Scheduling::NORMAL };
        let fifo = |priority| Scheduling { policy: Policy::Fifo, nice: 0, priority };
        let standing = Standing::new(fair(5));
        standing.lend(Some(fair(0)));
        assert_eq!(standing.effective(), fair(0));
        standing.lend(Some(fair(9)));
        assert_eq!(standing.effective(), fair(5));
        standing.lend(Some(fifo(1)));
        assert_eq!((standing.effective(), standing.wanted()), (fifo(1), fair(5)));
        standing.want(fifo(7));
        assert_eq!(standing.effective(), fifo(7));
        standing.lend(None);
        assert_eq!(standing.effective(), fifo(7));
    }

    #[test]
    fn priorities_and_nice_values_out_of_range_are_refused() {
        assert!(Scheduling::new(Policy::Fifo, 0, 0).is_err());
        assert!(Scheduling::new(Policy::Fifo, 0, 100).is_err());
        assert!(Scheduling::new(Policy::Fair, 0, 1).is_err());
        assert!(Scheduling::new(Policy::Fair, 20, 0).is_err());
        assert!(Scheduling::new(Policy::Fair, -21, 0).is_err());
        assert!(Scheduling::new(Policy::RoundRobin, -20, 99).is_ok());
    }
}
