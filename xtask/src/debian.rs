//! Debian's own programs for the tests, installed if need be, with everything that they read when they start.
//!
//! Invariant: a file has the same path in the machine as on this host, but for bash, which is the static one there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Explain, Failure, Outcome};
use crate::{elf, packages, programs};

/// A program that needs its libraries: its package, and what it reads besides (a folder stands for the files in it).
struct Program {
    name: &'static str,
    package: &'static str,
    reads: &'static [&'static str],
}

const PROGRAMS: [Program; 2] = [
    Program { name: "script", package: "bsdutils", reads: &[] },
    Program {
        name: "tmux",
        package: "tmux",
        reads: &["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.utf8/LC_MESSAGES", "/lib/terminfo/x/xterm", "/lib/terminfo/s/screen"],
    },
];

/// The files of a program: each one's name in the root, and where it is here.
pub fn files(name: &str) -> Outcome<Vec<(String, PathBuf)>> {
    if name == "bash" {
        return Ok(vec![("bin/bash".into(), programs::bash()?)]);
    }
    let known = PROGRAMS.iter().find(|program| program.name == name);
    let known = known.ok_or_else(|| Failure::new(format!("no program {name} of Debian's is known")))?;
    let program = packages::need_program(known.name, known.package, "the tests with it")?;
    let mut files = vec![(format!("usr/bin/{name}"), program.clone())];
    let libraries = libraries(&program)?;
    for path in libraries.iter().map(PathBuf::as_path).chain(known.reads.iter().map(Path::new)) {
        for file in if path.is_dir() { in_folder(path)? } else { vec![path.to_path_buf()] } {
            files.push((file.display().to_string().trim_start_matches('/').to_owned(), file));
        }
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let entries = folder.read_dir().explain(format_args!("reading {}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

/// The dynamic loader of a program and the libraries that it loads; none for a static one.
fn libraries(program: &Path) -> Outcome<Vec<PathBuf>> {
    let bytes = std::fs::read(program).explain(format_args!("reading {}", program.display()))?;
    if !elf::needs_interpreter(&bytes)? {
        return Ok(Vec::new());
    }
    let listed = Command::new("ldd").arg(program).output().explain("asking ldd")?;
    if !listed.status.success() {
        return Err(Failure::new(format!("ldd does not know the libraries of {}", program.display())));
    }
    Ok(paths(&String::from_utf8_lossy(&listed.stdout)))
}

/// The paths that `ldd` names, one in a line at most: `NAME => PATH (ADDRESS)` or `PATH (ADDRESS)`.
fn paths(listed: &str) -> Vec<PathBuf> {
    listed.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/'))).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_in_a_list_of_libraries_are_found_and_nothing_else() {
        let listed = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x2)\n\t/lib64/ld.so.2 (0x3)\n";
        assert_eq!(paths(listed), [PathBuf::from("/lib/x/libc.so.6"), PathBuf::from("/lib64/ld.so.2")]);
    }

    #[test]
    fn an_unknown_program_is_no_guess() {
        assert!(files("no-such-program").is_err());
    }
}
