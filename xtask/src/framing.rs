//! The language between this tool and the kernel: the bytes typed, and the words of the kernel's command line.
//!
//! Invariant: whatever bytes a program is sent arrive unchanged; 0x10 alone begins a message to the console itself.

use std::os::unix::ffi::OsStrExt;

const ESCAPE: u8 = 0x10;

/// Bytes for the program.
pub fn push_bytes(frames: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        if byte == ESCAPE {
            frames.push(ESCAPE);
        }
        frames.push(byte);
    }
}

/// Nothing more will come.
pub fn push_end_of_input(frames: &mut Vec<u8>) {
    frames.extend([ESCAPE, b'E']);
}

/// The terminal's size has changed.
pub fn push_window(frames: &mut Vec<u8>, rows: u16, columns: u16) {
    frames.extend([ESCAPE, b'W']);
    frames.extend(rows.to_be_bytes());
    frames.extend(columns.to_be_bytes());
}

/// What the first program is, and what it sees.
pub struct FirstProgram<'a> {
    pub path: &'a std::ffi::OsStr,
    pub arguments: &'a [std::ffi::OsString],
    pub is_on_terminal: bool,
    pub window: (u16, u16),
    pub terminal_kind: &'a str,
    /// Further words for the kernel.
    pub append: &'a str,
}

impl FirstProgram<'_> {
    /// The kernel's command line.
    pub fn command_line(&self) -> String {
        let (rows, columns) = self.window;
        let stdio = if self.is_on_terminal { "tty" } else { "pipe" };
        let mut line = format!("console=framed stdio={stdio} window={rows}x{columns}");
        for (name, value) in [("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"), ("HOME", "/root"), ("USER", "root"), ("TERM", self.terminal_kind)]
        {
            line += &format!(" env.{name}={}", encode(value.as_bytes()));
        }
        if !self.append.is_empty() {
            line += &format!(" {}", self.append);
        }
        line += &format!(" init={} --", encode(self.path.as_bytes()));
        for argument in self.arguments {
            line += &format!(" {}", encode(argument.as_bytes()));
        }
        line
    }
}

/// One word of the command line: what would end it or confuse a quote is written as %XX. No bytes at all are written as %00.
fn encode(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "%00".into();
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%' && byte != b'"';
    bytes.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{OsStr, OsString};

    #[test]
    fn the_escape_byte_is_doubled_and_all_others_pass() {
        let mut frames = Vec::new();
        push_bytes(&mut frames, &(0..=255).collect::<Vec<u8>>());
        assert_eq!(frames.len(), 257);
        assert_eq!(frames[16..18], [0x10, 0x10]);
    }

    #[test]
    fn a_window_is_sent_high_byte_first() {
        let mut frames = Vec::new();
        push_window(&mut frames, 24, 300);
        push_end_of_input(&mut frames);
        assert_eq!(frames, [0x10, b'W', 0, 24, 1, 44, 0x10, b'E']);
    }

    #[test]
    fn arguments_keep_their_spaces_quotes_and_bytes() {
        let arguments: Vec<OsString> = ["-c", "echo \"a b\" 100% \u{e9}\n", ""].map(OsString::from).into();
        let line = FirstProgram {
            path: OsStr::new("/bin/sh"),
            arguments: &arguments,
            is_on_terminal: false,
            window: (24, 80),
            terminal_kind: "xterm",
            append: "trace",
        }
        .command_line();
        assert!(line.starts_with("console=framed stdio=pipe window=24x80 "), "{line}");
        assert!(line.ends_with(" trace init=/bin/sh -- -c echo%20%22a%20b%22%20100%25%20%C3%A9%0A %00"), "{line}");
    }
}
