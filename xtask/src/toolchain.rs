//! Which compiler builds the kernel: one whose x86_64-unknown-none target is there, or can be had.
//!
//! Invariant: the compiler is stable Rust. RUSTC_BOOTSTRAP is set for the one step that builds `core` from Debian's source.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Failure, Outcome};
use crate::packages;

pub const TARGET: &str = "x86_64-unknown-none";
const OLDEST: (u32, u32) = (1, 95);
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

#[derive(Debug, Clone)]
pub struct Toolchain {
    pub cargo: PathBuf,
    pub rustc: PathBuf,
    /// `core` and `alloc` are built from source, for there is no ready-made target.
    pub builds_core: bool,
    pub linker: PathBuf,
}

impl Toolchain {
    /// A `cargo` of this toolchain, free of what an outer `cargo run` left in the environment.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        for name in ["LD_LIBRARY_PATH", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            command.env_remove(name);
        }
        if self.builds_core {
            command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
            command.env("RUSTC", &self.rustc).env("RUSTC_BOOTSTRAP", "1");
            command.env("PATH", debian_first());
        }
        command
    }

    /// The words that ask cargo for the kernel's target.
    pub fn target_arguments(&self) -> Vec<&'static str> {
        let mut words = vec!["--target", TARGET];
        if self.builds_core {
            words.push("-Zbuild-std=core,alloc,compiler_builtins");
            words.push("-Zbuild-std-features=compiler-builtins-mem");
        }
        words
    }
}

/// Finds a toolchain, installing what is missing. BRAID_TOOLCHAIN=debian leaves rustup's aside.
pub fn find() -> Outcome<Toolchain> {
    let debian_only = std::env::var("BRAID_TOOLCHAIN").is_ok_and(|choice| choice == "debian");
    if !debian_only {
        if let Some(ready) = with_ready_target()? {
            return Ok(ready);
        }
        if add_target_with_rustup()
            && let Some(ready) = with_ready_target()?
        {
            return Ok(ready);
        }
    }
    if let Some(debian) = debian()? {
        return Ok(debian);
    }
    if packages::find_program("apt-get").is_some() && DEBIAN_PACKAGES.iter().all(|name| packages::is_available(name)) {
        packages::install(&DEBIAN_PACKAGES, "building the kernel without a ready-made x86_64-unknown-none target")?;
        if let Some(debian) = debian()? {
            return Ok(debian);
        }
    }
    Err(Failure::usage(format!(
        "the kernel is built for {TARGET}, and this machine has no compiler for it.\n\
         Any one of these will do:\n\
         \x20   rustup target add {TARGET}            (Rust {}.{} or later)\n\
         \x20   sudo apt-get install {}   (Debian and Ubuntu)",
        OLDEST.0,
        OLDEST.1,
        DEBIAN_PACKAGES.join(" "),
    )))
}

fn with_ready_target() -> Outcome<Option<Toolchain>> {
    let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let Some(sysroot) = sysroot(&rustc) else { return Ok(None) };
    if !has_core(&sysroot) || version(&rustc).is_none_or(|version| version < OLDEST) {
        return Ok(None);
    }
    Ok(Some(Toolchain { linker: linker(Some(&sysroot))?, cargo, rustc, builds_core: false }))
}

fn add_target_with_rustup() -> bool {
    if packages::find_program("rustup").is_none() {
        return false;
    }
    eprintln!("xtask: rustup target add {TARGET}");
    Command::new("rustup")
        .args(["target", "add", TARGET])
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .is_ok_and(|status| status.success())
}

fn debian() -> Outcome<Option<Toolchain>> {
    let (rustc, cargo) = (PathBuf::from("/usr/bin/rustc"), PathBuf::from("/usr/bin/cargo"));
    if !cargo.exists() || version(&rustc).is_none_or(|version| version < OLDEST) {
        return Ok(None);
    }
    let Some(sysroot) = sysroot(&rustc) else { return Ok(None) };
    if !sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").exists() {
        return Ok(None);
    }
    Ok(Some(Toolchain { linker: linker(Some(&sysroot))?, cargo, rustc, builds_core: true }))
}

/// The linker that came with the compiler, or the system's LLD.
fn linker(sysroot: Option<&Path>) -> Outcome<PathBuf> {
    let own = sysroot.map(|root| root.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"));
    if let Some(own) = own.filter(|file| file.exists()) {
        return Ok(own);
    }
    packages::need_program("ld.lld", "lld", "linking the kernel")
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    Some(PathBuf::from(answer(rustc, &["--print", "sysroot"])?.trim()))
}

fn version(rustc: &Path) -> Option<(u32, u32)> {
    parse_version(&answer(rustc, &["--version"])?)
}

fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.split_whitespace().nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn has_core(sysroot: &Path) -> bool {
    let Ok(entries) = sysroot.join("lib/rustlib").join(TARGET).join("lib").read_dir() else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

fn answer(program: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    if program.starts_with("/usr/bin") {
        command.env_remove("LD_LIBRARY_PATH");
    }
    let output = command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn debian_first() -> std::ffi::OsString {
    let mut path = std::ffi::OsString::from("/usr/bin:");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_both_vendors_lines() {
        assert_eq!(parse_version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(parse_version("rustc 1.96.0 (30a34c682 2026-05-25) (built from a source tarball)"), Some((1, 96)));
        assert_eq!(parse_version("clang version"), None);
        assert!(parse_version("rustc 2.0.0").unwrap() > OLDEST);
    }
}
