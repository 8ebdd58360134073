//! Nobody asks for all threads.

use super::thread::Thread;
use std::sync::Arc;

pub(super) fn enter(_: &Arc<Thread>) {}

pub(super) fn leave(_: u64) {}
