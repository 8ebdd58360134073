//! What is missing on this machine: installed with apt where that is allowed, else the exact command is printed.
//!
//! Invariant: nothing is installed that was not announced on standard error before, and standard output stays clean.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Explain, Failure, Outcome};

/// Finds a program by name in PATH, and in the folders of the administrator that a plain user's PATH leaves out.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
}

/// Finds a program, installing its Debian package first if it is not there.
pub fn need_program(name: &str, package: &str, purpose: &str) -> Outcome<PathBuf> {
    if let Some(found) = find_program(name) {
        return Ok(found);
    }
    install(&[package], purpose)?;
    find_program(name).ok_or_else(|| Failure::usage(format!("{package} is installed, and yet there is no {name} in PATH")))
}

/// Installs packages as root or through a sudo that asks nothing; else says what to type, with status 2.
pub fn install(packages: &[&str], purpose: &str) -> Outcome<()> {
    let list = packages.join(" ");
    if find_program("apt-get").is_none() {
        return Err(Failure::usage(format!(
            "{purpose} needs what Debian calls {list}; install it with this system's package manager and try again"
        )));
    }
    let prefix: &[&str] = match () {
        () if is_root() => &[],
        () if sudo_asks_nothing() => &["sudo", "-n"],
        () => {
            return Err(Failure::usage(format!(
                "{purpose} needs {list}. Install with:\n\n    sudo apt-get install --no-install-recommends {list}\n"
            )));
        }
    };
    eprintln!("xtask: {purpose} needs {list}: installing with apt-get");
    let install = ["apt-get", "install", "--yes", "--no-install-recommends"];
    if apt(prefix, &install, packages)? {
        return Ok(());
    }
    refresh()?;
    if apt(prefix, &install, packages)? {
        return Ok(());
    }
    Err(Failure::usage(format!("apt-get could not install {list} (its messages stand above)")))
}

/// Whether apt knows a package of this name at all (after refreshing its lists if need be).
pub fn is_available(package: &str) -> bool {
    let known = || {
        Command::new("apt-cache")
            .args(["show", "--no-all-versions", package])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .is_ok_and(|shown| shown.status.success() && !shown.stdout.is_empty())
    };
    if known() {
        return true;
    }
    if is_root() {
        return apt(&[], &["apt-get", "update"], &[]).is_ok() && known();
    }
    false
}

/// Fetches the package lists anew.
pub fn refresh() -> Outcome<()> {
    let prefix: &[&str] = if is_root() { &[] } else { &["sudo", "-n"] };
    eprintln!("xtask: refreshing the package lists");
    apt(prefix, &["apt-get", "update"], &[]).map(drop)
}

pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn apt(prefix: &[&str], command: &[&str], packages: &[&str]) -> Outcome<bool> {
    let words: Vec<&str> =
        prefix.iter().chain(["env", "DEBIAN_FRONTEND=noninteractive"].iter()).chain(command).chain(packages).copied().collect();
    let [program, arguments @ ..] = words.as_slice() else { return Ok(false) };
    let finished =
        Command::new(program).args(arguments).stdin(Stdio::null()).stdout(std::io::stderr()).status().explain("starting apt-get")?;
    Ok(finished.success())
}

fn sudo_asks_nothing() -> bool {
    Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_found_and_nonsense_is_not() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program-anywhere").is_none());
    }
}
