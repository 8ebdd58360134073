//! A terminal's settings, asked by name.
//!
//! Invariant: pure; bits that no question here is about are kept and told back, and do nothing.

use abi::terminal::{Termios, character, control, input, local, output};

/// The settings of a terminal nobody has set up yet, as Linux has them.
pub const INITIAL: Termios = Termios {
    input: input::ICRNL | input::IXON,
    output: output::OPOST | output::ONLCR,
    control: control::B38400 | control::CS8 | control::CREAD | control::HUPCL,
    local: local::ISIG | local::ICANON | local::ECHO | local::ECHOE | local::ECHOK | local::ECHOCTL | local::ECHOKE | local::IEXTEN,
    line: 0,
    characters: initial_characters(),
};

/// The same of a pseudo-terminal: there is no line to hang up.
pub const INITIAL_WITH_MASTER: Termios = Termios { control: INITIAL.control & !control::HUPCL, ..INITIAL };

const fn initial_characters() -> [u8; 19] {
    let mut characters = [0; 19];
    characters[character::VINTR] = 3;
    characters[character::VQUIT] = 28;
    characters[character::VERASE] = 127;
    characters[character::VKILL] = 21;
    characters[character::VEOF] = 4;
    characters[character::VMIN] = 1;
    characters[character::VSTART] = 17;
    characters[character::VSTOP] = 19;
    characters[character::VSUSP] = 26;
    characters[character::VREPRINT] = 18;
    characters[character::VDISCARD] = 15;
    characters[character::VWERASE] = 23;
    characters[character::VLNEXT] = 22;
    characters
}

/// Questions about settings.
pub trait Settings {
    /// Whether a bit of the input modes is on.
    fn input_has(&self, bit: u32) -> bool;
    /// Whether a bit of the output modes is on.
    fn output_has(&self, bit: u32) -> bool;
    /// Whether a bit of the local modes is on.
    fn local_has(&self, bit: u32) -> bool;
    /// A control character.
    fn character(&self, index: usize) -> u8;
    /// What a pseudo-terminal makes of them: bytes have eight bits and no parity.
    fn possible(&self) -> Self;
    /// Whether Ctrl-S and Ctrl-Q stop and resume output.
    fn stops_by_usual_keys(&self) -> bool;
    /// Whether the byte is that control character; none is when it is switched off (zero).
    fn is(&self, byte: u8, index: usize) -> bool {
        byte != 0 && self.character(index) == byte
    }
}

impl Settings for Termios {
    fn input_has(&self, bit: u32) -> bool {
        self.input & bit != 0
    }

    fn output_has(&self, bit: u32) -> bool {
        self.output & bit != 0
    }

    fn local_has(&self, bit: u32) -> bool {
        self.local & bit != 0
    }

    fn character(&self, index: usize) -> u8 {
        self.characters.get(index).copied().unwrap_or(0)
    }

    fn possible(&self) -> Self {
        Self { control: self.control & !(control::CSIZE | control::PARENB) | control::CS8 | control::CREAD, ..*self }
    }

    fn stops_by_usual_keys(&self) -> bool {
        self.input_has(input::IXON) && self.character(character::VSTOP) == 0x13 && self.character(character::VSTART) == 0x11
    }
}
