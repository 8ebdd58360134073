//! poll and ppoll: which of many descriptors are ready.
//!
//! Invariant: the array is read once and only the answers are written back; a descriptor closed meanwhile stays watched.

use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use abi::poll::{POLLNVAL, PollFd};
use abi::process::limit;
use abi::time::Timespec;
use libkernel::address_space::{UserAddress, user};
use libkernel::clock;
use libkernel::error::KernelError;
use sync::TaskContext;

use super::{Caller, call_mask};
use crate::error::errno;
use crate::file::{OpenFile, watch};
use crate::process::Restart;

const ENTRY: u64 = 8;
const MILLISECOND: u64 = 1_000_000;

pub fn poll(caller: &mut Caller<'_>, at: UserAddress, count: u32, timeout: i32) -> Result<usize, Errno> {
    let deadline = u64::try_from(timeout).ok().map(|timeout| after(timeout.saturating_mul(MILLISECOND)));
    restartable(caller, at, u64::from(count), deadline)
}

/// Goes on with a poll that a signal without a handler cut in two.
pub fn resume(caller: &mut Caller<'_>, descriptors: u64, count: u64, deadline: u64) -> Result<usize, Errno> {
    let deadline = (deadline != u64::MAX).then_some(deadline);
    restartable(caller, UserAddress::new(descriptors), count, deadline)
}

fn restartable(caller: &mut Caller<'_>, at: UserAddress, count: u64, deadline: Option<u64>) -> Result<usize, Errno> {
    let answer = poll_until(caller, at, count, deadline);
    if answer != Err(Errno::EINTR) {
        return answer;
    }
    let rest = Restart::Poll { descriptors: at.as_u64(), count, deadline: deadline.unwrap_or(u64::MAX) };
    *caller.task.restart.lock(caller.cx) = Some(rest);
    Err(Errno::ERESTART_RESTARTBLOCK)
}

pub fn ppoll(
    caller: &mut Caller<'_>,
    at: UserAddress,
    count: u32,
    timeout: UserAddress,
    signals: UserAddress,
    size: usize,
) -> Result<usize, Errno> {
    let deadline = deadline_in(caller, timeout)?;
    call_mask::begin(caller, signals, size)?;
    let answer = poll_until(caller, at, u64::from(count), deadline);
    let interrupted = answer == Err(Errno::EINTR);
    call_mask::end(caller, interrupted);
    write_rest(caller, timeout, deadline);
    if interrupted { Err(Errno::ERESTARTNOHAND) } else { answer }
}

/// So long from now.
pub fn after(nanoseconds: u64) -> u64 {
    clock::now().saturating_add(nanoseconds)
}

/// Until when, by a `timespec` of the program; no address is for ever.
pub fn deadline_in(caller: &mut Caller<'_>, at: UserAddress) -> Result<Option<u64>, Errno> {
    if at.as_u64() == 0 {
        return Ok(None);
    }
    let timeout: Timespec = user::copy_in_value(caller.cx, at).map_err(errno)?;
    timeout.to_nanoseconds().map(|rest| Some(after(rest))).ok_or(Errno::EINVAL)
}

/// Tells the program how much time was left; Linux ignores a fault here.
pub fn write_rest(caller: &mut Caller<'_>, at: UserAddress, deadline: Option<u64>) {
    if let Some(deadline) = deadline.filter(|_| at.as_u64() != 0) {
        let rest = Timespec::from_nanoseconds(deadline.saturating_sub(clock::now()));
        let _ignored = user::copy_out_value(caller.cx, at, &rest);
    }
}

/// One descriptor that is watched.
struct Watched {
    wanted: u16,
    open: Option<Arc<OpenFile>>,
}

impl Watched {
    fn answer(&self, cx: &mut TaskContext) -> u16 {
        match &self.open {
            Some(open) => open.file().readiness(cx).answer(self.wanted),
            None => POLLNVAL,
        }
    }
}

fn poll_until(caller: &mut Caller<'_>, at: UserAddress, count: u64, deadline: Option<u64>) -> Result<usize, Errno> {
    if count > caller.process().soft_limit(caller.cx, limit::FILES) {
        return Err(Errno::EINVAL);
    }
    let files = caller.files();
    let room = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let (mut entries, mut watched) = (Vec::new(), Vec::new());
    entries.try_room_exact(room).map_err(errno)?;
    watched.try_room_exact(room).map_err(errno)?;
    for index in 0..count {
        let place = UserAddress::new(at.as_u64().checked_add(index * ENTRY).ok_or(Errno::EFAULT)?);
        let entry: PollFd = user::copy_in_value(caller.cx, place).map_err(errno)?;
        if entry.fd >= 0 {
            let open = files.get_usable(caller.cx, entry.fd).ok();
            watched.push((index, Watched { wanted: entry.events, open }));
        }
        entries.push((place, PollFd { returned: 0, ..entry }));
    }
    let answers = wait_for_any(caller.cx, watched.iter().map(|(_, watched)| watched), deadline)?;
    for ((index, _), answer) in watched.iter().zip(&answers) {
        let entry = usize::try_from(*index).ok().and_then(|index| entries.get_mut(index));
        if let Some((_, entry)) = entry {
            entry.returned = *answer;
        }
    }
    for (place, entry) in &entries {
        user::copy_out_value(caller.cx, *place, entry).map_err(errno)?;
    }
    Ok(answers.iter().filter(|&&answer| answer != 0).count())
}

/// The answer of each, as soon as one of them has one; all nothing when the time is over.
fn wait_for_any<'a>(
    cx: &mut TaskContext,
    watched: impl Iterator<Item = &'a Watched> + Clone,
    deadline: Option<u64>,
) -> Result<Vec<u16>, Errno> {
    let mut files = Vec::new();
    files.try_room_exact(watched.clone().count()).map_err(errno)?;
    files.extend(watched.clone().filter_map(|watched| watched.open.clone()));
    let look = |cx: &mut TaskContext| {
        let answers: Vec<u16> = watched.clone().map(|watched| watched.answer(cx)).collect();
        answers.iter().any(|&answer| answer != 0).then_some(answers)
    };
    match watch::wait(cx, &files, deadline, look) {
        Ok(answers) => Ok(answers),
        Err(KernelError::TimedOut) => Ok(watched.map(|_| 0).collect()),
        Err(error) => Err(errno(error)),
    }
}

/// Which of some descriptors have which of the wanted readiness, for `select`; `EBADF` when one is not open.
pub fn select_until(caller: &mut Caller<'_>, wanted: &[(i32, u16)], deadline: Option<u64>) -> Result<Vec<u16>, Errno> {
    let files = caller.files();
    let mut watched = Vec::new();
    watched.try_room_exact(wanted.len()).map_err(errno)?;
    for &(fd, wanted) in wanted {
        watched.push(Watched { wanted, open: Some(files.get_usable(caller.cx, fd)?) });
    }
    wait_for_any(caller.cx, watched.iter(), deadline)
}
