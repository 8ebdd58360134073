//! What a program writes, as the screen gets it.
//!
//! Invariant: pure; `column` is where the cursor stands as far as control characters tell, and is kept only while output is processed.

use abi::terminal::{Termios, input, output};
use alloc::vec::Vec;

use super::settings::Settings;

/// Output processing, and the columns it keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Output {
    column: usize,
    /// Where the line being edited begins.
    begin: usize,
}

/// Columns from one tab stop to the next.
pub const TAB: usize = 8;

/// The most bytes that one becomes.
pub const LONGEST: usize = TAB;

/// Whether a byte is no character of its own but the rest of one.
pub fn continues(settings: &Termios, byte: u8) -> bool {
    settings.input_has(input::IUTF8) && byte & 0xc0 == 0x80
}

impl Output {
    /// In the first column.
    pub const NEW: Self = Self { column: 0, begin: 0 };

    /// The line being edited begins here.
    pub fn begin_line(&mut self) {
        self.begin = self.column;
    }

    /// Where the line being edited begins.
    pub fn begin(&self) -> usize {
        self.begin
    }

    /// The cursor was moved by other means.
    pub fn move_by(&mut self, columns: isize) {
        self.column = self.column.saturating_add_signed(columns);
    }

    /// One byte on its way out.
    pub fn process(&mut self, settings: &Termios, byte: u8, out: &mut Vec<u8>) {
        if !settings.output_has(output::OPOST) {
            return out.push(byte);
        }
        match byte {
            b'\n' => self.new_line(settings, out),
            b'\r' => self.carriage_return(settings, out),
            b'\t' => {
                let spaces = TAB - self.column % TAB;
                self.column += spaces;
                let is_spaced = settings.output & output::XTABS == output::XTABS;
                if is_spaced { out.extend(core::iter::repeat_n(b' ', spaces)) } else { out.push(byte) }
            }
            8 => {
                self.column = self.column.saturating_sub(1);
                out.push(byte);
            }
            byte if byte.is_ascii_control() => out.push(byte),
            byte => {
                self.column += usize::from(!continues(settings, byte));
                out.push(if settings.output_has(output::OLCUC) { byte.to_ascii_uppercase() } else { byte });
            }
        }
    }

    fn new_line(&mut self, settings: &Termios, out: &mut Vec<u8>) {
        if settings.output_has(output::ONLCR) || settings.output_has(output::ONLRET) {
            self.column = 0;
        }
        self.begin = self.column;
        if settings.output_has(output::ONLCR) {
            out.push(b'\r');
        }
        out.push(b'\n');
    }

    fn carriage_return(&mut self, settings: &Termios, out: &mut Vec<u8>) {
        if settings.output_has(output::ONOCR) && self.column == 0 {
            return;
        }
        let becomes_new_line = settings.output_has(output::OCRNL);
        if !becomes_new_line || settings.output_has(output::ONLRET) {
            self.column = 0;
            self.begin = 0;
        }
        out.push(if becomes_new_line { b'\n' } else { b'\r' });
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::INITIAL;
    use super::*;

    fn written(settings: &Termios, bytes: &[u8]) -> (Vec<u8>, usize) {
        let mut output = Output::default();
        let mut out = Vec::new();
        bytes.iter().for_each(|&byte| output.process(settings, byte, &mut out));
        (out, output.column)
    }

    fn with(bits: u32) -> Termios {
        Termios { output: output::OPOST | bits, ..INITIAL }
    }

    #[test]
    fn a_new_line_returns_to_the_first_column_only_with_opost() {
        assert_eq!(written(&INITIAL, b"a\nb"), (b"a\r\nb".to_vec(), 1));
        let raw = Termios { output: 0, ..INITIAL };
        assert_eq!(written(&raw, b"a\nb").0, b"a\nb");
    }

    #[test]
    fn the_column_knows_tabs_and_bytes_that_continue_a_character() {
        assert_eq!(written(&INITIAL, b"ab\t").1, 8);
        let utf8 = Termios { input: INITIAL.input | input::IUTF8, ..INITIAL };
        assert_eq!(written(&utf8, "\u{e9}".as_bytes()).1, 1);
    }

    #[test]
    fn tabs_become_spaces_up_to_the_next_stop() {
        assert_eq!(written(&with(output::XTABS), b"ab\tc").0, b"ab      c");
    }

    #[test]
    fn a_carriage_return_is_dropped_in_the_first_column_or_becomes_a_new_line() {
        assert_eq!(written(&with(output::ONOCR), b"\ra\r\r").0, b"a\r");
        assert_eq!(written(&with(output::OCRNL), b"a\rb").0, b"a\nb");
    }

    #[test]
    fn letters_grow() {
        assert_eq!(written(&with(output::OLCUC), b"aZ1").0, b"AZ1");
    }
}
