//! membarrier: a full memory barrier on every CPU that may run the caller's threads.
//!
//! Invariant: when it returns, each CPU has gone through a full barrier since it was called; and, as the interrupt that
//! asked for it ends with an instruction that serialises, each has also forgotten what it had fetched ahead.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::cross_call;
use sync::{cpu, fence_full};

use super::Caller;

const QUERY: u32 = 0;
const GLOBAL: u32 = 1;
const GLOBAL_EXPEDITED: u32 = 1 << 1;
const REGISTER_GLOBAL_EXPEDITED: u32 = 1 << 2;
const PRIVATE_EXPEDITED: u32 = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: u32 = 1 << 4;
const PRIVATE_EXPEDITED_SYNC_CORE: u32 = 1 << 5;
const REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: u32 = 1 << 6;
const GET_REGISTRATIONS: u32 = 1 << 9;
const SERVED: u32 = GLOBAL
    | GLOBAL_EXPEDITED
    | REGISTER_GLOBAL_EXPEDITED
    | PRIVATE_EXPEDITED
    | REGISTER_PRIVATE_EXPEDITED
    | PRIVATE_EXPEDITED_SYNC_CORE
    | REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
    | GET_REGISTRATIONS;

pub fn membarrier(caller: &mut Caller<'_>, command: u32, flags: u32) -> Result<u32, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let process = caller.process();
    match command {
        QUERY => return Ok(SERVED),
        GET_REGISTRATIONS => return Ok(process.barriers.load()),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED_SYNC_CORE => {
            process.barriers.fetch_or(command);
            return Ok(0);
        }
        GLOBAL | GLOBAL_EXPEDITED => {}
        PRIVATE_EXPEDITED | PRIVATE_EXPEDITED_SYNC_CORE if process.barriers.load() & command << 1 == 0 => return Err(Errno::EPERM),
        PRIVATE_EXPEDITED | PRIVATE_EXPEDITED_SYNC_CORE => {}
        _ => return Err(Errno::EINVAL),
    }
    fence_full();
    cross_call::on(cpu::online(), Arc::new(fence_full), caller.cx);
    Ok(0)
}
