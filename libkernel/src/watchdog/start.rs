//! The watchdog's thread, and how often it looks.
//!
//! Invariant: it sleeps with a timer only, and does nothing that waits for another thread.

use super::{hung, lockup, report, sweep};
use crate::clock;
use crate::error::KernelError;
use crate::sched::{self, Spawn};
use crate::thread::scheduling::HIGHEST_PRIORITY;
use crate::thread::{Policy, Scheduling};
use crate::wait::{Timer, TimerTarget, WaitQueue};
use alloc::boxed::Box;
use alloc::sync::Arc;
use sync::{Flag, IrqContext, TaskContext};

/// How long things may take, in seconds; zero for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// A wait without a timer.
    pub wait: u64,
    /// A CPU without a sign of life.
    pub silence: u64,
}

/// Unless the command line says otherwise.
impl Default for Limits {
    fn default() -> Self {
        Limits { wait: hung::DEFAULT_LIMIT_SECONDS, silence: lockup::DEFAULT_LIMIT_SECONDS }
    }
}

/// Looks in the time of the shortest limit.
const LOOKS: u64 = 4;
const LONGEST_PAUSE_NS: u64 = if cfg!(debug_assertions) { 1_000_000_000 } else { 2_500_000_000 };

/// Somebody who could not report itself wants everything reported.
static REPORT_WANTED: Flag = Flag::new(false);

struct Round {
    is_due: Flag,
    begins: WaitQueue,
}

impl TimerTarget for Round {
    fn expired(&self, irq: &IrqContext) {
        self.is_due.set();
        self.begins.wake_all(irq);
    }
}

/// Asks for `report` at the next look: from anywhere, interrupt handlers that cannot be masked included.
pub fn ask_for_report() {
    REPORT_WANTED.set();
}

/// Looks after threads and CPUs from now on. Called once, when all CPUs are up.
pub fn start(cx: &mut TaskContext, limits: Limits) -> Result<(), KernelError> {
    hung::set_limit(limits.wait);
    lockup::start(cx, limits.silence);
    let pause = match limits.wait {
        0 => LONGEST_PAUSE_NS,
        seconds => (seconds.saturating_mul(1_000_000_000) / LOOKS).min(LONGEST_PAUSE_NS),
    };
    let scheduling = Scheduling::new(Policy::Fifo, 0, HIGHEST_PRIORITY)?;
    let round = Arc::new(Round { is_due: Flag::new(false), begins: WaitQueue::named("the next look of the watchdog") });
    // One timer for all rounds, made before there are programs: who counts timers finds it always.
    let timer = Timer::new(round.clone());
    let entry = Box::new(move |cx: &mut TaskContext| look_for_ever(cx, &round, &timer, pause));
    sched::spawn(cx, Spawn { scheduling, ..Spawn::kernel("watchdog", entry) }).map(drop)
}

fn look_for_ever(cx: &mut TaskContext, round: &Round, timer: &Timer, pause: u64) {
    let mut told = hung::Told::new();
    let mut suspects = sweep::Suspects::new();
    loop {
        timer.arm(clock::now().saturating_add(pause));
        round.begins.wait_until(cx, |_| round.is_due.take().then_some(()));
        told.look(cx);
        if cfg!(debug_assertions) {
            suspects.look(cx);
        }
        if REPORT_WANTED.take() {
            report::everything(cx);
        }
    }
}
