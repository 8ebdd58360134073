//! A file of `tests/vm`: one boot, what goes in and what must come out.
//!
//! Invariant: a file with a word that this reader does not know is an error, never a test that quietly checks less.

use crate::error::{Failure, Outcome};
use crate::machine::{parse_cpus, parse_memory};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    BuiltIn,
    None,
    /// Only so many bytes of the built-in root.
    Truncated(usize),
    /// The built-in root with every n-th byte changed.
    Damaged(usize),
    /// Bytes that never were an archive.
    Nonsense(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Status(u8),
    /// A panic whose report contains this.
    Panic(String),
    /// Any word of the kernel but success: a status other than 0, or a panic.
    Refused,
}

#[derive(Debug, Clone)]
pub struct Expectation {
    pub subtitle: String,
    pub cpus: Option<Vec<u32>>,
    pub memory: String,
    /// The memory is that of the kernel and its root, and so much more.
    pub memory_beside_root: Option<String>,
    pub root: Root,
    pub append: String,
    pub command: Vec<String>,
    pub input: Vec<u8>,
    pub output: Option<String>,
    pub output_is_input: bool,
    pub errors: Vec<String>,
    pub log: Vec<String>,
    pub not_in_log: Vec<String>,
    pub end: End,
    pub seconds: u64,
    pub alone: bool,
}

impl Expectation {
    pub fn parse(text: &str) -> Outcome<Self> {
        let mut expectation = Self {
            subtitle: String::new(),
            cpus: None,
            memory: "512M".into(),
            memory_beside_root: None,
            root: Root::BuiltIn,
            append: String::new(),
            command: Vec::new(),
            input: Vec::new(),
            output: None,
            output_is_input: false,
            errors: Vec::new(),
            log: Vec::new(),
            not_in_log: Vec::new(),
            end: End::Status(0),
            seconds: 120,
            alone: false,
        };
        for (key, value) in entries(text, &mut expectation.subtitle) {
            expectation.set(&key, &value).map_err(|failure| Failure::new(format!("{key}: {}", failure.message)))?;
        }
        if expectation.subtitle.is_empty() {
            return Err(Failure::new("the first line must be '# ' and what holds"));
        }
        if expectation.command.is_empty() {
            return Err(Failure::new("neither run nor script"));
        }
        Ok(expectation)
    }

    fn set(&mut self, key: &str, value: &str) -> Outcome<()> {
        match key {
            "cpus" => self.cpus = Some(value.split_whitespace().map(parse_cpus).collect::<Outcome<_>>()?),
            "memory" => self.memory = parse_memory(value)?,
            "memory-beside-root" => self.memory_beside_root = Some(parse_memory(value)?),
            "root" => self.root = root(value)?,
            "append" => self.append = value.to_owned(),
            "run" => self.command = split_words(value)?,
            "script" => self.command = ["/bin/busybox", "sh", "-c", value].map(str::to_owned).to_vec(),
            "stdin" => self.input.extend(format!("{value}\n").bytes()),
            "stdin-bytes" => self.input.extend(every_byte(number(value)?)),
            "stdout" => *self.output.get_or_insert_default() += &format!("{value}\n"),
            "stdout-is-stdin" => self.output_is_input = true,
            "stderr" => self.errors.push(value.to_owned()),
            "log" => self.log.push(value.to_owned()),
            "not-in-log" => self.not_in_log.push(value.to_owned()),
            "status" => self.end = End::Status(value.parse().map_err(|_| Failure::new("not 0 to 255"))?),
            "panic" => self.end = End::Panic(value.to_owned()),
            "refused" => self.end = End::Refused,
            "seconds" => self.seconds = number(value)? as u64,
            "alone" => self.alone = true,
            _ => return Err(Failure::new("no such word")),
        }
        Ok(())
    }

    /// The same boot with `${cpus}` filled in.
    pub fn at(&self, cpus: u32) -> Self {
        let fill = |text: &String| text.replace("${cpus}", &cpus.to_string());
        let mut filled = self.clone();
        filled.command = self.command.iter().map(fill).collect();
        filled.output = self.output.as_ref().map(fill);
        for list in [&mut filled.errors, &mut filled.log] {
            *list = list.iter().map(fill).collect();
        }
        filled
    }
}

/// Word and value of each line; lines set in from the left go on with the value above, without their indentation.
fn entries(text: &str, subtitle: &mut String) -> Vec<(String, String)> {
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            if subtitle.is_empty() {
                *subtitle = comment.trim().to_owned();
            }
        } else if let Some(more) = line.strip_prefix("    ") {
            if let Some((_, value)) = entries.last_mut() {
                if !value.is_empty() {
                    value.push('\n');
                }
                value.push_str(more);
            }
        } else if !line.trim().is_empty() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            entries.push((key.to_owned(), value.trim().to_owned()));
        }
    }
    entries
}

fn root(value: &str) -> Outcome<Root> {
    match value.split_once(' ').unwrap_or((value, "")) {
        ("built-in", "") => Ok(Root::BuiltIn),
        ("none", "") => Ok(Root::None),
        ("truncated", size) => Ok(Root::Truncated(number(size)?)),
        ("damaged", every) => Ok(Root::Damaged(number(every)?.max(1))),
        ("nonsense", size) => Ok(Root::Nonsense(number(size)?)),
        _ => Err(Failure::new("built-in, none, truncated N, damaged N or nonsense N")),
    }
}

/// Every byte value in turn, in an order that repeats only after 256 * 251 bytes.
fn every_byte(length: usize) -> impl Iterator<Item = u8> {
    (0..length).map(|at| (at % 256) as u8 ^ (at / 256 % 251) as u8)
}

fn number(text: &str) -> Outcome<usize> {
    text.trim().parse().map_err(|_| Failure::new(format!("'{text}' is no number")))
}

/// Words as a shell would part them: blanks, single and double quotes; a backslash takes the next character as it is.
fn split_words(line: &str) -> Outcome<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (Some('\''), inside) => word.get_or_insert_default().push(inside),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (_, plain) => word.get_or_insert_default().push(plain),
        }
    }
    words.extend(word);
    if quote.is_some() { Err(Failure::new("a quote is not closed")) } else { Ok(words) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_read_with_its_script_and_its_cpus_filled_in() {
        let text = "# Holds.\ncpus 1 16\nscript\n    nproc\n    exit 7\nstdout ${cpus}\nstatus 7\n";
        let boot = Expectation::parse(text).unwrap().at(16);
        assert_eq!(boot.subtitle, "Holds.");
        assert_eq!(boot.cpus, Some(vec![1, 16]));
        assert_eq!(boot.command[3], "nproc\nexit 7");
        assert_eq!(boot.output.as_deref(), Some("16\n"));
        assert_eq!(boot.end, End::Status(7));
    }

    #[test]
    fn words_are_parted_as_a_shell_parts_them() {
        let words = split_words(r#"sh -c 'echo "a  b"' "" x\ y "it's""#).unwrap();
        assert_eq!(words, ["sh", "-c", "echo \"a  b\"", "", "x y", "it's"]);
        assert!(split_words("'open").is_err());
    }

    #[test]
    fn an_unknown_word_or_an_empty_test_is_an_error() {
        assert!(Expectation::parse("# Holds.\nrun x\nstdotu 4\n").is_err());
        assert!(Expectation::parse("# Holds.\nstatus 4\n").is_err());
        assert!(Expectation::parse("run x\n").is_err());
    }

    #[test]
    fn the_byte_pattern_has_every_value() {
        let mut seen: Vec<u8> = every_byte(256).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..=255));
    }
}
