//! Restartable sequences: a thread that was disturbed in one goes on at its abort address, and finds its CPU's number in its area.
//!
//! Invariant: the thread is told where it is after every absence, and an absence between reading the number and writing it is another one:
//! the hook is called again. What stands in the area is believed only as far as it is checked here; what is wrong is a SIGSEGV.

use alloc::sync::Arc;
use core::mem::offset_of;

use abi::Errno;
use abi::sequence::{CriticalSection, SequenceArea};
use abi::signal::{SIGSEGV, SignalInfo, code};
use libkernel::address_space::{UserAddress, user};
use libkernel::memory::frames::Shortage;
use libkernel::thread;
use libkernel::thread::registers::{USER_END, UserRegisters};
use sync::TaskContext;

use crate::error::errno;
use crate::fatal;
use crate::process::sequences::Registration;
use crate::process::signals::post;
use crate::process::{Task, current, shortage};

/// How often one visit is tried for which there was no page.
const ATTEMPTS: usize = 8;

/// The hook: the thread was away from its CPU.
pub fn after_absence(cx: &mut TaskContext, registers: &mut UserRegisters) {
    if let Some(task) = current(cx)
        && let Err(error) = disturbed(cx, &task, registers)
    {
        fatal::tell_of_section(cx, &task, registers, error);
        post::force(cx, &task, SignalInfo::new(SIGSEGV, code::KERNEL));
    }
}

/// The thread was away, or a handler is to run before it goes on: no sequence goes on in the middle.
pub fn disturbed(cx: &mut TaskContext, task: &Arc<Task>, registers: &mut UserRegisters) -> Result<(), Errno> {
    let Some(registration) = task.sequences.registration() else {
        return Ok(());
    };
    let _of_an_earlier_copy = thread::current::of(cx).take_starved();
    for _ in 1..ATTEMPTS {
        let settled = settle(cx, task, registers, &registration);
        if settled.is_ok() || !thread::current::of(cx).take_starved() || !shortage::relieve(cx, task, Shortage::Short) {
            return settled;
        }
    }
    settle(cx, task, registers, &registration)
}

fn settle(cx: &mut TaskContext, task: &Task, registers: &mut UserRegisters, registration: &Registration) -> Result<(), Errno> {
    abort(cx, registers, registration)?;
    let cpu = u32::try_from(thread::current::of(cx).last_cpu().index()).map_err(|_| Errno::EINVAL)?;
    if !task.sequences.knows(cpu) {
        // The CPU's own number is a thread's number among those of its program that run.
        tell(cx, registration.area, cpu, cpu, cpu)?;
        task.sequences.told(cpu);
    }
    Ok(())
}

/// Writes where the thread runs to its area.
pub fn tell(cx: &mut TaskContext, area: u64, cpu_at_start: u32, cpu: u32, concurrency: u32) -> Result<(), Errno> {
    let node = 0_u32;
    put(cx, area, offset_of!(SequenceArea, cpu_at_start), u64::from(cpu_at_start) | u64::from(cpu) << 32)?;
    put(cx, area, offset_of!(SequenceArea, node), u64::from(node) | u64::from(concurrency) << 32)
}

/// Where the section is said to stand that the thread is in.
pub fn section_at(cx: &mut TaskContext, area: u64) -> Result<u64, Errno> {
    user::copy_in_value(cx, field(area, offset_of!(SequenceArea, section))).map_err(errno)
}

/// The thread is in no section.
pub fn clear_section(cx: &mut TaskContext, area: u64) -> Result<(), Errno> {
    put(cx, area, offset_of!(SequenceArea, section), 0)
}

/// Two fields at once.
fn put(cx: &mut TaskContext, area: u64, offset: usize, value: u64) -> Result<(), Errno> {
    user::copy_out(cx, field(area, offset), &value.to_le_bytes()).map_err(errno)
}

fn field(area: u64, offset: usize) -> UserAddress {
    UserAddress::new(area.wrapping_add(offset as u64))
}

fn abort(cx: &mut TaskContext, registers: &mut UserRegisters, registration: &Registration) -> Result<(), Errno> {
    let at = section_at(cx, registration.area)?;
    if at == 0 {
        return Ok(());
    }
    let section: CriticalSection = user::copy_in_value(cx, UserAddress::new(at)).map_err(errno)?;
    check(&section)?;
    let signature: u32 = user::copy_in_value(cx, UserAddress::new(section.abort.wrapping_sub(4))).map_err(errno)?;
    if signature != registration.signature {
        return Err(Errno::EINVAL);
    }
    let is_inside = contains(&section, registers.instruction_pointer());
    if is_inside && has_flags(cx, &section, registration.area)? {
        return Err(Errno::EINVAL);
    }
    clear_section(cx, registration.area)?;
    if is_inside {
        registers.forget_system_call();
        registers.set_instruction_pointer(section.abort);
    }
    Ok(())
}

/// Flags that forbade restarts have been taken back by Linux: whoever sets one is told.
fn has_flags(cx: &mut TaskContext, section: &CriticalSection, area: u64) -> Result<bool, Errno> {
    let flags: u32 = user::copy_in_value(cx, field(area, offset_of!(SequenceArea, flags))).map_err(errno)?;
    Ok(section.flags != 0 || flags != 0)
}

fn check(section: &CriticalSection) -> Result<(), Errno> {
    let end = section.start.checked_add(section.length).ok_or(Errno::EINVAL)?;
    let is_outside = section.start >= USER_END || end >= USER_END || section.abort >= USER_END;
    if is_outside || section.version != 0 || contains(section, section.abort) { Err(Errno::EINVAL) } else { Ok(()) }
}

fn contains(section: &CriticalSection, address: u64) -> bool {
    address.wrapping_sub(section.start) < section.length
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTION: CriticalSection = CriticalSection { version: 0, flags: 0, start: 0x1000, length: 0x10, abort: 0x2000 };

    #[test]
    fn a_section_ends_behind_its_last_instruction() {
        assert!(contains(&SECTION, 0x1000) && contains(&SECTION, 0x100f));
        assert!(!contains(&SECTION, 0xfff) && !contains(&SECTION, 0x1010));
    }

    #[test]
    fn a_section_that_contradicts_itself_is_refused() {
        assert_eq!(check(&SECTION), Ok(()));
        let wrong = [
            CriticalSection { version: 1, ..SECTION },
            CriticalSection { abort: 0x1008, ..SECTION },
            CriticalSection { abort: USER_END, ..SECTION },
            CriticalSection { start: USER_END, ..SECTION },
            CriticalSection { length: USER_END, ..SECTION },
            CriticalSection { length: u64::MAX, ..SECTION },
        ];
        wrong.iter().for_each(|section| assert_eq!(check(section), Err(Errno::EINVAL), "{section:?}"));
    }
}
