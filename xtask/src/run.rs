//! `cargo xtask run`: build, pack, boot, connect; then exit as the program in the machine did.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::arguments::Arguments;
use crate::build::{self, Messages, Profile};
use crate::ending::{Ending, tail};
use crate::error::{Explain, Failure, Outcome};
use crate::framing::FirstProgram;
use crate::keyboard::{self, Keyboard};
use crate::machine::{Machine, parse_cpus, parse_memory};
use crate::virtual_machine::{Remains, Sink, VirtualMachine, onto};
use crate::{archive, own_files, root, terminal};

pub const WITH_VALUE: [&str; 6] = ["cpus", "memory", "root", "disk", "append", "kernel"];

/// As a shell says it of a program that wrote into a closed pipe.
const BROKEN_PIPE_STATUS: u8 = 141;

pub fn run(words: Vec<OsString>) -> Outcome<u8> {
    let arguments = Arguments::parse(words, &WITH_VALUE, &["log"])?;
    arguments.no_words()?;
    let interactive = terminal::is_interactive();
    let quiet = !arguments.program.is_empty() || !interactive;
    let messages = if quiet { Messages::OnFailure } else { Messages::Shown };
    let mut machine = machine(&arguments, interactive)?;
    machine.kernel = kernel(&arguments, Profile::Release, messages)?;
    if arguments.program.is_empty() && interactive {
        eprintln!("xtask: {} CPUs, {}; {}", machine.cpus, machine.memory, keyboard::HINT);
    }
    let remains = connect(&machine, interactive, arguments.flag("log"))?;
    Ok(report(&remains))
}

/// The kernel of this tree, or a ready one that `--kernel` names.
pub fn kernel(arguments: &Arguments, profile: Profile, messages: Messages) -> Outcome<PathBuf> {
    match arguments.option("kernel") {
        Some(ready) => Ok(PathBuf::from(ready)),
        None => build::kernel(profile, messages),
    }
}

/// The machine that the options of `run` and `debug` describe, its kernel still to be built.
pub fn machine(arguments: &Arguments, is_on_terminal: bool) -> Outcome<Machine> {
    let cpus = parse_cpus(arguments.option("cpus").unwrap_or("4"))?;
    let memory = parse_memory(arguments.option("memory").unwrap_or("512M"))?;
    let disk = arguments.option("disk").map(image).transpose()?;
    // A disk without another root is the root.
    let root = match (arguments.option("root"), &disk) {
        (None, Some(_)) => None,
        (folder, _) => Some(root::choose(folder.map(Path::new))?),
    };
    let append = [if root.is_none() { "root=/dev/vda" } else { "" }, arguments.option("append").unwrap_or("")].join(" ");
    let shell = [OsString::from("/bin/sh"), OsString::from("-l")];
    let program = if arguments.program.is_empty() { &shell[..] } else { &arguments.program };
    let (first, rest) = program.split_first().ok_or_else(|| Failure::usage("no program"))?;
    let path = root.as_ref().map_or_else(|| first.clone(), |root| full_path(first, root));
    let terminal_kind = std::env::var("TERM").ok().filter(|kind| !kind.is_empty());
    let first_program = FirstProgram {
        path: &path,
        arguments: rest,
        is_on_terminal,
        window: terminal::window(),
        terminal_kind: terminal_kind.as_deref().unwrap_or("linux"),
        append: append.trim(),
    };
    Ok(Machine {
        kernel: PathBuf::new(),
        root,
        disks: disk.into_iter().collect(),
        cpus,
        memory,
        command_line: first_program.command_line(),
        debugger: None,
        monitor: None,
        is_deterministic: false,
    })
}

/// A disk's image, which must be there before QEMU looks for it.
fn image(path: &str) -> Outcome<PathBuf> {
    let path = PathBuf::from(path);
    let is_file = path.metadata().explain(format_args!("the disk {}", path.display()))?.is_file();
    if is_file { Ok(path) } else { Err(Failure::usage(format!("the disk {}: an image is a file", path.display()))) }
}

/// A program named without a slash is looked for where a shell would look.
fn full_path(program: &OsStr, root: &Path) -> OsString {
    let Some(name) = program.to_str().filter(|name| !name.contains('/')) else { return program.to_owned() };
    let names = std::fs::read(root).map(|bytes| archive::names(&bytes)).unwrap_or_default();
    ["bin", "sbin", "usr/bin", "usr/sbin"]
        .iter()
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| names.contains(path))
        .map_or_else(|| program.to_owned(), |path| OsString::from(format!("/{path}")))
}

/// Runs the machine on this process's own streams.
pub fn connect(machine: &Machine, interactive: bool, show_log: bool) -> Outcome<Remains> {
    let signals = keyboard::take_signals().explain("taking signals")?;
    let log = log_sink(show_log)?;
    let mut running = VirtualMachine::start(machine, onto(std::io::stdout()), onto(std::io::stderr()), log)?;
    if interactive {
        terminal::make_raw();
    }
    if let Some(input) = running.input.take() {
        Keyboard::start(running.process(), input, running.listens.clone(), signals, interactive);
    }
    let remains = running.finish(None);
    terminal::restore();
    Ok(remains)
}

/// The kernel's log goes to a file of this run, which `target/vm/kernel.log` leads to, and to standard error where it is wanted.
fn log_sink(show: bool) -> Outcome<Sink> {
    let mut file = own_files::log()?;
    Ok(Box::new(move |bytes| {
        let _a_full_disk_does_not_stop_the_machine = file.write_all(bytes);
        if show {
            let text = if terminal::is_raw() { with_returns(bytes) } else { bytes.to_vec() };
            let _nobody_may_be_looking = std::io::stderr().write_all(&text);
        }
        true
    }))
}

/// A raw terminal does not return to the left edge by itself.
fn with_returns(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

/// Says what has to be said about the end, and the exit status for it.
fn report(remains: &Remains) -> u8 {
    match &remains.ending {
        Ending::Exited(_) => {}
        _ if remains.reader_gone => return BROKEN_PIPE_STATUS,
        Ending::Panicked(report) => eprintln!("{report}"),
        Ending::Vanished => {
            eprintln!("xtask: the machine ended without a word. The end of its log:\n{}", tail(&remains.log, 20));
            eprint!("{}", remains.qemu);
        }
    }
    remains.ending.status()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_a_raw_terminal_return_to_the_left_edge_once() {
        assert_eq!(with_returns(b"one\ntwo\r\nthree"), b"one\r\ntwo\r\nthree");
    }

    #[test]
    fn a_program_with_a_slash_or_unknown_to_the_root_stays_as_it_was_given() {
        assert_eq!(full_path(OsStr::new("/bin/ls"), Path::new("/nonexistent")), "/bin/ls");
        assert_eq!(full_path(OsStr::new("ls"), Path::new("/nonexistent")), "ls");
    }
}
