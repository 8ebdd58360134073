//! A terminal that programs open.
//!
//! Invariant: `state` is held only to decide; the screen is written and readers are woken after it. Once `hung_up`, reads answer
//! the end of file and writes fail, until a new session takes the terminal.

use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use abi::file::device_parts;
use abi::terminal::{Termios, WindowSize, character};
use libkernel::clock;
use libkernel::device::Console;
use libkernel::error::KernelError;
use libkernel::wait::{Deadline, WaitQueue};
use sync::{Published, SpinLock, TaskContext, order};

use super::jobs;
use super::line::{Effects, Line};
use super::settings::Settings;
use crate::error::restarting;
use crate::file::Manner;
use crate::fs::buffer::{self, Sink, Source};
use crate::process::ControllingTerminal;

/// A tenth of a second, the unit of `VTIME`.
const TENTH_NS: u64 = 100_000_000;

/// What changes.
pub(super) struct State {
    pub(super) line: Line,
    pub(super) window: WindowSize,
    /// The session it controls, 0 for none.
    pub(super) session: i32,
    /// The group that may read, 0 for none.
    pub(super) foreground: i32,
    hung_up: bool,
}

/// A terminal.
pub struct Terminal {
    device: u64,
    screen: &'static dyn Console,
    pub(super) state: SpinLock<State, order::TerminalState>,
    /// How often bytes arrived.
    arrivals: Published<u64>,
    changed: WaitQueue,
}

/// What a reader found.
enum Found {
    Bytes(Vec<u8>),
    HungUp,
}

impl Terminal {
    /// A terminal with the usual settings, controlled by nobody.
    pub fn new(device: u64, screen: &'static dyn Console) -> Arc<Self> {
        let (rows, columns) = screen.window();
        let window = WindowSize { rows, columns, ..WindowSize::default() };
        let state = State { line: Line::new(), window, session: 0, foreground: 0, hung_up: false };
        Arc::new(Self {
            device,
            screen,
            state: SpinLock::new(state),
            arrivals: Published::<u64>::new(0),
            changed: WaitQueue::named("a terminal"),
        })
    }

    /// Its device number.
    pub fn device(&self) -> u64 {
        self.device
    }

    /// How often bytes arrived.
    pub fn arrivals(&self) -> u64 {
        self.arrivals.load()
    }

    /// Woken when it may be ready.
    pub fn queue(&self) -> &WaitQueue {
        &self.changed
    }

    /// Bytes arrived from the keys.
    pub fn receive(&self, cx: &mut TaskContext, bytes: &[u8]) {
        let mut effects = Effects::default();
        let mut state = self.state.lock(cx);
        for &byte in bytes {
            state.line.receive(byte, &mut effects);
        }
        let foreground = state.foreground;
        drop(state);
        if !effects.screen.is_empty() {
            self.screen.write(cx, &effects.screen);
        }
        for signal in effects.signals {
            jobs::send(cx, foreground, jobs::number(signal));
        }
        if effects.wake {
            self.arrivals.fetch_add(1);
            self.changed.wake_all(cx);
        }
    }

    /// The window has a new size: the foreground group is told.
    pub fn resize(&self, cx: &mut TaskContext, window: WindowSize) {
        let mut state = self.state.lock(cx);
        let is_new = state.window != window;
        state.window = window;
        let foreground = state.foreground;
        drop(state);
        if is_new {
            jobs::send(cx, foreground, abi::signal::SIGWINCH);
        }
    }

    /// Reads what was typed; waits as the settings say.
    pub fn read(self: &Arc<Self>, cx: &mut TaskContext, manner: Manner, into: &mut dyn Sink) -> Result<usize, Errno> {
        jobs::check_read(cx, self)?;
        if into.remaining() == 0 {
            return Ok(0);
        }
        let (is_canonical, settings) = {
            let state = self.state.lock(cx);
            (state.line.is_canonical(), *state.line.settings())
        };
        if is_canonical {
            let Found::Bytes(bytes) = self.wait_for(cx, manner, into.remaining(), 1, None)? else { return Ok(0) };
            return self.give(cx, &bytes, into);
        }
        self.read_raw(cx, manner, &settings, into)
    }

    /// The four cases of `VMIN` and `VTIME` (termios(3)).
    fn read_raw(self: &Arc<Self>, cx: &mut TaskContext, manner: Manner, settings: &Termios, into: &mut dyn Sink) -> Result<usize, Errno> {
        let least = usize::from(settings.character(character::VMIN)).min(into.remaining());
        let pause = u64::from(settings.character(character::VTIME)) * TENTH_NS;
        let wanted = into.remaining();
        let deadline = if least == 0 { Some(clock::now().saturating_add(pause)) } else { None };
        let mut done = 0;
        loop {
            let between = if done > 0 && pause > 0 { Some(clock::now().saturating_add(pause)) } else { deadline };
            let still = least.saturating_sub(done).max(1);
            let need = if pause > 0 { 1 } else { still };
            match self.wait_for(cx, manner, wanted - done, need, between) {
                Ok(Found::Bytes(bytes)) => done += self.give(cx, &bytes, into)?,
                Ok(Found::HungUp) => return Ok(done),
                Err(Errno::ETIMEDOUT) => return Ok(done),
                Err(error) => return buffer::partial(done, error),
            }
            if done >= least || done >= wanted {
                return Ok(done);
            }
        }
    }

    fn give(&self, cx: &mut TaskContext, bytes: &[u8], into: &mut dyn Sink) -> Result<usize, Errno> {
        into.put(cx, bytes)?;
        Ok(bytes.len())
    }

    /// Waits until at least `least` bytes (or one line) are there, and takes up to `most`.
    fn wait_for(&self, cx: &mut TaskContext, manner: Manner, most: usize, least: usize, deadline: Option<u64>) -> Result<Found, Errno> {
        if let Some(found) = self.try_take(cx, most, least) {
            return Ok(found);
        }
        if manner.nonblocking {
            return self.try_take(cx, most, 1).ok_or(Errno::EAGAIN);
        }
        let attempt = |cx: &mut TaskContext| self.try_take(cx, most, least);
        match self.changed.wait_until_or(cx, Deadline(deadline), true, attempt) {
            Ok(found) => Ok(found),
            Err(KernelError::TimedOut) => Err(Errno::ETIMEDOUT),
            Err(error) => self.try_take(cx, most, 1).ok_or(restarting(error)),
        }
    }

    fn try_take(&self, cx: &TaskContext, most: usize, least: usize) -> Option<Found> {
        let mut state = self.state.lock(cx);
        let is_enough = state.line.is_canonical() || state.line.waiting() >= least;
        if is_enough && let Some(bytes) = state.line.take(most) {
            return Some(Found::Bytes(bytes));
        }
        state.hung_up.then_some(Found::HungUp)
    }

    /// Writes to the screen; waits while output is stopped.
    pub fn write(self: &Arc<Self>, cx: &mut TaskContext, manner: Manner, from: &mut dyn Source) -> Result<usize, Errno> {
        jobs::check_write(cx, self)?;
        let mut bytes = buffer::chunk(from.remaining())?;
        let mut done = 0;
        while from.remaining() > 0 {
            let length = from.remaining().min(bytes.len());
            let Some(piece) = bytes.get_mut(..length) else { break };
            let step = self.wait_for_output(cx, manner).and_then(|()| from.take(cx, piece));
            if let Err(error) = step {
                return buffer::partial(done, error);
            }
            let mut out = Vec::new();
            let mut state = self.state.lock(cx);
            state.line.write(piece, &mut out);
            drop(state);
            self.screen.write(cx, &out);
            done += length;
        }
        Ok(done)
    }

    fn wait_for_output(&self, cx: &mut TaskContext, manner: Manner) -> Result<(), Errno> {
        let attempt = |cx: &mut TaskContext| {
            let state = self.state.lock(cx);
            match (state.hung_up, state.line.is_stopped()) {
                (true, _) => Some(Err(Errno::EIO)),
                (false, false) => Some(Ok(())),
                (false, true) => None,
            }
        };
        match attempt(cx) {
            Some(answer) => answer,
            None if manner.nonblocking => Err(Errno::EAGAIN),
            None => self.changed.wait_until_or_interrupted(cx, attempt).map_err(restarting)?,
        }
    }

    /// Whether a read and whether a write would not wait, and whether nobody is at the other end.
    pub fn is_ready(&self, cx: &TaskContext) -> (bool, bool, bool) {
        let state = self.state.lock(cx);
        let line = &state.line;
        let least =
            if line.settings().character(character::VTIME) == 0 { usize::from(line.settings().character(character::VMIN)) } else { 1 };
        let has_input = if line.is_canonical() { line.has_line() } else { line.waiting() >= least.max(1) };
        (has_input || state.hung_up, !line.is_stopped(), state.hung_up)
    }

    /// Changes something of the state, then lets everyone who waits look again.
    pub(super) fn update<R>(&self, cx: &TaskContext, change: impl FnOnce(&mut State) -> R) -> R {
        let answer = change(&mut self.state.lock(cx));
        self.changed.wake_all(cx);
        answer
    }

    /// The terminal controls this session now, whose leader's group reads from it.
    pub fn begin_session(&self, cx: &TaskContext, session: i32, group: i32) {
        self.update(cx, |state| {
            state.session = session;
            state.foreground = group;
            state.hung_up = false;
        });
    }

    /// The other end is gone for good.
    pub fn hang_up(&self, cx: &mut TaskContext) {
        let session = self.update(cx, |state| {
            state.hung_up = true;
            state.session
        });
        jobs::hang_up(cx, session);
    }
}

impl ControllingTerminal for Terminal {
    fn device_number(&self) -> u32 {
        let (major, minor) = device_parts(self.device);
        (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
    }

    fn foreground_group(&self, cx: &mut TaskContext) -> i32 {
        let state = self.state.lock(cx);
        if state.session == 0 { -1 } else { state.foreground }
    }

    fn session_ended(&self, cx: &mut TaskContext) {
        self.update(cx, |state| {
            state.session = 0;
            state.foreground = 0;
        });
    }
}
