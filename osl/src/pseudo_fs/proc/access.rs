//! Who may look into a process: its memory map, its descriptors, its environment.
//!
//! Invariant: asked again at every look, with the rights of whoever looks then, so a descriptor opened before the process gained
//! rights shows nothing afterwards.

use alloc::sync::Arc;

use abi::Errno;
use sync::TaskContext;

use crate::credentials::Credentials;
use crate::process::{self, Process};

/// Refuses a stranger with `EACCES`.
pub fn may_inspect(cx: &TaskContext, process: &Arc<Process>) -> Result<(), Errno> {
    let Some(looker) = process::current(cx) else { return Err(Errno::EACCES) };
    let is_own = Arc::ptr_eq(looker.process(), process);
    let open = process.dumpable.is_set();
    if is_own || allows(&looker.credentials(cx), &process.credentials(cx), open) { Ok(()) } else { Err(Errno::EACCES) }
}

/// Root looks at everything; others at a process all of whose users and groups are theirs, unless it closed itself off.
fn allows(looker: &Credentials, owner: &Credentials, open: bool) -> bool {
    let same_user = [owner.uid, owner.euid, owner.suid].iter().all(|&user| user == looker.fsuid);
    let same_group = [owner.gid, owner.egid, owner.sgid].iter().all(|&group| group == looker.fsgid);
    looker.is_privileged() || (open && same_user && same_group)
}

/// To whom the files of a process belong: its effective user and group, or root when it closed itself off.
pub fn owner(cx: &TaskContext, process: &Arc<Process>) -> (u32, u32) {
    let credentials = process.credentials(cx);
    if process.dumpable.is_set() { (credentials.euid, credentials.egid) } else { (0, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_sees_nothing_and_root_everything() {
        let owner = Credentials::of(1000, 100);
        assert!(!allows(&Credentials::of(1001, 100), &owner, true));
        assert!(allows(&Credentials::of(0, 0), &owner, false));
        assert!(allows(&owner, &owner, true));
    }

    #[test]
    fn a_set_user_id_program_is_closed_to_who_started_it() {
        let looker = Credentials::of(1000, 100);
        let risen = Credentials { euid: 0, suid: 0, ..Credentials::of(1000, 100) };
        assert!(!allows(&looker, &risen, true));
        assert!(!allows(&looker, &looker, false));
    }
}
