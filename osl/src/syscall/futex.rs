//! futex: the call, and what is left of a timed wait that a signal cut in two.
//!
//! Invariant: a wait that goes on after an interruption keeps the moment at which it began to count.

use abi::Errno;
use abi::constant::FUTEX_WAIT;
use libkernel::address_space::UserAddress;
use libkernel::wait::Deadline;

use super::{Arguments, Caller};
use crate::futex::operation::{self, Operation};
use crate::futex::wake::ALL_BITS;
use crate::process::Restart;

pub fn futex(caller: &mut Caller<'_>, arguments: &Arguments) -> Result<u64, Errno> {
    let (address, word, value, fourth) = (arguments.address(0), arguments.unsigned(1), arguments.unsigned(2), arguments.word(3));
    let operation = Operation::decode(word);
    if operation.command == FUTEX_WAIT && fourth != 0 {
        let deadline = operation::deadline(caller.cx, fourth, true, operation.wall_clock)?;
        return wait(caller, address, value, deadline, operation.private);
    }
    crate::futex::call(caller.cx, address, word, value, fourth, arguments.address(4), arguments.unsigned(5))
}

/// Goes on with a timed wait.
pub fn resume(caller: &mut Caller<'_>, address: u64, value: u32, deadline: u64, private: bool) -> Result<u64, Errno> {
    wait(caller, UserAddress::new(address), value, Deadline::at(deadline), private)
}

fn wait(caller: &mut Caller<'_>, address: UserAddress, value: u32, deadline: Deadline, private: bool) -> Result<u64, Errno> {
    match crate::futex::wait(caller.cx, address, value, deadline, ALL_BITS, private) {
        Ok(()) => Ok(0),
        Err(Errno::EINTR) => {
            let deadline = deadline.0.unwrap_or(u64::MAX);
            let rest = Restart::Futex { address: address.as_u64(), value, deadline, bits: ALL_BITS, private };
            *caller.task.restart.lock(caller.cx) = Some(rest);
            Err(Errno::ERESTART_RESTARTBLOCK)
        }
        Err(error) => Err(error),
    }
}
