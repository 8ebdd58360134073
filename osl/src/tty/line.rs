//! The line discipline: what keys become before a program reads them.
//!
//! Invariant: pure. In canonical mode only finished lines can be read, one per read; an empty one is an end of file. At most `LIMIT`
//! bytes wait: while there is a place (`has_place`) nothing is lost but what is typed at the end of a line that is too long.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::terminal::{Termios, character, input, local, packet};

use super::output::Output;
use super::settings::{INITIAL, Settings};

/// The most bytes that wait to be read, and the longest line that can be edited.
pub const LIMIT: usize = 4096;

/// A signal that a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySignal {
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-\.
    Quit,
    /// Ctrl-Z.
    Stop,
}

/// What is to be done after the byte was taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Bytes for the screen.
    pub screen: Vec<u8>,
    /// Signals for the foreground group.
    pub signals: Vec<KeySignal>,
    /// Output that nobody has seen yet is void.
    pub flushes_output: bool,
    /// News for a master in packet mode, in the bits of `TIOCPKT`.
    pub news: u8,
    /// Readers may find something, or writers go on.
    pub wake: bool,
}

/// What a byte that can be read stands for besides itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    None,
    /// It is the last of its line.
    EndsLine,
    /// It is no byte at all but the end of the line before it.
    EndOfFile,
}

/// The state of the line.
#[derive(Clone, Debug)]
pub struct Line {
    pub(super) settings: Termios,
    pub(super) output: Output,
    pub(super) bytes: VecDeque<(u8, Mark)>,
    /// How many of `bytes` belong to finished lines.
    pub(super) finished: usize,
    literal_next: bool,
    /// Between the marks of a hard-copy erasure.
    pub(super) is_erasing: bool,
    is_stopped: bool,
    /// Stopped by request: no key resumes it.
    is_held: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// A line nobody has typed on, with the usual settings.
    pub const fn new() -> Self {
        Self::with(INITIAL)
    }

    /// The same with other settings.
    pub const fn with(settings: Termios) -> Self {
        Self {
            settings,
            output: Output::NEW,
            bytes: VecDeque::new(),
            finished: 0,
            literal_next: false,
            is_erasing: false,
            is_stopped: false,
            is_held: false,
        }
    }

    /// The settings now.
    pub fn settings(&self) -> &Termios {
        &self.settings
    }

    /// Sets new settings; what was typed before stays readable in the new mode. Answers the news for a master.
    pub fn set_settings(&mut self, settings: Termios) -> u8 {
        let before = core::mem::replace(&mut self.settings, settings.possible());
        if (before.local ^ settings.local) & (local::ICANON | local::EXTPROC) != 0 {
            self.bytes.iter_mut().for_each(|(_, mark)| *mark = Mark::None);
            self.finished = if self.is_canonical() { self.bytes.len() } else { 0 };
            if let Some((_, mark)) = self.bytes.back_mut().filter(|_| self.finished > 0) {
                *mark = Mark::EndsLine;
            }
            self.is_erasing = false;
            self.literal_next = false;
        }
        let mut effects = Effects::default();
        if before.input_has(input::IXON) && !settings.input_has(input::IXON) {
            self.resume(&mut effects);
        }
        let flow = if settings.stops_by_usual_keys() { packet::DO_STOP } else { packet::NO_STOP };
        let flow = if before.stops_by_usual_keys() == settings.stops_by_usual_keys() { 0 } else { flow };
        let is_external = (before.local | settings.local) & local::EXTPROC != 0;
        effects.news | flow | if is_external { packet::IOCTL } else { 0 }
    }

    fn is_canonical(&self) -> bool {
        self.settings.local_has(local::ICANON)
    }

    /// Whether input is read in lines.
    pub fn reads_lines(&self) -> bool {
        self.is_canonical() && !self.settings.local_has(local::EXTPROC)
    }

    /// Whether output waits (Ctrl-S).
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Stops or resumes output (`tcflow`): answers the news for a master.
    pub fn set_held(&mut self, held: bool) -> u8 {
        let mut effects = Effects::default();
        if held && !self.is_held {
            self.stop(&mut effects);
            self.is_held = true;
        } else if !held && self.is_held {
            self.is_held = false;
            self.resume(&mut effects);
        }
        effects.news
    }

    /// How many bytes can be read now.
    pub fn waiting(&self) -> usize {
        if !self.reads_lines() {
            return self.bytes.len();
        }
        self.bytes.iter().take(self.finished).filter(|(_, mark)| *mark != Mark::EndOfFile).count()
    }

    /// Whether a read would find that many bytes (in canonical mode: a line).
    pub fn has(&self, least: usize) -> bool {
        if self.reads_lines() { self.finished > 0 } else { self.bytes.len() >= least.max(1) }
    }

    /// Whether the next key has a place. A line that is too long goes on for ever, but only its last byte changes.
    pub fn has_place(&self) -> bool {
        let left = LIMIT.saturating_sub(self.bytes.len());
        let left = if self.settings.input_has(input::PARMRK) { left.div_ceil(3) } else { left };
        left > 1 || self.is_overlong()
    }

    fn is_overlong(&self) -> bool {
        self.is_canonical() && self.finished == 0
    }

    /// Takes bytes for a reader; `None` when there is nothing (in canonical mode: no finished line).
    pub fn take(&mut self, wanted: usize) -> Option<Vec<u8>> {
        if !self.has(1) {
            return None;
        }
        if !self.reads_lines() {
            let count = wanted.min(self.bytes.len());
            return Some(self.bytes.drain(..count).map(|(byte, _)| byte).collect());
        }
        let most = wanted.min(self.finished);
        let end = self.bytes.iter().take(most).position(|(_, mark)| *mark != Mark::None);
        let count = end.map_or(most, |end| end + 1);
        self.finished -= count;
        let taken = self.bytes.drain(..count).filter(|(_, mark)| *mark != Mark::EndOfFile).map(|(byte, _)| byte).collect();
        // A read that ends right before an end of file has read that too.
        if end.is_none() && self.finished > 0 && self.bytes.front().is_some_and(|(_, mark)| *mark == Mark::EndOfFile) {
            self.bytes.pop_front();
            self.finished -= 1;
        }
        Some(taken)
    }

    /// Makes room in memory for so many keys; false when there is none.
    pub fn reserve(&mut self, keys: usize) -> bool {
        self.bytes.try_room((2 * keys).min(LIMIT)).is_ok()
    }

    /// Throws away what nobody has read.
    pub fn flush_input(&mut self) {
        self.bytes.clear();
        self.finished = 0;
        self.is_erasing = false;
    }

    /// One byte a program writes, made ready for the screen.
    pub fn write(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.output.process(&self.settings, byte, out);
    }

    /// One byte arrived from the keys. Only when it has a place.
    pub fn receive(&mut self, byte: u8, effects: &mut Effects) {
        if self.is_overlong() && self.bytes.len() >= LIMIT {
            self.bytes.pop_back();
        }
        let byte = self.folded(byte);
        let is_literal = core::mem::take(&mut self.literal_next);
        if !is_literal && self.settings.local_has(local::EXTPROC) {
            return self.put(byte, Mark::None, effects);
        }
        if !is_literal && (self.flow(byte, effects) || self.signal(byte, effects)) {
            return;
        }
        if self.settings.input_has(input::IXON) && self.settings.input_has(input::IXANY) {
            self.resume(effects);
        }
        if is_literal {
            return self.ordinary(byte, effects);
        }
        let (byte, is_new_line) = match byte {
            b'\r' if self.settings.input_has(input::IGNCR) => return,
            b'\r' if self.settings.input_has(input::ICRNL) => (b'\n', true),
            b'\n' if self.settings.input_has(input::INLCR) => (b'\r', false),
            byte => (byte, false),
        };
        if self.is_canonical() && self.edit(byte, effects) {
            return;
        }
        if is_new_line && self.settings.local_has(local::ECHO) {
            self.show_plain(byte, effects);
            return self.put(byte, Mark::None, effects);
        }
        self.ordinary(byte, effects);
    }

    fn folded(&self, byte: u8) -> u8 {
        let byte = if self.settings.input_has(input::ISTRIP) { byte & 0x7f } else { byte };
        let lowers = self.settings.input_has(input::IUCLC) && self.settings.local_has(local::IEXTEN);
        if lowers { byte.to_ascii_lowercase() } else { byte }
    }

    /// Ctrl-S and Ctrl-Q; false for all other bytes. These work even when there is no place.
    pub fn flow(&mut self, byte: u8, effects: &mut Effects) -> bool {
        if !self.settings.input_has(input::IXON) || self.literal_next || self.settings.local_has(local::EXTPROC) {
            return false;
        }
        let is_start = self.settings.is(byte, character::VSTART);
        let is_stop = self.settings.is(byte, character::VSTOP);
        if is_start {
            self.resume(effects);
        } else if is_stop {
            self.stop(effects);
        }
        is_start || is_stop
    }

    fn stop(&mut self, effects: &mut Effects) {
        if !self.is_stopped {
            self.is_stopped = true;
            effects.news = effects.news & !packet::START | packet::STOP;
        }
    }

    fn resume(&mut self, effects: &mut Effects) {
        if self.is_stopped && !self.is_held {
            self.is_stopped = false;
            effects.wake = true;
            effects.news = effects.news & !packet::STOP | packet::START;
        }
    }

    /// Ctrl-C and its kind.
    fn signal(&mut self, byte: u8, effects: &mut Effects) -> bool {
        if !self.settings.local_has(local::ISIG) {
            return false;
        }
        let signal = if self.settings.is(byte, character::VINTR) {
            KeySignal::Interrupt
        } else if self.settings.is(byte, character::VQUIT) {
            KeySignal::Quit
        } else if self.settings.is(byte, character::VSUSP) {
            KeySignal::Stop
        } else {
            return false;
        };
        effects.signals.push(signal);
        if !self.settings.local_has(local::NOFLSH) {
            self.flush_input();
            effects.screen.clear();
            effects.flushes_output = true;
            effects.news |= packet::FLUSH_READ | packet::FLUSH_WRITE;
        }
        if self.settings.input_has(input::IXON) {
            self.resume(effects);
        }
        if self.settings.local_has(local::ECHO) {
            self.show(byte, effects);
        }
        true
    }

    /// The next byte is an ordinary one, whatever it is.
    pub(super) fn expect_literal(&mut self) {
        self.literal_next = true;
    }

    /// An ordinary byte.
    fn ordinary(&mut self, byte: u8, effects: &mut Effects) {
        self.echo(byte, effects);
        if byte == 0xff && self.settings.input_has(input::PARMRK) {
            self.put(byte, Mark::None, effects);
        }
        self.put(byte, Mark::None, effects);
    }

    pub(super) fn put(&mut self, byte: u8, mark: Mark, effects: &mut Effects) {
        self.bytes.push_back((byte, mark));
        if mark != Mark::None {
            self.finished = self.bytes.len();
        }
        effects.wake |= mark != Mark::None || !self.reads_lines();
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
