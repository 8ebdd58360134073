//! Terminals: the line between a person's keys and a program's reads.
//!
//! `line` is the line discipline, a state machine without locks or devices, with `edit` and `output` its two hands; `state` is all
//! that changes of a terminal; `terminal` is one that programs open, with its waiting in `reading` and `writing`, and `file` one opening
//! of it; `jobs` asks who may read and who gets signals; `control` answers `ioctl`, `change` makes the changes. What is at the other end
//! is the machine's console (`console`, a kernel thread) or a program (`master`, with `numbers`): then it is a pseudo-terminal.
//!
//! Invariant: no lock here is ever taken by an interrupt handler. What a byte causes (echo, signals, wake-ups) is decided under the
//! terminal's lock and done after it.

pub mod change;
pub mod console;
pub mod control;
mod edit;
pub mod file;
pub mod jobs;
pub mod line;
pub mod master;
pub mod numbers;
pub mod output;
mod reading;
pub mod settings;
pub mod state;
pub mod terminal;
mod writing;

pub use console::{console_terminal, start};
pub use file::TerminalFile;
pub use master::MasterFile;
pub use terminal::Terminal;
