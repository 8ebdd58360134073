//! What a session needs to know of its controlling terminal; the terminals themselves stand elsewhere.
//!
//! Invariant: a session has its terminal only as long as the terminal says so too. A terminal that is asked takes no lock of this folder.

use alloc::sync::Arc;
use core::any::Any;

use sync::TaskContext;

/// Whom a session's end concerns among those who used its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The group that is in front.
    InFront(i32),
    /// The group that was in front when the terminal was hung up.
    HungUpBefore(i32),
    /// Nobody.
    Nobody,
}

/// A terminal as the session sees it that it controls.
pub trait ControllingTerminal: Send + Sync {
    /// Its device number as /proc prints it.
    fn device_number(&self) -> u32;

    /// The group that reads from it, 0 or less for none.
    fn foreground_group(&self, cx: &TaskContext) -> i32;

    /// Whether it is this session's, in the terminal's own view: it may have been hung up, or have been taken away.
    fn controls(&self, cx: &TaskContext, session: i32) -> bool;

    /// The session is over or gives the terminal up: forget session and foreground group.
    fn end_session(&self, cx: &TaskContext, session: i32) -> Farewell;

    /// The terminal as what it is.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}
