//! Operations on a set, without anybody to wait.

use super::*;
use crate::credentials::Credentials;
use alloc::vec;

fn state(values: &[i32]) -> State {
    let mut state = State::new(Rights::new(&Credentials::root(), 0o600), values.len(), 0).unwrap();
    state.set(0, values, 0, 0);
    state
}

fn add(index: u16, change: i16) -> Operation {
    Operation { index, change, may_wait: true, is_undone: false }
}

fn values(state: &State) -> Vec<i32> {
    state.semaphores().iter().map(|semaphore| semaphore.value).collect()
}

#[test]
fn all_operations_are_done_or_none() {
    let mut state = state(&[1, 0]);
    let Outcome::Waits(ticket) = state.operate(1, &[add(0, -1), add(1, -1)], 0) else { panic!("it did not wait") };
    assert_eq!((values(&state), state.waiters(1, false), state.waiters(0, false)), (vec![1, 0], 1, 0));
    assert_eq!(state.operate(2, &[add(1, 1)], 0), Outcome::Done(Ok(())));
    assert_eq!((values(&state), state.take_answer(ticket), state.take_answer(ticket)), (vec![0, 0], Some(Ok(())), None));
}

#[test]
fn each_operation_sees_what_those_before_it_did() {
    let mut state = state(&[1]);
    assert_eq!(state.operate(1, &[add(0, -1), add(0, 0), add(0, 5)], 0), Outcome::Done(Ok(())));
    assert_eq!(values(&state), [5]);
    assert_eq!(state.operate(1, &[add(0, i16::MAX)], 0), Outcome::Done(Err(Errno::ERANGE)));
}

#[test]
fn one_that_is_let_through_lets_an_older_one_through() {
    let mut state = state(&[1, 0]);
    let Outcome::Waits(zero) = state.operate(1, &[add(0, 0)], 0) else { panic!("it did not wait") };
    let Outcome::Waits(both) = state.operate(2, &[add(0, -1), add(1, -1)], 0) else { panic!("it did not wait") };
    assert_eq!(state.operate(3, &[add(1, 1)], 0), Outcome::Done(Ok(())));
    assert_eq!((state.take_answer(both), state.take_answer(zero)), (Some(Ok(())), Some(Ok(()))));
}

#[test]
fn the_end_of_a_process_takes_back_what_it_did_but_not_what_was_set_since() {
    let mut state = state(&[3, 3]);
    let undone = |index| Operation { is_undone: true, ..add(index, -2) };
    assert_eq!(state.operate(1, &[undone(0), undone(1)], 0), Outcome::Done(Ok(())));
    state.set(1, &[7], 2, 0);
    assert!(state.undo(1, 0) && !state.undo(1, 0));
    assert_eq!(values(&state), [3, 7]);
}

#[test]
fn who_gives_up_late_has_its_answer_and_a_removed_set_tells_all() {
    let mut state = state(&[0]);
    let Outcome::Waits(first) = state.operate(1, &[add(0, -1)], 0) else { panic!("it did not wait") };
    let Outcome::Waits(second) = state.operate(2, &[add(0, -1)], 0) else { panic!("it did not wait") };
    state.set(0, &[1], 3, 0);
    assert_eq!((state.give_up(first), values(&state)), (Some(Ok(())), vec![0]));
    state.remove();
    assert_eq!((state.take_answer(second), state.is_removed), (Some(Err(Errno::EIDRM)), true));
}
