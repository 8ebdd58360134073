//! Terminals: the line between a person's keys and a program's reads.
//!
//! `line` is the line discipline, a state machine without locks or devices; `terminal` is a terminal that programs open, with its
//! waiting, and `file` one opening of it; `jobs` asks who may read and who gets signals; `control` answers `ioctl`; `console` is the kernel thread that feeds
//! the machine's console into its terminal.
//!
//! Invariant: bytes reach a terminal only from that thread, so no lock here is ever taken by an interrupt handler. What a byte
//! causes (echo, signals, wake-ups) is decided under the terminal's lock and done after it.

pub mod console;
pub mod control;
pub mod file;
pub mod jobs;
pub mod line;
pub mod output;
pub mod settings;
pub mod terminal;

pub use console::{console_terminal, start};
pub use file::TerminalFile;
pub use terminal::Terminal;
