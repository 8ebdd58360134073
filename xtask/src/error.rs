//! What went wrong, in words for the person at the keyboard, and the exit status that says so.

use std::fmt::Display;

/// Exit status 2 means: something is missing on this machine, or the command line makes no sense.
pub const USAGE_OR_MISSING: u8 = 2;

#[derive(Debug)]
pub struct Failure {
    pub message: String,
    pub status: u8,
}

pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: 1 }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), status: USAGE_OR_MISSING }
    }
}

/// Turns a foreign error into a sentence: what was being done, then why it failed.
pub trait Explain<T> {
    fn explain(self, doing: impl Display) -> Outcome<T>;
}

impl<T, E: Display> Explain<T> for Result<T, E> {
    fn explain(self, doing: impl Display) -> Outcome<T> {
        self.map_err(|error| Failure::new(format!("{doing}: {error}")))
    }
}
