//! Signals at work: who may send them, and what a thread does about them on its way back to its program.
//!
//! `send` judges `kill` and its kin; `deliver` is the hook on the way back to ring 3; `frame` builds what a handler finds on its
//! stack and takes it back; `sequence` keeps restartable sequences whole; `stop` is where a stopped thread waits; `restart` decides what becomes of an interrupted call. The
//! signals themselves, waiting, are kept one floor below, in `process::signals`.

pub mod deliver;
pub mod extended;
pub mod file;
pub mod frame;
pub mod restart;
pub mod send;
pub mod sequence;
pub mod stack;
pub mod stop;

pub use deliver::before_return;
