//! `cargo xtask floors`: the house rules that a machine can check.
//!
//! Walls stand between crates, floors between the folders of one crate; arrows go down. The rules are in CONTRIBUTING.md.

mod budget;
mod dependencies;
mod layers;
mod rules;

use std::ffi::OsString;

use crate::arguments::Arguments;
use crate::error::Outcome;
use crate::source;

pub const KERNEL_CRATES: [&str; 7] = ["abi", "sync", "machine", "libkernel", "devices", "osl", "kernel"];

/// Something that breaks a rule: where, and which.
pub type Findings = Vec<String>;

pub fn floors(words: Vec<OsString>) -> Outcome<u8> {
    let arguments = Arguments::parse(words, &[], &["bless"])?;
    arguments.no_words()?;
    arguments.no_program()?;
    let mut kernel = source::below(&KERNEL_CRATES)?;
    kernel.retain(|source| !source.is_test());
    let every = source::below(&[&KERNEL_CRATES[..], &["xtask", "tests/linux", "bench", "fuzz"]].concat())?;
    if arguments.flag("bless") {
        budget::bless(&kernel)?;
    }
    let checks: [(&str, Findings); 5] = [
        ("house rules", rules::check(&every)),
        ("walls", rules::walls(&kernel)),
        ("crates", dependencies::check()?),
        ("floors", layers::check(&kernel)),
        ("unsafe budget", budget::check(&kernel)?),
    ];
    let mut broken = 0;
    for (name, findings) in checks {
        println!("{} {name}", if findings.is_empty() { "ok    " } else { "BROKEN" });
        findings.iter().for_each(|finding| println!("    {finding}"));
        broken += findings.len();
    }
    println!("{} files, {broken} findings", every.len());
    Ok(u8::from(broken > 0))
}
