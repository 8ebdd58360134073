//! Editing the line that is not finished yet, and how that looks on the screen.
//!
//! Invariant: pure; only bytes after the last finished line change.

use abi::terminal::{character, input, local};

use super::line::{Effects, Line, Mark};
use super::output::{TAB, continues};
use super::settings::Settings;

/// How much is erased at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl Line {
    /// Keys that change the line being edited or finish it; false for all others.
    pub(super) fn edit(&mut self, byte: u8, effects: &mut Effects) -> bool {
        let extended = self.settings.local_has(local::IEXTEN);
        if self.settings.is(byte, character::VERASE) {
            self.erase(Erase::Character, effects);
        } else if self.settings.is(byte, character::VKILL) {
            self.kill(byte, effects);
        } else if extended && self.settings.is(byte, character::VWERASE) {
            self.erase(Erase::Word, effects);
        } else if extended && self.settings.is(byte, character::VLNEXT) {
            self.take_next_literally(effects);
        } else if extended && self.settings.is(byte, character::VREPRINT) && self.settings.local_has(local::ECHO) {
            self.reprint(byte, effects);
        } else if byte == b'\n' {
            if self.settings.local_has(local::ECHO) || self.settings.local_has(local::ECHONL) {
                self.show_plain(byte, effects);
            }
            self.put(byte, Mark::EndsLine, effects);
        } else if self.settings.is(byte, character::VEOF) {
            self.put(0, Mark::EndOfFile, effects);
        } else if self.settings.is(byte, character::VEOL) || (extended && self.settings.is(byte, character::VEOL2)) {
            self.echo(byte, effects);
            if byte == 0xff && self.settings.input_has(input::PARMRK) {
                self.put(byte, Mark::None, effects);
            }
            self.put(byte, Mark::EndsLine, effects);
        } else {
            return false;
        }
        true
    }

    fn take_next_literally(&mut self, effects: &mut Effects) {
        self.expect_literal();
        if self.settings.local_has(local::ECHO) {
            self.finish_erasing(effects);
            if self.settings.local_has(local::ECHOCTL) {
                self.show_plain(b'^', effects);
                self.show_plain(8, effects);
            }
        }
    }

    /// Ctrl-U.
    fn kill(&mut self, byte: u8, effects: &mut Effects) {
        if self.bytes.len() == self.finished {
            return;
        }
        let has = |bit| self.settings.local_has(bit);
        if has(local::ECHO) && has(local::ECHOK) && has(local::ECHOKE) && has(local::ECHOE) {
            return self.erase(Erase::Line, effects);
        }
        let (echoes, moves_on) = (has(local::ECHO), has(local::ECHOK));
        self.bytes.truncate(self.finished);
        if echoes {
            self.finish_erasing(effects);
            self.show(byte, effects);
            if moves_on {
                self.show_plain(b'\n', effects);
            }
        }
    }

    fn erase(&mut self, how_much: Erase, effects: &mut Effects) {
        let mut is_in_word = false;
        while self.bytes.len() > self.finished {
            let Some(at) = self.last_character() else { break };
            let first = self.byte_at(at);
            let is_of_word = first.is_ascii_alphanumeric() || first == b'_' || first >= 0xc0 && first != 0xd7 && first != 0xf7;
            if how_much == Erase::Word && is_in_word && !is_of_word {
                break;
            }
            is_in_word |= is_of_word;
            let rest: arrayvec::ArrayVec<u8, 8> = self.bytes.iter().skip(at + 1).take(8).map(|(byte, _)| *byte).collect();
            self.bytes.truncate(at);
            if self.settings.local_has(local::ECHO) {
                self.show_erased(how_much, first, &rest, effects);
            }
            if how_much == Erase::Character {
                break;
            }
        }
        if self.bytes.len() == self.finished && self.settings.local_has(local::ECHO) {
            self.finish_erasing(effects);
        }
    }

    fn byte_at(&self, at: usize) -> u8 {
        self.bytes.get(at).map_or(0, |(byte, _)| *byte)
    }

    /// Where the last character of the line being edited begins; none when only the end of one is there.
    fn last_character(&self) -> Option<usize> {
        let mut at = self.bytes.len().checked_sub(1)?;
        while at > self.finished && continues(&self.settings, self.byte_at(at)) {
            at -= 1;
        }
        (!continues(&self.settings, self.byte_at(at))).then_some(at)
    }

    /// Takes a character off the screen.
    fn show_erased(&mut self, how_much: Erase, first: u8, rest: &[u8], effects: &mut Effects) {
        let shows_controls = self.settings.local_has(local::ECHOCTL);
        if self.settings.local_has(local::ECHOPRT) {
            if !core::mem::replace(&mut self.is_erasing, true) {
                self.show_plain(b'\\', effects);
            }
            self.show(first, effects);
            for &byte in rest {
                self.show_plain(byte, effects);
                self.output.move_by(-1);
            }
        } else if how_much == Erase::Character && !self.settings.local_has(local::ECHOE) {
            let key = self.settings.character(character::VERASE);
            self.show(key, effects);
        } else if first == b'\t' {
            self.rub_out_tab(effects);
        } else {
            let columns = if first.is_ascii_control() { if shows_controls { 2 } else { 0 } } else { 1 };
            for _ in 0..columns {
                for byte in *b"\x08 \x08" {
                    self.show_plain(byte, effects);
                }
            }
        }
    }

    /// Goes back over a tab: to after what stands before it, counted from the last tab or from where the line begins.
    fn rub_out_tab(&mut self, effects: &mut Effects) {
        let mut columns = 0;
        let mut follows_tab = false;
        for at in (self.finished..self.bytes.len()).rev() {
            let byte = self.byte_at(at);
            if byte == b'\t' {
                follows_tab = true;
                break;
            }
            if byte.is_ascii_control() {
                columns += if self.settings.local_has(local::ECHOCTL) { 2 } else { 0 };
            } else if !continues(&self.settings, byte) {
                columns += 1;
            }
        }
        if !follows_tab {
            columns += self.output.begin();
        }
        let back = TAB - columns % TAB;
        effects.screen.extend(core::iter::repeat_n(8, back));
        self.output.move_by(-isize::try_from(back).unwrap_or(0));
    }

    fn reprint(&mut self, byte: u8, effects: &mut Effects) {
        self.finish_erasing(effects);
        self.show(byte, effects);
        self.show_plain(b'\n', effects);
        for at in self.finished..self.bytes.len() {
            self.show(self.byte_at(at), effects);
        }
    }

    fn finish_erasing(&mut self, effects: &mut Effects) {
        if core::mem::take(&mut self.is_erasing) {
            self.show_plain(b'/', effects);
        }
    }

    /// Echoes a byte that is about to join the line.
    pub(super) fn echo(&mut self, byte: u8, effects: &mut Effects) {
        if !self.settings.local_has(local::ECHO) {
            return;
        }
        self.finish_erasing(effects);
        if self.bytes.len() == self.finished {
            self.output.begin_line();
        }
        self.show(byte, effects);
    }

    /// Shows a byte, control characters as `^X`.
    pub(super) fn show(&mut self, byte: u8, effects: &mut Effects) {
        if self.settings.local_has(local::ECHOCTL) && byte.is_ascii_control() && byte != b'\t' {
            effects.screen.extend_from_slice(&[b'^', byte ^ 0x40]);
            return self.output.move_by(2);
        }
        self.show_plain(byte, effects);
    }

    /// Shows a byte as a program's output would.
    pub(super) fn show_plain(&mut self, byte: u8, effects: &mut Effects) {
        self.output.process(&self.settings, byte, &mut effects.screen);
    }
}
