//! Where the two threads of a ping-pong run, and through what a wake goes.

use crate::system::{address, call, cpus_online, must};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Both on one CPU, which one may hand to the other.
    Donated,
    /// Both on one CPU, and as `SCHED_BATCH`: a wake puts the other into the CPU's queue, never before it.
    Queued,
    /// As `Donated`, with a third thread that wants the same CPU all the time.
    DonatedBusy,
    /// As `Queued`, with such a third thread.
    QueuedBusy,
    /// Each on a CPU of its own.
    Cross,
    /// Wherever the kernel puts them.
    Free,
    /// The same, but as `SCHED_BATCH`: every wake goes through the queue of the CPU that the kernel chooses for it.
    FreeQueued,
}

pub const ALL: [Placement; 7] = [
    Placement::Donated,
    Placement::Queued,
    Placement::DonatedBusy,
    Placement::QueuedBusy,
    Placement::Cross,
    Placement::Free,
    Placement::FreeQueued,
];

impl Placement {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Donated => "donated",
            Self::Queued => "queued",
            Self::DonatedBusy => "donated-busy",
            Self::QueuedBusy => "queued-busy",
            Self::Cross => "cross",
            Self::Free => "free",
            Self::FreeQueued => "free-queued",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|placement| placement.name() == name)
    }

    /// Can the two be placed so on this machine?
    pub fn is_possible(self) -> bool {
        self != Self::Cross || cpus_online() > 1
    }

    pub const fn is_busy(self) -> bool {
        matches!(self, Self::DonatedBusy | Self::QueuedBusy)
    }

    /// Places the calling thread, the first or the second of the two.
    pub fn enter(self, second: bool) {
        let cpus: u64 = match self {
            Self::Free | Self::FreeQueued => 0,
            Self::Cross if second => 2,
            _ => 1,
        };
        if cpus != 0 {
            must("sched_setaffinity", call(libc::SYS_sched_setaffinity, [0, 8, address(&cpus), 0, 0, 0]));
        }
        if matches!(self, Self::Queued | Self::QueuedBusy | Self::FreeQueued) {
            let priority = 0_i32;
            must("sched_setscheduler", call(libc::SYS_sched_setscheduler, [0, libc::SCHED_BATCH as u64, address(&priority), 0, 0, 0]));
        }
    }
}
