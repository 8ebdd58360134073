//! The calls by which threads of one program agree on memory without locks.
//!
//! `membarrier` has every CPU pass a barrier, or give up the sequence it is in; `rseq` registers such sequences.

pub mod membarrier;
pub mod rseq;
