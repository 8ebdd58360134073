//! Changes of a terminal's settings and flow, decided under its lock and told after it.
//!
//! Invariant: whoever waits for the terminal looks again after every change.

use alloc::sync::Arc;

use abi::Errno;
use abi::terminal::{Termio, Termios, Termios2, control, packet, request};
use libkernel::address_space::{UserAddress, user};
use sync::TaskContext;

use super::jobs;
use super::state::{State, Todo};
use super::terminal::Terminal;
use crate::error::errno;

/// The speeds that the low bits of `c_cflag` name, without and with `CBAUDEX`.
const SPEEDS: [u32; 16] = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400];
const HIGH_SPEEDS: [u32; 16] = [
    0, 57600, 115_200, 230_400, 460_800, 500_000, 576_000, 921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000,
    3_500_000, 4_000_000,
];

/// Input and output speed as the settings name them, where they do not say "as told".
fn speeds(settings: &Termios, told: [u32; 2]) -> [u32; 2] {
    let [told_input, told_output] = told;
    let output = speed(settings.control).unwrap_or(told_output);
    let input = settings.control >> control::INPUT_SHIFT;
    let input = if input & control::CBAUD == 0 { output } else { speed(input).unwrap_or(told_input) };
    [input, output]
}

/// The speed that bits name; `None` for one told as a number.
fn speed(bits: u32) -> Option<u32> {
    let bits = bits & control::CBAUD;
    let index = usize::try_from(bits & 0xf).ok()?;
    match bits {
        control::BOTHER => None,
        bits if bits & control::BOTHER != 0 => HIGH_SPEEDS.get(index).copied(),
        _ => SPEEDS.get(index).copied(),
    }
}

/// Requests about the settings, in all the shapes that they have had.
pub fn settings(cx: &mut TaskContext, terminal: &Arc<Terminal>, request: u32, at: UserAddress) -> Result<u64, Errno> {
    let (now, [input_speed, output_speed]) = {
        let state = terminal.state.lock(cx);
        (*state.line.settings(), state.speeds)
    };
    match request {
        request::TCGETS => user::copy_out_value(cx, at, &now).map_err(errno)?,
        request::TCGETS2 => user::copy_out_value(cx, at, &Termios2 { settings: now, input_speed, output_speed }).map_err(errno)?,
        request::TCGETA => user::copy_out_value(cx, at, &shortened(&now)).map_err(errno)?,
        request::TCSETS | request::TCSETSW | request::TCSETSF => {
            jobs::check_change(cx, terminal)?;
            let wanted: Termios = user::copy_in_value(cx, at).map_err(errno)?;
            set(cx, terminal, wanted, None, request == request::TCSETSF);
        }
        request::TCSETS2 | request::TCSETSW2 | request::TCSETSF2 => {
            jobs::check_change(cx, terminal)?;
            let wanted: Termios2 = user::copy_in_value(cx, at).map_err(errno)?;
            let speeds = [wanted.input_speed, wanted.output_speed];
            set(cx, terminal, wanted.settings, Some(speeds), request == request::TCSETSF2);
        }
        request::TCSETA | request::TCSETAW | request::TCSETAF => {
            jobs::check_change(cx, terminal)?;
            let wanted: Termio = user::copy_in_value(cx, at).map_err(errno)?;
            set(cx, terminal, lengthened(&now, &wanted), None, request == request::TCSETAF);
        }
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

/// As System V had them.
fn shortened(settings: &Termios) -> Termio {
    let low = |modes: u32| u16::try_from(modes & 0xffff).unwrap_or(0);
    let mut characters = [0; 8];
    characters.iter_mut().zip(settings.characters).for_each(|(to, from)| *to = from);
    let modes = [low(settings.input), low(settings.output), low(settings.control), low(settings.local)];
    Termio { modes, line: settings.line, characters, padding: 0 }
}

fn lengthened(before: &Termios, short: &Termio) -> Termios {
    let joined = |before: u32, low: u16| before & !0xffff | u32::from(low);
    let [input, output, control, local] = short.modes;
    let mut settings = Termios {
        input: joined(before.input, input),
        output: joined(before.output, output),
        control: joined(before.control, control),
        local: joined(before.local, local),
        line: short.line,
        characters: before.characters,
    };
    settings.characters.iter_mut().zip(short.characters).for_each(|(to, from)| *to = from);
    settings
}

fn set(cx: &mut TaskContext, terminal: &Arc<Terminal>, wanted: Termios, told: Option<[u32; 2]>, flushes: bool) {
    if flushes {
        flush(cx, terminal, packet::FLUSH_READ, 0);
    }
    change(cx, terminal, |state| {
        state.speeds = speeds(&wanted, told.unwrap_or(state.speeds));
        state.line.set_settings(wanted)
    });
}

/// Throws away what was typed (`input`), what was written (`output`), and tells the master so: its bits, or zero.
pub fn flush(cx: &mut TaskContext, terminal: &Arc<Terminal>, input: u8, output: u8) {
    change(cx, terminal, |state| {
        if input != 0 {
            state.flush_input();
        }
        if output != 0 {
            state.flush_output();
        }
        input | output
    });
}

/// Stops output by request, or lets it go on.
pub fn hold(cx: &mut TaskContext, terminal: &Arc<Terminal>, held: bool) {
    change(cx, terminal, |state| state.line.set_held(held));
}

/// Makes a change that answers the news for the master.
fn change(cx: &mut TaskContext, terminal: &Arc<Terminal>, change: impl FnOnce(&mut State) -> u8) {
    let has_master = terminal.has_master();
    let mut state = terminal.state.lock(cx);
    let had_room = state.input_room() > 0;
    let news = change(&mut state);
    let pumped = state.pump(has_master);
    let mut todo = state.show_echo(has_master);
    todo.wake_master |= state.tell_master(news) || pumped.wake_master || !had_room && state.input_room() > 0;
    todo.signals = pumped.signals;
    todo.foreground = pumped.foreground;
    let mut screen = pumped.screen;
    screen.append(&mut todo.screen);
    drop(state);
    terminal.act(cx, Todo { screen, wake: true, ..todo });
}

/// Sends one byte to the screen as it is.
pub fn show(cx: &mut TaskContext, terminal: &Arc<Terminal>, byte: u8) {
    let mut todo = Todo::default();
    if terminal.has_master() {
        let mut state = terminal.state.lock(cx);
        if state.has_output_room() && !state.line.is_stopped() {
            state.master.output.push_back(byte);
            todo.wake_master = true;
        }
        drop(state);
    } else {
        todo.screen.push(byte);
    }
    terminal.act(cx, todo);
}

/// A key arrives that nobody pressed; lost when there is no room.
pub fn type_key(cx: &mut TaskContext, terminal: &Arc<Terminal>, key: u8) {
    if let Some(Ok((_, todo))) = terminal.try_type(cx, &[key]) {
        terminal.act(cx, todo);
    }
}
