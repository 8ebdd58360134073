//! Debug builds: the graph of orders seen, and the interrupt states that each class was taken in.
//!
//! Invariant: what is remembered is only ever added to; a report is about a combination of things seen
//! at different times, on any CPU, that together can deadlock. It audits the table in `order.rs`: the
//! rank check alone keeps the kernel in order.

use crate::cpu::{self, MAXIMUM_CPUS};
use core::panic::Location;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

const CLASSES: usize = 64;

/// What can be wrong with a lock that is about to be taken. Numbers are ranks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// Taken under `outer`, while the reverse order was seen before.
    Circle { outer: u8 },
    /// Handlers take `safe`, and under it (perhaps through others) something is taken that is also
    /// taken with interrupts on.
    Inversion { safe: u8 },
}

/// Which class was taken under which, and where interrupts stood.
pub struct Graph {
    under: [AtomicU64; CLASSES],
    in_handler: AtomicU64,
    interrupts_on: AtomicU64,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

impl Graph {
    pub const fn new() -> Self {
        Graph { under: [const { AtomicU64::new(0) }; CLASSES], in_handler: AtomicU64::new(0), interrupts_on: AtomicU64::new(0) }
    }

    /// Ranks that were ever taken directly under `rank`.
    pub fn taken_under(&self, rank: u8) -> u64 {
        self.under[usize::from(rank)].load(Ordering::Acquire)
    }

    /// Everything ever taken under `rank`, directly or through others.
    fn reach(&self, rank: u8) -> u64 {
        let mut seen = 0;
        let mut todo = self.taken_under(rank);
        while todo != 0 {
            let next = todo.trailing_zeros() as u8;
            seen |= 1 << next;
            todo = (todo | self.taken_under(next)) & !seen;
        }
        seen
    }

    /// Remembers that `rank` is taken while `held` are held.
    pub fn record(&self, held: u64, rank: u8, in_handler: bool, interrupts_on: bool) -> Result<(), Problem> {
        let bit = 1 << rank;
        let mut news = false;
        for outer in (0..CLASSES as u8).filter(|outer| held & (1 << outer) != 0) {
            if self.taken_under(outer) & bit == 0 {
                if self.reach(rank) & (1 << outer) != 0 {
                    return Err(Problem::Circle { outer });
                }
                self.under[usize::from(outer)].fetch_or(bit, Ordering::AcqRel);
                news = true;
            }
        }
        if in_handler {
            news |= self.in_handler.fetch_or(bit, Ordering::AcqRel) & bit == 0;
        }
        if interrupts_on {
            news |= self.interrupts_on.fetch_or(bit, Ordering::AcqRel) & bit == 0;
        }
        if news { self.check_handlers() } else { Ok(()) }
    }

    fn check_handlers(&self) -> Result<(), Problem> {
        let (safe, unsafe_ones) = (self.in_handler.load(Ordering::Acquire), self.interrupts_on.load(Ordering::Acquire));
        let wrong = |rank: &u8| safe & (1 << rank) != 0 && (self.reach(*rank) | 1 << rank) & unsafe_ones != 0;
        match (0..CLASSES as u8).find(wrong) {
            Some(safe) => Err(Problem::Inversion { safe }),
            None => Ok(()),
        }
    }

    /// Classes ever taken at all: in a handler, with interrupts on, or on either side of an order.
    pub fn ever_taken(&self) -> u64 {
        let mut taken = self.in_handler.load(Ordering::Acquire) | self.interrupts_on.load(Ordering::Acquire);
        for rank in 0..CLASSES as u8 {
            let under = self.taken_under(rank);
            taken |= under | if under != 0 { 1 << rank } else { 0 };
        }
        taken
    }
}

/// What this kernel has seen since it started.
pub static SEEN: Graph = Graph::new();

/// Where each CPU last took a lock of each class: for "who holds it?" in reports.
static TAKEN_AT: [[AtomicPtr<Location<'static>>; CLASSES]; MAXIMUM_CPUS] =
    [const { [const { AtomicPtr::new(core::ptr::null_mut()) }; CLASSES] }; MAXIMUM_CPUS];

#[track_caller]
pub(crate) fn acquired(name: &'static str, rank: u8, at: &'static Location<'static>) {
    let held = cpu::spin_held() | cpu::sleep_held();
    let interrupts_on = cpu::interrupts_are_on() && cpu::interrupts_off_depth() == 0;
    if let Err(problem) = SEEN.record(held, rank, cpu::in_handler(), interrupts_on) {
        panic!("lockdep: {name} (rank {rank}) taken at {at}: {problem:?}");
    }
    TAKEN_AT[cpu::current().index()][usize::from(rank)].store(core::ptr::from_ref(at).cast_mut(), Ordering::Relaxed);
}

/// Where `cpu` last took a lock of the class with this rank.
pub fn taken_at(cpu: crate::CpuId, rank: u8) -> Option<&'static Location<'static>> {
    let place = TAKEN_AT[cpu.index()][usize::from(rank) % CLASSES].load(Ordering::Relaxed);
    // SAFETY: null, or a `&'static Location` stored by `acquired`.
    unsafe { place.as_ref() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u8 = 0;
    const B: u8 = 1;
    const C: u8 = 2;

    #[test]
    fn a_circle_of_three_seen_at_three_different_times_is_found() {
        let graph = Graph::new();
        assert_eq!(graph.record(1 << A, B, false, false), Ok(()));
        assert_eq!(graph.record(1 << B, C, false, false), Ok(()));
        assert_eq!(graph.record(1 << C, A, false, false), Err(Problem::Circle { outer: C }));
    }

    #[test]
    fn an_interrupt_inversion_is_found_without_the_interrupt() {
        let graph = Graph::new();
        assert_eq!(graph.record(0, A, false, true), Ok(()));
        assert_eq!(graph.record(0, B, true, false), Ok(()));
        assert_eq!(graph.record(1 << B, A, false, false), Err(Problem::Inversion { safe: B }));
    }

    #[test]
    fn one_class_in_a_handler_and_with_interrupts_on_is_found() {
        let graph = Graph::new();
        assert_eq!(graph.record(0, A, true, false), Ok(()));
        assert_eq!(graph.record(0, A, false, true), Err(Problem::Inversion { safe: A }));
    }

    #[test]
    fn an_order_seen_again_is_no_problem() {
        let graph = Graph::new();
        for _ in 0..3 {
            assert_eq!(graph.record(1 << A | 1 << B, C, false, true), Ok(()));
        }
        assert_eq!(graph.taken_under(A), 1 << C);
        assert_eq!(graph.ever_taken(), 1 << A | 1 << B | 1 << C);
    }
}
