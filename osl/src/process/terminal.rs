//! What a session needs to know of its controlling terminal; the terminals themselves stand elsewhere.
//!
//! Invariant: no lock of this folder is held while a terminal is asked.

use sync::TaskContext;

/// A terminal as the session sees it that it controls.
pub trait ControllingTerminal: Send + Sync {
    /// Its device number as /proc prints it.
    fn device_number(&self) -> u32;

    /// The group that reads from it, 0 or less for none.
    fn foreground_group(&self, cx: &mut TaskContext) -> i32;

    /// The session is over or gave the terminal up: forget session and foreground group.
    fn session_ended(&self, cx: &mut TaskContext);
}
