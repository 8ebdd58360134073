//! Other people's programs, built from crates.io as static Linux programs, unmodified.

use std::path::PathBuf;
use std::process::Stdio;

use crate::error::{Explain, Failure, Outcome};
use crate::programs::HOST_TARGET;
use crate::{host_tests, packages, places};

/// Package, version, the program in it, and what its build asks of this machine.
struct Package {
    name: &'static str,
    version: &'static str,
    program: &'static str,
    tools: &'static [(&'static str, &'static str)],
}

const PACKAGES: [Package; 2] = [
    Package { name: "ripgrep", version: "15.2.0", program: "rg", tools: &[] },
    Package { name: "fd-find", version: "10.5.0", program: "fd", tools: &[("make", "make")] },
];

/// The folder with all programs built so far, for PATH.
pub fn folder() -> PathBuf {
    places::target().join("third-party/bin")
}

/// Builds a package once; further calls find the program there.
pub fn program(name: &str) -> Outcome<PathBuf> {
    let package = PACKAGES.iter().find(|package| package.name == name);
    let package = package.ok_or_else(|| Failure::new(format!("no third-party package {name} is known")))?;
    let stamp = places::target().join(format!("third-party/{name}-{}", package.version));
    let program = folder().join(package.program);
    if stamp.exists() && program.exists() {
        return Ok(program);
    }
    for (tool, debian) in package.tools {
        packages::need_program(tool, debian, "building a third-party program")?;
    }
    let mut cargo = host_tests::cargo();
    cargo.args(["install", package.name, "--version", package.version, "--locked", "--force"]);
    cargo.args(["--target", HOST_TARGET]).arg("--root").arg(places::target().join("third-party"));
    cargo.arg("--target-dir").arg(places::target().join("third-party/build"));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "0").env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    let built = cargo.stdin(Stdio::null()).stdout(std::io::stderr()).status().explain("starting cargo install")?;
    if !built.success() {
        return Err(Failure::new(format!("{name} {} does not build", package.version)));
    }
    std::fs::write(&stamp, []).explain("noting what was built")?;
    Ok(program)
}
