//! What a program writes, as the screen gets it.
//!
//! Invariant: pure; `column` is where the cursor stands as far as control characters tell.

use abi::terminal::{Termios, output};
use alloc::vec::Vec;

use super::settings::Settings;

/// Output processing, and the column it keeps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Output {
    column: usize,
}

/// Columns from one tab stop to the next.
pub const TAB: usize = 8;

impl Output {
    /// Where the cursor stands.
    pub fn column(&self) -> usize {
        self.column
    }

    /// One byte on its way out.
    pub fn process(&mut self, settings: &Termios, byte: u8, out: &mut Vec<u8>) {
        let processes = settings.output_has(output::OPOST);
        match byte {
            b'\n' if processes && settings.output_has(output::ONLCR) => {
                out.extend_from_slice(b"\r\n");
                self.column = 0;
                return;
            }
            b'\r' if processes && settings.output_has(output::OCRNL) => {
                out.push(b'\n');
                return;
            }
            b'\r' if processes && settings.output_has(output::ONOCR) && self.column == 0 => return,
            _ => {}
        }
        out.push(byte);
        self.column = match byte {
            b'\r' => 0,
            8 => self.column.saturating_sub(1),
            b'\t' => (self.column / TAB + 1) * TAB,
            byte if byte < 32 || byte == 127 || byte & 0xc0 == 0x80 => self.column,
            _ => self.column.saturating_add(1),
        };
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
        (out, output.column())
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
        assert_eq!(written(&INITIAL, "\u{e9}".as_bytes()).1, 1);
    }
}
