//! Nobody counts here: what is left after a deadlock is dropped when no CPU is played any more.

pub struct Census;

pub struct Counted;

impl Census {
    pub const fn new(_: &'static str) -> Self {
        Census
    }

    pub fn count(&'static self) -> Counted {
        Counted
    }
}
