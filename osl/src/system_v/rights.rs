//! Whose an object is, and who may do what with it.
//!
//! Invariant: who made it never changes; whose it is, and its mode, only by its owner, its maker or root.

use crate::credentials::Credentials;

/// Owner, maker and mode of an object with a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub user: u32,
    pub group: u32,
    pub maker: u32,
    pub maker_group: u32,
    /// The nine bits of a file's mode.
    pub mode: u32,
}

/// Rights that may be wanted, wherever in a mode they stand.
pub const READ: u32 = 0o444;
pub const WRITE: u32 = 0o222;
pub const EXECUTE: u32 = 0o111;

const ALL: u32 = 0o777;

impl Rights {
    /// Those of something that is made with these flags.
    pub fn new(credentials: &Credentials, flags: u32) -> Self {
        let (user, group) = (credentials.euid, credentials.egid);
        Self { user, group, maker: user, maker_group: group, mode: flags & ALL }
    }

    /// May it be used so? What is wanted may stand in any of the three places of a mode.
    pub fn allow(&self, who: &Credentials, wanted: u32) -> bool {
        let wanted = (wanted >> 6 | wanted >> 3 | wanted) & 7;
        let granted = if who.euid == self.user || who.euid == self.maker {
            self.mode >> 6
        } else if who.is_member(self.group) || who.is_member(self.maker_group) {
            self.mode >> 3
        } else {
            self.mode
        };
        wanted & !granted == 0 || who.is_privileged()
    }

    /// May it be changed and removed?
    pub fn allow_control(&self, who: &Credentials) -> bool {
        who.euid == self.user || who.euid == self.maker || who.is_privileged()
    }

    /// Another owner and mode.
    pub fn change(&mut self, user: u32, group: u32, mode: u32) {
        (self.user, self.group, self.mode) = (user, group, mode & ALL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_the_bits_that_are_for_it() {
        let rights = Rights::new(&Credentials::of(1, 10), 0o640);
        assert!(rights.allow(&Credentials::of(1, 99), 0o600) && rights.allow(&Credentials::of(1, 99), 0o006));
        assert!(rights.allow(&Credentials::of(2, 10), 0o400) && !rights.allow(&Credentials::of(2, 10), 0o200));
        assert!(!rights.allow(&Credentials::of(2, 20), 0o400));
        assert!(rights.allow(&Credentials::root(), 0o700));
        assert!(rights.allow_control(&Credentials::of(1, 99)) && !rights.allow_control(&Credentials::of(2, 10)));
    }
}
