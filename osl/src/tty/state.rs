//! What changes of a terminal, and what a change asks to be done.
//!
//! Invariant: pure. What becomes visible outside (screen, signals, wake-ups) is only noted, in `Todo`, and done by whoever has released
//! the lock. No buffer grows beyond its limit.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use abi::terminal::{Termios, WindowSize, packet};

use super::jobs;
use super::line::{Effects, Line};
use super::output::LONGEST;
use super::settings::{INITIAL, INITIAL_WITH_MASTER};
use crate::process::Process;

/// What a terminal's output holds before writers wait: of a pseudo-terminal.
pub const OUTPUT_LIMIT: usize = 32 << 10;
/// Keys that wait for a place in the line.
pub const INPUT_LIMIT: usize = 4096;
/// Echo that waits until output goes on; more is lost.
const ECHO_LIMIT: usize = 4096;
/// Of what nobody has read, so much survives a signal key: the master has taken it already, as Linux sees it.
const TAKEN: usize = 4095;

/// What changes.
pub struct State {
    pub line: Line,
    /// The settings to begin with, and after a hang-up.
    initial: Termios,
    pub window: WindowSize,
    /// Input and output speed, in bits per second.
    pub speeds: [u32; 2],
    /// The session it controls, 0 for none.
    pub session: i32,
    /// The group that may read, 0 for none.
    pub foreground: i32,
    /// The first process of the session.
    pub leader: Weak<Process>,
    /// The session it controlled when it was hung up, and the group in front.
    pub former: (i32, i32),
    /// How often it was hung up: whoever opened it before is cut off.
    pub hang_ups: u64,
    /// Nobody else may open it.
    pub is_exclusive: bool,
    /// Someone is writing: others wait for their turn.
    pub is_writing: bool,
    /// How many have it open.
    pub openings: usize,
    incoming: VecDeque<u8>,
    echo: VecDeque<u8>,
    pub master: Master,
    pub facts: Facts,
}

/// What `stat` tells of a pseudo-terminal's device file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    pub accessed: u64,
    pub modified: u64,
    pub changed: u64,
}

/// The other end of a pseudo-terminal; of a console nothing but what it begins with.
#[derive(Default)]
pub struct Master {
    /// There is one: output waits in `output` to be read.
    pub is_open: bool,
    pub is_locked: bool,
    /// Everybody who had the terminal open has closed it.
    pub is_alone: bool,
    /// It says so of itself; nobody opens a master twice.
    pub is_exclusive: bool,
    /// In packet mode: what happened since the last read.
    pub news: Option<u8>,
    pub output: VecDeque<u8>,
}

/// What is to be done after the lock is released.
#[derive(Default)]
pub struct Todo {
    /// For the console's screen.
    pub screen: Vec<u8>,
    /// Signals for the foreground group.
    pub signals: Vec<u32>,
    pub foreground: i32,
    /// Who has the terminal open may find it changed.
    pub wake: bool,
    /// The master may.
    pub wake_master: bool,
}

impl State {
    /// Controlled by nobody, open to nobody.
    pub fn new(window: WindowSize, has_master: bool) -> Self {
        let initial = if has_master { INITIAL_WITH_MASTER } else { INITIAL };
        Self {
            line: Line::with(initial),
            initial,
            window,
            speeds: [38400; 2],
            session: 0,
            foreground: 0,
            leader: Weak::new(),
            former: (0, 0),
            hang_ups: 0,
            is_exclusive: false,
            is_writing: false,
            openings: 0,
            incoming: VecDeque::new(),
            echo: VecDeque::new(),
            master: Master { is_open: has_master, is_locked: has_master, ..Master::default() },
            facts: Facts::default(),
        }
    }

    /// How many keys have room.
    pub fn input_room(&self) -> usize {
        INPUT_LIMIT.saturating_sub(self.incoming.len())
    }

    /// Whether output has room for what a byte becomes.
    pub fn has_output_room(&self) -> bool {
        self.master.output.len() + LONGEST <= OUTPUT_LIMIT
    }

    /// Keys arrive; answers how many of them have room. `None` when memory is short.
    pub fn type_keys(&mut self, keys: &[u8], has_master: bool) -> Option<(usize, Todo)> {
        let count = keys.len().min(self.input_room());
        if self.incoming.try_room(count).is_err() || !self.line.reserve(count) {
            return None;
        }
        let mut effects = Effects::default();
        for &key in keys.iter().take(count) {
            if self.incoming.is_empty() && self.line.has_place() {
                self.line.receive(key, &mut effects);
            } else if !self.line.flow(key, &mut effects) {
                self.incoming.push_back(key);
            }
        }
        Some((count, self.settle(effects, has_master)))
    }

    /// Keys that waited for a place find one.
    pub fn pump(&mut self, has_master: bool) -> Todo {
        let mut effects = Effects::default();
        let had_room = self.input_room() > 0;
        while self.line.has_place()
            && let Some(key) = self.incoming.pop_front()
        {
            self.line.receive(key, &mut effects);
        }
        let mut todo = self.settle(effects, has_master);
        todo.wake_master |= !had_room && self.input_room() > 0;
        todo
    }

    /// Writes down what keys brought about.
    fn settle(&mut self, effects: Effects, has_master: bool) -> Todo {
        if effects.flushes_output {
            self.master.output.truncate(TAKEN);
            self.echo.clear();
        }
        let room = ECHO_LIMIT.saturating_sub(self.echo.len());
        self.echo.extend(effects.screen.iter().take(room));
        let mut todo = self.show_echo(has_master);
        todo.signals = effects.signals.into_iter().map(jobs::number).collect();
        todo.foreground = self.foreground;
        todo.wake = effects.wake;
        todo.wake_master |= self.tell_master(effects.news);
        todo
    }

    /// Lets out the echo that waited, if output goes on.
    pub fn show_echo(&mut self, has_master: bool) -> Todo {
        let mut todo = Todo::default();
        if self.line.is_stopped() || self.echo.is_empty() {
            return todo;
        }
        if !has_master {
            todo.screen = self.echo.drain(..).collect();
            return todo;
        }
        let count = self.echo.len().min(OUTPUT_LIMIT.saturating_sub(self.master.output.len()));
        self.master.output.extend(self.echo.drain(..count));
        todo.wake_master = count > 0;
        todo
    }

    /// A program's output, as much as there is room for; none while output is stopped.
    pub fn write(&mut self, bytes: &[u8], has_master: bool) -> (usize, Todo) {
        let mut todo = self.show_echo(has_master);
        let mut count = 0;
        let mut out = Vec::new();
        for &byte in bytes {
            if self.line.is_stopped() || (has_master && !self.has_output_room()) {
                break;
            }
            self.line.write(byte, &mut out);
            if has_master {
                self.master.output.extend(out.drain(..));
            }
            count += 1;
        }
        todo.screen.append(&mut out);
        todo.wake_master |= count > 0;
        (count, todo)
    }

    /// Throws away what nobody has read.
    pub fn flush_input(&mut self) {
        self.incoming.clear();
        self.line.flush_input();
    }

    /// Throws away what the master has not read, but for what counts as taken.
    pub fn flush_output(&mut self) {
        self.master.output.truncate(TAKEN);
    }

    /// Throws away the keys that found no place in the line yet. Is there room now where there was none?
    pub fn flush_keys(&mut self) -> bool {
        let had_room = self.input_room() > 0;
        self.incoming.clear();
        !had_room
    }

    /// What the master reads next, at most `most` bytes; `EIO` when all is read and everybody is gone.
    pub fn take_output(&mut self, most: usize) -> Option<Result<(Vec<u8>, Todo), Errno>> {
        if let Some(news) = self.master.news.as_mut().filter(|news| **news != 0) {
            return Some(Ok((vec![core::mem::take(news)], Todo::default())));
        }
        if self.master.output.is_empty() {
            return self.master.is_alone.then_some(Err(Errno::EIO));
        }
        let had_room = self.has_output_room();
        let mut bytes: Vec<u8> = self.master.news.iter().map(|_| packet::DATA).collect();
        let count = most.saturating_sub(bytes.len()).min(self.master.output.len());
        bytes.extend(self.master.output.drain(..count));
        let mut todo = self.show_echo(true);
        todo.wake |= !had_room && self.has_output_room();
        Some(Ok((bytes, todo)))
    }

    /// Notes what happened, for a master in packet mode. Is there something to tell it?
    pub fn tell_master(&mut self, news: u8) -> bool {
        let Some(told) = self.master.news.as_mut() else { return false };
        for pair in [packet::STOP | packet::START, packet::DO_STOP | packet::NO_STOP] {
            if news & pair != 0 {
                *told &= !pair;
            }
        }
        *told |= news;
        news != 0
    }

    /// Cuts off everyone who has it open, and gives it up as anybody's controlling terminal. Answers whom to tell.
    pub fn hang_up(&mut self) -> Option<Arc<Process>> {
        self.hang_ups += 1;
        self.former = (self.session, self.foreground);
        self.session = 0;
        self.foreground = 0;
        self.flush_input();
        self.echo.clear();
        self.line = Line::with(self.initial);
        core::mem::take(&mut self.leader).upgrade()
    }
}
