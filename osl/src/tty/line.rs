//! The line discipline: what keys become before a program reads them.
//!
//! Invariant: pure. In canonical mode only finished lines can be read, one per read; an empty one is an end of file. Nothing
//! grows beyond `LIMIT` bytes, whatever arrives.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use abi::terminal::{Termios, character, input, local};

use super::output::{Output, TAB};
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

/// What is to be done after the lock is released.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Bytes for the screen.
    pub screen: Vec<u8>,
    /// Signals for the foreground group.
    pub signals: Vec<KeySignal>,
    /// Readers may find something, or writers go on.
    pub wake: bool,
}

/// The state of the line.
#[derive(Clone, Debug)]
pub struct Line {
    settings: Termios,
    output: Output,
    /// Canonical: finished lines.
    lines: VecDeque<VecDeque<u8>>,
    /// Raw: bytes.
    raw: VecDeque<u8>,
    editing: Vec<u8>,
    /// Where the edited line begins on the screen.
    begin_column: usize,
    literal_next: bool,
    is_stopped: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// A line nobody has typed on, with the usual settings.
    pub fn new() -> Self {
        Self {
            settings: INITIAL,
            output: Output::default(),
            lines: VecDeque::new(),
            raw: VecDeque::new(),
            editing: Vec::new(),
            begin_column: 0,
            literal_next: false,
            is_stopped: false,
        }
    }

    /// The settings now.
    pub fn settings(&self) -> &Termios {
        &self.settings
    }

    /// Sets new settings; what was typed before stays readable in the new mode.
    pub fn set_settings(&mut self, settings: Termios) {
        let was_canonical = self.is_canonical();
        self.settings = settings;
        if was_canonical && !self.is_canonical() {
            let lines = core::mem::take(&mut self.lines);
            self.raw.extend(lines.into_iter().flatten());
            self.raw.extend(self.editing.drain(..));
        } else if !was_canonical && self.is_canonical() && !self.raw.is_empty() {
            self.lines.push_back(core::mem::take(&mut self.raw));
        }
        if !self.settings.input_has(input::IXON) {
            self.is_stopped = false;
        }
    }

    /// Whether input comes in lines.
    pub fn is_canonical(&self) -> bool {
        self.settings.local_has(local::ICANON)
    }

    /// Whether output waits (Ctrl-S).
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Stops or resumes output (`tcflow`).
    pub fn set_stopped(&mut self, stopped: bool) {
        self.is_stopped = stopped;
    }

    /// How many bytes can be read now.
    pub fn waiting(&self) -> usize {
        if self.is_canonical() { self.lines.iter().map(VecDeque::len).sum() } else { self.raw.len() }
    }

    /// Whether a canonical read would not wait.
    pub fn has_line(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Takes bytes for a reader; `None` when there is nothing (in canonical mode: no finished line).
    pub fn take(&mut self, wanted: usize) -> Option<Vec<u8>> {
        if !self.is_canonical() {
            let count = wanted.min(self.raw.len());
            return if count == 0 { None } else { Some(self.raw.drain(..count).collect()) };
        }
        let line = self.lines.front_mut()?;
        let count = wanted.min(line.len());
        let taken = line.drain(..count).collect();
        if line.is_empty() {
            self.lines.pop_front();
        }
        Some(taken)
    }

    /// Throws away what nobody has read.
    pub fn flush_input(&mut self) {
        self.lines.clear();
        self.raw.clear();
        self.editing.clear();
        self.literal_next = false;
    }

    /// Bytes a program writes, made ready for the screen.
    pub fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        bytes.iter().for_each(|&byte| self.output.process(&self.settings, byte, out));
    }

    /// One byte arrived from the keys.
    pub fn receive(&mut self, byte: u8, effects: &mut Effects) {
        let byte = if self.settings.input_has(input::ISTRIP) { byte & 0x7f } else { byte };
        if core::mem::take(&mut self.literal_next) {
            return self.keep(byte, effects);
        }
        if self.flow(byte, effects) || self.signal(byte, effects) {
            return;
        }
        let byte = match byte {
            b'\r' if self.settings.input_has(input::IGNCR) => return,
            b'\r' if self.settings.input_has(input::ICRNL) => b'\n',
            b'\n' if self.settings.input_has(input::INLCR) => b'\r',
            byte => byte,
        };
        if !self.is_canonical() || !self.edit(byte, effects) {
            self.keep(byte, effects);
        }
    }

    /// Ctrl-S and Ctrl-Q.
    fn flow(&mut self, byte: u8, effects: &mut Effects) -> bool {
        if !self.settings.input_has(input::IXON) {
            return false;
        }
        if self.settings.is(byte, character::VSTOP) && !(self.is_stopped && self.settings.is(byte, character::VSTART)) {
            self.is_stopped = true;
            return true;
        }
        let is_start = self.settings.is(byte, character::VSTART);
        if is_start || (self.is_stopped && self.settings.input_has(input::IXANY)) {
            effects.wake |= self.is_stopped;
            self.is_stopped = false;
        }
        is_start
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
        effects.wake |= self.is_stopped;
        self.is_stopped = false;
        if !self.settings.local_has(local::NOFLSH) {
            self.flush_input();
        }
        self.echo(byte, effects);
        true
    }

    /// Keys that change the line being edited or finish it; false for all others.
    fn edit(&mut self, byte: u8, effects: &mut Effects) -> bool {
        let extended = self.settings.local_has(local::IEXTEN);
        if self.settings.is(byte, character::VERASE) {
            self.erase(byte, effects, one_character);
        } else if self.settings.is(byte, character::VKILL) {
            self.kill(byte, effects);
        } else if extended && self.settings.is(byte, character::VWERASE) {
            self.erase(byte, effects, |line, _| one_word(line));
        } else if extended && self.settings.is(byte, character::VLNEXT) {
            self.literal_next = true;
            if self.settings.local_has(local::ECHO) && self.settings.local_has(local::ECHOCTL) {
                effects.screen.extend_from_slice(b"^\x08");
            }
        } else if extended && self.settings.is(byte, character::VREPRINT) {
            self.reprint(byte, effects);
        } else if self.settings.is(byte, character::VEOF) {
            self.finish(effects);
        } else if byte == b'\n' {
            self.push_edited(byte, effects);
            if self.settings.local_has(local::ECHO) || self.settings.local_has(local::ECHONL) {
                self.output.process(&self.settings, b'\n', &mut effects.screen);
            }
            self.finish(effects);
        } else if self.settings.is(byte, character::VEOL) || (extended && self.settings.is(byte, character::VEOL2)) {
            self.keep(byte, effects);
            self.finish(effects);
        } else {
            return false;
        }
        true
    }

    fn finish(&mut self, effects: &mut Effects) {
        if self.lines.len() < LIMIT && self.waiting() < 16 * LIMIT {
            self.lines.push_back(self.editing.drain(..).collect());
        } else {
            self.editing.clear();
        }
        effects.wake = true;
    }

    /// An ordinary byte.
    fn keep(&mut self, byte: u8, effects: &mut Effects) {
        if self.is_canonical() {
            if self.editing.is_empty() {
                self.begin_column = self.output.column();
            }
            if self.push_edited(byte, effects) {
                self.echo(byte, effects);
            }
        } else if self.raw.len() < LIMIT {
            self.raw.push_back(byte);
            effects.wake = true;
            self.echo(byte, effects);
        }
    }

    /// Room for the byte that ends the line is always kept.
    fn push_edited(&mut self, byte: u8, effects: &mut Effects) -> bool {
        let has_room = self.editing.len() < LIMIT - 1 || (byte == b'\n' && self.editing.len() < LIMIT);
        if has_room {
            self.editing.push(byte);
        } else if self.settings.input_has(input::IMAXBEL) {
            effects.screen.push(7);
        }
        has_room
    }

    fn echo(&mut self, byte: u8, effects: &mut Effects) {
        if !self.settings.local_has(local::ECHO) {
            return;
        }
        for &shown in self.shown(byte, &mut [0; 2]) {
            self.output.process(&self.settings, shown, &mut effects.screen);
        }
    }

    /// How a byte is echoed: control characters as `^X`.
    fn shown<'a>(&self, byte: u8, space: &'a mut [u8; 2]) -> &'a [u8] {
        let is_control = (byte < 32 && byte != b'\n' && byte != b'\t') || byte == 127;
        if is_control && self.settings.local_has(local::ECHOCTL) {
            *space = [b'^', byte ^ 0x40];
            return space;
        }
        *space = [byte, 0];
        space.get(..1).unwrap_or(&[])
    }

    fn erase(&mut self, byte: u8, effects: &mut Effects, how_many: fn(&[u8], bool) -> usize) {
        let count = how_many(&self.editing, self.settings.input_has(input::IUTF8));
        if count == 0 {
            return;
        }
        let kept = self.editing.len().saturating_sub(count);
        if self.settings.local_has(local::ECHO) && !self.settings.local_has(local::ECHOE) {
            self.editing.truncate(kept);
            return self.echo(byte, effects);
        }
        self.rub_out(kept, effects);
    }

    /// Takes everything after `kept` bytes off the line, and off the screen.
    fn rub_out(&mut self, kept: usize, effects: &mut Effects) {
        let has_tab = self.editing.get(kept..).is_some_and(|gone| gone.contains(&b'\t'));
        let before = self.end_column();
        self.editing.truncate(kept);
        let columns = before.saturating_sub(self.end_column());
        if !self.settings.local_has(local::ECHO) {
            return;
        }
        for _ in 0..columns {
            let rubbed: &[u8] = if has_tab { b"\x08" } else { b"\x08 \x08" };
            rubbed.iter().for_each(|&shown| self.output.process(&self.settings, shown, &mut effects.screen));
        }
    }

    /// Where the edited line ends on the screen.
    fn end_column(&self) -> usize {
        self.editing.iter().fold(self.begin_column, |column, &byte| match byte {
            b'\t' => (column / TAB + 1) * TAB,
            byte if byte & 0xc0 == 0x80 && self.settings.input_has(input::IUTF8) => column,
            byte if byte < 32 || byte == 127 => column + if self.settings.local_has(local::ECHOCTL) { 2 } else { 0 },
            _ => column + 1,
        })
    }

    fn kill(&mut self, byte: u8, effects: &mut Effects) {
        if self.settings.local_has(local::ECHOKE) && self.settings.local_has(local::ECHOE) {
            return self.rub_out(0, effects);
        }
        self.editing.clear();
        self.echo(byte, effects);
        if self.settings.local_has(local::ECHO) && self.settings.local_has(local::ECHOK) {
            self.output.process(&self.settings, b'\n', &mut effects.screen);
        }
    }

    fn reprint(&mut self, byte: u8, effects: &mut Effects) {
        self.echo(byte, effects);
        self.output.process(&self.settings, b'\n', &mut effects.screen);
        self.begin_column = self.output.column();
        for byte in self.editing.clone() {
            self.echo(byte, effects);
        }
    }
}

/// Bytes of the last character.
fn one_character(line: &[u8], is_utf8: bool) -> usize {
    if !is_utf8 {
        return line.len().min(1);
    }
    let continuing = line.iter().rev().take_while(|&&byte| byte & 0xc0 == 0x80).count();
    (continuing + 1).min(line.len())
}

/// Bytes of the last word and the blanks after it.
fn one_word(line: &[u8]) -> usize {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    let blanks = line.iter().rev().take_while(is_blank).count();
    let word = line.iter().rev().skip(blanks).take_while(|byte| !is_blank(byte)).count();
    blanks + word
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
