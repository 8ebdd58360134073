//! A terminal that programs open: the console's, or the near end of a pseudo-terminal.
//!
//! Invariant: `state` is held only to decide; screens are written, signals sent and sleepers woken after it. Who opened the terminal
//! before its last hang-up reads the end of file from then on, and writes fail.

use alloc::sync::Arc;
use core::any::Any;

use abi::Errno;
use abi::file::device_parts;
use abi::terminal::{WindowSize, character};
use libkernel::census::{Census, Counted};
use libkernel::device::Console;
use libkernel::wait::WaitQueue;
use sync::{PreemptOff, Published, SpinLock, TaskContext, order};

use super::jobs;
use super::numbers::Number;
use super::settings::Settings;
use super::state::{Facts, State, Todo};
use crate::file::file::{QueueOwner, Queues};
use crate::process::{ControllingTerminal, Farewell, Process};

/// Terminals in use.
pub static LIVING: Census = Census::new("terminals");

/// A terminal.
pub struct Terminal {
    device: u64,
    /// Where its output goes; `None` for a pseudo-terminal, whose master reads it.
    screen: Option<&'static dyn Console>,
    pub(super) state: SpinLock<State, order::TerminalState>,
    /// How often input came or room for output.
    events: Published<u64>,
    /// The same for the master.
    pub(super) master_events: Published<u64>,
    pub(super) changed: WaitQueue,
    pub(super) master_changed: WaitQueue,
    number: Option<Number>,
    _counted: Counted,
}

/// One opening: valid until the terminal is hung up.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// How often it had been hung up before.
    pub(super) hang_ups: u64,
}

impl Terminal {
    /// The console's, with the usual settings, controlled by nobody.
    pub fn of_console(device: u64, screen: &'static dyn Console) -> Arc<Self> {
        let (rows, columns) = screen.window();
        Self::new(device, Some(screen), None, WindowSize { rows, columns, ..WindowSize::default() })
    }

    /// The near end of a new pseudo-terminal: locked, and its master open.
    pub fn with_master(device: u64, number: Number) -> Arc<Self> {
        Self::new(device, None, Some(number), WindowSize::default())
    }

    fn new(device: u64, screen: Option<&'static dyn Console>, number: Option<Number>, window: WindowSize) -> Arc<Self> {
        Arc::new(Self {
            device,
            screen,
            state: SpinLock::new(State::new(window, screen.is_none())),
            events: Published::<u64>::new(0),
            master_events: Published::<u64>::new(0),
            changed: WaitQueue::named("a terminal"),
            master_changed: WaitQueue::named("the other end of a terminal"),
            number,
            _counted: LIVING.count(),
        })
    }

    /// Its device number.
    pub fn device(&self) -> u64 {
        self.device
    }

    /// A pseudo-terminal's number.
    pub fn number(&self) -> Option<u32> {
        self.number.as_ref().map(Number::get)
    }

    pub(super) fn has_master(&self) -> bool {
        self.screen.is_none()
    }

    /// Whether there is somebody at the other end of a pseudo-terminal.
    pub fn has_open_master(&self, cx: &TaskContext) -> bool {
        self.state.lock(cx).master.is_open
    }

    /// What `stat` tells of its device file.
    pub fn facts(&self, cx: &TaskContext) -> Facts {
        self.state.lock(cx).facts
    }

    /// Changes them.
    pub fn change_facts(&self, cx: &TaskContext, change: impl FnOnce(&mut Facts)) {
        change(&mut self.state.lock(cx).facts);
    }

    /// How often it may have become ready.
    pub fn events(&self) -> u64 {
        self.events.load()
    }

    /// Woken when it may be ready.
    pub fn queue(&self) -> &WaitQueue {
        &self.changed
    }

    /// One more has it open.
    pub fn open(&self, cx: &TaskContext, overrides: bool) -> Result<Opening, Errno> {
        let mut state = self.state.lock(cx);
        if self.has_master() && (!state.master.is_open || state.master.is_locked) {
            return Err(Errno::EIO);
        }
        if state.is_exclusive && !overrides {
            return Err(Errno::EBUSY);
        }
        state.openings += 1;
        state.master.is_alone = false;
        Ok(Opening { hang_ups: state.hang_ups })
    }

    /// One has closed it. For a `Drop`.
    pub(super) fn close(&self) {
        let mut state = self.state.lock_without_context();
        state.openings = state.openings.saturating_sub(1);
        let is_last = state.openings == 0;
        if is_last {
            state.master.is_alone = true;
            // A pseudo-terminal lasts as long as its master.
            state.is_exclusive &= self.has_master();
        }
        drop(state);
        if is_last {
            self.wake_both(&PreemptOff::new());
        }
    }

    /// Does what was put off while the lock was held.
    pub(super) fn act(&self, cx: &mut TaskContext, todo: Todo) {
        if let Some(screen) = self.screen.filter(|_| !todo.screen.is_empty()) {
            screen.write(cx, &todo.screen);
        }
        for signal in todo.signals {
            jobs::send(cx, todo.foreground, signal);
        }
        if todo.wake {
            self.events.fetch_add(1);
            self.changed.wake_all(cx);
        }
        if todo.wake_master {
            self.master_events.fetch_add(1);
            self.master_changed.wake_all(cx);
        }
    }

    fn wake_both(&self, off: &PreemptOff) {
        self.events.fetch_add(1);
        self.changed.wake_all(off);
        self.master_events.fetch_add(1);
        self.master_changed.wake_all(off);
    }

    /// Keys arrive: so many had room at once, `None` for none.
    pub(super) fn try_type(&self, cx: &TaskContext, keys: &[u8]) -> Option<Result<(usize, Todo), Errno>> {
        match self.state.lock(cx).type_keys(keys, self.has_master()) {
            Some((0, _)) => None,
            Some(typed) => Some(Ok(typed)),
            None => Some(Err(Errno::ENOMEM)),
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

    /// Whether the opening is cut off.
    pub fn is_hung_up(&self, cx: &TaskContext, opening: Opening) -> bool {
        self.state.lock(cx).hang_ups != opening.hang_ups
    }

    /// Whether a read and whether a write would not wait.
    pub fn is_ready(&self, cx: &TaskContext) -> (bool, bool) {
        let state = self.state.lock(cx);
        let settings = state.line.settings();
        let least = if settings.character(character::VTIME) == 0 { usize::from(settings.character(character::VMIN)) } else { 1 };
        (state.line.has(least), !state.line.is_stopped() && state.has_output_room())
    }

    /// Changes something of the state, then lets everyone who waits look again.
    pub(super) fn update<R>(&self, cx: &TaskContext, change: impl FnOnce(&mut State) -> R) -> R {
        let answer = change(&mut self.state.lock(cx));
        self.events.fetch_add(1);
        self.changed.wake_all(cx);
        answer
    }

    /// The terminal is to control this session, whose leader's group reads from it. Refused when it controls another one, unless
    /// it is to be taken away from that.
    pub fn begin_session(&self, cx: &TaskContext, leader: &Arc<Process>, group: i32, steals: bool) -> Result<(), Errno> {
        let mut state = self.state.lock(cx);
        if state.session != 0 && state.session != leader.id() && !steals {
            return Err(Errno::EPERM);
        }
        state.session = leader.id();
        state.foreground = group;
        let before = core::mem::replace(&mut state.leader, Arc::downgrade(leader));
        drop(state);
        drop(before);
        Ok(())
    }

    /// The other end is gone, or somebody asked for this: who has the terminal open is cut off, its session's leader is told.
    pub fn hang_up(&self) {
        let leader = self.state.lock_without_context().hang_up();
        self.tell_of_hang_up(leader);
    }

    /// The master is closed. For its `Drop`.
    pub(super) fn close_master(&self) {
        let mut state = self.state.lock_without_context();
        state.master.is_open = false;
        state.master.news = None;
        let leader = state.hang_up();
        drop(state);
        self.tell_of_hang_up(leader);
    }

    fn tell_of_hang_up(&self, leader: Option<Arc<Process>>) {
        let off = PreemptOff::new();
        self.wake_both(&off);
        if let Some(leader) = &leader {
            jobs::hang_up(&off, leader);
        }
        drop(off);
        drop(leader);
    }
}

impl QueueOwner for Terminal {
    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.changed, &self.master_changed])
    }
}

impl ControllingTerminal for Terminal {
    fn device_number(&self) -> u32 {
        let (major, minor) = device_parts(self.device);
        (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
    }

    fn foreground_group(&self, cx: &TaskContext) -> i32 {
        let state = self.state.lock(cx);
        if state.session == 0 { -1 } else { state.foreground }
    }

    fn controls(&self, cx: &TaskContext, session: i32) -> bool {
        self.state.lock(cx).session == session
    }

    fn end_session(&self, cx: &TaskContext, session: i32) -> Farewell {
        let mut state = self.state.lock(cx);
        if state.session == session {
            state.session = 0;
            return Farewell::InFront(core::mem::take(&mut state.foreground));
        }
        if state.former.0 != session {
            return Farewell::Nobody;
        }
        Farewell::HungUpBefore(core::mem::take(&mut state.former).1)
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
