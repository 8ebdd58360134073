//! The machine that QEMU plays: its parts, on one page.
//!
//! Three serial ports: the first is the program's console, the second takes the kernel's log, the third the program's standard
//! error when that is not a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::error::{Failure, Outcome};
use crate::packages;
use crate::{children, elf};

/// The most CPUs that the kernel can use.
pub const MOST_CPUS: u32 = 64;
/// Descriptors that QEMU inherits for the second and third port.
pub const LOG_DESCRIPTOR: i32 = 120;
pub const ERROR_DESCRIPTOR: i32 = 121;

#[derive(Debug, Clone)]
pub struct Machine {
    pub kernel: PathBuf,
    /// None boots without an initial root.
    pub root: Option<PathBuf>,
    /// Disks' images, which stay as they are.
    pub disks: Vec<PathBuf>,
    pub cpus: u32,
    pub memory: String,
    pub command_line: String,
    /// Where gdb connects; the CPUs wait for it.
    pub debugger: Option<String>,
    /// A socket where QEMU takes commands.
    pub monitor: Option<PathBuf>,
    /// Time is the number of instructions executed, and one CPU runs at a time: two runs are the same to the last instruction.
    pub is_deterministic: bool,
}

impl Machine {
    /// QEMU puts the root at the end of memory, over the kernel if it must: that is for nobody else to find out.
    fn check_room(&self) -> Outcome<()> {
        let needed = least_memory(&self.kernel, self.root.as_deref());
        if needed <= memory_bytes(&self.memory) {
            return Ok(());
        }
        let mebibytes = needed.div_ceil(1 << 20);
        Err(Failure::usage(format!("memory {}: the kernel and its root alone take {mebibytes} MiB", self.memory)))
    }

    /// The command that is this machine, its serial ports on QEMU's standard streams and two inherited descriptors.
    pub fn command(&self) -> Outcome<Command> {
        self.check_room()?;
        let mut qemu = Command::new(qemu()?);
        match kvm_works() {
            // One nanosecond for each of 8 instructions; nothing waits for the host's clock. `-seed` is for RDRAND.
            _ if self.is_deterministic => qemu.args(["-accel", "tcg,thread=single", "-cpu", "max", "-icount", "shift=3,sleep=off"]).args([
                "-rtc",
                "base=2026-01-01,clock=vm",
                "-seed",
                "1",
            ]),
            true => qemu.args(["-accel", "kvm", "-cpu", "host"]),
            false => qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max"]),
        };
        qemu.args(["-machine", "q35", "-m", &self.memory]).arg("-smp").arg(self.cpus.to_string());
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        qemu.arg("-kernel").arg(&self.kernel);
        if let Some(root) = &self.root {
            qemu.arg("-initrd").arg(root);
        }
        for (number, disk) in self.disks.iter().enumerate() {
            // A comma in the path is doubled, as QEMU wants it; nobody else is kept from the file.
            let path = disk.display().to_string().replace(',', ",,");
            qemu.arg("-drive").arg(format!("if=none,id=disk{number},format=raw,readonly=on,file.locking=off,file={path}"));
            qemu.arg("-device").arg(format!("virtio-blk-pci,drive=disk{number}"));
        }
        qemu.arg("-append").arg(&self.command_line);
        for (name, port) in [
            ("console", "stdio,id=console,signal=off".to_owned()),
            ("log", format!("file,id=log,path=/dev/fd/{LOG_DESCRIPTOR}")),
            ("errors", format!("file,id=errors,path=/dev/fd/{ERROR_DESCRIPTOR}")),
        ] {
            qemu.arg("-chardev").arg(port).arg("-serial").arg(format!("chardev:{name}"));
        }
        qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        if let Some(monitor) = &self.monitor {
            qemu.arg("-chardev").arg(format!("socket,id=monitor,server=on,wait=off,path={}", monitor.display()));
            qemu.args(["-mon", "chardev=monitor"]);
        }
        if let Some(debugger) = &self.debugger {
            qemu.args(["-S", "-gdb", debugger]);
        }
        Ok(qemu)
    }
}

pub fn qemu() -> Outcome<PathBuf> {
    packages::need_program("qemu-system-x86_64", "qemu-system-x86", "the virtual machine")
}

pub fn parse_cpus(text: &str) -> Outcome<u32> {
    match text.parse() {
        Ok(number) if (1..=MOST_CPUS).contains(&number) => Ok(number),
        _ => Err(Failure::usage(format!("{text} CPUs: it takes 1 to {MOST_CPUS}"))),
    }
}

/// Bytes that the kernel and its root take before the kernel runs; 0 for what is no kernel, which is for QEMU to find out.
pub fn least_memory(kernel: &Path, root: Option<&Path>) -> u64 {
    let mut head = Vec::new();
    let kernel = File::open(kernel).and_then(|file| file.take(4096).read_to_end(&mut head));
    let root = root.and_then(|root| root.metadata().ok()).map_or(0, |found| found.len());
    match (kernel, elf::end_of_load(&head)) {
        (Ok(_), Ok(kernel)) => kernel.saturating_add(root.next_multiple_of(4096)),
        _ => 0,
    }
}

/// In bytes.
pub fn memory_bytes(text: &str) -> u64 {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let shift = match text.chars().last() {
        Some('K' | 'k') => 10,
        Some('G' | 'g') => 30,
        _ => 20,
    };
    digits.parse::<u64>().unwrap_or(0) << shift
}

/// QEMU's own notation, checked: a number, then nothing (MiB), K, M or G.
pub fn parse_memory(text: &str) -> Outcome<String> {
    let digits = text.trim_end_matches(['K', 'M', 'G', 'k', 'm', 'g']);
    let is_sound = text.len() - digits.len() <= 1 && digits.parse::<u32>().is_ok_and(|number| number > 0);
    if is_sound {
        return Ok(text.to_owned());
    }
    Err(Failure::usage(format!("memory {text}: say a number with K, M or G, such as 512M")))
}

/// KVM is used only where it can work: the CPU has it, the device opens, and QEMU gets a machine out of it.
fn kvm_works() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| cpu_has_virtualisation() && device_opens() && probe())
}

fn cpu_has_virtualisation() -> bool {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpuinfo.lines().filter(|line| line.starts_with("flags")).any(|line| line.split_whitespace().any(|flag| flag == "vmx" || flag == "svm"))
}

fn device_opens() -> bool {
    std::fs::OpenOptions::new().read(true).write(true).open(Path::new("/dev/kvm")).is_ok()
}

fn probe() -> bool {
    let Ok(program) = qemu() else { return false };
    let mut command = Command::new(program);
    command.args(["-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m", "32M", "-nodefaults", "-no-user-config"]);
    command.args(["-display", "none", "-S", "-monitor", "stdio"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    children::dies_with_us(&mut command);
    let Ok(mut child) = command.spawn() else { return false };
    let asked = child.stdin.as_mut().is_some_and(|monitor| monitor.write_all(b"quit\n").is_ok());
    let quit = children::wait_until(&mut child, Instant::now() + Duration::from_secs(5));
    asked && quit.is_some_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_numbers_of_cpus_and_sizes_of_memory_are_refused_before_qemu_sees_them() {
        for wrong in ["0", "65", "-1", "four", "", "4294967297"] {
            assert!(parse_cpus(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "M", "0", "0M", "12MM", "-5M", "1.5G", "12T", "5,maxmem=9G"] {
            assert!(parse_memory(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_cpus("64").unwrap(), 64);
        assert_eq!(parse_memory("512M").unwrap(), "512M");
        assert_eq!(["64", "64K", "512M", "2g"].map(memory_bytes), [64 << 20, 64 << 10, 512 << 20, 2 << 30]);
    }
}
