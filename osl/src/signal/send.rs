//! kill and its kin: who may send a signal to whom.
//!
//! Invariant: a signal is posted only to processes that the sender may signal; the first process gets from others only what it
//! has a handler for.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::signal::{SIGCONT, SIGNAL_COUNT, SIGRTMIN, SignalInfo, code};
use sync::TaskContext;

use crate::credentials::Credentials;
use crate::process::signals::post::{self, Posted};
use crate::process::tree::FIRST;
use crate::process::{self, Process, Task};

/// Whether one may signal the other, going by their users alone.
fn users_allow(sender: &Credentials, target: &Credentials) -> bool {
    sender.is_privileged() || [sender.euid, sender.uid].iter().any(|user| *user == target.uid || *user == target.suid)
}

fn check(cx: &mut TaskContext, sender: &Task, target: &Process, signal: u32) -> Result<(), Errno> {
    if sender.process().id() == target.id() {
        return Ok(());
    }
    if users_allow(&sender.credentials(cx), &target.credentials(cx)) {
        return Ok(());
    }
    let may_continue = signal == SIGCONT && sender.process().relations(cx).session == target.relations(cx).session;
    if may_continue { Ok(()) } else { Err(Errno::EPERM) }
}

/// The first process keeps the machine up: others cannot end it by a signal that it did not prepare for.
fn is_lost_on_first(cx: &TaskContext, sender: &Task, target: &Process, signal: u32) -> bool {
    target.id() == FIRST && sender.process().id() != FIRST && post::is_default(cx, target, signal)
}

fn number(signal: i32) -> Result<u32, Errno> {
    u32::try_from(signal).ok().filter(|signal| *signal <= SIGNAL_COUNT).ok_or(Errno::EINVAL)
}

/// What the target learns of the sender.
fn information(cx: &TaskContext, sender: &Task, signal: u32, code: i32) -> SignalInfo {
    SignalInfo::new(signal, code).with_sender(sender.process().id(), sender.credentials(cx).uid)
}

fn to_process(cx: &mut TaskContext, sender: &Task, target: &Process, information: SignalInfo) -> Result<(), Errno> {
    let signal = information.signal.cast_unsigned();
    check(cx, sender, target, signal)?;
    if signal == 0 || is_lost_on_first(cx, sender, target, signal) {
        return Ok(());
    }
    queued(post::send_to_process(cx, target, information), &information)
}

/// A full queue is an error only for those who asked that the information arrive.
fn queued(posted: Posted, information: &SignalInfo) -> Result<(), Errno> {
    let wants_queue = information.code < 0 && information.code != code::TKILL && information.signal.cast_unsigned() >= SIGRTMIN;
    if posted == Posted::QueueFull && wants_queue { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// As `kill`: to a process, to a group (0: the sender's; below -1: the one named), to everybody (-1).
pub fn kill(cx: &mut TaskContext, sender: &Arc<Task>, target: i32, signal: i32) -> Result<(), Errno> {
    let signal = number(signal)?;
    let information = information(cx, sender, signal, code::USER);
    match target {
        1.. => {
            let target = process::find(cx, target).ok_or(Errno::ESRCH)?;
            to_process(cx, sender, &target, information)
        }
        -1 => to_everybody(cx, sender, information),
        i32::MIN => Err(Errno::ESRCH),
        _ => {
            let group = if target == 0 { sender.process().relations(cx).group } else { -target };
            to_group(cx, sender, group, information)
        }
    }
}

fn to_everybody(cx: &mut TaskContext, sender: &Arc<Task>, information: SignalInfo) -> Result<(), Errno> {
    let own = sender.process().id();
    let mut answer = Err(Errno::ESRCH);
    to_each(cx, process::all, |cx, process| {
        if process.id() != own && process.id() != FIRST {
            let one = to_process(cx, sender, process, information);
            answer = if answer == Err(Errno::ESRCH) { one } else { answer.or(one) };
        }
    });
    answer
}

fn to_group(cx: &mut TaskContext, sender: &Arc<Task>, group: i32, information: SignalInfo) -> Result<(), Errno> {
    let mut answer = Err(Errno::ESRCH);
    to_each(
        cx,
        |cx| process::in_group(cx, group),
        |cx, process| {
            let one = to_process(cx, sender, process, information);
            // One that was reached is enough; else the last refusal counts.
            answer = if answer.is_ok() { answer } else { one };
        },
    );
    answer
}

/// Does `act` for all whom `find` finds, and then for those who were born meanwhile, of parents whose turn had not come: who has been killed
/// forks no more, so the next look finds few or nobody.
fn to_each(cx: &mut TaskContext, find: impl Fn(&mut TaskContext) -> Vec<Arc<Process>>, mut act: impl FnMut(&mut TaskContext, &Process)) {
    const LOOKS: usize = 100;
    let mut reached = BTreeSet::new();
    for _ in 0..LOOKS {
        let mut found = find(cx);
        found.retain(|process| reached.insert(process.id()));
        if found.is_empty() {
            return;
        }
        found.iter().for_each(|process| act(cx, process));
    }
}

/// As `tgkill` and `tkill`: to one thread, of this process if one is named.
pub fn kill_thread(cx: &mut TaskContext, sender: &Arc<Task>, of: Option<i32>, target: i32, signal: i32) -> Result<(), Errno> {
    if target <= 0 || of.is_some_and(|of| of <= 0) {
        return Err(Errno::EINVAL);
    }
    let signal = number(signal)?;
    let information = information(cx, sender, signal, code::TKILL);
    to_thread(cx, sender, of, target, information)
}

fn to_thread(cx: &mut TaskContext, sender: &Arc<Task>, of: Option<i32>, target: i32, information: SignalInfo) -> Result<(), Errno> {
    let signal = information.signal.cast_unsigned();
    let task = process::find_task(cx, target).ok_or(Errno::ESRCH)?;
    if of.is_some_and(|of| of != task.process().id()) {
        return Err(Errno::ESRCH);
    }
    check(cx, sender, task.process(), signal)?;
    if signal == 0 || is_lost_on_first(cx, sender, task.process(), signal) {
        return Ok(());
    }
    queued(post::send_to_task(cx, &task, information), &information)
}

/// As `rt_sigqueueinfo` and `rt_tgsigqueueinfo`: with information that the sender made up. `thread`: to that one alone.
pub fn queue(
    cx: &mut TaskContext,
    sender: &Arc<Task>,
    target: i32,
    thread: Option<i32>,
    signal: i32,
    mut information: SignalInfo,
) -> Result<(), Errno> {
    let signal = number(signal)?;
    information.signal = signal.cast_signed();
    if is_pretence(&information) && target != sender.process().id() {
        return Err(Errno::EPERM);
    }
    match thread {
        Some(thread) if thread <= 0 || target <= 0 => Err(Errno::EINVAL),
        Some(thread) => to_thread(cx, sender, Some(target), thread, information),
        None => {
            let target = process::find(cx, target).ok_or(Errno::ESRCH)?;
            to_process(cx, sender, &target, information)
        }
    }
}

/// As `pidfd_send_signal`: to a process that was opened before.
pub fn to_opened(
    cx: &mut TaskContext,
    sender: &Arc<Task>,
    target: &Process,
    signal: i32,
    made_up: Option<SignalInfo>,
) -> Result<(), Errno> {
    let signal = number(signal)?;
    let information = match made_up {
        None => information(cx, sender, signal, code::USER),
        Some(made_up) if is_pretence(&made_up) && target.id() != sender.process().id() => return Err(Errno::EPERM),
        Some(made_up) => made_up,
    };
    to_process(cx, sender, target, information)
}

/// Nobody may pretend to be the kernel, or kill, towards others.
fn is_pretence(information: &SignalInfo) -> bool {
    information.code >= 0 || information.code == code::TKILL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_signals_its_own_and_root_signals_all() {
        let (one, two) = (Credentials::of(1000, 1000), Credentials::of(1001, 1001));
        assert!(users_allow(&one, &one) && !users_allow(&one, &two));
        assert!(users_allow(&Credentials::root(), &two));
        assert!(!users_allow(&two, &Credentials::root()));
    }

    #[test]
    fn the_real_user_of_a_set_user_program_may_still_signal_it() {
        let program = Credentials { euid: 0, fsuid: 0, suid: 0, ..Credentials::of(1000, 1000) };
        assert!(users_allow(&Credentials::of(1000, 1000), &program));
    }

    #[test]
    fn a_number_above_sixty_four_or_below_zero_is_invalid() {
        assert_eq!(number(65), Err(Errno::EINVAL));
        assert_eq!(number(-1), Err(Errno::EINVAL));
        assert_eq!(number(0), Ok(0));
        assert_eq!(number(64), Ok(64));
    }
}
