//! Futexes: sleeping until a word in a program's memory changes.
//!
//! `bucket` is the meeting of the two sides, `table` says where the buckets stand; `wait` and `wake` are the plain calls, `several` waits
//! for many words at once; `operation` decodes the call, `change` one of its words, `until` its clocks. `lock` takes words that are locks, `hand_over` lets go of them, `condition` ends a wait with one;
//! `lend` gives their owners the rights of those who wait; `robust` marks the words that a dead thread still owned.

pub mod bucket;
pub mod change;
pub mod condition;
pub mod hand_over;
pub mod lend;
pub mod lock;
pub mod operation;
pub mod owner;
pub mod robust;
pub mod several;
pub mod table;
pub mod until;
pub mod wait;
pub mod waiter;
pub mod wake;

pub use operation::{Operation, Words, call};
pub use owner::Owner;
pub use until::Until;
pub use wait::{Wish, wait};
pub use wake::{ALL_BITS, wake_one};
