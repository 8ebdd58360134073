//! io_setup_rings, io_ring_enter.
//!
//! Invariant: the port is in ring mode only when the program has both descriptors.

use abi::Errno;
use abi::constant::O_RDWR;
use abi::native::RingParams;
use libkernel::address_space::{UserAddress, user};

use super::super::{Caller, file, place};
use super::port::{as_asker, port_of};
use crate::error::errno;
use crate::file::Promised;
use crate::native::rings;

pub fn setup(caller: &mut Caller<'_>, fd: i32, at: UserAddress) -> Result<(), Errno> {
    let open = caller.files().get_usable(caller.cx, fd)?;
    let port = port_of(&open)?;
    let asked: RingParams = user::copy_in_value(caller.cx, at).map_err(errno)?;
    let (submission_entries, completion_entries) = rings::sizes(asked)?;
    if port.core().has_ring(caller.cx) {
        return Err(Errno::EBUSY);
    }
    let mode = rings::prepare(submission_entries, completion_entries)?;
    let files = mode.files().map(|ring| file::opened(caller, ring, O_RDWR));
    let promised = [file::promise(caller)?, file::promise(caller)?];
    let [submission_fd, completion_fd] = promised.each_ref().map(Promised::fd);
    let given = RingParams { submission_entries, completion_entries, submission_fd, completion_fd };
    user::copy_out_value(caller.cx, at, &given).map_err(errno)?;
    port.set_up(caller.cx, mode)?;
    for (promised, ring) in promised.into_iter().zip(files) {
        promised.keep(caller.cx, ring, false);
    }
    Ok(())
}

pub fn enter(caller: &mut Caller<'_>, fd: i32, to_submit: u32, least: u32, flags: u32) -> Result<u32, Errno> {
    place::check_flags(flags, 0)?;
    let open = caller.files().get_usable(caller.cx, fd)?;
    let port = port_of(&open)?;
    // No wait for more than there will ever be room for would end.
    if port.core().ring_entries(caller.cx).is_none_or(|entries| least > entries) {
        return Err(Errno::EINVAL);
    }
    let taker = port.core().taker().map_err(errno)?;
    port.core().ready_in_ring(caller.cx).map_err(errno)?;
    as_asker(caller, |cx, asker| port.submit_from_ring(cx, asker, to_submit))??;
    loop {
        port.advance_all(caller.cx);
        port.clear_spent(caller.cx);
        let ready = port.core().ready_in_ring(caller.cx).map_err(errno)?;
        if ready >= least {
            return Ok(ready);
        }
        match taker.wait_for_ring(caller.cx, least) {
            Err(_) if ready > 0 => return Ok(ready),
            Err(error) => return Err(errno(error)),
            Ok(()) => {}
        }
    }
}
