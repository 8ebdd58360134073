//! The boots of `tests/vm`: each file at each of its CPU counts, and what must appear.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::comparison::{Boot, Booted, first_difference};
use crate::ending::Ending;
use crate::error::{Explain, Failure, Outcome};
use crate::expectation::{End, Expectation, Root};
use crate::machine::{least_memory, memory_bytes};
use crate::root::Extra;
use crate::test::{Case, Selection};
use crate::{places, programs, root};

/// Named like `vm/status`.
fn all() -> Outcome<Vec<(String, Expectation)>> {
    let folder = places::workspace().join("tests/vm");
    let entries = folder.read_dir().explain(format_args!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "boot"));
    files.sort();
    files.iter().map(|file| named(file)).collect()
}

fn named(file: &Path) -> Outcome<(String, Expectation)> {
    let text = std::fs::read_to_string(file).explain(format_args!("reading {}", file.display()))?;
    let expectation = Expectation::parse(&text).map_err(|failure| Failure::new(format!("{}: {}", file.display(), failure.message)))?;
    Ok((format!("vm/{}", file.file_stem().unwrap_or_default().display()), expectation))
}

pub fn listed() -> Outcome<Vec<String>> {
    Ok(all()?.into_iter().map(|(name, expectation)| format!("{name}: {}", expectation.subtitle)).collect())
}

pub fn cases(kernel: &Path, selection: &Selection) -> Outcome<Vec<Case>> {
    let wanted: Vec<_> = all()?.into_iter().filter(|(name, _)| selection.takes(name)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let built_in = Arc::new(root::built_in(&programs_of(&wanted)?)?);
    let mut cases = Vec::new();
    for (name, expectation) in wanted {
        let archive = archive(&name, &expectation.root, &built_in)?;
        let counts = expectation.cpus.clone().unwrap_or_else(|| selection.cpus.clone());
        for cpus in counts {
            let (boot, kernel, archive) = (expectation.at(cpus), kernel.to_path_buf(), archive.clone());
            cases.push(Case {
                name: format!("{name} on {cpus} CPUs"),
                alone: expectation.alone,
                work: Box::new(move || check(&boot, &kernel, archive.as_deref(), cpus)),
            });
        }
    }
    Ok(cases)
}

/// The programs of `tests/linux` that boots begin with.
fn programs_of(boots: &[(String, Expectation)]) -> Outcome<Vec<Extra>> {
    let first = |boot: &Expectation| boot.command.first().and_then(|path| path.strip_prefix("/tests/")).map(str::to_owned);
    let names: BTreeSet<String> = boots.iter().filter_map(|(_, boot)| first(boot)).collect();
    if !names.is_empty() {
        programs::build()?;
    }
    let packed = |name: String| {
        let file = programs::built(&name);
        let bytes = std::fs::read(&file).explain(format_args!("reading {}", file.display()))?;
        Ok(Extra { name: format!("tests/{name}"), permissions: 0o755, bytes })
    };
    names.into_iter().map(packed).collect()
}

/// The file that the machine is given as its root, if any.
fn archive(name: &str, kind: &Root, built_in: &[u8]) -> Outcome<Option<PathBuf>> {
    let bytes = match kind {
        Root::None => return Ok(None),
        Root::BuiltIn => return root::store("boots.cpio", built_in).map(Some),
        Root::Truncated(size) => built_in[..built_in.len().min(*size)].to_vec(),
        Root::Damaged(every) => {
            let damage = |(at, &byte): (usize, &u8)| if at % every == every - 1 { byte ^ 0x55 } else { byte };
            built_in.iter().enumerate().map(damage).collect()
        }
        Root::Nonsense(size) => (0..*size).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect(),
    };
    root::store(&format!("{}.cpio", name.replace('/', "-")), &bytes).map(Some)
}

fn check(expected: &Expectation, kernel: &Path, root: Option<&Path>, cpus: u32) -> Result<(), String> {
    let beside_root = |more: &String| format!("{}K", (least_memory(kernel, root) + memory_bytes(more)).div_ceil(1 << 10));
    let memory = expected.memory_beside_root.as_ref().map_or_else(|| expected.memory.clone(), beside_root);
    let boot = Boot {
        kernel,
        root,
        disks: &[],
        cpus,
        memory: &memory,
        command: &expected.command,
        append: &expected.append,
        input: &expected.input,
        patience: Duration::from_secs(expected.seconds),
    };
    let booted = boot.run().map_err(|failure| failure.message)?;
    let complaints = complaints(expected, &booted);
    if complaints.is_empty() { Ok(()) } else { Err(format!("{}\n{}", complaints.join("\n"), booted.story())) }
}

fn complaints(expected: &Expectation, booted: &Booted) -> Vec<String> {
    let mut complaints = Vec::new();
    let ended_well = match (&expected.end, &booted.remains.ending) {
        (End::Status(status), Ending::Exited(found)) => status == found,
        (End::Panic(part), Ending::Panicked(report)) => report.contains(part.as_str()),
        (End::Refused, Ending::Exited(status)) => *status != 0,
        (End::Refused, Ending::Panicked(_)) => true,
        _ => false,
    };
    if !ended_well {
        complaints.push(format!("expected {:?}", expected.end));
    }
    if let Some(output) = &expected.output
        && output.as_bytes() != booted.output
    {
        complaints.push(format!("standard output: {}", first_difference(output.as_bytes(), &booted.output)));
    }
    if expected.output_is_input && booted.output != expected.input {
        let same = booted.output.iter().zip(&expected.input).take_while(|(found, sent)| found == sent).count();
        complaints.push(format!("of {} bytes sent, {} came back, the same up to byte {same}", expected.input.len(), booted.output.len()));
    }
    let (errors, log) = (String::from_utf8_lossy(&booted.errors), String::from_utf8_lossy(&booted.remains.log));
    let missing = |text: &str, wanted: &[String], place: &str| {
        let absent = wanted.iter().filter(|part| !text.contains(part.as_str()));
        absent.map(|part| format!("not in {place}: {part}")).collect::<Vec<_>>()
    };
    complaints.extend(missing(&errors, &expected.errors, "standard error"));
    complaints.extend(missing(&log, &expected.log, "the log"));
    complaints.extend(expected.not_in_log.iter().filter(|part| log.contains(part.as_str())).map(|part| format!("in the log: {part}")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_machine::Remains;

    fn booted(output: &[u8], ending: Ending) -> Booted {
        let remains = Remains { ending, log: b"[0.1] ready\n".to_vec(), qemu: String::new(), timed_out: false, reader_gone: false };
        Booted { output: output.to_vec(), errors: b"oh\n".to_vec(), remains }
    }

    #[test]
    fn each_thing_that_is_not_as_expected_is_a_complaint() {
        let text = "# Holds.\nrun /x\nstdout yes\nstderr oh\nlog ready\nnot-in-log fire\n";
        let expected = Expectation::parse(text).unwrap();
        assert_eq!(complaints(&expected, &booted(b"yes\n", Ending::Exited(0))), Vec::<String>::new());
        assert_eq!(complaints(&expected, &booted(b"yes", Ending::Exited(0))).len(), 1);
        assert_eq!(complaints(&expected, &booted(b"yes\n", Ending::Exited(1))).len(), 1);
        assert_eq!(complaints(&expected, &booted(b"no\n", Ending::Vanished)).len(), 2);
    }

    #[test]
    fn silence_is_no_refusal() {
        let expected = Expectation::parse("# Holds.\nrun /x\nrefused\n").unwrap();
        assert_eq!(complaints(&expected, &booted(b"", Ending::Exited(127))).len(), 0);
        assert_eq!(complaints(&expected, &booted(b"", Ending::Vanished)).len(), 1);
        assert_eq!(complaints(&expected, &booted(b"", Ending::Exited(0))).len(), 1);
    }

    #[test]
    fn every_boot_of_the_tree_can_be_read() {
        assert!(!all().unwrap().is_empty());
    }
}
