//! The project's own tool: builds, boots, tests and checks the kernel. `cargo xtask` alone prints what it can do.

use std::process::ExitCode;

mod archive;
mod arguments;
mod bench;
mod boots;
mod build;
mod children;
mod comparison;
mod debian;
mod debian_system;
mod debug;
mod disks;
mod elf;
mod ending;
mod error;
mod examples;
mod expectation;
mod floors;
mod framing;
mod host_tests;
mod keyboard;
mod machine;
mod model;
mod own_files;
mod packages;
mod places;
mod programs;
mod report;
mod root;
mod run;
mod soak;
mod source;
mod symbols;
mod terminal;
mod test;
mod third_party;
mod toolchain;
mod virtual_machine;

const USAGE: &str = "\
cargo xtask VERB

  run [--cpus N] [--memory SIZE] [--root DIR|CPIO] [--disk IMAGE] [--log] [--append WORDS] [--kernel FILE]
      [-- PROGRAM ARGUMENTS...]
                      build the kernel, boot it in QEMU, connect this terminal.
                      With PROGRAM: run it as the first program and exit with its status.
                      Default: 4 CPUs, 512M, a busybox root, an interactive shell.
  test [FILTER] [--cpus LIST] [--jobs N] [--list]
                      host tests, then the tests in the virtual machine at 1, 2, 4 and 8 CPUs
  soak [FILTER] [--seeds N] [--first-seed S] [--cpus LIST] [--seconds N] [--minutes M] [--jobs N] [--silence N]
       [--deterministic] [--twin N]
                      the soak programs on a kernel that disturbs itself at random, each seed for so many seconds;
                      what fails leaves a folder in target/soak and can be run again by its seed
  floors [--bless]    check the house rules (walls, floors, unsafe budget); --bless writes the budget
  model               the loom and Promela models of what CPUs do to each other
  bench boot          time from kernel entry to all CPUs online and to the first user instruction
  bench clock         guest instructions for a look at the clock, with a system call and without
  bench memory        page faults, mappings and threads a second, by one worker and by more
  bench pingpong      time and guest instructions of a round trip between two threads, by every way there is
  debug [like run]    boot stopped, with gdb attached and symbols loaded
  build               only build the kernel, and print where it is
";

fn main() -> ExitCode {
    terminal::restore_on_panic();
    let mut words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.is_empty() {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    }
    let verb = words.remove(0);
    let outcome = match verb.to_str() {
        Some("run") => run::run(words),
        Some("test") => test::test(words),
        Some("soak") => soak::soak(words),
        Some("floors") => floors::floors(words),
        Some("model") => model::model(),
        Some("bench") => bench::bench(words),
        Some("debug") => debug::debug(words),
        Some("build") => build::print_kernel_path(),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(0)
        }
        _ => Err(error::Failure::usage(format!("no verb {}\n\n{USAGE}", verb.display()))),
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("xtask: {}", failure.message);
            ExitCode::from(failure.status)
        }
    }
}
