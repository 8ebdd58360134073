//! /sys/kernel/mm/transparent_hugepage: who gets large pages.
//!
//! Invariant: a word that Linux does not know changes nothing.

use alloc::format;
use alloc::string::String;

use abi::Errno;
use libkernel::address_space::large::{self, Custom};
use libkernel::memory::large_page::LARGE_BYTES;
use sync::TaskContext;

use super::fixed::{Fixed, What};

const WORDS: [(&str, Custom); 3] = [("always", Custom::Always), ("madvise", Custom::WhenWanted), ("never", Custom::Never)];

pub static FILES: [Fixed; 2] = [
    Fixed { name: "enabled", what: What::Setting(|_| Ok(text().into_bytes()), set) },
    Fixed::text("hpage_pmd_size", |_| Ok(format!("{LARGE_BYTES}\n").into_bytes())),
];

/// All words, the one that holds in brackets.
fn text() -> String {
    let marked = WORDS.map(|(word, custom)| if custom == large::custom() { format!("[{word}]") } else { String::from(word) });
    marked.join(" ") + "\n"
}

fn set(_: &mut TaskContext, text: &[u8]) -> Result<(), Errno> {
    let (_, custom) = WORDS.iter().find(|(word, _)| word.as_bytes() == text.trim_ascii()).ok_or(Errno::EINVAL)?;
    large::set_custom(*custom);
    Ok(())
}
