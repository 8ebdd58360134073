//! CPUs that stand still: one that takes no interrupts any more, and one that never gives way.
//!
//! Invariant: a CPU is told of only when several looks in a row, each in time, found no sign of life: a machine whose host
//! stands still, or an observer that was late itself, proves nothing. A CPU that is idle and halted is left in peace.
//!
//! A few CPUs look in turn, each from its own timer's handler, at all others; whoever looks is alive. Those that run something
//! and have not changed threads since the last look are prodded (`sched::pulse`), and have until the next look to answer.

use crate::clock;
use crate::cross_call;
use crate::log::{self, Level};
use crate::sched::pulse::{self, Pulse};
use crate::wait::{Timer, TimerTarget};
use alloc::sync::Arc;
use sync::{Counter, CpuId, CpuSet, IrqContext, MAXIMUM_CPUS, Once, PerCpu, SpinLock, TaskContext, cpu, order};

/// How long a CPU may stand still, unless the command line says otherwise.
pub const DEFAULT_LIMIT_SECONDS: u64 = 10;
/// So many looks in a row without a sign of life.
const LOOKS: u64 = 5;
/// So many CPUs look: more than are likely to stand still together, few enough for an idle machine to rest.
const OBSERVERS: usize = 3;

/// What the observers know of one CPU.
#[derive(Clone, Copy)]
struct Seen {
    pulse: Pulse,
    /// Looks in a row that found nothing new.
    silent: u64,
    told: bool,
}

/// Why a CPU is told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    /// It takes no interrupts.
    Hard,
    /// It takes interrupts, but its thread never gives way.
    Soft,
}

struct Ward {
    looked_at: u64,
    seen: [Seen; MAXIMUM_CPUS],
}

const NOTHING: Seen = Seen { pulse: Pulse { interrupts: 0, switches: 0, rests: true, deaf: 0 }, silent: 0, told: false };

static WARD: SpinLock<Ward, order::Pulses> = SpinLock::new(Ward { looked_at: 0, seen: [NOTHING; MAXIMUM_CPUS] });
static TIMERS: PerCpu<Once<Timer>> = PerCpu::new([const { Once::new() }; MAXIMUM_CPUS]);
static PERIOD: Counter = Counter::new(0);
static SHOW_CPUS: Once<fn()> = Once::new();

/// Who shows what every CPU does now: for the log, without waiting for anybody. Set once, at boot.
pub fn set_show_cpus(show: fn()) {
    assert!(SHOW_CPUS.set(show).is_ok(), "two ways to show all CPUs");
}

/// What every CPU does now, in the log.
pub fn show_cpus() {
    if let Some(show) = SHOW_CPUS.get() {
        show();
    }
}

struct Observer;

impl TimerTarget for Observer {
    fn expired(&self, _: &IrqContext) {
        look();
        arm();
    }
}

fn arm() {
    if let Some(timer) = TIMERS.of(cpu::current()).get() {
        timer.arm(clock::now() + PERIOD.get());
    }
}

/// Looks after all CPUs from now on; never with a limit of zero, and not where there is only one.
pub(super) fn start(cx: &mut TaskContext, limit_seconds: u64) {
    let online = cpu::online();
    if limit_seconds == 0 || online.without(CpuId::BOOT).is_empty() {
        return;
    }
    PERIOD.set(limit_seconds.saturating_mul(1_000_000_000) / LOOKS);
    let observers = online.iter().take(OBSERVERS).fold(CpuSet::EMPTY, |all, observer| all.union(CpuSet::single(observer)));
    for observer in observers {
        // A second start would find it set, and change only the period.
        let _ = TIMERS.of(observer).set(Timer::new(Arc::new(Observer)));
    }
    cross_call::on(observers, Arc::new(arm), cx);
}

/// Looks at all CPUs, unless another observer has just done so.
fn look() {
    let (now, period) = (clock::now(), PERIOD.get());
    let found = {
        let Some(mut ward) = WARD.try_lock() else { return };
        let passed = now.saturating_sub(ward.looked_at);
        if passed < period / 2 {
            return;
        }
        ward.looked_at = now;
        ward.look(passed > period * 2)
    };
    if let Some((stuck, trouble)) = found {
        tell(stuck, trouble, period * LOOKS / 1_000_000_000);
    }
}

impl Ward {
    /// The first CPU in trouble that was not told of yet.
    fn look(&mut self, late: bool) -> Option<(CpuId, Trouble)> {
        let here = cpu::current();
        let mut found = None;
        for other in cpu::online() {
            let seen = &mut self.seen[other.index()];
            let pulse = pulse::of(other);
            let stays = !pulse.rests && pulse.switches == seen.pulse.switches;
            match seen.judge(pulse, late) {
                None => seen.told = false,
                Some(trouble) if found.is_none() && !core::mem::replace(&mut seen.told, true) => found = Some((other, trouble)),
                Some(_) => {}
            }
            if stays {
                if other == here { pulse::sample() } else { pulse::prod(other) }
            }
        }
        found
    }
}

impl Seen {
    fn judge(&mut self, pulse: Pulse, proves_nothing: bool) -> Option<Trouble> {
        let switched = pulse.switches != self.pulse.switches;
        let lives = proves_nothing || pulse.rests || switched || pulse.interrupts != self.pulse.interrupts;
        self.silent = if lives { 0 } else { self.silent + 1 };
        self.pulse = pulse;
        if self.silent >= LOOKS {
            Some(Trouble::Hard)
        } else if !proves_nothing && !pulse.rests && !switched && pulse.deaf >= LOOKS {
            Some(Trouble::Soft)
        } else {
            None
        }
    }
}

fn tell(stuck: CpuId, trouble: Trouble, seconds: u64) {
    let stuck = stuck.index();
    let what = match trouble {
        Trouble::Hard => "takes no interrupts",
        Trouble::Soft => "runs kernel code that never gives way",
    };
    log::insist(Level::Error, format_args!("lock-up: CPU {stuck} {what} for {seconds} s"));
    show_cpus();
    if cfg!(debug_assertions) {
        panic!("lock-up: CPU {stuck} {what} for {seconds} s");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Pulse = Pulse { interrupts: 7, switches: 7, rests: false, deaf: 0 };

    fn after_looks(pulses: impl Iterator<Item = Pulse>) -> Option<Trouble> {
        let mut seen = NOTHING;
        pulses.fold(None, |_, pulse| seen.judge(pulse, false))
    }

    #[test]
    fn a_cpu_that_answers_nothing_is_told_of_after_several_looks() {
        assert_eq!(after_looks((0..LOOKS).map(|_| BUSY)), None);
        assert_eq!(after_looks((0..=LOOKS).map(|_| BUSY)), Some(Trouble::Hard));
    }

    #[test]
    fn idle_busy_and_lively_cpus_are_left_in_peace() {
        assert_eq!(after_looks((0..99).map(|_| Pulse { rests: true, ..BUSY })), None);
        assert_eq!(after_looks((0..99).map(|look| Pulse { interrupts: look, ..BUSY })), None);
        assert_eq!(after_looks((0..99).map(|look| Pulse { switches: look, deaf: 9, ..BUSY })), None);
    }

    #[test]
    fn a_cpu_that_takes_interrupts_and_never_gives_way_is_told_of() {
        assert_eq!(after_looks((0..99).map(|look| Pulse { interrupts: look, deaf: look, ..BUSY })), Some(Trouble::Soft));
    }

    #[test]
    fn looks_that_came_late_prove_nothing() {
        let mut seen = NOTHING;
        assert!((0..99).all(|_| seen.judge(BUSY, true).is_none()));
    }
}
