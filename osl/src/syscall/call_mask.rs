//! The signal mask that a call like ppoll has for as long as it lasts.
//!
//! Invariant: the mask from before comes back: here when the call ends by itself, on the way back to the program when a signal ended it.

use abi::Errno;
use libkernel::address_space::{UserAddress, user};

use super::Caller;
use crate::error::errno;
use crate::process::signals::{self, SignalSet};

/// Sets the mask at an address of the program; no address leaves it as it is.
pub fn begin(caller: &mut Caller<'_>, at: UserAddress, size: usize) -> Result<(), Errno> {
    if at.as_u64() == 0 {
        return Ok(());
    }
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let bits: u64 = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let id = caller.task.id();
    let mut state = caller.task.process().signals.lock(caller.cx);
    let before = state.set_mask(id, SignalSet::from_bits(bits));
    if let Some(member) = state.members.get_mut(&id) {
        member.saved_mask = Some(before);
    }
    drop(state);
    if signals::has_pending(caller.cx, &caller.task) {
        caller.task.interrupt();
    }
    Ok(())
}

/// The call is over. When a signal ended it, the signal's delivery brings the mask back.
pub fn end(caller: &mut Caller<'_>, interrupted: bool) {
    if interrupted {
        return;
    }
    let id = caller.task.id();
    let mut state = caller.task.process().signals.lock(caller.cx);
    let before = state.members.get_mut(&id).and_then(|member| member.saved_mask.take());
    if let Some(before) = before {
        state.set_mask(id, before);
    }
}
