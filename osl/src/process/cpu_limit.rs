//! RLIMIT_CPU: a process that has used so much processor time is told, each second again, and then killed.
//!
//! Invariant: the timer runs as long as there is a limit, and looks again no later than all CPUs at once could reach the next mark.

use alloc::sync::{Arc, Weak};

use abi::process::{Rlimit, UNLIMITED};
use abi::signal::{SIGKILL, SIGXCPU};
use libkernel::clock::{self, NANOSECONDS_PER_SECOND};
use libkernel::wait::{Timer, TimerTarget};
use sync::{Flag, IrqContext, Once, Published, TaskContext, cpu, fence_full};

use super::shared::Process;
use super::signals::post;

/// There is no limit.
const NONE: u64 = u64::MAX;
/// The timer looks again at least so long after a look.
const SHORTEST_LOOK_NS: u64 = 4_000_000;

/// A process's limit of processor time.
pub struct CpuLimit {
    process: Weak<Process>,
    timer: Once<Timer>,
    /// When it is told next, in nanoseconds of processor time.
    told_at: Published<u64>,
    /// When it is killed.
    killed_at: Published<u64>,
    /// The process has ended: no limit is set any more.
    ended: Flag,
}

/// What a look at the used time leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    signal: Option<u32>,
    told_at: u64,
    /// The next mark; `NONE` when there is nothing to look for.
    next: u64,
}

struct Expiry(Weak<Process>);

impl TimerTarget for Expiry {
    fn expired(&self, irq: &IrqContext) {
        if let Some(process) = self.0.upgrade() {
            process.cpu_limit.look(irq, &process);
        }
    }
}

fn nanoseconds(seconds: u64) -> u64 {
    // No time at all counts as a second.
    if seconds == UNLIMITED { NONE } else { seconds.max(1).saturating_mul(NANOSECONDS_PER_SECOND) }
}

fn judge(used: u64, told_at: u64, killed_at: u64) -> Look {
    if used >= killed_at {
        return Look { signal: Some(SIGKILL), told_at, next: NONE };
    }
    if used < told_at {
        return Look { signal: None, told_at, next: told_at.min(killed_at) };
    }
    let told_at = told_at.saturating_add(NANOSECONDS_PER_SECOND);
    Look { signal: Some(SIGXCPU), told_at, next: told_at.min(killed_at) }
}

impl CpuLimit {
    /// None.
    pub fn new(process: Weak<Process>) -> Self {
        let (told_at, killed_at) = (Published::<u64>::new(NONE), Published::<u64>::new(NONE));
        Self { process, timer: Once::new(), told_at, killed_at, ended: Flag::new(false) }
    }

    /// Another limit from now on. Others may set it for a process that ends meanwhile.
    pub fn set(&self, cx: &TaskContext, limit: Rlimit) {
        self.told_at.store(nanoseconds(limit.soft));
        self.killed_at.store(nanoseconds(limit.hard));
        if limit.soft == UNLIMITED && limit.hard == UNLIMITED {
            return;
        }
        let new = || self.timer.get_or_set(Timer::new(Arc::new(Expiry(self.process.clone()))));
        self.timer.get().unwrap_or_else(new).arm(clock::now().saturating_add(SHORTEST_LOOK_NS));
        // Armed first, asked second; the end does it the other way round.
        fence_full();
        if self.ended.is_set() {
            self.cancel(cx);
        }
    }

    fn look(&self, irq: &IrqContext, process: &Process) {
        let used = process.spent_now(irq).0.total_ns();
        let (told_at, killed_at) = (self.told_at.load(), self.killed_at.load());
        let look = judge(used, told_at, killed_at);
        // A limit that was set meanwhile stands: its own timer looks at it.
        let _set_anew = self.told_at.compare_exchange(told_at, look.told_at);
        if let Some(signal) = look.signal {
            post::alarm(irq, process, signal);
        }
        if look.next != NONE
            && let Some(timer) = self.timer.get()
        {
            // Threads may come at any time, but there are only so many CPUs.
            let soonest = (look.next - used) / cpu::online().iter().count().max(1) as u64;
            timer.arm(clock::now().saturating_add(soonest.max(SHORTEST_LOOK_NS)));
        }
    }

    /// The process ends. Afterwards no handler holds it.
    pub fn cancel(&self, cx: &TaskContext) {
        self.ended.set();
        fence_full();
        self.told_at.store(NONE);
        self.killed_at.store(NONE);
        if let Some(timer) = self.timer.get() {
            timer.cancel_and_wait(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = NANOSECONDS_PER_SECOND;

    #[test]
    fn a_process_is_told_each_second_from_the_soft_limit_on_and_killed_at_the_hard_one() {
        assert_eq!(judge(SECOND / 2, SECOND, 3 * SECOND), Look { signal: None, told_at: SECOND, next: SECOND });
        assert_eq!(judge(SECOND, SECOND, 3 * SECOND), Look { signal: Some(SIGXCPU), told_at: 2 * SECOND, next: 2 * SECOND });
        assert_eq!(judge(3 * SECOND, 3 * SECOND, 3 * SECOND).signal, Some(SIGKILL));
        assert_eq!(judge(SECOND, NONE, 2 * SECOND), Look { signal: None, told_at: NONE, next: 2 * SECOND });
    }

    #[test]
    fn no_time_at_all_is_a_second_and_no_limit_is_none() {
        assert_eq!(nanoseconds(0), SECOND);
        assert_eq!(nanoseconds(UNLIMITED), NONE);
        assert_eq!(nanoseconds(u64::MAX - 1), NONE);
    }
}
