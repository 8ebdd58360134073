//! Nobody counts objects: who unwinds out of an execution that has failed is on no CPU any more.

pub struct Census;

pub struct Counted;

impl Census {
    pub const fn new(_: &'static str) -> Self {
        Census
    }

    pub const fn count(&self) -> Counted {
        Counted
    }
}
