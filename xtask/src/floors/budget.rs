//! The unsafe budget: how often each file says `unsafe`, as agreed in `unsafe-budget.toml`.
//!
//! Lowering a number is free (`cargo xtask floors --bless`), raising one shows in the review of that file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use super::Findings;
use crate::error::{Explain, Failure, Outcome};
use crate::places;
use crate::source::{Source, words};

const HEADING: &str = "\
# How often each file of the kernel says `unsafe`, tests left out. `cargo xtask floors` compares, `--bless` writes.
# A file that is not here says it never.

[files]
";

type Budget = BTreeMap<String, usize>;

pub fn check(sources: &[Source]) -> Outcome<Findings> {
    let text = std::fs::read_to_string(file()).explain("reading unsafe-budget.toml")?;
    Ok(compare(&parse(&text)?, &count(sources)))
}

pub fn bless(sources: &[Source]) -> Outcome<()> {
    let mut text = HEADING.to_owned();
    let counted = count(sources);
    for (path, number) in &counted {
        let _a_string_takes_everything = writeln!(text, "\"{path}\" = {number}");
    }
    let _a_string_takes_everything = writeln!(text, "\n# {} in all", counted.values().sum::<usize>());
    std::fs::write(file(), text).explain("writing unsafe-budget.toml")
}

fn compare(agreed: &Budget, counted: &Budget) -> Findings {
    let mut findings = Findings::new();
    for path in agreed.keys().chain(counted.keys().filter(|path| !agreed.contains_key(*path))) {
        let (allowed, found) = (agreed.get(path).copied().unwrap_or(0), counted.get(path).copied().unwrap_or(0));
        if found > allowed {
            findings.push(format!("{path} says unsafe {found} times, {allowed} are agreed"));
        } else if found < allowed {
            findings.push(format!("{path} says unsafe {found} times and no longer {allowed}: write it down with --bless"));
        }
    }
    findings
}

fn count(sources: &[Source]) -> Budget {
    let number = |source: &Source| words(&source.without_tests).filter(|(_, word)| *word == "unsafe").count();
    sources.iter().map(|source| (source.path.clone(), number(source))).filter(|(_, number)| *number > 0).collect()
}

fn parse(text: &str) -> Outcome<Budget> {
    let is_entry = |line: &&str| !line.is_empty() && !line.starts_with(['#', '[']);
    text.lines()
        .map(str::trim)
        .filter(is_entry)
        .map(|line| {
            let entry = line
                .split_once('=')
                .and_then(|(path, number)| Some((path.trim().trim_matches('"').to_owned(), number.trim().parse().ok()?)));
            entry.ok_or_else(|| Failure::new(format!("unsafe-budget.toml: {line}")))
        })
        .collect()
}

fn file() -> PathBuf {
    places::workspace().join("unsafe-budget.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_unsafe_than_agreed_and_less_are_both_found() {
        let agreed = parse("# heading\n[files]\n\"a.rs\" = 1\n\"b.rs\" = 2\n").unwrap();
        let sources = [
            Source::new("a.rs".into(), "unsafe impl X {} unsafe fn f() {}".into()),
            Source::new("b.rs".into(), "unsafe {} // unsafe\n#[cfg(test)] mod tests { unsafe {} }".into()),
        ];
        let findings = compare(&agreed, &count(&sources));
        assert!(findings[0].contains("a.rs says unsafe 2 times, 1 are agreed"), "{findings:?}");
        assert!(findings[1].contains("b.rs says unsafe 1 times and no longer 2"), "{findings:?}");
        assert!(compare(&count(&sources), &count(&sources)).is_empty());
    }
}
