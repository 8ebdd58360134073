//! The tree's Rust files as the checks see them: whole, without comments and literals, and without tests.
//!
//! Invariant: blanking keeps every line where it was, so a finding names the right line.

use std::path::Path;

use crate::error::{Explain, Outcome};
use crate::places;

pub struct Source {
    /// Beginning at the workspace, such as `sync/src/spin.rs`.
    pub path: String,
    pub text: String,
    /// Comments, strings and characters are blanks.
    pub code: String,
    /// Modules for tests are blanks too.
    pub without_tests: String,
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let code = blank_comments_and_literals(&text);
        let without_tests = blank_tests(&code);
        Self { path, text, code, without_tests }
    }

    pub fn crate_name(&self) -> &str {
        self.path.split_once("/src/").map_or("", |(name, _)| name)
    }

    /// A file that is compiled for tests only.
    pub fn is_test(&self) -> bool {
        let is_named_so = self.path.ends_with("tests.rs") || self.path.ends_with("_tests.rs");
        is_named_so || !self.path.contains("/src/")
    }

    /// The path of modules: `wait/queue.rs` is wait, queue; `wait/mod.rs` and `wait.rs` are wait; `lib.rs` is nothing.
    pub fn modules(&self) -> Vec<&str> {
        let inside = self.path.split_once("/src/").map_or("", |(_, inside)| inside);
        let stem = inside.strip_suffix(".rs").unwrap_or(inside);
        let mut names: Vec<&str> = stem.split('/').collect();
        if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(last)) {
            names.pop();
        }
        names
    }
}

/// Every Rust file below these folders of the workspace, by path.
pub fn below(folders: &[&str]) -> Outcome<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in folders {
        collect(&places::workspace().join(folder), &mut sources)?;
    }
    sources.sort_by(|one: &Source, other| one.path.cmp(&other.path));
    Ok(sources)
}

fn collect(folder: &Path, sources: &mut Vec<Source>) -> Outcome<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in folder.read_dir().explain(format_args!("reading {}", folder.display()))?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).explain(format_args!("reading {}", path.display()))?;
            let name = path.strip_prefix(places::workspace()).unwrap_or(&path).to_string_lossy().into_owned();
            sources.push(Source::new(name, text));
        }
    }
    Ok(())
}

fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of_line(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_block_comment(bytes, at),
            b'"' => end_of_string(bytes, at + 1),
            b'r' | b'b' | b'c' if !is_word_before(bytes, at) => end_of_raw_string(bytes, at).unwrap_or(at),
            b'\'' => end_of_character(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn end_of_block_comment(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// From the `r` of r"..." or r#"..."#, also behind b or c. None for an ordinary word.
fn end_of_raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut here = if bytes[at] == b'r' { at + 1 } else { at + 2 };
    if bytes.get(here - 1) != Some(&b'r') {
        return None;
    }
    let hashes = bytes.get(here..)?.iter().take_while(|&&byte| byte == b'#').count();
    here += hashes;
    if bytes.get(here) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let length = bytes[here + 1..].windows(close.len()).position(|part| part == close)?;
    Some(here + 1 + length + close.len())
}

/// From the quote of a character; None for a lifetime.
fn end_of_character(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes.get(at + 3..)?.iter().position(|&byte| byte == b'\'')?;
        return Some(at + 3 + close + 1);
    }
    let text = std::str::from_utf8(bytes.get(at + 1..(at + 5).min(bytes.len()))?);
    let width = match text {
        Ok(text) => text.chars().next()?.len_utf8(),
        Err(error) => std::str::from_utf8(&bytes[at + 1..at + 1 + error.valid_up_to()]).ok()?.chars().next()?.len_utf8(),
    };
    (bytes.get(at + 1 + width) == Some(&b'\'')).then_some(at + 2 + width)
}

fn is_word_before(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// Blanks `#[cfg(test)] mod ... { ... }` and its like (`cfg(all(test, ...))`).
fn blank_tests(code: &str) -> String {
    let mut kept = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find("#[cfg(") {
        let start = from + found;
        let attribute_end = code[start..].find(']').map_or(code.len(), |length| start + length + 1);
        from = attribute_end;
        if !words(&code[start..attribute_end]).any(|(_, word)| word == "test") || code[start..attribute_end].contains("not(test") {
            continue;
        }
        let end = end_of_item(code.as_bytes(), attribute_end);
        for byte in &mut kept[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        from = end;
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// An item ends with its block, or with a semicolon before any block.
fn end_of_item(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while at < bytes.len() {
        match bytes[at] {
            b';' if depth == 0 => return at + 1,
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The words of a text, and where each begins.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let start = at + text[at..].find(is_word)?;
        let end = text[start..].find(|character| !is_word(character)).map_or(text.len(), |length| start + length);
        at = end;
        Some((start, &text[start..end]))
    })
}

/// The number of the line that a place is on.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new("sync/src/x.rs".into(), text.into()).code
    }

    #[test]
    fn comments_strings_and_characters_are_blank_and_lifetimes_stay() {
        let text = "let a = \"unsafe \\\" {\"; // unsafe\n/* unsafe /* */ */ fn f<'a>(x: &'a u8) -> char { '\\'' }";
        assert_eq!(words(&code(text)).filter(|(_, word)| *word == "unsafe").count(), 0);
        assert!(code(text).contains("<'a>(x: &'a u8)"));
        let raw = code("let s = r#\"unsafe \"{\" \"#; let c = b\"unsafe\"; let d = 'é'; unsafe_one");
        assert!(!raw.contains("unsafe ") && raw.ends_with("unsafe_one"), "{raw}");
        assert_eq!(raw.len(), "let s = r#\"unsafe \"{\" \"#; let c = b\"unsafe\"; let d = 'é'; unsafe_one".len());
    }

    #[test]
    fn tests_are_blank_and_what_follows_them_is_not() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { { } } }\nfn c() {}\n#[cfg(not(test))]\nfn d() {}\n#[cfg(test)]\nmod x;\nfn e() {}";
        let kept = Source::new("sync/src/x.rs".into(), text.into()).without_tests;
        let names: Vec<&str> = words(&kept).map(|(_, word)| word).filter(|word| word.len() == 1).collect();
        assert_eq!(names, ["a", "c", "d", "e"]);
        assert_eq!(kept.lines().count(), text.lines().count());
    }

    #[test]
    fn modules_are_read_from_the_path() {
        let modules = |path: &str| Source::new(path.into(), String::new()).modules().join("::");
        assert_eq!(modules("libkernel/src/wait/queue.rs"), "wait::queue");
        assert_eq!(modules("libkernel/src/wait/mod.rs"), "wait");
        assert_eq!(modules("libkernel/src/lib.rs"), "");
    }
}
