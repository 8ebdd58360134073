//! docs/syscalls.md, printed from the table.
//!
//! Invariant: the page in the tree is what this prints; a host test compares them, and `BLESS=1` writes it anew.

use alloc::format;
use alloc::string::String;

use super::call::Completeness;
use super::calls::CALLS;

const INTRODUCTION: &str = "# System calls

Printed from `osl/src/syscall/calls.rs`; to print it again: `BLESS=1 cargo test -p osl syscalls_page`.

Every call that is not listed answers `ENOSYS`, and the kernel log names the first program that tried.
*Full* means all that a program can tell on one machine without swap, name spaces or tracing.

";

/// The page.
pub fn print_markdown() -> String {
    let full = CALLS.iter().filter(|call| call.completeness == Completeness::Full).count();
    let mut page = String::from(INTRODUCTION);
    page.push_str(&format!("{} calls, {full} of them in full.\n\n", CALLS.len()));
    page.push_str("| number | call | how much of it |\n|-------:|------|----------------|\n");
    for call in CALLS {
        let how_much = match call.completeness {
            Completeness::Full => String::from("full"),
            Completeness::Partial(missing) => format!("partial: {missing}"),
        };
        page.push_str(&format!("| {} | `{}` | {how_much} |\n", call.number, call.name));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn syscalls_page_is_what_the_table_says() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/syscalls.md");
        let printed = print_markdown();
        if std::env::var_os("BLESS").is_some() {
            assert!(std::fs::write(&place, &printed).is_ok(), "{} cannot be written", place.display());
        }
        let kept = std::fs::read_to_string(&place).unwrap_or_default();
        assert!(kept == printed, "docs/syscalls.md is out of date: BLESS=1 cargo test -p osl syscalls_page");
    }

    #[test]
    fn what_is_missing_from_a_call_is_said() {
        for call in CALLS {
            if let Completeness::Partial(missing) = call.completeness {
                assert!(!missing.is_empty() && !missing.contains('|'), "{}", call.name);
            }
        }
    }
}
