//! select and pselect6: poll's older face, with bits instead of an array.
//!
//! Invariant: only the words that hold the first `count` bits are read and written.

use alloc::vec::Vec;

use abi::Errno;
use abi::poll::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLRDNORM, POLLWRBAND, POLLWRNORM};
use abi::time::Timeval;
use libkernel::address_space::{UserAddress, user};
use libkernel::clock;

use super::poll::{after, deadline_in, select_until, write_rest};
use super::{Caller, call_mask};
use crate::error::errno;

const READ: u16 = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR;
const WRITE: u16 = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR;
const EXCEPT: u16 = POLLPRI;
const KINDS: [u16; 3] = [READ, WRITE, EXCEPT];

/// The most descriptors that Linux looks at is the size of the table; more bits than this never matter.
const MOST: usize = 1 << 20;

type Sets = [UserAddress; 3];

pub fn select(caller: &mut Caller<'_>, count: i32, sets: Sets, timeout: UserAddress) -> Result<usize, Errno> {
    let mut deadline = None;
    if timeout.as_u64() != 0 {
        let time: Timeval = user::copy_in_value(caller.cx, timeout).map_err(errno)?;
        let (seconds, microseconds) = (u64::try_from(time.seconds), u64::try_from(time.microseconds));
        let (Ok(seconds), Ok(microseconds)) = (seconds, microseconds) else { return Err(Errno::EINVAL) };
        let rest = seconds.saturating_mul(1_000_000_000).saturating_add(microseconds.saturating_mul(1_000));
        deadline = Some(after(rest));
    }
    let answer = select_sets(caller, count, sets, deadline);
    if let Some(deadline) = deadline {
        let rest = Timeval::from_nanoseconds(deadline.saturating_sub(clock::now()));
        let _ignored = user::copy_out_value(caller.cx, timeout, &rest);
    }
    answer.map_err(not_restarted)
}

pub fn pselect6(caller: &mut Caller<'_>, count: i32, sets: Sets, timeout: UserAddress, signals: UserAddress) -> Result<usize, Errno> {
    let deadline = deadline_in(caller, timeout)?;
    let [mask_at, size]: [u64; 2] = if signals.as_u64() == 0 { [0; 2] } else { user::copy_in_value(caller.cx, signals).map_err(errno)? };
    call_mask::begin(caller, UserAddress::new(mask_at), usize::try_from(size).unwrap_or(usize::MAX))?;
    let answer = select_sets(caller, count, sets, deadline);
    call_mask::end(caller, answer == Err(Errno::EINTR));
    write_rest(caller, timeout, deadline);
    answer.map_err(not_restarted)
}

fn not_restarted(error: Errno) -> Errno {
    if error == Errno::EINTR { Errno::ERESTARTNOHAND } else { error }
}

fn select_sets(caller: &mut Caller<'_>, count: i32, sets: Sets, deadline: Option<u64>) -> Result<usize, Errno> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?.min(MOST);
    let count = count.min(bits_in_use(caller));
    let length = count.div_ceil(64) * 8;
    let mut bits: [Vec<u8>; 3] = [Vec::new(), Vec::new(), Vec::new()];
    for (bits, at) in bits.iter_mut().zip(sets) {
        bits.resize(length, 0);
        if at.as_u64() != 0 {
            user::copy_in(caller.cx, at, bits).map_err(errno)?;
        }
    }
    let wanted = wanted(&bits, count);
    let answers = select_until(caller, &wanted, deadline)?;
    let mut found = 0;
    bits.iter_mut().for_each(|bits| bits.fill(0));
    for ((fd, asked), answer) in wanted.iter().zip(answers) {
        for (bits, kind) in bits.iter_mut().zip(KINDS) {
            if answer & kind != 0 && asked & kind & !(POLLERR | POLLHUP) != 0 {
                set_bit(bits, *fd);
                found += 1;
            }
        }
    }
    for (bits, at) in bits.iter().zip(sets) {
        if at.as_u64() != 0 {
            user::copy_out(caller.cx, at, bits).map_err(errno)?;
        }
    }
    Ok(found)
}

/// Bits above the highest open descriptor are not looked at, as in Linux.
fn bits_in_use(caller: &Caller<'_>) -> usize {
    let highest = caller.files().open_descriptors(caller.cx).last().map_or(0, |(fd, _)| fd.unsigned_abs() + 1);
    usize::try_from(highest).unwrap_or(0).next_multiple_of(64)
}

fn wanted(bits: &[Vec<u8>; 3], count: usize) -> Vec<(i32, u16)> {
    let mut wanted = Vec::new();
    for fd in 0..count {
        let has = |bits: &Vec<u8>| bits.get(fd / 8).is_some_and(|byte| byte >> (fd % 8) & 1 != 0);
        let asked = bits.iter().zip(KINDS).filter(|(bits, _)| has(bits)).fold(0, |sum, (_, kind)| sum | kind);
        if asked != 0 {
            wanted.push((i32::try_from(fd).unwrap_or(i32::MAX), asked));
        }
    }
    wanted
}

fn set_bit(bits: &mut [u8], fd: i32) {
    let fd = usize::try_from(fd).unwrap_or(0);
    if let Some(byte) = bits.get_mut(fd / 8) {
        *byte |= 1 << (fd % 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_in_two_sets_is_asked_for_both() {
        let mut bits = [alloc::vec![0; 8], alloc::vec![0; 8], alloc::vec![0; 8]];
        set_bit(&mut bits[0], 5);
        set_bit(&mut bits[1], 5);
        set_bit(&mut bits[1], 63);
        assert_eq!(wanted(&bits, 64), [(5, READ | WRITE), (63, WRITE)]);
        assert_eq!(wanted(&bits, 10), [(5, READ | WRITE)]);
    }
}
