//! `cargo xtask bench boot`: how long a boot takes, in the kernel's own measure and in the host's. `bench clock`,
//! `bench memory` and `bench pingpong` have files of their own.

mod clock;
mod counting;
mod memory;
mod pingpong;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::build::{self, Messages, Profile};
use crate::comparison::Boot;
use crate::ending::{Ending, microseconds};
use crate::error::{Explain, Failure, Outcome};
use crate::machine::parse_cpus;
use crate::root::{self, Extra};
use crate::{host_tests, places, programs};

const CPU_COUNTS: [u32; 5] = [1, 2, 4, 8, 16];
const EVENTS: [&str; 2] = ["last-cpu-online", "first-user-instruction"];

pub fn bench(words: Vec<OsString>) -> Outcome<u8> {
    let arguments = Arguments::parse(words, &["cpus", "repeats"], &[])?;
    arguments.no_program()?;
    let counts = match arguments.option("cpus") {
        Some(list) => Some(list.split(',').map(parse_cpus).collect::<Outcome<Vec<_>>>()?),
        None => None,
    };
    if arguments.words == ["clock"] {
        return clock::clock();
    }
    if arguments.words == ["pingpong"] {
        return pingpong::pingpong(&counts.unwrap_or_else(|| pingpong::CPU_COUNTS.to_vec()));
    }
    let repeats = arguments.option("repeats").map_or(Ok(7), str::parse);
    let repeats: usize = repeats.map_err(|_| Failure::usage("--repeats needs a number"))?;
    if arguments.words == ["memory"] {
        return memory::memory(&counts.unwrap_or_else(|| memory::CPU_COUNTS.to_vec()), repeats.max(1));
    }
    if arguments.words != ["boot"] {
        return Err(Failure::usage(
            "the benchmarks: cargo xtask bench boot [--cpus LIST] [--repeats N], bench clock, bench memory [--cpus LIST] [--repeats N], \
             bench pingpong [--cpus LIST]",
        ));
    }
    let counts = counts.unwrap_or_else(|| CPU_COUNTS.to_vec());
    let kernel = build::kernel(Profile::Release, Messages::Shown)?;
    let root = root::store("root.cpio", &root::built_in(&[])?)?;
    println!("medians of {repeats} boots, milliseconds from kernel entry; the last column is the whole run on the host");
    println!("{:>5} {:>16} {:>23} {:>12}", "CPUs", EVENTS[0], EVENTS[1], "QEMU");
    for cpus in counts {
        let boots = (0..repeats.max(1)).map(|_| boot(&kernel, &root, cpus)).collect::<Outcome<Vec<_>>>()?;
        let [online, user, host] = [0, 1, 2].map(|column| median(boots.iter().map(|boot| boot[column]).collect()));
        println!("{cpus:>5} {online:>16.1} {user:>23.1} {host:>12.1}");
    }
    Ok(0)
}

/// The built-in root with the benchmark program `name` in `/tests`.
fn root_with(name: &str) -> Outcome<PathBuf> {
    let mut cargo = host_tests::cargo();
    cargo.args(["build", "--release", "--package", "bench-programs", "--target", programs::HOST_TARGET]);
    cargo.arg("--target-dir").arg(places::programs_target());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "0").env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    let built = cargo.stdin(Stdio::null()).stdout(std::io::stderr()).status().explain("starting cargo")?;
    if !built.success() {
        return Err(Failure::new("the programs of bench do not build"));
    }
    let program = places::programs_target().join(programs::HOST_TARGET).join("release").join(name);
    let bytes = std::fs::read(&program).explain(format_args!("reading {}", program.display()))?;
    let extra = Extra { name: format!("tests/{name}"), permissions: 0o755, bytes };
    root::store(&format!("{name}.cpio"), &root::built_in(&[extra])?)
}

fn boot(kernel: &Path, root: &Path, cpus: u32) -> Outcome<[f64; 3]> {
    let command = ["/bin/busybox", "true"].map(str::to_owned);
    let boot = Boot {
        kernel,
        root: Some(root),
        disks: &[],
        cpus,
        memory: "512M",
        command: &command,
        append: "",
        input: &[],
        patience: Duration::from_secs(120),
    };
    let began = Instant::now();
    let booted = boot.run()?;
    let host = began.elapsed().as_secs_f64() * 1000.0;
    if booted.remains.ending != Ending::Exited(0) {
        return Err(Failure::new(format!("with {cpus} CPUs {}", booted.story())));
    }
    let [online, user] = EVENTS.map(|event| microseconds(&booted.remains.log, event));
    match (online, user) {
        (Some(online), Some(user)) => Ok([online as f64 / 1000.0, user as f64 / 1000.0, host]),
        _ => Err(Failure::new("the kernel's log does not tell its boot times")),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_boot_does_not_move_the_median() {
        assert_eq!(median(vec![3.0, 900.0, 1.0]), 3.0);
    }
}
