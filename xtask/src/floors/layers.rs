//! The floors inside the crates: a module names only modules on its own floor or on lower ones, and never in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use crate::source::{Source, line_of};

/// Lowest floor first, as drawn in docs/architecture.md. A module that stands nowhere here is a finding.
const FLOORS: [(&str, &[&str]); 4] = [
    (
        "sync",
        &[
            "atomic cpu twin per_execution",
            "lockdep chaos",
            "order context park per_cpu once sequence bitmap mailbox gate",
            "spin",
            "compile_fail_examples",
        ],
    ),
    (
        "machine",
        &[
            "addr port msr probe",
            "mmio physical serial acpi backtrace",
            "cpu paging pci",
            "clock random",
            "apic context",
            "trap power",
            "user boot",
        ],
    ),
    (
        "libkernel",
        &[
            "error clock log alarm cross_call census",
            "memory interrupt random processor",
            "thread",
            "sched",
            "wait",
            "address_space device ipc watchdog",
            "entry start",
        ],
    ),
    (
        "osl",
        &[
            "error credentials release board kernel_log futex host_kernel wall_clock timer_setting system_v",
            "fs elf",
            "file",
            "process",
            "tty signal native socket fatal",
            "pseudo_fs",
            "syscall fault",
            "init start_up watch",
        ],
    ),
];

/// Two files that are one subject: on the host a CPU is a thread, and the explorers' threads come with their atomics.
const ONE_SUBJECT: [[&str; 2]; 1] = [["atomic", "cpu"]];

/// Which module names which, and where.
type Arrows = BTreeMap<(String, String), String>;

pub fn check(sources: &[Source]) -> Findings {
    FLOORS.iter().flat_map(|(name, floors)| check_crate(name, floors, sources)).collect()
}

fn check_crate(name: &str, floors: &[&str], sources: &[Source]) -> Findings {
    let own: Vec<&Source> = sources.iter().filter(|source| source.crate_name() == name).collect();
    let modules: BTreeSet<&str> = own.iter().filter_map(|source| source.modules().first().copied()).collect();
    let floor = |module: &str| floors.iter().position(|floor| floor.split(' ').any(|one| one == module));
    let mut findings = Findings::new();
    for module in modules.iter().filter(|module| floor(module).is_none()) {
        findings.push(format!("{name}/src/{module} stands on no floor (xtask/src/floors/layers.rs)"));
    }
    let mut arrows = Arrows::new();
    for source in &own {
        let Some(from) = source.modules().first().copied() else { continue };
        for (to, at) in named(source).into_iter().filter(|(to, _)| to != from && modules.contains(to.as_str())) {
            let place = format!("{}:{}", source.path, line_of(&source.without_tests, at));
            if let (Some(above), Some(below)) = (floor(&to), floor(from))
                && above > below
            {
                findings.push(format!("{place}: {from} names {to}, which stands above it"));
            }
            // A circle over several floors has an arrow upwards, which is found above.
            let is_one_subject = ONE_SUBJECT.iter().any(|pair| pair.contains(&from) && pair.contains(&to.as_str()));
            if floor(&to) == floor(from) && !is_one_subject {
                arrows.entry((from.to_owned(), to)).or_insert(place);
            }
        }
    }
    findings.extend(circles(name, &arrows));
    findings
}

/// The top modules of its own crate that a file names, and where.
fn named(source: &Source) -> Vec<(String, usize)> {
    let code = &source.without_tests;
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let is_whole_word = !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$');
        if is_whole_word {
            named.extend(heads(&code[at + "crate::".len()..]).into_iter().map(|head| (head, at)));
        }
    }
    let climb = "super::".repeat(source.modules().len());
    for (at, _) in code.match_indices(&climb).filter(|_| !climb.is_empty()) {
        if !code[..at].ends_with("super::") {
            named.extend(heads(&code[at + climb.len()..]).into_iter().map(|head| (head, at)));
        }
    }
    named
}

/// The first word of a path, or of each path in a group in braces.
fn heads(path: &str) -> Vec<String> {
    let word = |text: &str| -> String { text.chars().take_while(|&one| one.is_alphanumeric() || one == '_').collect() };
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.push(word(group[start..at].trim()));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(word(group[start..at].trim()));
                start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

/// Modules that name each other, directly or through others.
fn circles(name: &str, arrows: &Arrows) -> Findings {
    let reached = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(module) = open.pop() {
            for (_, to) in arrows.keys().filter(|(start, _)| *start == module) {
                if seen.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        seen
    };
    let starts: BTreeSet<&String> = arrows.keys().map(|(from, _)| from).collect();
    let circular: Vec<&String> = starts.into_iter().filter(|module| reached(module).contains(*module)).collect();
    if circular.is_empty() {
        return Findings::new();
    }
    let list = circular.iter().map(|module| module.as_str()).collect::<Vec<_>>().join(", ");
    let mut findings = vec![format!("{name}: a circle runs through {list}:")];
    for ((from, to), place) in arrows.iter().filter(|((from, to), _)| circular.contains(&from) && circular.contains(&to)) {
        findings.push(format!("    {from} -> {to} at {place}"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &[&str] = &["low beside", "high"];

    fn findings(files: &[(&str, &str)]) -> Findings {
        let sources: Vec<Source> = files.iter().map(|(path, text)| Source::new(format!("x/src/{path}"), (*text).to_owned())).collect();
        check_crate("x", PLAN, &sources)
    }

    #[test]
    fn arrows_go_down_in_every_spelling() {
        let high = ("high.rs", "");
        for upwards in ["use crate::high::X;", "use crate::{beside, high::{X, Y}};", "fn f() { super::super::high::g() }"] {
            let found = findings(&[("low/deep.rs", upwards), ("beside.rs", ""), high]);
            assert_eq!(found.len(), 1, "{upwards}: {found:?}");
        }
        assert!(findings(&[("high.rs", "use crate::low::X; use super::low;"), ("low.rs", "")]).is_empty());
        assert!(findings(&[("low.rs", "// crate::high\n#[cfg(test)] mod tests { use crate::high; }"), high]).is_empty());
    }

    #[test]
    fn a_circle_on_one_floor_is_found() {
        let found = findings(&[("low.rs", "use crate::beside::A;"), ("beside.rs", "use crate::low::B;")]);
        assert!(found[0].contains("a circle runs through beside, low"), "{found:?}");
    }

    #[test]
    fn a_module_without_a_floor_is_found() {
        assert!(findings(&[("attic.rs", "")])[0].contains("x/src/attic stands on no floor"));
    }
}
