//! Messages of several types, and receivers that wait, without anybody to sleep.

use super::*;
use crate::credentials::Credentials;
use alloc::vec;

fn queue(most_bytes: u64) -> State {
    State::new(Rights::new(&Credentials::root(), 0o600), most_bytes, 0)
}

fn send(state: &mut State, kind: i64, length: usize) -> bool {
    state.send(&mut Some(Message { kind, bytes: vec![0; length] }), 1, 0).unwrap()
}

fn wanted(kind: Kind) -> Wanted {
    Wanted { kind, room: 10, cut: false, process: 2 }
}

fn received(state: &mut State, kind: Kind) -> Result<i64, Errno> {
    match state.receive(wanted(kind), false, 0)? {
        Outcome::Done(message) => Ok(message.kind),
        Outcome::Waits(_) => Err(Errno::EAGAIN),
    }
}

#[test]
fn types_choose_among_messages() {
    let mut state = queue(100);
    assert!([5, 3, 7, 3, 5].iter().all(|kind| send(&mut state, *kind, 1)));
    assert_eq!(received(&mut state, Kind::Lowest(2)), Err(Errno::ENOMSG));
    assert_eq!(received(&mut state, Kind::Lowest(9)), Ok(3));
    assert_eq!(received(&mut state, Kind::Equal(7)), Ok(7));
    assert_eq!(received(&mut state, Kind::Other(5)), Ok(3));
    assert_eq!((received(&mut state, Kind::Any), state.in_it()), (Ok(5), (1, 1)));
}

#[test]
fn there_is_room_for_so_many_bytes_and_messages() {
    let mut state = queue(4);
    assert!(send(&mut state, 1, 3) && !send(&mut state, 1, 2) && send(&mut state, 1, 1));
    assert!(send(&mut state, 1, 0) && send(&mut state, 1, 0) && !send(&mut state, 1, 0));
}

#[test]
fn the_oldest_receiver_with_room_gets_it_and_the_queue_stays_empty() {
    let mut state = queue(100);
    let mut waits = |wanted| match state.receive(wanted, true, 0).unwrap() {
        Outcome::Waits(ticket) => ticket,
        Outcome::Done(_) => panic!("there was a message"),
    };
    let (other, small) = (waits(wanted(Kind::Other(4))), waits(Wanted { room: 1, ..wanted(Kind::Any) }));
    let (cut, last) = (waits(Wanted { room: 1, cut: true, ..wanted(Kind::Equal(4)) }), waits(wanted(Kind::Any)));
    assert!(send(&mut state, 4, 6));
    assert_eq!((state.take_answer(other), state.take_answer(small)), (None, Some(Err(Errno::E2BIG))));
    assert_eq!(state.take_answer(cut), Some(Ok(Message { kind: 4, bytes: vec![0; 6] })));
    assert_eq!((state.in_it(), state.give_up(last)), ((0, 0), None));
    state.tell_all(Errno::EIDRM);
    assert_eq!(state.take_answer(other), Some(Err(Errno::EIDRM)));
}
