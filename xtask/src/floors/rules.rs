//! Rules about single files: where assembly, raw orderings, words of Linux and unsafe may stand; sizes and first lines.

use super::Findings;
use crate::source::{Source, line_of, words};

const WALL_LINES: usize = 400;
const FRONT_PAGE_LINES: usize = 60;
const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
const ASSEMBLY: [&str; 5] = ["asm", "global_asm", "naked_asm", "naked", "llvm_asm"];
const BELOW_OSL: [&str; 4] = ["sync", "machine", "libkernel", "devices"];
/// Folder and file names that say nothing.
const NO_SUBJECT: [&str; 7] = ["util", "utils", "common", "misc", "helpers", "types", "prelude"];
const LINUX_WORDS: [&str; 62] = [
    "Pid",
    "Errno",
    "linux_raw_sys",
    "libc",
    "EPERM",
    "ENOENT",
    "ESRCH",
    "EINTR",
    "EIO",
    "ENXIO",
    "E2BIG",
    "ENOEXEC",
    "EBADF",
    "ECHILD",
    "EAGAIN",
    "ENOMEM",
    "EACCES",
    "EFAULT",
    "ENOTBLK",
    "EBUSY",
    "EEXIST",
    "EXDEV",
    "ENODEV",
    "ENOTDIR",
    "EISDIR",
    "EINVAL",
    "ENFILE",
    "EMFILE",
    "ENOTTY",
    "ETXTBSY",
    "EFBIG",
    "ENOSPC",
    "ESPIPE",
    "EROFS",
    "EMLINK",
    "EPIPE",
    "EDOM",
    "ERANGE",
    "EDEADLK",
    "ENAMETOOLONG",
    "ENOLCK",
    "ENOSYS",
    "ENOTEMPTY",
    "ELOOP",
    "EWOULDBLOCK",
    "ENODATA",
    "ETIME",
    "EOVERFLOW",
    "EILSEQ",
    "ENOTSOCK",
    "EOPNOTSUPP",
    "ENOTSUP",
    "EADDRINUSE",
    "ECONNREFUSED",
    "ETIMEDOUT",
    "EALREADY",
    "EINPROGRESS",
    "ESTALE",
    "ECANCELED",
    "ERESTARTSYS",
    "SIGKILL",
    "SIGSEGV",
];

/// Rules for every file of the tree.
pub fn check(sources: &[Source]) -> Findings {
    let mut findings = Findings::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > WALL_LINES {
            findings.push(format!("{}: {lines} lines; {WALL_LINES} is the wall", source.path));
        }
        if !source.text.starts_with("//! ") {
            findings.push(format!("{}: its first line is not its subtitle (//! ...)", source.path));
        }
        if source.path.ends_with("/mod.rs") && lines > FRONT_PAGE_LINES {
            findings.push(format!("{}: {lines} lines on a front page; {FRONT_PAGE_LINES} at most", source.path));
        }
        if let Some(name) = source.modules().into_iter().find(|name| NO_SUBJECT.contains(name)) {
            findings.push(format!("{}: '{name}' names no subject", source.path));
        }
        find(source, &source.code, &mut findings, "an attribute of nightly Rust", |code, at, word| {
            word == "feature" && code[..at].ends_with("#![")
        });
        find(source, &source.code, &mut findings, "a mutable static", |code, at, word| {
            let before = code[..at].trim_end();
            word == "mut" && before.ends_with("static") && !before.ends_with("'static")
        });
        find(source, &source.code, &mut findings, "unfinished code", |code, at, word| {
            (word == "todo" || word == "unimplemented") && code[at + word.len()..].starts_with('!')
        });
        find(source, &source.text, &mut findings, "a note to oneself", |_, at, word| {
            (word == "TODO" || word == "FIXME") && !source.path.starts_with("xtask/") && at > 0
        });
    }
    findings
}

/// The four walls, and what keeps them.
pub fn walls(sources: &[Source]) -> Findings {
    let mut findings = Findings::new();
    for source in sources {
        let home = source.crate_name();
        if home != "machine" && source.path != "sync/src/cpu/bare.rs" {
            find(source, &source.code, &mut findings, "assembly outside of machine", |code, at, word| {
                ASSEMBLY.contains(&word) && (code[at + word.len()..].starts_with('!') || word == "naked")
            });
        }
        if home != "sync" {
            find(source, &source.code, &mut findings, "a raw ordering outside of sync", |code, at, word| {
                ORDERINGS.contains(&word) && code[..at].ends_with("Ordering::")
            });
            find(source, &source.without_tests, &mut findings, "a lock class outside of sync/src/order.rs", |code, at, word| {
                (word == "LockClass" && code[..at].trim_end().ends_with("impl")) || word == "lock_order"
            });
            find(source, &source.without_tests, &mut findings, "a lock of the host outside of tests", |code, at, word| {
                (word == "Mutex" || word == "RwLock") && code[..at].ends_with("std::sync::") && !source.path.ends_with("host.rs")
            });
        }
        if BELOW_OSL.contains(&home) {
            find(source, &source.text, &mut findings, "a word of Linux below osl", |_, _, word| LINUX_WORDS.contains(&word));
        }
    }
    for (path, lint) in [
        ("osl/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("abi/src/lib.rs", "#![forbid(unsafe_code)]"),
        ("libkernel/src/lib.rs", "#![deny(unsafe_code)]"),
        ("devices/src/lib.rs", "#![deny(unsafe_code)]"),
    ] {
        if !sources.iter().any(|source| source.path == path && source.code.contains(lint)) {
            findings.push(format!("{path}: {lint} is missing"));
        }
    }
    findings
}

/// Adds a finding for each word that breaks a rule; the rule sees the text and the word's place in it.
fn find(source: &Source, text: &str, findings: &mut Findings, what: &str, breaks: impl Fn(&str, usize, &str) -> bool) {
    for (at, word) in words(text) {
        if breaks(text, at, word) {
            findings.push(format!("{}:{}: {what}: {word}", source.path, line_of(text, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_of(check: impl Fn(&[Source]) -> Findings, path: &str, text: &str) -> Vec<String> {
        let all = check(&[Source::new(path.into(), text.into())]);
        all.into_iter().filter(|finding| !finding.ends_with("is missing")).collect()
    }

    #[test]
    fn each_wall_is_seen_where_it_is_broken_and_not_where_the_rule_allows_it() {
        let asm = "//! x\nfn f() { unsafe { core::arch::asm!(\"cli\") } }";
        assert_eq!(findings_of(walls, "libkernel/src/x.rs", asm).len(), 1);
        assert_eq!(findings_of(walls, "machine/src/x.rs", asm).len(), 0);
        assert_eq!(findings_of(walls, "sync/src/cpu/bare.rs", asm).len(), 0);
        let ordering = "//! x\nuse core::sync::atomic::Ordering;\nfn f() { a.load(Ordering::Relaxed); cmp::Ordering::Less; }";
        assert_eq!(findings_of(walls, "osl/src/x.rs", ordering).len(), 1);
        assert_eq!(findings_of(walls, "sync/src/x.rs", ordering).len(), 0);
        assert_eq!(findings_of(walls, "libkernel/src/x.rs", "//! x\n// as EINVAL says\n").len(), 1);
        assert_eq!(findings_of(walls, "osl/src/x.rs", "//! x\nErrno::EINVAL").len(), 0);
    }

    #[test]
    fn long_files_missing_subtitles_and_nightly_are_seen() {
        let long = format!("//! x\n{}", "\n".repeat(400));
        assert_eq!(findings_of(check, "osl/src/x.rs", &long).len(), 1);
        assert_eq!(findings_of(check, "osl/src/x.rs", "fn f() {}\n").len(), 1);
        assert_eq!(findings_of(check, "osl/src/lib.rs", "//! x\n#![feature(asm)]\nstatic mut X: u8 = 0;\n").len(), 2);
        assert_eq!(findings_of(check, "osl/src/util/x.rs", "//! x\n").len(), 1);
    }

    #[test]
    fn a_finding_names_its_line() {
        let findings = findings_of(check, "osl/src/x.rs", "//! x\n\nfn f() { todo!() }\n");
        assert!(findings[0].starts_with("osl/src/x.rs:3:"), "{findings:?}");
    }
}
