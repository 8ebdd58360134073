//! Whose rights a thread acts with.
//!
//! Invariant: a `Credentials` never changes once it is shared; a change makes a new one, and the thread is given that.

use alloc::sync::Arc;
use alloc::vec::Vec;

/// The user and group numbers of a thread, and its further groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real user: who started the program.
    pub uid: u32,
    /// Effective user: with whose rights it runs.
    pub euid: u32,
    /// Saved user: what it may go back to.
    pub suid: u32,
    /// The user that file accesses are judged by.
    pub fsuid: u32,
    /// Real group.
    pub gid: u32,
    /// Effective group.
    pub egid: u32,
    /// Saved group.
    pub sgid: u32,
    /// The group that file accesses are judged by.
    pub fsgid: u32,
    /// Further groups, sorted.
    pub groups: Arc<[u32]>,
    /// User 0 gave up what only the super-user may (`capset`), until it runs another program.
    pub has_renounced: bool,
}

impl Credentials {
    /// The first program's: user 0, group 0.
    pub fn root() -> Self {
        Self::of(0, 0)
    }

    /// All four users `user`, all four groups `group`, no further groups.
    pub fn of(user: u32, group: u32) -> Self {
        Self {
            uid: user,
            euid: user,
            suid: user,
            fsuid: user,
            gid: group,
            egid: group,
            sgid: group,
            fsgid: group,
            groups: Vec::new().into(),
            has_renounced: false,
        }
    }

    /// Whether the thread may do what only the super-user may (every capability, or none).
    pub fn is_privileged(&self) -> bool {
        self.euid == 0 && !self.has_renounced
    }

    /// Whether file permissions do not bind the thread (`CAP_DAC_OVERRIDE`, `CAP_FOWNER`).
    pub fn overrides_files(&self) -> bool {
        self.fsuid == 0 && !self.has_renounced
    }

    /// Whether the group is one of those that file accesses are judged by.
    pub fn is_member(&self, group: u32) -> bool {
        self.fsgid == group || self.groups.binary_search(&group).is_ok()
    }

    /// The same rights with other further groups.
    pub fn with_groups(&self, mut groups: Vec<u32>) -> Self {
        groups.sort_unstable();
        Self { groups: groups.into(), ..self.clone() }
    }

    /// For `access`: judged by the real user and group instead of the effective ones.
    pub fn as_real(&self) -> Self {
        Self { euid: self.uid, fsuid: self.uid, egid: self.gid, fsgid: self.gid, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_member_of_a_further_group_is_a_member_whatever_the_order_given() {
        let credentials = Credentials::of(1000, 1000).with_groups(vec![30, 10, 20]);
        assert!(credentials.is_member(10) && credentials.is_member(30) && credentials.is_member(1000));
        assert!(!credentials.is_member(11));
    }

    #[test]
    fn who_gave_its_rights_up_is_bound_like_everybody() {
        let credentials = Credentials { has_renounced: true, ..Credentials::root() };
        assert!(!credentials.is_privileged() && !credentials.overrides_files());
    }

    #[test]
    fn access_is_judged_by_the_real_user() {
        let credentials = Credentials { euid: 0, fsuid: 0, ..Credentials::of(1000, 1000) };
        assert!(credentials.overrides_files() && !credentials.as_real().overrides_files());
    }
}
