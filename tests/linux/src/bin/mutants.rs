//! Programs with bytes flipped, cut off or lengthened, executed by the hundred: they run, are refused or die, and nobody else does.
//!
//! Usage: `mutants [SEED [COUNT]]`. On a Linux host nothing is executed: only the lines are printed.

use linux_tests::process::{Ended, Pid, exit_now, fork, in_a_child, kill, wait, wait_for_any_of};
use linux_tests::scratch::Scratch;
use linux_tests::{call, check, done, is_braid, must, sleep_ms};

const CODE_AT: usize = 0x200;
const BASE: u64 = 0x40_0000;
/// `exit(0)`.
const CODE: [u8; 9] = [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05];
const WORDS: [u64; 14] = [
    0,
    1,
    0x38,
    0xfff,
    0x1000,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
    0xffff_ffff_8000_0000,
    u64::MAX,
    u64::MAX - 4095,
    1 << 63,
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }
}

fn put(bytes: &mut [u8], at: usize, value: u64, length: usize) {
    bytes[at..at + length].copy_from_slice(&value.to_le_bytes()[..length]);
}

/// A whole program in two pages: a header, code, data, zeroed memory, a stack and an interpreter's place that may become one.
fn small_program() -> Vec<u8> {
    let mut bytes = vec![0; 0x2000];
    bytes[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    for (at, value, length) in
        [(16, 2, 2), (18, 62, 2), (20, 1, 4), (24, BASE + CODE_AT as u64, 8), (32, 64, 8), (52, 64, 2), (54, 56, 2), (56, 4, 2)]
    {
        put(&mut bytes, at, value, length);
    }
    let segments: [[u64; 8]; 4] = [
        [1, 5, 0, BASE, BASE, 0x1000, 0x1000, 0x1000],
        [1, 6, 0x1000, BASE + 0x1000, BASE + 0x1000, 0x800, 0x4000, 0x1000],
        [0x6474_e551, 6, 0, 0, 0, 0, 0, 16],
        [4, 4, 0x300, BASE + 0x300, BASE + 0x300, 0x20, 0x20, 4],
    ];
    for (index, [kind, flags, offset, address, physical, in_file, in_memory, alignment]) in segments.into_iter().enumerate() {
        let at = 64 + index * 56;
        put(&mut bytes, at, kind, 4);
        put(&mut bytes, at + 4, flags, 4);
        for (place, value) in [offset, address, physical, in_file, in_memory, alignment].into_iter().enumerate() {
            put(&mut bytes, at + 8 + place * 8, value, 8);
        }
    }
    bytes[CODE_AT..CODE_AT + CODE.len()].copy_from_slice(&CODE);
    bytes
}

fn mutant(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..1 + random.below(4) {
        let headers = 64 + 4 * 56;
        match random.below(8) {
            0 => {
                let keep = random.below(bytes.len()).max(1);
                bytes.truncate(keep);
            }
            1..4 => {
                let (at, value) = (random.below(headers / 8) * 8, WORDS[random.below(WORDS.len())]);
                if at + 8 <= bytes.len() {
                    put(&mut bytes, at, value, 8);
                }
            }
            4 => {
                let at = random.below(headers);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random.next() as u8;
                }
            }
            5 => {
                let at = 64 + 56 * random.below(4);
                if at + 4 <= bytes.len() {
                    let kind = random.below(8) as u64;
                    put(&mut bytes, at, kind, 4);
                }
            }
            _ => {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
        }
    }
    bytes
}

/// Executes the file; what does not end by itself is killed.
fn run(path: &std::ffi::CStr) {
    let child = fork(|| {
        let quiet = call!(SYS_open, c"/dev/null".as_ptr(), libc::O_RDWR, 0).unwrap_or(0);
        (0..3).for_each(|standard| must("dup2", call!(SYS_dup2, quiet, standard).is_ok()));
        let none = [0_usize; 1];
        let arguments = [path.as_ptr() as usize, 0];
        let _it_failed = call!(SYS_execve, path.as_ptr(), arguments.as_ptr(), none.as_ptr());
        exit_now(1)
    });
    end_soon(child);
}

fn end_soon(child: Pid) {
    for turn in 0..60 {
        if !matches!(wait_for_any_of(child, libc::WNOHANG), Ok(None)) {
            return;
        }
        if turn > 4 {
            sleep_ms(2);
        } else {
            std::thread::yield_now();
        }
    }
    let _maybe_dead = kill(child, libc::SIGKILL);
    must("it can be killed", matches!(wait(child), Ended::Killed(_) | Ended::Exited(_)));
}

fn main() {
    let mut words = std::env::args().skip(1).filter_map(|word| word.parse::<u64>().ok());
    let seed = words.next().unwrap_or(5_005);
    let count = words.next().unwrap_or(400);
    if is_braid() {
        let scratch = Scratch::new("mutants");
        let original = small_program();
        let mut random = Random(seed | 1);
        scratch.file("sound", &original, 0o755);
        let path = scratch.c("sound");
        let arguments = [path.as_ptr() as usize, 0];
        let sound = in_a_child(|| {
            done("exec", call!(SYS_execve, path.as_ptr(), arguments.as_ptr(), 0));
            1
        });
        must("the program itself is sound", sound == Ended::Exited(0));
        for number in 0..count {
            let name = format!("mutant-{}", number % 8);
            let _not_there_at_first = std::fs::remove_file(scratch.path(&name));
            scratch.file(&name, &mutant(&original, &mut random), 0o755);
            run(&scratch.c(&name));
        }
    }
    check("mutated programs harm nobody", in_a_child(|| 3) == Ended::Exited(3));
}
