//! The kernel's command line: what to run first and how its streams are connected.
//!
//! Invariant: any command line parses; an unknown word is reported and ignored.
//!
//! Words before ` -- ` are `name=value` settings, words after it the first program's arguments. `%XX` stands for a byte.

use alloc::vec::Vec;
use libkernel::watchdog::Limits;

/// What the command line says.
pub struct CommandLine {
    /// Path of the first program.
    pub program: Option<Vec<u8>>,
    pub arguments: Vec<Vec<u8>>,
    /// `NAME=value` pairs for the first program.
    pub environment: Vec<Vec<u8>>,
    /// The first program's streams are plain pipes, not a terminal.
    pub piped: bool,
    /// Console input carries escapes.
    pub framed: bool,
    /// Rows and columns.
    pub window: (u16, u16),
    /// The disk that is the root, instead of what the loader brought.
    pub root: Option<Vec<u8>>,
    /// A fault of the kernel that is wanted.
    pub debug: Option<Vec<u8>>,
    /// What is told of, after how many seconds; 0 for never.
    pub limits: Limits,
    /// Words nobody knows.
    pub unknown: Vec<Vec<u8>>,
}

/// The seed of a kernel that is to be shaken, or the number of the mistake that it is to make: needed before there is memory
/// for a whole `CommandLine`.
pub fn early_number(line: &str, name: &str) -> Option<u64> {
    let settings = line.split_ascii_whitespace().take_while(|word| *word != "--").filter_map(|word| word.split_once('='));
    settings.filter(|(setting, _)| *setting == name).find_map(|(_, value)| value.parse().ok())
}

impl CommandLine {
    pub fn parse(line: &str) -> Self {
        let mut parsed = CommandLine {
            program: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            piped: false,
            framed: false,
            window: (0, 0),
            root: None,
            debug: None,
            limits: Limits::default(),
            unknown: Vec::new(),
        };
        let mut words = line.split_ascii_whitespace();
        for word in words.by_ref() {
            if word == "--" {
                break;
            }
            parsed.setting(word);
        }
        parsed.arguments.extend(words.map(decode));
        parsed
    }

    fn setting(&mut self, word: &str) {
        match word.split_once('=') {
            Some(("init", path)) => self.program = Some(decode(path)),
            Some(("stdio", kind)) => self.piped = kind == "pipe",
            Some(("console", kind)) => self.framed = kind == "framed",
            Some(("chaos" | "twin" | "fail" | "fail-lists" | "fail-seed", _)) => {}
            Some(("window", size)) => self.window = window(size).unwrap_or_default(),
            Some(("hung", seconds)) => self.limits.wait = seconds.parse().unwrap_or(self.limits.wait),
            Some(("lockup", seconds)) => self.limits.silence = seconds.parse().unwrap_or(self.limits.silence),
            Some(("root", device)) => self.root = Some(decode(device)),
            Some(("debug", how)) => self.debug = Some(decode(how)),
            Some((name, value)) if name.starts_with("env.") => {
                let mut pair = decode(name.trim_start_matches("env."));
                pair.push(b'=');
                pair.extend(decode(value));
                self.environment.push(pair);
            }
            _ => self.unknown.push(word.as_bytes().to_vec()),
        }
    }
}

/// `ROWSxCOLUMNS`.
fn window(size: &str) -> Option<(u16, u16)> {
    let (rows, columns) = size.split_once('x')?;
    Some((rows.parse().ok()?, columns.parse().ok()?))
}

/// Turns `%XX` into bytes; a `%` without two hexadecimal digits stands for itself.
fn decode(word: &str) -> Vec<u8> {
    let bytes = word.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

fn digit(character: u8) -> u8 {
    (character as char).to_digit(16).unwrap_or_default() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_keep_their_spaces_and_percent_signs() {
        let parsed = CommandLine::parse("init=/bin/sh stdio=pipe window=50x132 env.TERM=xterm -- -c echo%20a%25b%0A 100% --");
        assert_eq!(parsed.program.as_deref(), Some(&b"/bin/sh"[..]));
        assert!(parsed.piped);
        assert_eq!(parsed.window, (50, 132));
        assert_eq!(parsed.environment, [b"TERM=xterm".to_vec()]);
        assert_eq!(parsed.arguments, [b"-c".to_vec(), b"echo a%b\n".to_vec(), b"100%".to_vec(), b"--".to_vec()]);
    }

    #[test]
    fn nonsense_is_kept_apart_and_harms_nothing() {
        let parsed = CommandLine::parse("quiet window=axb %");
        assert_eq!(parsed.unknown, [b"quiet".to_vec(), b"%".to_vec()]);
        assert_eq!(parsed.window, (0, 0));
    }
}
