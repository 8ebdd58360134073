//! What a process wants done about each signal.
//!
//! Invariant: SIGKILL and SIGSTOP have the default action always; an action's mask never holds them.

use abi::signal::*;
use sync::{SpinLock, order};

use super::set::SignalSet;

/// What happens to a signal that no handler takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing.
    Ignore,
    /// The process ends.
    Terminate,
    /// The process ends, and Linux would write a core file.
    Dump,
    /// The process stops.
    Stop,
    /// A stopped process goes on.
    Continue,
}

impl Disposition {
    /// The default of `man 7 signal`.
    pub const fn default_of(signal: u32) -> Self {
        match signal {
            SIGCHLD | SIGURG | SIGWINCH => Self::Ignore,
            SIGCONT => Self::Continue,
            SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU => Self::Stop,
            SIGQUIT | SIGILL | SIGTRAP | SIGABRT | SIGBUS | SIGFPE | SIGSEGV | SIGXCPU | SIGXFSZ | SIGSYS => Self::Dump,
            _ => Self::Terminate,
        }
    }
}

type Actions = [SignalAction; SIGNAL_COUNT as usize];

const DEFAULT: SignalAction = SignalAction { handler: SIG_DFL, flags: 0, restorer: 0, mask: 0 };

/// The actions of a process (of several, when they were cloned to share them).
pub struct SignalActions {
    actions: SpinLock<Actions, order::Signals>,
}

impl Default for SignalActions {
    fn default() -> Self {
        Self::new()
    }
}

fn place(signal: u32) -> usize {
    usize::try_from(signal.wrapping_sub(1)).unwrap_or(usize::MAX)
}

impl SignalActions {
    /// Every action is the default.
    pub const fn new() -> Self {
        Self { actions: SpinLock::new([DEFAULT; SIGNAL_COUNT as usize]) }
    }

    /// The same actions, not shared any more.
    pub fn duplicate(&self) -> Self {
        Self { actions: SpinLock::new(*self.actions.lock_without_context()) }
    }

    /// As a new program finds them: handlers are gone, what was ignored stays so.
    pub fn for_new_program(&self) -> Self {
        let mut actions = *self.actions.lock_without_context();
        for action in &mut actions {
            let ignored = action.handler == SIG_IGN;
            *action = SignalAction { handler: if ignored { SIG_IGN } else { SIG_DFL }, ..DEFAULT };
        }
        Self { actions: SpinLock::new(actions) }
    }

    /// The action of a signal.
    pub fn get(&self, signal: u32) -> SignalAction {
        self.actions.lock_without_context().get(place(signal)).copied().unwrap_or(DEFAULT)
    }

    /// Sets an action, answers the old one. The caller has refused SIGKILL and SIGSTOP.
    pub fn set(&self, signal: u32, mut new: SignalAction) -> SignalAction {
        new.mask = SignalSet::from_bits(new.mask).blockable().bits();
        match self.actions.lock_without_context().get_mut(place(signal)) {
            Some(action) => core::mem::replace(action, new),
            None => DEFAULT,
        }
    }

    /// The action for a delivery that is about to happen; a one-time handler is gone after it.
    pub fn take_for_delivery(&self, signal: u32) -> SignalAction {
        let mut actions = self.actions.lock_without_context();
        let Some(action) = actions.get_mut(place(signal)) else {
            return DEFAULT;
        };
        let found = *action;
        if found.handler > SIG_IGN && found.flags & action::RESETHAND != 0 {
            action.handler = SIG_DFL;
        }
        found
    }

    /// Makes the action of a signal the default.
    pub fn reset(&self, signal: u32) {
        if let Some(action) = self.actions.lock_without_context().get_mut(place(signal)) {
            *action = DEFAULT;
        }
    }

    /// Whether a signal, if it were delivered now, would do nothing at all.
    pub fn ignores(&self, signal: u32) -> bool {
        match self.get(signal).handler {
            SIG_IGN => true,
            SIG_DFL => Disposition::default_of(signal) == Disposition::Ignore,
            _ => false,
        }
    }

    /// Whether a signal, if it were delivered now, would end the process, and Linux would write no core file.
    pub fn ends_by(&self, signal: u32) -> bool {
        self.get(signal).handler == SIG_DFL && Disposition::default_of(signal) == Disposition::Terminate
    }

    /// The ignored and the caught signals.
    pub fn sets(&self) -> (SignalSet, SignalSet) {
        let actions = *self.actions.lock_without_context();
        let (mut ignored, mut caught) = (SignalSet::EMPTY, SignalSet::EMPTY);
        for (signal, action) in (1u32..).zip(actions) {
            match action.handler {
                SIG_DFL => {}
                SIG_IGN => ignored = ignored.with(signal),
                _ => caught = caught.with(signal),
            }
        }
        (ignored, caught)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(at: u64, flags: u64) -> SignalAction {
        SignalAction { handler: at, flags, restorer: 0, mask: u64::MAX }
    }

    #[test]
    fn a_new_program_keeps_what_was_ignored_and_nothing_else() {
        let actions = SignalActions::new();
        actions.set(SIGINT, handler(SIG_IGN, 0));
        actions.set(SIGTERM, handler(0x1000, action::RESTART));
        let fresh = actions.for_new_program();
        assert_eq!(fresh.get(SIGINT).handler, SIG_IGN);
        assert_eq!(fresh.get(SIGTERM), DEFAULT);
    }

    #[test]
    fn a_one_time_handler_is_taken_once() {
        let actions = SignalActions::new();
        actions.set(SIGUSR1, handler(0x1000, action::RESETHAND));
        assert_eq!(actions.take_for_delivery(SIGUSR1).handler, 0x1000);
        assert_eq!(actions.get(SIGUSR1).handler, SIG_DFL);
    }

    #[test]
    fn a_mask_never_blocks_kill() {
        let actions = SignalActions::new();
        actions.set(SIGUSR1, handler(0x1000, 0));
        assert!(!SignalSet::from_bits(actions.get(SIGUSR1).mask).contains(SIGKILL));
    }

    #[test]
    fn a_child_signal_is_ignored_by_default_and_a_hangup_is_not() {
        let actions = SignalActions::new();
        assert!(actions.ignores(SIGCHLD) && !actions.ignores(SIGHUP) && !actions.ignores(SIGCONT));
    }
}
