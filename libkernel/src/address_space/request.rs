//! What is asked of a space, and what it tells about itself.
//!
//! Invariant: none of these has been checked against a space; that is done under its lock.

use super::address::UserAddress;
use super::backing::Backing;
use alloc::string::String;

/// What a program may do with a page.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Protection {
    pub read: bool,
    pub write: bool,
    pub execute: bool,
}

impl Protection {
    pub const NONE: Protection = Protection { read: false, write: false, execute: false };
    pub const READ: Protection = Protection { read: true, ..Protection::NONE };
    pub const READ_WRITE: Protection = Protection { write: true, ..Protection::READ };
    pub const READ_EXECUTE: Protection = Protection { execute: true, ..Protection::READ };

    /// Anything at all? The CPU cannot grant writing or executing without reading.
    pub const fn is_any(self) -> bool {
        self.read || self.write || self.execute
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Where there is room; at the hint, if there is room just there.
    Anywhere(Option<UserAddress>),
    /// There; what is mapped there goes.
    Fixed(UserAddress),
    /// There, or not at all.
    FixedNoReplace(UserAddress),
}

#[derive(Clone)]
pub struct MapRequest {
    pub placement: Placement,
    /// In bytes; rounded up to whole pages.
    pub length: u64,
    pub protection: Protection,
    pub backing: Backing,
}

/// One mapping, in a list of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    pub start: UserAddress,
    pub end: UserAddress,
    pub protection: Protection,
    pub shared: bool,
    /// In bytes, of the source's contents.
    pub offset: u64,
    /// The source's name, `[heap]`, `[stack]`, or nothing.
    pub name: String,
    pub grows_down: bool,
}
