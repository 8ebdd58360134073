//! What `ioctl` asks of a terminal, from either end.
//!
//! Invariant: what comes from the program is copied once and then only the copy is used.

use alloc::sync::Arc;

use abi::Errno;
use abi::terminal::{WindowSize, character, packet, request};
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;
use zerocopy::{Immutable, IntoBytes};

use super::settings::Settings;
use super::state::{State, Todo};
use super::terminal::Terminal;
use super::{change, jobs};
use crate::error::errno;
use crate::process::{self, ControllingTerminal};

const FLUSH_INPUT: u64 = 0;
const FLUSH_OUTPUT: u64 = 1;
const FLUSH_BOTH: u64 = 2;
const STOP_OUTPUT: u64 = 0;
const RESUME_OUTPUT: u64 = 1;
const STOP_INPUT: u64 = 2;
const RESUME_INPUT: u64 = 3;

fn give<T: IntoBytes + Immutable>(cx: &mut TaskContext, at: UserAddress, value: &T) -> Result<u64, Errno> {
    user::copy_out_value(cx, at, value).map_err(errno)?;
    Ok(0)
}

fn count(waiting: usize) -> i32 {
    i32::try_from(waiting).unwrap_or(i32::MAX)
}

pub(super) fn is_privileged(cx: &TaskContext) -> bool {
    process::current(cx).is_some_and(|task| task.credentials(cx).is_privileged())
}

/// Serves a request to the terminal itself. `can_read`: the opening is for reading.
pub fn of_terminal(
    cx: &mut TaskContext,
    terminal: &Arc<Terminal>,
    can_read: bool,
    request: u32,
    argument: UserAddress,
) -> Result<u64, Errno> {
    match request {
        request::FIONREAD => {
            let waiting = count(terminal.state.lock(cx).line.waiting());
            give(cx, argument, &waiting)
        }
        request::TCFLSH | request::TCXONC | request::TCSBRK | request::TCSBRKP => {
            jobs::check_change(cx, terminal)?;
            line_request(cx, terminal, request, argument.as_u64())
        }
        request::TIOCGPGRP => {
            jobs::own_place(cx, terminal)?;
            give_foreground(cx, terminal, argument)
        }
        request::TIOCGSID => {
            jobs::own_place(cx, terminal)?;
            give_session(cx, terminal, argument)
        }
        request::TIOCNOTTY => jobs::give_up(cx, terminal).map(|()| 0),
        request::TIOCSTI => type_one(cx, terminal, argument),
        request::TIOCEXCL | request::TIOCNXCL | request::TIOCGEXCL => {
            exclusive(cx, terminal, request, argument, |state| &mut state.is_exclusive)
        }
        _ => of_either(cx, terminal, can_read, request, argument),
    }
}

/// Serves a request to the master of a pseudo-terminal; most are about the terminal.
pub fn of_master(cx: &mut TaskContext, terminal: &Arc<Terminal>, request: u32, argument: UserAddress) -> Result<u64, Errno> {
    match request {
        request::TIOCGPTN => give(cx, argument, &terminal.number().unwrap_or(0)),
        request::TIOCGPTLCK => {
            let locked = i32::from(terminal.state.lock(cx).master.is_locked);
            give(cx, argument, &locked)
        }
        request::TIOCSPTLCK => {
            let wanted: i32 = user::copy_in_value(cx, argument).map_err(errno)?;
            terminal.state.lock(cx).master.is_locked = wanted != 0;
            Ok(0)
        }
        request::TIOCPKT => {
            let wanted: i32 = user::copy_in_value(cx, argument).map_err(errno)?;
            let mut state = terminal.state.lock(cx);
            state.master.news = if wanted != 0 { Some(state.master.news.unwrap_or(packet::DATA)) } else { None };
            Ok(0)
        }
        request::TIOCGPKT => {
            let on = i32::from(terminal.state.lock(cx).master.news.is_some());
            give(cx, argument, &on)
        }
        request::TIOCSIG => jobs::send_key(cx, terminal, argument.as_u64()).map(|()| 0),
        request::FIONREAD => {
            let waiting = count(terminal.state.lock(cx).master.output.len());
            give(cx, argument, &waiting)
        }
        request::TCFLSH | request::TCXONC | request::TCSBRK | request::TCSBRKP => master_line_request(cx, terminal, request, argument),
        request::TIOCGPGRP => give_foreground(cx, terminal, argument),
        request::TIOCGSID => give_session(cx, terminal, argument),
        request::TIOCNOTTY => Err(Errno::ENOTTY),
        // A key at this end is what comes out of this end.
        request::TIOCSTI => pressed(cx, argument).map(|key| change::show(cx, terminal, key)).map(|()| 0),
        request::TIOCEXCL | request::TIOCNXCL | request::TIOCGEXCL => {
            exclusive(cx, terminal, request, argument, |state| &mut state.master.is_exclusive)
        }
        _ => of_either(cx, terminal, true, request, argument),
    }
}

/// Requests that mean the same at both ends.
fn of_either(cx: &mut TaskContext, terminal: &Arc<Terminal>, can_read: bool, request: u32, argument: UserAddress) -> Result<u64, Errno> {
    match request {
        request::TIOCGWINSZ => {
            let window = terminal.state.lock(cx).window;
            give(cx, argument, &window)
        }
        request::TIOCSWINSZ => {
            let window: WindowSize = user::copy_in_value(cx, argument).map_err(errno)?;
            terminal.resize(cx, window);
            Ok(0)
        }
        request::TIOCOUTQ | request::TIOCGETD => give(cx, argument, &0_i32),
        request::TIOCSETD => match user::copy_in_value::<i32>(cx, argument).map_err(errno)? {
            0 => Ok(0),
            _ => Err(Errno::EINVAL),
        },
        request::TIOCSPGRP => {
            let own = jobs::check_owner(cx, terminal)?;
            let group: i32 = user::copy_in_value(cx, argument).map_err(errno)?;
            jobs::set_foreground(cx, terminal, own, group).map(|()| 0)
        }
        request::TIOCSCTTY => jobs::take(cx, terminal, can_read, argument.as_u64() == 1).map(|()| 0),
        request::TIOCGDEV => give(cx, argument, &terminal.device_number()),
        request::TIOCSBRK | request::TIOCCBRK => Ok(0),
        request::TIOCVHANGUP if !is_privileged(cx) => Err(Errno::EPERM),
        request::TIOCVHANGUP => {
            terminal.hang_up();
            Ok(0)
        }
        _ => change::settings(cx, terminal, request, argument),
    }
}

/// Whether others are kept out, which each end has for itself.
fn exclusive(
    cx: &mut TaskContext,
    terminal: &Terminal,
    request: u32,
    argument: UserAddress,
    of: fn(&mut State) -> &mut bool,
) -> Result<u64, Errno> {
    if request == request::TIOCGEXCL {
        let is_exclusive = i32::from(*of(&mut terminal.state.lock(cx)));
        return give(cx, argument, &is_exclusive);
    }
    *of(&mut terminal.state.lock(cx)) = request == request::TIOCEXCL;
    Ok(0)
}

fn give_foreground(cx: &mut TaskContext, terminal: &Terminal, at: UserAddress) -> Result<u64, Errno> {
    let group = terminal.state.lock(cx).foreground;
    give(cx, at, &group)
}

fn give_session(cx: &mut TaskContext, terminal: &Terminal, at: UserAddress) -> Result<u64, Errno> {
    let session = terminal.state.lock(cx).session;
    if session == 0 {
        return Err(Errno::ENOTTY);
    }
    give(cx, at, &session)
}

fn line_request(cx: &mut TaskContext, terminal: &Arc<Terminal>, request: u32, argument: u64) -> Result<u64, Errno> {
    match (request, argument) {
        (request::TCFLSH, FLUSH_INPUT..=FLUSH_BOTH) => {
            let input = if argument == FLUSH_OUTPUT { 0 } else { packet::FLUSH_READ };
            let output = if argument == FLUSH_INPUT { 0 } else { packet::FLUSH_WRITE };
            change::flush(cx, terminal, input, output);
            Ok(0)
        }
        (request::TCXONC, STOP_OUTPUT | RESUME_OUTPUT) => {
            change::hold(cx, terminal, argument == STOP_OUTPUT);
            Ok(0)
        }
        (request::TCXONC, STOP_INPUT | RESUME_INPUT) => {
            let key = if argument == STOP_INPUT { character::VSTOP } else { character::VSTART };
            let key = terminal.state.lock(cx).line.settings().character(key);
            if key != 0 {
                change::show(cx, terminal, key);
            }
            Ok(0)
        }
        (request::TCSBRK | request::TCSBRKP, _) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// The master's own line does nothing to bytes: what it flushes is the terminal's output, or keys on their way.
fn master_line_request(cx: &mut TaskContext, terminal: &Arc<Terminal>, request: u32, argument: UserAddress) -> Result<u64, Errno> {
    match (request, argument.as_u64()) {
        (request::TCFLSH, what @ FLUSH_INPUT..=FLUSH_BOTH) => {
            let wake_master = terminal.update(cx, |state| {
                if what != FLUSH_OUTPUT {
                    state.master.output.clear();
                }
                what != FLUSH_INPUT && state.flush_keys()
            });
            terminal.act(cx, Todo { wake_master, ..Todo::default() });
            Ok(0)
        }
        (request::TCXONC, STOP_OUTPUT | RESUME_OUTPUT) | (request::TCSBRK | request::TCSBRKP, _) => Ok(0),
        (request::TCXONC, what @ (STOP_INPUT | RESUME_INPUT)) => {
            const XOFF: u8 = 0x13;
            const XON: u8 = 0x11;
            change::type_key(cx, terminal, if what == STOP_INPUT { XOFF } else { XON });
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Pretends that a key was typed: only who could read all keys anyway may.
fn type_one(cx: &mut TaskContext, terminal: &Arc<Terminal>, argument: UserAddress) -> Result<u64, Errno> {
    let key = pressed(cx, argument)?;
    change::type_key(cx, terminal, key);
    Ok(0)
}

/// The key that a program presses, which only a privileged one may.
fn pressed(cx: &mut TaskContext, argument: UserAddress) -> Result<u8, Errno> {
    if !is_privileged(cx) {
        return Err(Errno::EIO);
    }
    user::copy_in_value(cx, argument).map_err(errno)
}
