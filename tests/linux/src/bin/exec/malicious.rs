//! Programs that are cut short or lie about themselves: an error or the death of who runs them, no more.

use crate::execute;
use linux_tests::process::{Ended, in_a_child};
use linux_tests::scratch::Scratch;
use linux_tests::{check, must};
use std::fs;

/// Runs the bytes as a program. Whatever comes of it, it comes of the child alone.
fn survives(scratch: &Scratch, what: &str, bytes: &[u8]) -> Ended {
    let name = "malicious";
    let _not_there_at_first = fs::remove_file(scratch.path(name));
    scratch.file(name, bytes, 0o755);
    let path = scratch.c(name);
    let ended = in_a_child(|| {
        let quiet = linux_tests::call!(SYS_open, c"/dev/null".as_ptr(), libc::O_RDWR, 0).unwrap_or(0);
        (0..3).for_each(|standard| must("dup2", linux_tests::call!(SYS_dup2, quiet, standard).is_ok()));
        // One that has lost its way may loop: an alarm ends it.
        must("alarm", linux_tests::call!(SYS_alarm, 2).is_ok());
        execute(&path, &[name, "tell"], &[])
    });
    must(what, !matches!(ended, Ended::Stopped(_) | Ended::Continued));
    ended
}

pub fn truncated(scratch: &Scratch, program: &[u8]) {
    for length in (1..64).step_by(7).chain([64, 65, 100, 200, 500, 1_000]) {
        let ended = survives(scratch, "cut short", &program[..length]);
        must("refused or dead", ended != Ended::Exited(0));
    }
    check("a program cut off in its headers does not run", true);
    for part in [2, 3, 10] {
        survives(scratch, "cut short", &program[..program.len() / part]);
    }
    check("a program cut off in its middle harms nobody", true);
}

fn put(bytes: &mut [u8], at: usize, value: u64, length: usize) {
    bytes[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
}

/// Offsets in the ELF header, with their lengths.
const HEADER: [(usize, usize); 12] =
    [(4, 1), (5, 1), (6, 1), (16, 2), (18, 2), (20, 4), (24, 8), (32, 8), (40, 8), (52, 2), (54, 2), (56, 2)];
/// Offsets in a program header, with their lengths.
const SEGMENT: [(usize, usize); 7] = [(0, 4), (4, 4), (8, 8), (16, 8), (32, 8), (40, 8), (48, 8)];
const ABSURD: [u64; 8] = [0, 1, 0x7fff, 0xffff_ffff, 0x7fff_ffff_f000, 0x8000_0000_0000, 0xffff_8000_0000_0000, u64::MAX];

pub fn twisted(scratch: &Scratch, program: &[u8]) {
    for (at, length) in HEADER {
        for value in ABSURD {
            let mut copy = program[..program.len().min(8192)].to_vec();
            put(&mut copy, at, value, length);
            survives(scratch, "a header that lies", &copy);
        }
    }
    check("headers that lie harm nobody", true);
    let first = 64;
    let count = usize::from(program[56]);
    for segment in 0..count.min(6) {
        for (at, length) in SEGMENT {
            for value in ABSURD {
                let mut copy = program[..program.len().min(8192)].to_vec();
                put(&mut copy, first + segment * 56 + at, value, length);
                survives(scratch, "a segment that lies", &copy);
            }
        }
    }
    check("segments that lie harm nobody", true);
    overlapping(scratch);
}

/// A small program made by hand: two segments over each other, the second a gigabyte of nothing.
fn overlapping(scratch: &Scratch) {
    let mut bytes = vec![0_u8; 64 + 2 * 56];
    bytes[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let fields = [(16, 2, 2), (18, 62, 2), (20, 1, 4), (24, 0x40_0000 + 176, 8), (32, 64, 8), (52, 64, 2), (54, 56, 2), (56, 2, 2)];
    fields.into_iter().for_each(|(at, value, length)| put(&mut bytes, at, value, length));
    for (at, memory) in [(64, 0x1000_u64), (120, 0x4000_0000)] {
        put(&mut bytes, at, 1, 4);
        put(&mut bytes, at + 4, 7, 4);
        put(&mut bytes, at + 16, 0x40_0000, 8);
        put(&mut bytes, at + 32, 192, 8);
        put(&mut bytes, at + 40, memory, 8);
        put(&mut bytes, at + 48, 0x1000, 8);
    }
    // mov edi, 7; mov eax, 60; syscall
    bytes.extend_from_slice(b"\xbf\x07\0\0\0\xb8\x3c\0\0\0\x0f\x05");
    bytes.resize(192, 0);
    survives(scratch, "overlapping segments", &bytes);
    put(&mut bytes, 56, 1, 2);
    let ended = survives(scratch, "one segment", &bytes);
    linux_tests::equal("a program of one segment, made by hand", ended, Ended::Exited(7));
}
