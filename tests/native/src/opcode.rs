//! What a submission may ask for.

pub const NOTHING: u32 = 0;
pub const TIMEOUT: u32 = 1;
pub const READ: u32 = 2;
pub const WRITE: u32 = 3;
pub const INTERRUPT: u32 = 4;
pub const SEND: u32 = 5;
pub const RECEIVE: u32 = 6;
pub const NOTIFIED: u32 = 7;
