//! Broken twins: a step of a protocol done wrongly on purpose, which its model must find out.
//!
//! Invariant: in the kernel and in host tests `is` is false when it is compiled, and nothing of a twin is left; in a
//! model checker, and in a kernel that is built to be shaken, one run makes one mistake at most.

/// The mistakes, each named for what the broken kernel would do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Twin {
    /// A waker looks whether the thread still runs, and then leaves it alone.
    WakeTestsFirst,
    /// A thread that is taken off its CPU between announcing its sleep and sleeping is not queued.
    PreemptionParks,
    /// A waiter looks at its condition first and registers then.
    RegistersAfterLooking,
    /// A thread says that it is blocked when it has looked, and forgets who woke it before.
    BlockedMarkedLate,
    /// A waiter that leaves after it was chosen keeps the wake for itself.
    ChosenLeavesSilently,
    /// A waker wakes the thread first and says why then.
    WakeBeforeReason,
    /// A waker leaves the queue alone when it sees it unlocked and without a waiter.
    EmptyByPlainLoad,
    /// A lock's holder looks for waiters before it lets go.
    ReleaseLooksFirst,
    /// A waiter for a lock takes it as if it were the only one.
    LockForgetsOthers,
    /// A timer's call counts only when its target is already free to go.
    CallCountedLate,
    /// A cancelled timer stays in its list.
    CancelForgetsTheList,
    /// A thread is queued before its context is saved.
    QueuedBeforeSaved,
    /// A CPU looks at its queue first and says that it is idle then.
    IdleLooksThenMarks,
    /// Nobody knocks at the CPU whose queue has changed.
    NoKnock,
    /// A donation stays where it is when another CPU takes the thread.
    DonationKept,
    /// A parent is woken before its child's end is written down.
    ZombieAfterWake,
    /// A reader is woken before its byte is in the buffer.
    ByteAfterWake,
    /// A donation that another replaces is dropped, and the thread with it.
    DonationForgotten,
    /// A receiver is woken before the message is in the channel.
    MessageAfterWake,
    /// A sender is told that its message was taken, and what came of it is written down then.
    OutcomeAfterWake,
    /// An end of a channel wakes the others and closes then.
    ClosedAfterWake,
    /// Messages that nobody will receive are dropped, and their senders are not told.
    RefusedSilently,
    /// A receiver that is called out leaves the message for which a sender was let go.
    ReceiverLeavesMessage,
    /// A sender that is called out leaves its message in the channel.
    SenderLeavesMessage,
    /// A message that could not be delivered goes back, and nobody hears of it.
    GivenBackSilently,
    /// A completion is counted after the waiter was woken for it.
    CompletionAfterWake,
    /// A second thread may take completions beside the first.
    SecondTaker,
    /// A place may be finished twice.
    FinishedTwice,
    /// Who waits for a notification looks for signals first and registers then.
    ArmsAfterLooking,
    /// A handler ends the operation first and masks the line then.
    MaskedAfterEnd,
    /// A ring's index moves before the entry is there.
    IndexBeforeEntry,
    /// A ring's index that makes no sense is believed.
    IndexBelieved,
    /// A waiter for a word compares it before it locks the bucket.
    WordComparedUnlocked,
    /// Waiters that move to another word count there only when its bucket is unlocked.
    MovedCountedLate,
    /// A waiter that was moved looks for itself where it was.
    MovedNotFollowed,
    /// A waiter that gives up says so though a wake was for it.
    ChosenGivesUp,
    /// A wait for several words leaves the others entered when one was woken.
    OthersLeftEntered,
    /// An owner that has found nobody in line lets go without looking again.
    FreedUnseen,
    /// A lock is handed to who was first in line, wherever that one is now.
    HeirUnseen,
    /// A waiter gets in line for a lock whose owner has ended.
    DeadGetWaiters,
    /// An owner that hands its lock over keeps what it was lent.
    LoanKept,
    /// A reader of a shared lock looks for a writer first and counts itself then.
    LooksBeforeEntering,
    /// A writer of a shared lock looks for readers first and says that it comes then.
    LooksBeforeClosing,
    /// A CPU looks at a space's generation first and enters the set of those who use it then.
    ComparedBeforeEntering,
    /// What a change took away is noted over what an earlier one did, which still says that it is whole.
    HistoryUnmarked,
    /// A CPU that rests in a space looks at its generation first and ends its rest then.
    ComparedBeforeResuming,
    /// Whoever takes rights away reads the set of CPUs first and advances the generation then.
    GenerationAfterSet,
    /// A CPU that was told of the second change takes the first for done too.
    ForgotTooMuch,
    /// A CPU that listened for others looks for the last time first and says that it is deaf then.
    LooksBeforeDeaf,
    /// A reader that ends leaves the writer that waits for it asleep.
    LastReaderSilent,
    /// A reader that came too late, and takes its count back, leaves the writer that saw it asleep.
    TurnedAwaySilent,
    /// Frames go back before the CPUs have forgotten them.
    FreedBeforeForgotten,
}

/// Does this run make that mistake?
#[cfg(not(any(loom, shuttle, feature = "chaos")))]
#[inline(always)]
pub const fn is(_: Twin) -> bool {
    false
}

#[cfg(all(feature = "chaos", not(any(loom, shuttle))))]
pub use shaken::{is, make};

/// The same mistakes in a kernel that is built to be shaken, to see that soaks find them.
#[cfg(all(feature = "chaos", not(any(loom, shuttle))))]
mod shaken {
    use super::Twin;
    use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// One more than the twin's number; 0 for none.
    static MADE: AtomicUsize = AtomicUsize::new(0);

    #[inline]
    pub fn is(twin: Twin) -> bool {
        MADE.load(Relaxed) == twin as usize + 1
    }

    /// The twin with this number, counted from 1 in the order above.
    pub fn make(number: usize) {
        MADE.store(number, Relaxed);
    }
}

/// A kernel that people run makes no mistake on purpose.
#[cfg(not(any(loom, shuttle, feature = "chaos")))]
pub const fn make(_: usize) {}

/// A moment at which a model lets an interrupt come. It comes at any other moment too; here it would hurt.
#[cfg(not(any(loom, shuttle)))]
#[inline(always)]
pub(crate) const fn interruption() {}

#[cfg(any(loom, shuttle))]
pub(crate) use chosen::interruption;
#[cfg(any(loom, shuttle))]
pub use chosen::{interrupt_with, is, make};

/// The explorers play all threads of one model on the OS thread that its test runs on.
#[cfg(any(loom, shuttle))]
mod chosen {
    use super::Twin;
    use core::cell::Cell;

    std::thread_local! {
        static MADE: Cell<Option<Twin>> = const { Cell::new(None) };
        static HANDLER: Cell<Option<fn()>> = const { Cell::new(None) };
    }

    pub fn is(twin: Twin) -> bool {
        MADE.get() == Some(twin)
    }

    /// The runs of this test make that mistake from now on.
    pub fn make(twin: Option<Twin>) {
        MADE.set(twin);
    }

    /// What an interrupt does in the runs of this test.
    pub fn interrupt_with(handler: Option<fn()>) {
        HANDLER.set(handler);
    }

    pub(crate) fn interruption() {
        if let Some(handler) = HANDLER.get() {
            handler();
        }
    }
}
