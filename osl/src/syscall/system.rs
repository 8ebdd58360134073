//! sysinfo, getrandom, personality: the machine as a whole.
//!
//! Invariant: nothing here changes the machine; what does stands in `power` and `names`.

use abi::Errno;
use abi::constant;
use abi::system::Sysinfo;
use libkernel::address_space::{UserAddress, user};
use libkernel::memory::frames;
use libkernel::sched::load::UNIT;
use libkernel::{clock, random, sched};

use super::Caller;
use super::memory::USER_END;
use crate::error::errno;
use crate::process;

const PAGE: u64 = 4096;
/// A load of one, as `struct sysinfo` counts.
const LOAD_ONE: u64 = 1 << 16;
const SECOND_NS: u64 = 1_000_000_000;
/// Random bytes are made in pieces, so that a large request holds no large buffer and can be broken off.
const RANDOM_PIECE: usize = 256;
const RANDOM_MOST: usize = 33_554_431;

/// What `personality` answers and takes: plain Linux.
const PERSONALITY_LINUX: u32 = 0;
const PERSONALITY_ASK: u32 = u32::MAX;

pub fn sysinfo(caller: &mut Caller<'_>, result: UserAddress) -> Result<(), Errno> {
    let memory = frames::statistics();
    let processes = process::all(caller.cx).len();
    let info = Sysinfo {
        uptime: i64::try_from(clock::now() / SECOND_NS).unwrap_or(i64::MAX),
        loads: sched::load_averages().map(|load| load.saturating_mul(LOAD_ONE) / UNIT),
        total_memory: memory.total.saturating_mul(PAGE),
        free_memory: memory.free.saturating_mul(PAGE),
        processes: u16::try_from(processes).unwrap_or(u16::MAX),
        memory_unit: 1,
        ..Sysinfo::default()
    };
    user::copy_out_value(caller.cx, result, &info).map_err(errno)
}

pub fn getrandom(caller: &mut Caller<'_>, at: UserAddress, count: usize, flags: u32) -> Result<usize, Errno> {
    let insecure_and_slow = constant::GRND_RANDOM | constant::GRND_INSECURE;
    let known = constant::GRND_NONBLOCK | insecure_and_slow;
    if flags & !known != 0 || flags & insecure_and_slow == insecure_and_slow {
        return Err(Errno::EINVAL);
    }
    let count = count.min(RANDOM_MOST);
    if at.checked_add(count as u64).is_none_or(|end| end.as_u64() > USER_END) {
        return Err(Errno::EFAULT);
    }
    let mut done = 0;
    let mut bytes = [0; RANDOM_PIECE];
    // No piece goes across the end of a page: what comes before one that is not there counts.
    let length = |done: usize| (RANDOM_PIECE - (at.as_u64() as usize + done) % RANDOM_PIECE).min(count - done);
    while let Some(piece) = bytes.get_mut(..length(done)).filter(|piece| !piece.is_empty()) {
        random::fill(piece);
        let place = at.as_u64().checked_add(done as u64).ok_or(Errno::EFAULT);
        let copied = place.and_then(|place| user::copy_out(caller.cx, UserAddress::new(place), piece).map_err(errno));
        match copied {
            Ok(()) => done += piece.len(),
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        if done < count && process::signals::has_pending(caller.cx, &caller.task) {
            break;
        }
    }
    Ok(done)
}

/// There is one personality; asking for it, and setting it, succeed.
pub fn personality(wanted: u32) -> Result<u32, Errno> {
    if wanted == PERSONALITY_ASK || wanted & 0xff == PERSONALITY_LINUX { Ok(PERSONALITY_LINUX) } else { Err(Errno::EINVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_linux_personality_can_be_set() {
        assert_eq!(personality(u32::MAX), Ok(0));
        assert_eq!(personality(0x004_0000), Ok(0));
        assert_eq!(personality(6), Err(Errno::EINVAL));
    }
}
