//! membarrier: a full memory barrier on every CPU that may run the caller's threads.
//!
//! Invariant: when it returns, each CPU has gone through a full barrier since it was called; and, as the interrupt that
//! asked for it ends with an instruction that serialises, each has also forgotten what it had fetched ahead. With RSEQ, each
//! has also given up the restartable sequence that it was in.

use alloc::sync::Arc;

use abi::Errno;
use libkernel::{cross_call, thread};
use sync::{CpuSet, cpu, fence_full};

use super::super::Caller;

const QUERY: u32 = 0;
const GLOBAL: u32 = 1;
const GLOBAL_EXPEDITED: u32 = 1 << 1;
const REGISTER_GLOBAL_EXPEDITED: u32 = 1 << 2;
const PRIVATE_EXPEDITED: u32 = 1 << 3;
const REGISTER_PRIVATE_EXPEDITED: u32 = 1 << 4;
const PRIVATE_EXPEDITED_SYNC_CORE: u32 = 1 << 5;
const REGISTER_PRIVATE_EXPEDITED_SYNC_CORE: u32 = 1 << 6;
const PRIVATE_EXPEDITED_RSEQ: u32 = 1 << 7;
const REGISTER_PRIVATE_EXPEDITED_RSEQ: u32 = 1 << 8;
const GET_REGISTRATIONS: u32 = 1 << 9;
const SERVED: u32 = GLOBAL
    | GLOBAL_EXPEDITED
    | REGISTER_GLOBAL_EXPEDITED
    | PRIVATE_EXPEDITED
    | REGISTER_PRIVATE_EXPEDITED
    | PRIVATE_EXPEDITED_SYNC_CORE
    | REGISTER_PRIVATE_EXPEDITED_SYNC_CORE
    | PRIVATE_EXPEDITED_RSEQ
    | REGISTER_PRIVATE_EXPEDITED_RSEQ
    | GET_REGISTRATIONS;
/// Only one CPU is to pass: the third argument says which.
const FLAG_CPU: u32 = 1;

pub fn membarrier(caller: &mut Caller<'_>, command: u32, flags: u32, one: i32) -> Result<u32, Errno> {
    if flags != 0 && (command, flags) != (PRIVATE_EXPEDITED_RSEQ, FLAG_CPU) {
        return Err(Errno::EINVAL);
    }
    let process = caller.process();
    match command {
        QUERY => return Ok(SERVED),
        GET_REGISTRATIONS => return Ok(process.barriers.load()),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED | REGISTER_PRIVATE_EXPEDITED_SYNC_CORE | REGISTER_PRIVATE_EXPEDITED_RSEQ => {
            process.barriers.fetch_or(command);
            return Ok(0);
        }
        GLOBAL | GLOBAL_EXPEDITED => {}
        PRIVATE_EXPEDITED | PRIVATE_EXPEDITED_SYNC_CORE | PRIVATE_EXPEDITED_RSEQ => {
            if process.barriers.load() & command << 1 == 0 {
                return Err(Errno::EPERM);
            }
        }
        _ => return Err(Errno::EINVAL),
    }
    fence_full();
    let cpus = if flags == FLAG_CPU { chosen(one) } else { cpu::online() };
    if command == PRIVATE_EXPEDITED_RSEQ {
        cross_call::on(cpus, Arc::new(disturb), caller.cx);
    } else {
        cross_call::on(cpus, Arc::new(fence_full), caller.cx);
    }
    Ok(0)
}

/// One CPU; all, if the number is below zero; none, if there is none of the number.
fn chosen(one: i32) -> CpuSet {
    let Ok(index) = usize::try_from(one) else {
        return cpu::online();
    };
    cpu::online().iter().find(|cpu| cpu.index() == index).map_or(CpuSet::EMPTY, CpuSet::single)
}

fn disturb() {
    fence_full();
    thread::user::pretend_absence_here();
}
