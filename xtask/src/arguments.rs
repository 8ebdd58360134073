//! The command line, word by word.
//!
//! Invariant: everything behind `--` belongs to the program in the virtual machine and is never read as an option.

use std::ffi::OsString;

use crate::error::{Failure, Outcome};

/// Options as `--name value` or `--name=value`, flags as `--name`, then free words, then the program.
#[derive(Default, Debug)]
pub struct Arguments {
    options: Vec<(String, String)>,
    flags: Vec<String>,
    pub words: Vec<String>,
    pub program: Vec<OsString>,
}

impl Arguments {
    pub fn parse(given: Vec<OsString>, with_value: &[&str], flags: &[&str]) -> Outcome<Self> {
        let mut parsed = Self::default();
        let mut rest = given.into_iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                parsed.program = rest.collect();
                break;
            }
            let text = word.into_string().map_err(|word| Failure::usage(format!("not UTF-8: {}", word.display())))?;
            let Some(option) = text.strip_prefix("--") else {
                parsed.words.push(text);
                continue;
            };
            let (name, glued) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, None),
            };
            if flags.contains(&name) && glued.is_none() {
                parsed.flags.push(name.to_owned());
            } else if with_value.contains(&name) {
                let value = match glued {
                    Some(value) => value,
                    None => rest
                        .next()
                        .and_then(|word| word.into_string().ok())
                        .ok_or_else(|| Failure::usage(format!("--{name} needs a value")))?,
                };
                parsed.options.push((name.to_owned(), value));
            } else {
                return Err(Failure::usage(format!("no option --{name} here")));
            }
        }
        Ok(parsed)
    }

    /// The last value given for an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }

    pub fn no_words(&self) -> Outcome<()> {
        match self.words.first() {
            Some(word) => Err(Failure::usage(format!("'{word}' means nothing here (a program goes behind --)"))),
            None => Ok(()),
        }
    }

    pub fn no_program(&self) -> Outcome<()> {
        match self.program.first() {
            Some(word) => Err(Failure::usage(format!("no program is expected here: {}", word.display()))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Outcome<Arguments> {
        Arguments::parse(words.iter().map(OsString::from).collect(), &["cpus"], &["log"])
    }

    #[test]
    fn options_behind_the_dashes_belong_to_the_program() {
        let parsed = parse(&["--cpus", "2", "--", "sh", "--cpus", "9"]).unwrap();
        assert_eq!(parsed.option("cpus"), Some("2"));
        assert_eq!(parsed.program, ["sh", "--cpus", "9"]);
    }

    #[test]
    fn a_value_may_be_glued_to_its_option_and_the_last_one_counts() {
        let parsed = parse(&["--cpus=2", "--cpus=3", "--log", "word"]).unwrap();
        assert_eq!(parsed.option("cpus"), Some("3"));
        assert!(parsed.flag("log"));
        assert_eq!(parsed.words, ["word"]);
    }

    #[test]
    fn an_unknown_option_or_a_missing_value_is_refused_with_status_2() {
        assert_eq!(parse(&["--nonsense"]).unwrap_err().status, 2);
        assert_eq!(parse(&["--cpus"]).unwrap_err().status, 2);
        assert_eq!(parse(&["--log=1"]).unwrap_err().status, 2);
    }
}
