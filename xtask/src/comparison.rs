//! Programs and scripts on both kernels: Linux first, then Braid at every CPU count. Their answers must agree.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::archive::Archive;
use crate::ending::{Ending, tail};
use crate::error::{Explain, Outcome};
use crate::framing::{self, FirstProgram};
use crate::machine::Machine;
use crate::programs::{self, Answer, Subject};
use crate::report::Report;
use crate::root::{self, Extra};
use crate::test::{Case, Selection};
use crate::virtual_machine::{Remains, VirtualMachine, kept, nowhere};
use crate::{debian, third_party};

const PATIENCE: Duration = Duration::from_secs(180);
const MOST_OUTPUT: usize = 64 << 20;

/// A batch boot: what goes in, how long it may take.
pub struct Boot<'a> {
    pub kernel: &'a Path,
    pub root: Option<&'a Path>,
    /// Disks' images.
    pub disks: &'a [PathBuf],
    pub cpus: u32,
    pub memory: &'a str,
    pub command: &'a [String],
    pub append: &'a str,
    pub input: &'a [u8],
    pub patience: Duration,
}

pub struct Booted {
    pub output: Vec<u8>,
    pub errors: Vec<u8>,
    pub remains: Remains,
}

impl Boot<'_> {
    pub fn run(&self) -> Outcome<Booted> {
        let arguments: Vec<_> = self.command.iter().skip(1).map(std::ffi::OsString::from).collect();
        let first = FirstProgram {
            path: self.command.first().map_or("", String::as_str).as_ref(),
            arguments: &arguments,
            is_on_terminal: false,
            window: (24, 80),
            terminal_kind: "linux",
            append: self.append,
        };
        let machine = Machine {
            kernel: self.kernel.to_path_buf(),
            root: self.root.map(Path::to_path_buf),
            disks: self.disks.to_vec(),
            cpus: self.cpus,
            memory: self.memory.to_owned(),
            command_line: first.command_line(),
            debugger: None,
            monitor: None,
            is_deterministic: false,
        };
        let ((output_sink, output), (error_sink, errors)) = (kept(MOST_OUTPUT), kept(MOST_OUTPUT));
        let mut running = VirtualMachine::start(&machine, output_sink, error_sink, nowhere())?;
        let mut frames = Vec::new();
        framing::push_bytes(&mut frames, self.input);
        framing::push_end_of_input(&mut frames);
        let mut held_open = None;
        if let Some(mut input) = running.input.take() {
            held_open = input.as_fd().try_clone_to_owned().ok();
            let listens = running.listens.clone();
            std::thread::spawn(move || {
                while !listens.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                let _a_machine_that_ended_early_reads_no_more = input.write_all(&frames);
            });
        }
        let remains = running.finish(Some(Instant::now() + self.patience));
        drop(held_open);
        Ok(Booted { output: take(&output), errors: take(&errors), remains })
    }
}

impl Booted {
    /// The whole story, for a test that failed.
    pub fn story(&self) -> String {
        let ending = match &self.remains.ending {
            _ if self.remains.timed_out => "it was still running when time was up".to_owned(),
            Ending::Exited(status) => format!("it ended with status {status}"),
            Ending::Panicked(_) => "the kernel panicked".to_owned(),
            Ending::Vanished => "the machine ended without a word".to_owned(),
        };
        format!(
            "{ending}\nstandard output: {}\nstandard error: {}\nlog, its end:\n{}\n{}",
            brief(&self.output),
            brief(&self.errors),
            tail(&self.remains.log, 40),
            self.remains.qemu,
        )
    }
}

/// One case per subject and CPU count.
pub fn cases(kernel: &Path, selection: &Selection, report: &Report) -> Outcome<Vec<Case>> {
    let wanted: Vec<Subject> = programs::subjects()?.into_iter().filter(|subject| selection.takes(&subject.name)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let began = Instant::now();
    if let Err(failure) = programs::build() {
        report.failed("the programs of tests/linux build", began.elapsed(), &failure.message);
        return Ok(Vec::new());
    }
    let mut cases = Vec::new();
    for subject in wanted.into_iter().filter(|subject| has_its_programs(subject, report)) {
        let (root, kernel) = (packed(&subject)?, kernel.to_path_buf());
        let shared = Arc::new((subject, OnceLock::new(), kernel, root));
        for &cpus in &selection.cpus {
            let shared = shared.clone();
            let name = format!("{} on {cpus} CPUs", shared.0.name);
            let work = move || compare(&shared.0, &shared.1, &shared.2, &shared.3, cpus);
            cases.push(Case { name, alone: false, work: Box::new(work) });
        }
    }
    Ok(cases)
}

/// A program that cannot be had fails its own test and no other.
fn has_its_programs(subject: &Subject, report: &Report) -> bool {
    let began = Instant::now();
    let of_crates = subject.needs.iter().try_for_each(|package| third_party::program(package).map(drop));
    let of_debian = || subject.debian.iter().try_for_each(|program| debian::files(program).map(drop));
    let system = || subject.system.as_ref().map_or(Ok(()), |system| system.folder().map(drop));
    match of_crates.and_then(|()| of_debian()).and_then(|()| system()) {
        Ok(()) => true,
        Err(failure) => {
            report.failed(&subject.name, began.elapsed(), &failure.message);
            false
        }
    }
}

fn compare(subject: &Subject, oracle: &OnceLock<Result<Answer, String>>, kernel: &Path, root: &Path, cpus: u32) -> Result<(), String> {
    let memory = subject.system.as_ref().map_or("512M", |system| &system.memory);
    let patience = subject.system.as_ref().map_or(PATIENCE, |system| system.patience);
    let boot = Boot { kernel, root: Some(root), disks: &[], cpus, memory, command: &subject.command, append: "", input: &[], patience };
    if subject.is_its_own_judge() {
        let booted = boot.run().map_err(|failure| failure.message)?;
        return if booted.remains.ending == Ending::Exited(0) { Ok(()) } else { Err(booted.story()) };
    }
    let expected = oracle.get_or_init(|| subject.on_linux().map_err(|failure| failure.message)).as_ref()?;
    let booted = boot.run().map_err(|failure| failure.message)?;
    if booted.remains.ending != Ending::Exited(expected.status) {
        return Err(format!("Linux ends it with status {}; here {}", expected.status, booted.story()));
    }
    if booted.output != expected.output {
        return Err(format!("{}\n{}", first_difference(&expected.output, &booted.output), booted.story()));
    }
    Ok(())
}

/// A root with this subject and what it uses: the less there is to unpack, the sooner the test begins.
fn packed(subject: &Subject) -> Outcome<PathBuf> {
    let mut files = vec![(format!("tests/{}", subject.file.file_name().unwrap_or_default().display()), subject.file.clone())];
    for program in &subject.debian {
        files.extend(debian::files(program)?);
    }
    for package in &subject.needs {
        let program = third_party::program(package)?;
        files.push((format!("bin/{}", program.file_name().unwrap_or_default().display()), program));
    }
    files.sort();
    files.dedup();
    let name = format!("{}.cpio", subject.name.replace('/', "-"));
    if let Some(system) = &subject.system {
        let mut script = Archive::default();
        for (name, file) in files {
            script.file(&name, 0o755, &std::fs::read(&file).explain(format_args!("reading {}", file.display()))?);
        }
        return root::store(&name, &system.packed(&script.finish())?);
    }
    let mut extras = Vec::new();
    for (name, file) in files {
        let bytes = std::fs::read(&file).explain(format_args!("reading {}", file.display()))?;
        extras.push(Extra { name, permissions: 0o755, bytes });
    }
    root::store(&name, &root::built_in(&extras)?)
}

/// The first line on which two outputs part.
pub fn first_difference(expected: &[u8], found: &[u8]) -> String {
    let (expected, found) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(found));
    let (mut one, mut other) = (expected.lines(), found.lines());
    for number in 1.. {
        match (one.next(), other.next()) {
            (None, None) => break,
            (expected, found) if expected == found => {}
            (expected, found) => {
                return format!(
                    "line {number} differs:\n  expected {}\n  found    {}",
                    expected.unwrap_or("(the end)"),
                    found.unwrap_or("(the end)")
                );
            }
        }
    }
    "the outputs differ in their line ends".into()
}

/// Of a long one the beginning, and more of the end: there is what went wrong last.
fn brief(bytes: &[u8]) -> String {
    const START: usize = 500;
    const END: usize = 2000;
    let text = |bytes: &[u8]| {
        let shown = |byte: &u8| if byte.is_ascii_control() && *byte != b'\n' { b'.' } else { *byte };
        String::from_utf8_lossy(&bytes.iter().map(shown).collect::<Vec<u8>>()).into_owned()
    };
    match bytes.len() {
        0 => "(nothing)".into(),
        length if length > START + END => {
            let (start, rest) = bytes.split_at(START);
            let (middle, end) = rest.split_at(rest.len() - END);
            format!("\n{}\n... {} bytes ...\n{}", text(start), middle.len(), text(end))
        }
        _ => format!("\n{}", text(bytes)),
    }
}

fn take(place: &Mutex<Vec<u8>>) -> Vec<u8> {
    std::mem::take(&mut *place.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_named_by_its_line() {
        assert!(first_difference(b"a\nb\nc\n", b"a\nx\nc\n").starts_with("line 2 differs"));
        assert!(first_difference(b"a\n", b"a\nb\n").contains("(the end)"));
        assert_eq!(first_difference(b"a\n", b"a"), "the outputs differ in their line ends");
    }
}
