//! The signal state: what a thread is told to do next, and what stops, continues and ends a process.

use abi::signal::*;

use super::set::SignalSet;
use super::state::{Member, SignalState, Step};
use crate::process::sample;
use crate::process::status::ExitStatus;

/// Threads 7 and 8 of process 7.
fn state() -> SignalState {
    let process = sample::process(7);
    let mut state = SignalState::new();
    for id in [7, 8] {
        state.members.insert(id, Member::new(sample::task(id, &process), SignalSet::EMPTY));
    }
    state
}

fn post(state: &mut SignalState, signal: u32) -> SignalInfo {
    let information = SignalInfo::new(signal, code::USER);
    state.shared.add(signal, information, 100);
    information
}

#[test]
fn a_signal_for_the_process_is_delivered_once() {
    let mut state = state();
    let information = post(&mut state, SIGUSR1);
    assert_eq!(state.next_step(7), Step::Deliver(information));
    assert_eq!(state.next_step(8), Step::Nothing);
}

#[test]
fn a_thread_that_holds_a_signal_back_leaves_it_to_another() {
    let mut state = state();
    state.set_mask(7, SignalSet::single(SIGUSR1));
    let information = post(&mut state, SIGUSR1);
    assert_eq!(state.next_step(7), Step::Nothing);
    assert!(state.choose(SIGUSR1).is_some_and(|member| member.task.id() == 8));
    assert_eq!(state.next_step(8), Step::Deliver(information));
}

#[test]
fn a_waiter_for_a_signal_that_it_holds_back_takes_it() {
    let mut state = state();
    for id in [7, 8] {
        state.set_mask(id, SignalSet::single(SIGUSR1));
    }
    assert!(state.choose(SIGUSR1).is_none());
    state.members.get_mut(&8).unwrap().awaited = SignalSet::single(SIGUSR1);
    assert!(state.choose(SIGUSR1).is_some_and(|member| member.task.id() == 8));
    let information = post(&mut state, SIGUSR1);
    assert_eq!(state.next_step(8), Step::Nothing, "the call takes it, not the way back");
    assert_eq!(state.take(8, SignalSet::single(SIGUSR1)), Some(information));
}

#[test]
fn kill_comes_first_even_to_who_is_stopped() {
    let mut state = state();
    state.stopping = Some(SIGSTOP);
    post(&mut state, SIGTERM);
    assert_eq!(state.next_step(7), Step::Stop);
    let kill = post(&mut state, SIGKILL);
    assert!(state.must_leave(8));
    assert_eq!(state.next_step(7), Step::Deliver(kill));
}

#[test]
fn all_leave_when_the_process_ends_and_the_first_reason_counts() {
    let mut state = state();
    state.end(ExitStatus::Exited(3));
    state.end(ExitStatus::Exited(4));
    assert_eq!(state.ending, Some(ExitStatus::Exited(3)));
    assert_eq!((state.next_step(7), state.next_step(8)), (Step::Leave, Step::Leave));
}

#[test]
fn only_the_others_leave_when_one_changes_the_program() {
    let mut state = state();
    state.sole = Some(8);
    assert_eq!((state.next_step(7), state.next_step(8)), (Step::Leave, Step::Nothing));
}

#[test]
fn the_last_thread_to_stop_completes_the_stop_once() {
    let mut state = state();
    state.stopping = Some(SIGTSTP);
    assert_eq!(state.mark_stopped(7), None);
    assert_eq!(state.mark_stopped(8), Some(SIGTSTP));
    assert_eq!(state.mark_stopped(8), None);
}

#[test]
fn a_thread_that_leaves_completes_the_stop_of_those_left() {
    let mut state = state();
    state.stopping = Some(SIGSTOP);
    assert_eq!(state.mark_stopped(7), None);
    drop(state.remove(8));
    assert_eq!(state.completed_stop(), Some(SIGSTOP));
}

#[test]
fn a_continue_forgets_stops_and_is_reported_once_if_the_stop_was_complete() {
    let mut state = state();
    state.stopping = Some(SIGSTOP);
    state.mark_stopped(7);
    state.mark_stopped(8);
    post(&mut state, SIGTSTP);
    state.resume();
    assert_eq!(state.stopping, None);
    assert!(state.shared.set().is_empty());
    assert_eq!(state.next_step(8), Step::ReportContinued);
    assert_eq!(state.next_step(7), Step::Nothing);
}

#[test]
fn a_continue_before_the_stop_took_effect_undoes_it() {
    let mut state = state();
    let stop = post(&mut state, SIGTSTP);
    assert_eq!(state.next_step(7), Step::Deliver(stop));
    assert!(state.stop_taken);
    state.resume();
    assert!(!state.stop_taken && !state.continued);
}

#[test]
fn a_thread_that_is_not_there_leaves() {
    let mut state = state();
    assert_eq!(state.next_step(99), Step::Leave);
    assert!(state.must_look(99) && state.must_leave(99));
}

#[test]
fn a_deadly_signal_is_taken_at_once_by_whoever_does_not_hold_it_back_and_does_not_stand_still() {
    let mut state = state();
    assert!(state.is_taken_at_once(None, SIGTERM) && state.is_taken_at_once(Some(8), SIGTERM));
    state.set_mask(7, SignalSet::single(SIGTERM));
    assert!(state.is_taken_at_once(None, SIGTERM) && !state.is_taken_at_once(Some(7), SIGTERM));
    state.set_mask(8, SignalSet::single(SIGTERM));
    state.members.get_mut(&8).unwrap().awaited = SignalSet::single(SIGTERM);
    assert!(!state.is_taken_at_once(None, SIGTERM), "the one that waits for it takes it alive");
    state.stopping = Some(SIGSTOP);
    assert!(!state.is_taken_at_once(None, SIGUSR1) && state.is_taken_at_once(None, SIGKILL));
}
