//! What programs may set about a socket.
//!
//! Invariant: each value is its own word and may change at any time; a call goes by what it read when it began.

use libkernel::wait::Deadline;
use sync::{Flag, Published};

/// How much may be on its way before a sender waits (`net.core.wmem_default`).
const DEFAULT_LIMIT: u64 = 212_992;
/// The most that a program may ask for, before it is doubled.
const MOST: u64 = 212_992;
const LEAST_SEND: u64 = 4608;
const LEAST_RECEIVE: u64 = 2304;
/// A time that never comes.
const NEVER: u64 = u64::MAX;

/// The settings.
pub struct Settings {
    pub send_limit: Published<u64>,
    pub receive_limit: Published<u64>,
    /// Nanoseconds; `NEVER` without one.
    pub send_timeout: Published<u64>,
    pub receive_timeout: Published<u64>,
    /// A receiver of a stream waits for so many bytes.
    pub low_water: Published<u64>,
    /// Messages tell who sent them.
    pub passes_credentials: Flag,
    /// Switches that are kept and have no effect, a bit for each option.
    pub switches: Published<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl Settings {
    /// What a new socket has.
    pub fn new() -> Self {
        Self {
            send_limit: Published::<u64>::new(DEFAULT_LIMIT),
            receive_limit: Published::<u64>::new(DEFAULT_LIMIT),
            send_timeout: Published::<u64>::new(NEVER),
            receive_timeout: Published::<u64>::new(NEVER),
            low_water: Published::<u64>::new(1),
            passes_credentials: Flag::new(false),
            switches: Published::<u64>::new(0),
        }
    }

    /// What a connection to a listener with these has.
    pub fn inherited(&self) -> Self {
        Self { passes_credentials: Flag::new(self.passes_credentials.is_set()), ..Self::new() }
    }

    /// Sets how much may be on its way; the real bound is twice that, for what messages take besides their bytes.
    pub fn set_send_limit(&self, bytes: u64) {
        self.send_limit.store((bytes.min(MOST) * 2).max(LEAST_SEND));
    }

    /// The same for the receiving side.
    pub fn set_receive_limit(&self, bytes: u64) {
        self.receive_limit.store((bytes.min(MOST) * 2).max(LEAST_RECEIVE));
    }
}

/// When a wait ends by a timeout.
pub fn deadline(timeout: &Published<u64>) -> Deadline {
    match timeout.load() {
        NEVER => Deadline::NEVER,
        nanoseconds => Deadline::after(nanoseconds),
    }
}

/// A timeout as the program says it: nothing is for ever.
pub fn timeout_of(nanoseconds: u64) -> u64 {
    if nanoseconds == 0 { NEVER } else { nanoseconds }
}

/// A timeout as the program is told it.
pub fn told(timeout: u64) -> u64 {
    if timeout == NEVER { 0 } else { timeout }
}
