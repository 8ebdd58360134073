//! What /proc shows of one task, as plain figures taken at one moment.
//!
//! Invariant: a snapshot holds no reference to the task; printing it can neither block nor change anything.

use alloc::string::String;
use alloc::vec::Vec;

use sync::CpuSet;

/// The signal sets of a task, bit 0 for signal 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignalSets {
    /// Sent to this thread, not delivered yet.
    pub pending: u64,
    /// Sent to the process, not delivered yet.
    pub shared_pending: u64,
    /// Held back by the thread.
    pub blocked: u64,
    /// Thrown away on arrival.
    pub ignored: u64,
    /// Delivered to a handler of the program.
    pub caught: u64,
}

/// Processor time in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// In the program's own code.
    pub user_ns: u64,
    /// In the kernel on its behalf.
    pub system_ns: u64,
}

/// One task (or the process it leads) as /proc prints it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Thread number: equal to `process` for the first thread.
    pub thread: i32,
    /// Process number.
    pub process: i32,
    /// The parent's process number, 0 for none.
    pub parent: i32,
    /// Process group.
    pub group: i32,
    /// Session.
    pub session: i32,
    /// Device number of the controlling terminal, 0 for none.
    pub terminal: u32,
    /// The terminal's foreground group, -1 for none.
    pub foreground: i32,
    /// At most 15 bytes.
    pub name: String,
    /// R, S, D, T or Z.
    pub state: char,
    /// How many threads the process has.
    pub threads: usize,
    /// Own processor time.
    pub spent: Spent,
    /// Processor time of the children waited for.
    pub children: Spent,
    /// Page faults; none here has to read from a disk.
    pub faults: u64,
    /// Page faults of the children waited for.
    pub children_faults: u64,
    /// Since boot.
    pub started_ns: u64,
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Linux's policy number.
    pub policy: u32,
    /// 1 to 99 for FIFO and RR, else 0.
    pub real_time_priority: u32,
    /// The CPU it ran on last.
    pub cpu: usize,
    /// The CPUs it may run on.
    pub affinity: CpuSet,
    /// Size of all that is mapped.
    pub mapped_bytes: u64,
    /// Pages in memory.
    pub resident_pages: u64,
    /// Real, effective, saved and file-system user.
    pub users: [u32; 4],
    /// Real, effective, saved and file-system group.
    pub groups: [u32; 4],
    /// Further groups.
    pub further_groups: Vec<u32>,
    /// Whether every capability is held.
    pub privileged: bool,
    /// Mode bits that new files do not get.
    pub umask: u32,
    /// Places in the descriptor table.
    pub descriptor_places: usize,
    /// Signals.
    pub signals: SignalSets,
    /// Times it gave the CPU up by itself.
    pub voluntary_switches: u64,
    /// Times it was made to.
    pub involuntary_switches: u64,
}

#[cfg(test)]
impl Snapshot {
    /// A process that the printing tests share.
    pub fn example() -> Self {
        Self {
            thread: 42,
            process: 42,
            parent: 1,
            group: 42,
            session: 7,
            terminal: 0x501,
            foreground: 42,
            name: String::from("sh"),
            state: 'S',
            threads: 1,
            spent: Spent { user_ns: 1_230_000_000, system_ns: 50_000_000 },
            children: Spent::default(),
            faults: 77,
            children_faults: 8,
            started_ns: 2_000_000_000,
            nice: 5,
            policy: 0,
            real_time_priority: 0,
            cpu: 3,
            affinity: CpuSet::from_bits(0b1011),
            mapped_bytes: 8 << 20,
            resident_pages: 100,
            users: [1000, 1000, 1000, 1000],
            groups: [100, 100, 100, 100],
            further_groups: alloc::vec![4, 24],
            privileged: false,
            umask: 0o22,
            descriptor_places: 64,
            signals: SignalSets { blocked: 0x1_0000, ..SignalSets::default() },
            voluntary_switches: 9,
            involuntary_switches: 2,
        }
    }
}
