//! Builds the kernel: compiler, flags, linker script, and the names for its backtraces.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Explain, Failure, Outcome};
use crate::{places, symbols, toolchain};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// What people run.
    Release,
    /// What tests run: debug assertions and the lock checker on, see `.cargo/config.toml`.
    Checked,
    /// What soaks run: the same, and seeded disturbances.
    Chaos,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Release => "release",
            Profile::Checked => "kernel-checked",
            Profile::Chaos => "kernel-chaos",
        }
    }

    fn features(self) -> Option<&'static str> {
        match self {
            Profile::Release => None,
            Profile::Checked => Some("sync/lockdep"),
            Profile::Chaos => Some("sync/lockdep,sync/chaos"),
        }
    }

    /// One unit for the whole kernel, where speed counts more than the build's: it saves every seventh instruction. Only here, since
    /// the profiles of tests, and of programs on the host, are made of the same one.
    const fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Profile::Release => &[("CARGO_PROFILE_RELEASE_LTO", "fat"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")],
            Profile::Checked | Profile::Chaos => &[],
        }
    }
}

/// Whether cargo's own messages are wanted on standard error, or only when the build fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    Shown,
    OnFailure,
}

/// Builds and returns the kernel file. Its backtrace names are in it.
pub fn kernel(profile: Profile, messages: Messages) -> Outcome<PathBuf> {
    let toolchain = toolchain::find()?;
    let target = places::kernel_target();
    let mut cargo = toolchain.cargo();
    cargo.current_dir(places::workspace());
    cargo.args(["build", "--package", "kernel", "--profile", profile.name()]);
    cargo.args(toolchain.target_arguments());
    if let Some(features) = profile.features() {
        cargo.args(["--features", features]);
    }
    cargo.arg("--target-dir").arg(&target);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(&toolchain.linker));
    // A toolchain that builds `core` too has enough to do.
    if !toolchain.builds_core {
        cargo.envs(profile.settings().iter().copied());
    }
    finish(cargo, messages)?;
    let built = target.join(toolchain::TARGET).join(profile.name()).join("kernel");
    // The linker's own output stays untouched, so that cargo does not see a changed file and link again.
    let kernel = target.join(format!("braid-{}.elf", profile.name()));
    place_with_symbols(&built, &kernel)?;
    Ok(kernel)
}

pub fn print_kernel_path() -> Outcome<u8> {
    println!("{}", kernel(Profile::Release, Messages::Shown)?.display());
    Ok(0)
}

/// The words for the compiler, parted as cargo wants them. With `--target` they reach no build script and no macro.
fn flags(linker: &Path) -> String {
    let script = places::workspace().join("kernel/link.ld");
    let words = [
        format!("-Clinker={}", linker.display()),
        "-Clinker-flavor=ld.lld".into(),
        format!("-Clink-arg=-T{}", script.display()),
        "-Crelocation-model=static".into(),
        "-Ccode-model=kernel".into(),
        "-Cforce-frame-pointers=yes".into(),
    ];
    words.join("\u{1f}")
}

fn finish(mut cargo: Command, messages: Messages) -> Outcome<()> {
    cargo.stdin(Stdio::null());
    let succeeded = match messages {
        Messages::Shown => cargo.stdout(std::io::stderr()).status().explain("starting cargo")?.success(),
        Messages::OnFailure => {
            let output = cargo.arg("--quiet").output().explain("starting cargo")?;
            if !output.status.success() {
                eprint!("{}", String::from_utf8_lossy(&output.stderr));
            }
            output.status.success()
        }
    };
    if succeeded { Ok(()) } else { Err(Failure::new("the kernel does not build")) }
}

/// Copies beside and renames, so that a kernel in use by another run is never half written.
fn place_with_symbols(built: &Path, kernel: &Path) -> Outcome<()> {
    let fresh = kernel.with_extension(format!("new-{}", std::process::id()));
    std::fs::copy(built, &fresh).explain(format_args!("copying {}", built.display()))?;
    symbols::write_into(&fresh)?;
    std::fs::rename(&fresh, kernel).explain(format_args!("placing {}", kernel.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_space_stays_one_word_for_the_compiler() {
        let flags = flags(Path::new("/opt/my tools/ld.lld"));
        assert!(flags.split('\u{1f}').any(|word| word == "-Clinker=/opt/my tools/ld.lld"));
    }
}
