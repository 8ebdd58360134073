//! The futex call: what its numbers ask for.
//!
//! Invariant: a wait with a deadline by the clock may be repeated as it is; one with a time span may not, and then says `EINTR`.

use abi::Errno;
use abi::constant::*;
use abi::time::Timespec;
use libkernel::address_space::{UserAddress, user};
use libkernel::clock;
use libkernel::wait::Deadline;
use sync::TaskContext;

use super::bucket::WORD_BYTES;
use super::wait::wait;
use super::wake::{ALL_BITS, requeue, wake};
use crate::error::errno;

/// What the operation word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The command, without its flags.
    pub command: u32,
    /// Only threads of this memory are concerned.
    pub private: bool,
    /// A deadline is by the wall clock.
    pub wall_clock: bool,
}

impl Operation {
    /// Takes the word apart.
    pub fn decode(word: u32) -> Self {
        let flags = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME;
        Self { command: word & !flags, private: word & FUTEX_PRIVATE_FLAG != 0, wall_clock: word & FUTEX_CLOCK_REALTIME != 0 }
    }
}

/// As `futex(2)`: `fourth` is a timeout's address or a count.
pub fn call(
    cx: &mut TaskContext,
    address: UserAddress,
    word: u32,
    value: u32,
    fourth: u64,
    second: UserAddress,
    third: u32,
) -> Result<u64, Errno> {
    let operation = Operation::decode(word);
    let private = operation.private;
    let answer = match operation.command {
        FUTEX_WAIT => return wait_for(cx, address, value, fourth, operation, ALL_BITS).map(|()| 0),
        FUTEX_WAIT_BITSET => return wait_for(cx, address, value, fourth, operation, third).map(|()| 0),
        FUTEX_WAKE => wake(cx, address, private, ALL_BITS, count(u64::from(value)).max(1))?,
        FUTEX_WAKE_BITSET => wake(cx, address, private, third, count(u64::from(value)).max(1))?,
        FUTEX_REQUEUE => requeue(cx, address, second, private, counted(value)?, count(fourth))?.0,
        FUTEX_CMP_REQUEUE => {
            if user::load_u32(cx, address).map_err(errno)? != third {
                return Err(Errno::EAGAIN);
            }
            let (woken, moved) = requeue(cx, address, second, private, counted(value)?, count(fourth))?;
            woken + moved
        }
        FUTEX_WAKE_OP => wake_and_change(cx, address, second, private, (count(u64::from(value)), count(fourth)), third)?,
        _ => return Err(Errno::ENOSYS),
    };
    Ok(answer as u64)
}

/// A count is an `int`; a negative one means none.
fn count(value: u64) -> usize {
    let value = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(0).cast_signed();
    usize::try_from(value).unwrap_or(0)
}

fn counted(value: u32) -> Result<usize, Errno> {
    usize::try_from(value.cast_signed()).map_err(|_| Errno::EINVAL)
}

fn wait_for(cx: &mut TaskContext, address: UserAddress, value: u32, timeout: u64, operation: Operation, bits: u32) -> Result<(), Errno> {
    let is_span = operation.command == FUTEX_WAIT;
    let deadline = deadline(cx, timeout, is_span, operation.wall_clock)?;
    let interrupted = match (timeout, is_span) {
        (0, _) => Errno::ERESTARTSYS,
        (_, true) => Errno::EINTR,
        (_, false) => Errno::ERESTARTNOHAND,
    };
    let answer = wait(cx, address, value, deadline, bits, operation.private);
    answer.map_err(|error| if error == Errno::EINTR { interrupted } else { error })
}

/// When a wait is over: after a span of time, or at a time.
pub fn deadline(cx: &mut TaskContext, timeout: u64, is_span: bool, wall_clock: bool) -> Result<Deadline, Errno> {
    if timeout == 0 {
        return Ok(Deadline::NEVER);
    }
    let time: Timespec = user::copy_in_value(cx, UserAddress::new(timeout)).map_err(errno)?;
    let nanoseconds = time.to_nanoseconds().ok_or(Errno::EINVAL)?;
    Ok(match (is_span, wall_clock) {
        (true, _) => Deadline::after(nanoseconds),
        (false, false) => Deadline::at(nanoseconds),
        (false, true) => Deadline::at(nanoseconds.saturating_sub(clock::boot_time())),
    })
}

fn wake_and_change(
    cx: &mut TaskContext,
    address: UserAddress,
    second: UserAddress,
    private: bool,
    (of_first, of_second): (usize, usize),
    encoded: u32,
) -> Result<usize, Errno> {
    if !second.as_u64().is_multiple_of(WORD_BYTES) {
        return Err(Errno::EINVAL);
    }
    let change = Change::decode(encoded)?;
    let mut old = user::load_u32(cx, second).map_err(errno)?;
    loop {
        match user::compare_exchange_u32(cx, second, old, change.apply(old)).map_err(errno)? {
            Ok(_) => break,
            Err(found) => old = found,
        }
    }
    let mut woken = wake(cx, address, private, ALL_BITS, of_first)?;
    if change.holds(old) {
        woken += wake(cx, second, private, ALL_BITS, of_second)?;
    }
    Ok(woken)
}

/// A change of a word and a question about what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    operation: u32,
    operand: i32,
    comparison: u32,
    compared: i32,
}

impl Change {
    fn decode(word: u32) -> Result<Self, Errno> {
        let signed = |bits: u32| (bits << 20).cast_signed() >> 20;
        let (operation, comparison) = ((word >> 28) & 7, (word >> 24) & 15);
        let mut operand = signed((word >> 12) & 0xfff);
        if word & (FUTEX_OP_OPARG_SHIFT << 28) != 0 {
            operand = 1i32.wrapping_shl(operand.cast_unsigned() & 31);
        }
        if operation > FUTEX_OP_XOR || comparison > FUTEX_OP_CMP_GE {
            return Err(Errno::ENOSYS);
        }
        Ok(Self { operation, operand, comparison, compared: signed(word & 0xfff) })
    }

    fn apply(self, old: u32) -> u32 {
        let operand = self.operand.cast_unsigned();
        match self.operation {
            FUTEX_OP_SET => operand,
            FUTEX_OP_ADD => old.wrapping_add(operand),
            FUTEX_OP_OR => old | operand,
            FUTEX_OP_ANDN => old & !operand,
            _ => old ^ operand,
        }
    }

    fn holds(self, old: u32) -> bool {
        let old = old.cast_signed();
        match self.comparison {
            FUTEX_OP_CMP_EQ => old == self.compared,
            FUTEX_OP_CMP_NE => old != self.compared,
            FUTEX_OP_CMP_LT => old < self.compared,
            FUTEX_OP_CMP_LE => old <= self.compared,
            FUTEX_OP_CMP_GT => old > self.compared,
            _ => old >= self.compared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_from_the_command() {
        let operation = Operation::decode(FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
        assert_eq!(operation, Operation { command: FUTEX_WAIT_BITSET, private: true, wall_clock: true });
    }

    #[test]
    fn a_change_is_decoded_with_its_signs() {
        let word = (FUTEX_OP_ADD << 28) | (FUTEX_OP_CMP_GT << 24) | (0xfff << 12) | 0xffe;
        let change = Change::decode(word).unwrap();
        assert_eq!((change.operand, change.compared), (-1, -2));
        assert_eq!(change.apply(5), 4);
        assert!(change.holds(0) && !change.holds(u32::MAX - 1));
    }

    #[test]
    fn an_operand_may_be_a_bit_number() {
        let word = ((FUTEX_OP_OPARG_SHIFT | FUTEX_OP_OR) << 28) | (4 << 12);
        assert_eq!(Change::decode(word).unwrap().apply(1), 17);
    }

    #[test]
    fn an_unknown_change_is_refused() {
        assert_eq!(Change::decode(7 << 28), Err(Errno::ENOSYS));
        assert_eq!(Change::decode(9 << 24), Err(Errno::ENOSYS));
    }

    #[test]
    fn a_negative_count_means_none() {
        assert_eq!(count(u64::from(u32::MAX)), 0);
        assert_eq!(count(3), 3);
        assert_eq!(counted(u32::MAX), Err(Errno::EINVAL));
    }
}
