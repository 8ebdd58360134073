//! /proc/meminfo.
//!
//! Invariant: free never exceeds total, and what is available is what is free: there is no cache to give up.

use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::memory::{self, Statistics, large_page};
use sync::TaskContext;

use super::task_text::append;

const FRAME_KILOBYTES: u64 = 4;

pub fn read(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(text(&memory::statistics()).into_bytes())
}

fn text(frames: &Statistics) -> String {
    let lines = [
        ("MemTotal", frames.total),
        ("MemFree", frames.free.min(frames.total)),
        ("MemAvailable", frames.free.min(frames.total)),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("Active", frames.pages),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", frames.pages),
        ("Mapped", 0),
        ("Shmem", 0),
        ("Slab", frames.heap),
        ("SReclaimable", 0),
        ("SUnreclaim", frames.heap),
        ("PageTables", frames.page_tables),
        ("AnonHugePages", large_page::MAPPED.get().saturating_mul(large_page::FRAMES as u64)),
    ];
    let mut text = String::new();
    for (name, count) in lines {
        let label = name.len() + 1;
        let width = 24_usize.saturating_sub(label);
        append(&mut text, format_args!("{name}:{:>width$} kB\n", count.saturating_mul(FRAME_KILOBYTES)));
    }
    let stacks = frames.stacks.saturating_mul(FRAME_KILOBYTES);
    append(&mut text, format_args!("KernelStack:{stacks:>12} kB\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_on_linux() {
        let text = text(&Statistics { total: 131_072, free: 1000, ..Statistics::default() });
        assert!(text.starts_with("MemTotal:         524288 kB\nMemFree:            4000 kB\n"), "{text}");
    }
}
