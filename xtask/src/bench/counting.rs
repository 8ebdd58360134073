//! Guest instructions: a machine in which each is a tick of the clock.
//!
//! Invariant: where QEMU counts (`-icount shift=0`), an instruction is a nanosecond and a tick of the time-stamp counter, so the
//! program's own reading of that counter is the number of instructions, the same whatever the host is doing.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::children;
use crate::error::{Explain, Outcome};
use crate::framing::FirstProgram;
use crate::machine::Machine;

/// What `program` says, that does all of its work `rounds` times, on one CPU.
pub fn run(kernel: &Path, root: &Path, memory: &str, program: &str, rounds: &str) -> Outcome<Vec<u8>> {
    let first = FirstProgram {
        path: program.as_ref(),
        arguments: &[rounds.into()],
        is_on_terminal: false,
        window: (24, 80),
        terminal_kind: "linux",
        append: "",
    };
    let machine = Machine {
        kernel: kernel.to_path_buf(),
        root: Some(root.to_path_buf()),
        disks: Vec::new(),
        cpus: 1,
        memory: memory.to_owned(),
        command_line: first.command_line(),
        debugger: None,
        monitor: None,
        is_deterministic: false,
    };
    let mut command = counting(&machine.command()?);
    children::dies_with_us(&mut command);
    // Its input stays open: the end of that would be the end of the console.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let output = command.spawn().and_then(|mut child| {
        let input = child.stdin.take();
        let output = child.wait_with_output();
        drop(input);
        output
    });
    Ok(output.explain("running QEMU")?.stdout)
}

/// The same machine, but with instructions for a clock. Iterations of string instructions would count as many: without those (ERMS).
fn counting(machine: &Command) -> Command {
    let mut counting = Command::new(machine.get_program());
    let mut before = String::new();
    for argument in machine.get_args() {
        let word = argument.to_string_lossy().into_owned();
        match before.as_str() {
            "-accel" => counting.arg("tcg,thread=single"),
            "-cpu" => counting.arg("max,-erms,-fsrm"),
            // Nobody reads what goes to the inherited descriptors.
            "-chardev" if word.contains("/dev/fd/") => counting.arg(word.replace("file,", "null,").split(",path").next().unwrap_or("")),
            _ => counting.arg(argument),
        };
        before = word;
    }
    counting.args(["-icount", "shift=0,sleep=off"]);
    counting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counting_machine_has_one_cpu_thread_and_no_inherited_descriptors() {
        let mut command = Command::new("qemu");
        command.args(["-accel", "kvm", "-cpu", "host", "-chardev", "file,id=log,path=/dev/fd/120", "-m", "1G"]);
        let words: Vec<String> = counting(&command).get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let expected = ["-accel", "tcg,thread=single", "-cpu", "max,-erms,-fsrm", "-chardev", "null,id=log", "-m", "1G", "-icount"];
        assert_eq!(words[..9], expected);
    }
}
