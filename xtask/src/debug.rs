//! `cargo xtask debug`: the machine stopped at its first instruction, and gdb with the kernel's symbols.

use std::ffi::OsString;
use std::process::Command;

use crate::arguments::Arguments;
use crate::build::{Messages, Profile};
use crate::error::{Explain, Outcome};
use crate::virtual_machine::{VirtualMachine, nowhere, onto};
use crate::{children, keyboard, own_files, packages, places, run};

const PORT: &str = "tcp:127.0.0.1:1234";
const TARGET: &str = "target remote 127.0.0.1:1234";

/// With gdb here and a terminal, gdb has the terminal and the program's output goes to a file; else this terminal is the
/// machine's, and the command for another one is printed.
pub fn debug(words: Vec<OsString>) -> Outcome<u8> {
    let arguments = Arguments::parse(words, &run::WITH_VALUE, &["log", "no-gdb"])?;
    arguments.no_words()?;
    let interactive = crate::terminal::is_interactive();
    let gdb = packages::find_program("gdb").filter(|_| interactive && !arguments.flag("no-gdb"));
    let mut machine = run::machine(&arguments, interactive && gdb.is_none())?;
    let kernel = run::kernel(&arguments, Profile::Checked, Messages::Shown)?;
    machine.kernel = kernel.clone();
    machine.debugger = Some(PORT.into());
    let words = [TARGET, "hbreak kernel_main"].map(|command| ["-ex", command]).concat();
    let Some(gdb) = gdb else {
        eprintln!(
            "xtask: the machine waits for gdb; in another terminal:\n\n    gdb {} -ex '{TARGET}' -ex 'hbreak kernel_main'\n",
            kernel.display()
        );
        if packages::find_program("gdb").is_none() {
            eprintln!("xtask: there is no gdb here: sudo apt-get install gdb");
        }
        eprintln!("xtask: {}", keyboard::HINT);
        let remains = run::connect(&machine, interactive, arguments.flag("log"))?;
        return Ok(remains.ending.status());
    };
    let output = places::machine_files().join("output.log");
    let file = std::fs::File::create(&output).explain(format_args!("writing {}", output.display()))?;
    eprintln!("xtask: output goes to {}, the log to kernel.log beside it", output.display());
    let running = VirtualMachine::start(&machine, onto(file), nowhere(), onto(own_files::log()?))?;
    let status = Command::new(gdb).arg(&kernel).args(words).status().explain("starting gdb")?;
    running.stop();
    Ok(children::shell_status(status))
}
