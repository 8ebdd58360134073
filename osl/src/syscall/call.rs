//! Call: one row of the table of calls.
//!
//! Invariant: a row says how much of its call there is, in words that stand in the printed page.

use abi::Errno;

use super::{Arguments, Caller};

/// What serves a call.
pub type Handler = for<'a, 'b, 'c> fn(&'a mut Caller<'b>, &'c Arguments) -> Result<u64, Errno>;

/// How much of a call there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// All that programs on one machine without swap, name spaces or tracing can tell.
    Full,
    /// All but what is named.
    Partial(&'static str),
}

/// One call.
pub struct Call {
    /// Its number on x86-64.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// How much of it there is.
    pub completeness: Completeness,
    /// What serves it.
    pub handler: Handler,
}

/// A row of the table.
pub const fn call(number: u16, name: &'static str, completeness: Completeness, handler: Handler) -> Call {
    Call { number, name, completeness, handler }
}
