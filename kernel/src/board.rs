//! The machine as Linux programs are told of it.
//!
//! Invariant: answers come from CPUID of the CPU that asks; all CPUs of a machine are taken to be alike but for their APIC.

use crate::{first_program, panic};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use machine::boot::BootInfo;
use machine::cpu::features::cpuid;
use machine::{clock, cpu, power};
use osl::board::{Board, PowerAction, Processor};
use sync::{CpuId, Once};

/// The one machine.
pub struct Machine {
    command_line: Once<&'static str>,
}

pub static MACHINE: Machine = Machine { command_line: Once::new() };

/// Registers the machine with `osl`.
pub fn register(info: &BootInfo) {
    let _ = MACHINE.command_line.set(info.command_line);
    osl::board::set(&MACHINE);
}

impl Board for Machine {
    fn processor(&self, cpu: CpuId) -> Processor {
        let version = cpuid(1, 0);
        let (family, model, stepping) = signature(version.eax);
        let bits = cpuid(0x8000_0008, 0).eax;
        Processor {
            vendor: vendor(),
            model_name: model_name(),
            family,
            model,
            stepping,
            kilohertz: clock::tsc::frequency() / 1000,
            cache_kilobytes: cpuid(0x8000_0006, 0).ecx >> 16,
            apic_id: cpu::apic_id_of(cpu).unwrap_or_default(),
            flags: flags(),
            physical_bits: bits & 0xff,
            virtual_bits: bits >> 8 & 0xff,
        }
    }

    fn command_line(&self) -> &str {
        self.command_line.get().copied().unwrap_or_default()
    }

    fn power(&self, action: PowerAction) {
        // A program that may do this has brought the work to its end: that is a success.
        first_program::last_word(0);
        match action {
            PowerAction::Off => power::off(),
            PowerAction::Restart => power::reset(),
            PowerAction::Halt => panic::stand_still(),
        }
    }
}

/// Family, model, stepping (SDM vol. 2, CPUID leaf 1).
fn signature(version: u32) -> (u32, u32, u32) {
    let family = version >> 8 & 0xf;
    let model = version >> 4 & 0xf;
    let whole_family = if family == 0xf { family + (version >> 20 & 0xff) } else { family };
    let whole_model = if family == 6 || family == 0xf { model | (version >> 16 & 0xf) << 4 } else { model };
    (whole_family, whole_model, version & 0xf)
}

fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).filter(|byte| (32..127).contains(byte)).collect();
    String::from_utf8_lossy(&bytes).trim().to_string()
}

fn vendor() -> String {
    let leaf = cpuid(0, 0);
    text(&[leaf.ebx, leaf.edx, leaf.ecx])
}

fn model_name() -> String {
    let words: Vec<u32> = (0x8000_0002..=0x8000_0004)
        .flat_map(|leaf| {
            let part = cpuid(leaf, 0);
            [part.eax, part.ebx, part.ecx, part.edx]
        })
        .collect();
    text(&words)
}

/// Linux's names of the bits that programs look for: leaf, register (0 = a … 3 = d), bit.
const FLAGS: &[(&str, u32, usize, u32)] = &[
    ("fpu", 1, 3, 0),
    ("vme", 1, 3, 1),
    ("de", 1, 3, 2),
    ("pse", 1, 3, 3),
    ("tsc", 1, 3, 4),
    ("msr", 1, 3, 5),
    ("pae", 1, 3, 6),
    ("mce", 1, 3, 7),
    ("cx8", 1, 3, 8),
    ("apic", 1, 3, 9),
    ("sep", 1, 3, 11),
    ("pge", 1, 3, 13),
    ("cmov", 1, 3, 15),
    ("pat", 1, 3, 16),
    ("clflush", 1, 3, 19),
    ("mmx", 1, 3, 23),
    ("fxsr", 1, 3, 24),
    ("sse", 1, 3, 25),
    ("sse2", 1, 3, 26),
    ("ht", 1, 3, 28),
    ("syscall", 0x8000_0001, 3, 11),
    ("nx", 0x8000_0001, 3, 20),
    ("pdpe1gb", 0x8000_0001, 3, 26),
    ("rdtscp", 0x8000_0001, 3, 27),
    ("lm", 0x8000_0001, 3, 29),
    ("constant_tsc", 0x8000_0007, 3, 8),
    ("pni", 1, 2, 0),
    ("pclmulqdq", 1, 2, 1),
    ("ssse3", 1, 2, 9),
    ("fma", 1, 2, 12),
    ("cx16", 1, 2, 13),
    ("sse4_1", 1, 2, 19),
    ("sse4_2", 1, 2, 20),
    ("x2apic", 1, 2, 21),
    ("movbe", 1, 2, 22),
    ("popcnt", 1, 2, 23),
    ("tsc_deadline_timer", 1, 2, 24),
    ("aes", 1, 2, 25),
    ("xsave", 1, 2, 26),
    ("avx", 1, 2, 28),
    ("f16c", 1, 2, 29),
    ("rdrand", 1, 2, 30),
    ("hypervisor", 1, 2, 31),
    ("lahf_lm", 0x8000_0001, 2, 0),
    ("abm", 0x8000_0001, 2, 5),
    ("sse4a", 0x8000_0001, 2, 6),
    ("bmi1", 7, 1, 3),
    ("avx2", 7, 1, 5),
    ("smep", 7, 1, 7),
    ("bmi2", 7, 1, 8),
    ("erms", 7, 1, 9),
    ("rdseed", 7, 1, 18),
    ("adx", 7, 1, 19),
    ("smap", 7, 1, 20),
    ("clflushopt", 7, 1, 23),
    ("sha_ni", 7, 1, 29),
    ("umip", 7, 2, 2),
];

fn flags() -> String {
    let mut names = String::new();
    for &(name, leaf, register, bit) in FLAGS {
        let words = cpuid(leaf, 0);
        let word = [words.eax, words.ebx, words.ecx, words.edx].get(register).copied().unwrap_or_default();

        if word >> bit & 1 == 1 {
            if !names.is_empty() {
                names.push(' ');
            }
            names.push_str(name);
        }
    }
    names
}
