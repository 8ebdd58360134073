//! The lock order of the whole kernel: one table, three bands, outermost first.
//!
//! Invariant: a CPU takes locks downward in this table only. Sleeping locks come first, then spin locks
//! that no handler takes, then spin locks that handlers take; so passing the rank check rules out ABBA,
//! a sleeping lock under a spin lock, and a handler that waits for what it interrupted.

use crate::cpu;

lock_order! {
    // Held across sleeps. User memory may be touched only under those above AddressSpaceParent.
    Mounts: Sleep, Rename: Sleep, FilePosition: Sleep, DirectoryParent: Sleep, DirectoryChild: Sleep, Exec: Sleep,
    ProcessTree: Sleep, Node: Sleep, PipeReaders: Sleep, SocketReader: Sleep, AddressSpaceParent: Sleep, AddressSpaceChild: Sleep,
    PageCache: Sleep,
    // Preemption off; never taken by a handler.
    FileTable: Task, Port: Task, FileSystemContext: Task, Credentials: Task, ThreadPayload: Task, FutexOwner: Task, Futex: Task, FutexPair: Task,
    Pipe: Task, Channel: Task, Notification: Task, InFlight: Task, Poll: Task, TimerTable: Task, MountTable: Task, Directory: Task, DirectoryPair: Task, FileFacts: Task,
    FilePages: Task, Viewers: Task, RecordLocks: Task, PseudoTerminals: Task, TerminalState: Task, SocketNames: Task, Socket: Task, SocketPair: Task, Parcels: Task,
    Keyed: Task, SemaphoreSet: Task, MessageQueue: Task, PageEntries: Task,
    // Interrupts off.
    Signals: Irq, DeviceQueue: Irq, InterruptLine: Irq, ConsoleInput: Irq, Timers: Irq, CompletionPort: Irq, WaitQueue: Irq, ThreadState: Irq, ThreadList: Irq,
    Pulses: Irq, RunQueue: Irq, RunQueuePair: Irq, Vectors: Irq, CrossCall: Irq, IoApic: Irq, KernelMap: Irq, FrameZone: Irq,
    Heap: Irq, Log: Irq,
}

impl PairClass for Futex {
    type Second = FutexPair;
}

impl PairClass for Directory {
    type Second = DirectoryPair;
}

impl PairClass for Socket {
    type Second = SocketPair;
}

impl PairClass for RunQueue {
    type Second = RunQueuePair;
}

/// What a class of locks is: its place in the table, and its kind.
pub trait LockClass: 'static {
    const NAME: &'static str;
    /// Position in the table. Outer locks have smaller ranks.
    const RANK: u8;
    type Kind: kind::Kind;
}

/// A class of which two locks may be held at once, taken together by `lock_pair`.
pub trait PairClass: LockClass {
    /// The rank that the second one counts as.
    type Second: LockClass<Kind = Self::Kind>;
}

/// The three bands.
pub mod kind {
    /// Sleeping lock (outermost band).
    pub enum Sleep {}
    /// Spin lock that no interrupt handler takes: switches preemption off.
    pub enum Task {}
    /// Spin lock that handlers take: switches interrupts off.
    pub enum Irq {}

    pub trait Kind {
        const BAND: u8;
    }

    impl Kind for Sleep {
        const BAND: u8 = 0;
    }

    impl Kind for Task {
        const BAND: u8 = 1;
    }

    impl Kind for Irq {
        const BAND: u8 = 2;
    }
}

/// A sleeping lock is about to be taken (waiting for it included): checks the order, and counts it.
#[inline]
#[track_caller]
pub fn sleep_acquire<C: LockClass<Kind = kind::Sleep>>() {
    let held = cpu::sleep_held();
    if held >> C::RANK != 0 {
        out_of_order(C::NAME, C::RANK, held);
    }
    #[cfg(feature = "lockdep")]
    crate::lockdep::acquired(C::NAME, C::RANK, core::panic::Location::caller());
    cpu::add_sleep_held(1 << C::RANK);
}

/// The same for one that was had without waiting (`try_lock`): counted, not checked.
/// False when a lock of its class is held already: then it must not be given back with `sleep_release`.
#[inline]
#[track_caller]
#[must_use]
pub fn sleep_acquired_without_waiting<C: LockClass<Kind = kind::Sleep>>() -> bool {
    let new = cpu::sleep_held() & (1 << C::RANK) == 0;
    cpu::add_sleep_held(1 << C::RANK);
    new
}

#[inline]
pub fn sleep_release<C: LockClass<Kind = kind::Sleep>>() {
    cpu::remove_sleep_held(1 << C::RANK);
}

#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn out_of_order(name: &str, rank: u8, held: u64) -> ! {
    panic!("lock order: taking {name} (rank {rank}) while holding {} (ranks {held:#x})", Names(held))
}

/// Prints the classes in a mask of ranks, in the table's order.
pub struct Names(pub u64);

impl core::fmt::Display for Names {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.0 == 0 {
            return f.write_str("nothing");
        }
        let mut separator = "";
        for (rank, name) in LOCK_NAMES.iter().enumerate() {
            if self.0 & (1 << rank) != 0 {
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// Declares the whole order, outermost first. Does not compile when the bands are mixed or there are
/// more than 64 classes. The kernel has one such table, above; tests may declare their own.
#[doc(hidden)]
#[macro_export]
macro_rules! lock_order {
    ($( $(#[$meta:meta])* $name:ident : $kind:ident ),* $(,)?) => {
        $( $(#[$meta])* pub enum $name {} )*
        #[repr(u8)]
        #[allow(clippy::enum_variant_names, reason = "the classes' own names")]
        enum Position { $($name),* }
        $( impl $crate::LockClass for $name {
            const NAME: &'static str = stringify!($name);
            const RANK: u8 = Position::$name as u8;
            type Kind = $crate::kind::$kind;
        } )*
        /// Every class, by rank.
        pub const LOCK_NAMES: &[&str] = &[$(stringify!($name)),*];
        const _: () = {
            let band = [$( <$crate::kind::$kind as $crate::kind::Kind>::BAND ),*];
            assert!(band.len() <= 64, "lock_order!: at most 64 classes");
            let mut rank = 1;
            while rank < band.len() {
                assert!(band[rank - 1] <= band[rank], "lock_order!: bands must be Sleep, then Task, then Irq");
                rank += 1;
            }
        };
    };
}
pub use lock_order;

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::ToString;

    #[test]
    fn the_second_of_a_pair_stands_right_below_the_first() {
        assert_eq!(Futex::RANK + 1, <Futex as PairClass>::Second::RANK);
        assert_eq!(RunQueue::RANK + 1, <RunQueue as PairClass>::Second::RANK);
    }

    #[test]
    fn a_mask_of_ranks_prints_as_names() {
        assert_eq!(Names(1 << Log::RANK | 1).to_string(), "Mounts, Log");
        assert_eq!(Names(0).to_string(), "nothing");
    }

    #[test]
    fn a_sleeping_lock_above_a_held_one_is_refused() {
        sleep_acquire::<Node>();
        let refused = std::panic::catch_unwind(sleep_acquire::<Mounts>);
        sleep_release::<Node>();
        let Err(message) = refused else { panic!("Mounts was taken under Node") };
        let message = message.downcast_ref::<std::string::String>().cloned().unwrap_or_default();
        assert!(message.contains("taking Mounts (rank 0) while holding Node"), "{message}");
    }
}
