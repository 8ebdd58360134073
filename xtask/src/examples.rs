//! The examples for programs, in Rust and in C: each runs in the machine and says itself whether all was right.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Explain, Failure, Outcome};
use crate::programs::{Kind, Subject, built, files, text};
use crate::{packages, places};

/// The crate that they show, which lists them.
const PACKAGE: &str = "braid";

/// `example/NAME` for those in Rust, `example/NAME.c` for those in C.
pub fn subjects() -> Outcome<Vec<Subject>> {
    let mut subjects = Vec::new();
    for source in sources()? {
        let Some((stem, file)) = text(source.file_stem()).zip(text(source.file_name())) else { continue };
        let (name, program) = match ending(&source) {
            Some("rs") => (stem.clone(), built("examples").join(stem)),
            Some("c") => (file, program_in_c(&source)),
            _ => continue,
        };
        let command = vec![format!("/tests/{}", program.file_name().unwrap_or_default().display())];
        subjects.push(Subject {
            name: format!("example/{name}"),
            file: program,
            command,
            needs: Vec::new(),
            system: None,
            debian: Vec::new(),
            kind: Kind::OwnJudge,
        });
    }
    Ok(subjects)
}

/// Those in Rust, to a build of programs.
pub fn add_to(cargo: &mut Command) {
    cargo.args(["--package", PACKAGE, "--bins", "--examples"]);
}

/// Those in C.
pub fn build_those_in_c() -> Outcome<()> {
    let compiler = packages::need_program("gcc", "gcc", "the example in C")?;
    for source in sources()?.into_iter().filter(|source| ending(source) == Some("c")) {
        let program = program_in_c(&source);
        if let Some(folder) = program.parent() {
            std::fs::create_dir_all(folder).explain("making a folder for the examples")?;
        }
        let mut gcc = Command::new(&compiler);
        gcc.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-O2", "-static", "-I"]);
        gcc.arg(places::workspace().join("native/include")).arg("-o").args([&program, &source]);
        let done = gcc.stdin(Stdio::null()).status().explain("starting gcc")?;
        if !done.success() {
            return Err(Failure::new(format!("{} does not build", source.display())));
        }
    }
    Ok(())
}

fn sources() -> Outcome<Vec<PathBuf>> {
    files(&places::workspace().join("examples"))
}

fn ending(source: &Path) -> Option<&str> {
    source.extension().and_then(|end| end.to_str())
}

fn program_in_c(source: &Path) -> PathBuf {
    let name = format!("{}-in-c", source.file_stem().unwrap_or_default().display());
    built("examples").join(name)
}
