//! What `ioctl` asks of a terminal.
//!
//! Invariant: what comes from the program is copied once and then only the copy is used.

use alloc::sync::Arc;

use abi::Errno;
use abi::terminal::{Termios, WindowSize, request};
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use super::jobs;
use super::terminal::Terminal;
use crate::error::errno;

const FLUSH_INPUT: u64 = 0;
const FLUSH_BOTH: u64 = 2;
const STOP_OUTPUT: u64 = 0;
const RESUME_OUTPUT: u64 = 1;

/// Serves one request.
pub fn control(cx: &mut TaskContext, terminal: &Arc<Terminal>, request: u32, argument: UserAddress) -> Result<u64, Errno> {
    match request {
        request::TCGETS => {
            let settings = *terminal.state.lock(cx).line.settings();
            user::copy_out_value(cx, argument, &settings).map_err(errno)?;
        }
        request::TCSETS | request::TCSETSW | request::TCSETSF => {
            jobs::check_change(cx, terminal)?;
            let settings: Termios = user::copy_in_value(cx, argument).map_err(errno)?;
            set_settings(cx, terminal, settings, request == request::TCSETSF);
        }
        request::TIOCGWINSZ => {
            let window = terminal.state.lock(cx).window;
            user::copy_out_value(cx, argument, &window).map_err(errno)?;
        }
        request::TIOCSWINSZ => {
            let window: WindowSize = user::copy_in_value(cx, argument).map_err(errno)?;
            terminal.resize(cx, window);
        }
        request::FIONREAD => {
            let waiting = i32::try_from(terminal.state.lock(cx).line.waiting()).unwrap_or(i32::MAX);
            user::copy_out_value(cx, argument, &waiting).map_err(errno)?;
        }
        request::TIOCOUTQ => user::copy_out_value(cx, argument, &0_i32).map_err(errno)?,
        request::TCFLSH | request::TCXONC | request::TCSBRK | request::TCSBRKP => {
            jobs::check_change(cx, terminal)?;
            return line_request(cx, terminal, request, argument.as_u64());
        }
        _ => return session_request(cx, terminal, request, argument),
    }
    Ok(0)
}

fn set_settings(cx: &TaskContext, terminal: &Terminal, settings: Termios, flush: bool) {
    terminal.update(cx, |state| {
        if flush {
            state.line.flush_input();
        }
        state.line.set_settings(settings);
    });
}

fn line_request(cx: &TaskContext, terminal: &Terminal, request: u32, argument: u64) -> Result<u64, Errno> {
    match (request, argument) {
        (request::TCFLSH, FLUSH_INPUT..=FLUSH_BOTH) => {
            if argument != 1 {
                terminal.update(cx, |state| state.line.flush_input());
            }
            Ok(0)
        }
        (request::TCXONC, STOP_OUTPUT | RESUME_OUTPUT) => {
            terminal.update(cx, |state| state.line.set_stopped(argument == STOP_OUTPUT));
            Ok(0)
        }
        (request::TCXONC, 2 | 3) | (request::TCSBRK | request::TCSBRKP, _) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// Requests about the session that the terminal controls.
fn session_request(cx: &mut TaskContext, terminal: &Arc<Terminal>, request: u32, argument: UserAddress) -> Result<u64, Errno> {
    match request {
        request::TIOCGPGRP => {
            jobs::own_place(cx, terminal)?;
            let group = terminal.state.lock(cx).foreground;
            user::copy_out_value(cx, argument, &group).map_err(errno)?;
        }
        request::TIOCSPGRP => {
            let group: i32 = user::copy_in_value(cx, argument).map_err(errno)?;
            jobs::set_foreground(cx, terminal, group)?;
        }
        request::TIOCGSID => {
            let (_, _, session) = jobs::own_place(cx, terminal)?;
            user::copy_out_value(cx, argument, &session).map_err(errno)?;
        }
        request::TIOCSCTTY => jobs::take(cx, terminal, false)?,
        request::TIOCNOTTY => jobs::give_up(cx, terminal)?,
        request::TIOCSTI => return Err(Errno::EIO),
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}
