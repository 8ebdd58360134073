//! What a dead thread leaves is dropped with it: it has no payload.

use super::thread::Payload;

pub(crate) struct Remains {
    pub(crate) payload: Option<Payload>,
}

impl Remains {
    pub(crate) fn new(payload: Option<Payload>) -> Box<Remains> {
        Box::new(Remains { payload })
    }
}

pub(crate) fn leave(remains: Box<Remains>) {
    drop(remains);
}

pub(crate) fn collect() {}
