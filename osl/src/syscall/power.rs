//! reboot: switch off, start again, halt.
//!
//! Invariant: only a privileged caller who knows the magic numbers gets as far as the machine.

use abi::Errno;

use super::Caller;
use crate::board::{self, PowerAction};

const MAGIC: u32 = 0xfee1_dead;
const SECOND_MAGIC: [u32; 4] = [672_274_793, 85_072_278, 369_367_448, 537_993_216];

const RESTART: u32 = 0x0123_4567;
const RESTART_WITH_COMMAND: u32 = 0xa1b2_c3d4;
const HALT: u32 = 0xcdef_0123;
const POWER_OFF: u32 = 0x4321_fedc;
const KEYS_ON: u32 = 0x89ab_cdef;
const KEYS_OFF: u32 = 0;

pub fn reboot(caller: &mut Caller<'_>, magic: u32, second: u32, command: u32) -> Result<(), Errno> {
    if !caller.credentials().is_privileged() {
        return Err(Errno::EPERM);
    }
    if magic != MAGIC || !SECOND_MAGIC.contains(&second) {
        return Err(Errno::EINVAL);
    }
    let Some(action) = action(command)? else { return Ok(()) };
    let board = board::get().ok_or(Errno::EINVAL)?;
    let name = caller.task.name(caller.cx);
    match action {
        PowerAction::Off => libkernel::log::info!("{name} switches the machine off"),
        PowerAction::Restart => libkernel::log::info!("{name} restarts the machine"),
        PowerAction::Halt => libkernel::log::info!("{name} halts the machine"),
    }
    board.power(action);
    Err(Errno::EINVAL)
}

/// What a command asks for; nothing for the key combination, which this kernel does not catch.
fn action(command: u32) -> Result<Option<PowerAction>, Errno> {
    match command {
        RESTART | RESTART_WITH_COMMAND => Ok(Some(PowerAction::Restart)),
        HALT => Ok(Some(PowerAction::Halt)),
        POWER_OFF => Ok(Some(PowerAction::Off)),
        KEYS_ON | KEYS_OFF => Ok(None),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_does_nothing() {
        assert_eq!(action(1), Err(Errno::EINVAL));
        assert_eq!(action(KEYS_OFF), Ok(None));
        assert_eq!(action(POWER_OFF), Ok(Some(PowerAction::Off)));
    }
}
