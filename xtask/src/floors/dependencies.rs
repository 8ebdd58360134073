//! Which crate may name which: the drawing in docs/architecture.md, compared with every Cargo.toml.

use super::{Findings, KERNEL_CRATES};
use crate::error::{Explain, Outcome};
use crate::places;

/// A crate of the kernel and those of the others that it may name.
const MAY_NAME: [(&str, &[&str]); 7] = [
    ("abi", &[]),
    ("sync", &[]),
    ("machine", &["sync"]),
    ("libkernel", &["machine", "sync"]),
    ("devices", &["libkernel", "machine", "sync"]),
    ("osl", &["abi", "libkernel", "sync"]),
    ("kernel", &["abi", "sync", "machine", "libkernel", "devices", "osl"]),
];

/// Other people's locks would hide from the lock order.
const LOCK_FAMILIES: [&str; 9] =
    ["spin", "lock_api", "parking_lot", "spinning_top", "kspin", "hermit-sync", "critical-section", "arc-swap", "maitake-sync"];

pub fn check() -> Outcome<Findings> {
    let mut findings = Findings::new();
    for (name, may_name) in MAY_NAME {
        let file = places::workspace().join(name).join("Cargo.toml");
        let text = std::fs::read_to_string(&file).explain(format_args!("reading {}", file.display()))?;
        findings.extend(check_one(name, may_name, &text));
    }
    Ok(findings)
}

fn check_one(name: &str, may_name: &[&str], text: &str) -> Findings {
    let mut findings = Findings::new();
    for dependency in dependencies(text) {
        if KERNEL_CRATES.contains(&dependency.as_str()) && !may_name.contains(&dependency.as_str()) {
            findings.push(format!("{name} names {dependency}: that arrow is not in the drawing"));
        }
        if LOCK_FAMILIES.contains(&dependency.as_str()) {
            findings.push(format!("{name} names {dependency}: there is one lock family, in sync"));
        }
        if dependency == "linux-raw-sys" && name != "abi" {
            findings.push(format!("{name} names {dependency}: only abi does"));
        }
    }
    findings
}

/// The names below every heading that ends with `dependencies]`, those for tests left out.
fn dependencies(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut counts = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            counts = line.ends_with("dependencies]") && !line.contains("dev-dependencies");
        } else if counts && let Some((name, _)) = line.split_once(['=', '.']) {
            names.push(name.trim().to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_upwards_and_a_second_lock_family_are_found() {
        let text = "[package]\nname = \"machine\"\n[dependencies]\nsync.workspace = true\nosl = { path = \"x\" }\nspin = \"1\"\n[dev-dependencies]\nosl.workspace = true\n";
        let findings = check_one("machine", &["sync"], text);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].contains("osl") && findings[1].contains("spin"));
    }
}
