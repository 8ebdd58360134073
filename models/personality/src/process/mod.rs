//! Processes: the kernel's own tree, `wait` and ends, over processes that are only numbers.

#[path = "../../../../osl/src/process/ending.rs"]
pub mod ending;
#[path = "../../../../osl/src/process/numbers.rs"]
pub mod numbers;
#[path = "../../../../osl/src/process/status.rs"]
pub mod status;
#[path = "../../../../osl/src/process/terminal.rs"]
pub mod terminal;
#[path = "../../../../osl/src/process/times.rs"]
pub mod times;
#[path = "../../../../osl/src/process/tree.rs"]
pub mod tree;
#[path = "../../../../osl/src/process/wait.rs"]
pub mod wait;

pub mod shared;
pub mod signals;
pub mod table;
pub mod task;

pub use task::current;
