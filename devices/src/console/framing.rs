//! Input framing: how the end of input and the window's size travel on a line that carries bytes only.
//!
//! Invariant: any sequence of bytes decodes; a nonsense sequence loses itself and nothing after it.
//!
//! `0x10 0x10` is the byte 0x10, `0x10 E` the end of input, `0x10 W` and four bytes (rows, columns, each high byte first) a window size.

const ESCAPE: u8 = 0x10;

/// What one byte on the line completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Byte(u8),
    End,
    Window { rows: u16, columns: u16 },
}

#[derive(Clone, Copy)]
enum State {
    Plain,
    Escaped,
    Window { filled: usize, bytes: [u8; 4] },
}

/// Decodes one line, byte by byte.
pub struct Decoder {
    framed: bool,
    state: State,
}

impl Decoder {
    /// `framed` false: every byte stands for itself.
    pub const fn new(framed: bool) -> Self {
        Decoder { framed, state: State::Plain }
    }

    /// Takes the next byte of the line.
    pub fn feed(&mut self, byte: u8) -> Option<Item> {
        if !self.framed {
            return Some(Item::Byte(byte));
        }
        match self.state {
            State::Plain if byte == ESCAPE => {
                self.state = State::Escaped;
                None
            }
            State::Plain => Some(Item::Byte(byte)),
            State::Escaped => self.after_escape(byte),
            State::Window { filled, bytes } => self.in_window(byte, filled, bytes),
        }
    }

    fn after_escape(&mut self, byte: u8) -> Option<Item> {
        self.state = State::Plain;
        match byte {
            ESCAPE => Some(Item::Byte(ESCAPE)),
            b'E' => Some(Item::End),
            b'W' => {
                self.state = State::Window { filled: 0, bytes: [0; 4] };
                None
            }
            _ => None,
        }
    }

    fn in_window(&mut self, byte: u8, filled: usize, mut bytes: [u8; 4]) -> Option<Item> {
        if let Some(place) = bytes.get_mut(filled) {
            *place = byte;
        }
        if filled < 3 {
            self.state = State::Window { filled: filled + 1, bytes };
            return None;
        }
        self.state = State::Plain;
        let [rows_high, rows_low, columns_high, columns_low] = bytes;
        Some(Item::Window { rows: u16::from_be_bytes([rows_high, rows_low]), columns: u16::from_be_bytes([columns_high, columns_low]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn decode(framed: bool, bytes: &[u8]) -> Vec<Item> {
        let mut decoder = Decoder::new(framed);
        bytes.iter().filter_map(|&byte| decoder.feed(byte)).collect()
    }

    #[test]
    fn an_unframed_line_passes_every_byte() {
        assert_eq!(decode(false, &[0x10, b'E']), [Item::Byte(0x10), Item::Byte(b'E')]);
    }

    #[test]
    fn escapes_become_a_literal_an_end_and_a_size() {
        let line = [b'a', 0x10, 0x10, 0x10, b'W', 0, 50, 1, 4, 0x10, b'E'];
        assert_eq!(decode(true, &line), [Item::Byte(b'a'), Item::Byte(0x10), Item::Window { rows: 50, columns: 260 }, Item::End]);
    }

    #[test]
    fn an_unknown_escape_is_lost_alone() {
        assert_eq!(decode(true, &[0x10, b'?', b'x']), [Item::Byte(b'x')]);
    }
}
