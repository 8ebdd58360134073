//! membarrier: a full memory barrier on every CPU that may run the caller's threads.
//!
//! Invariant: when it returns, each CPU has gone through a full barrier since it was called.

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
const SERVED: u32 = GLOBAL | GLOBAL_EXPEDITED | REGISTER_GLOBAL_EXPEDITED | PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED;

pub fn membarrier(caller: &mut Caller<'_>, command: u32, flags: u32) -> Result<u32, Errno> {
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    match command {
        QUERY => Ok(SERVED),
        // Every CPU is asked every time, so there is nobody to register.
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED => Ok(0),
        GLOBAL | GLOBAL_EXPEDITED | PRIVATE_EXPEDITED => {
            fence_full();
            cross_call::on(cpu::online(), Arc::new(fence_full), caller.cx);
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}
