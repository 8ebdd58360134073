//! What programs share by numbers and keys: the calls of System V.
//!
//! `segments` is shared memory; `segment_text` what is told of it.

mod segment_text;
pub mod segments;
