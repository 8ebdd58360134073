//! The top of /proc: fixed files, and one directory for each process there is.
//!
//! Invariant: a process is listed by its number, and at a position that grows with it, so a listing in several steps shows
//! every process that lives through it exactly once.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::super::fixed::{self, Fixed, What};
use super::super::tree::{Content, Made, Name};
use super::{
    VOLUME, cpu_times, hung, interrupts, memory_info, network, objects, processors, settings, slabs, system, system_v, task_directory, tlb,
    trigger,
};
use crate::fs::{Kind, Node};
use crate::process;

const ROOT_NUMBER: u64 = 1;
const FIRST_FILE: u64 = 2;
/// Positions of processes come after all fixed names.
const PROCESS_POSITION: u64 = 1 << 16;

static FILES: [Fixed; 23] = [
    Fixed { name: "self", what: What::Link(own_process) },
    Fixed { name: "thread-self", what: What::Link(own_thread) },
    Fixed { name: "mounts", what: What::Link(own_mounts) },
    Fixed::text("cmdline", system::command_line),
    Fixed::text("cpuinfo", processors::read),
    Fixed::text("devices", system::devices),
    Fixed::text("filesystems", system::file_systems),
    Fixed::text("interrupts", interrupts::read),
    Fixed { name: "kmsg", what: What::Secret(system::log) },
    Fixed::text("loadavg", system::load_averages),
    Fixed::text("meminfo", memory_info::read),
    Fixed::text("hung", hung::read),
    Fixed { name: "net", what: What::Directory(network::FIRST_NUMBER, &network::FILES) },
    Fixed::text("objects", objects::read),
    Fixed { name: "slabinfo", what: What::Secret(slabs::read) },
    Fixed::text("stat", cpu_times::read),
    Fixed::text("swaps", system::swaps),
    Fixed { name: "sys", what: What::Directory(settings::FIRST_NUMBER, &settings::DIRECTORIES) },
    Fixed { name: "sysvipc", what: What::Directory(system_v::FIRST_NUMBER, &system_v::FILES) },
    Fixed { name: "sysrq-trigger", what: What::Setting(trigger::read, trigger::write) },
    Fixed::text("tlb", tlb::read),
    Fixed::text("uptime", system::uptime),
    Fixed::text("version", system::version),
];

/// The top directory, to be mounted.
pub fn root() -> Arc<dyn Node> {
    Made::node(VOLUME, ROOT_NUMBER, 0o555, Content::Directory { list: Box::new(list), find: Box::new(find), parent: None })
}

fn list(cx: &mut TaskContext) -> Result<Vec<Name>, Errno> {
    let mut names = fixed::names(FIRST_FILE, &FILES);
    let mut numbers: Vec<i32> = process::all(cx).iter().map(|process| process.id()).collect();
    numbers.sort_unstable();
    names.extend(numbers.into_iter().map(|process| numbered(process, task_directory::process_number(process))));
    Ok(names)
}

/// A directory named by a number.
pub(super) fn numbered(number: i32, file: u64) -> Name {
    let position = PROCESS_POSITION.saturating_add(u64::from(number.unsigned_abs()));
    Name { name: format!("{number}").into_bytes(), position, number: file, kind: Kind::Directory }
}

/// A process or thread number as a directory's name spells it.
pub(super) fn number_of(name: &[u8]) -> Option<i32> {
    let text = core::str::from_utf8(name).ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    if is_plain { text.parse().ok() } else { None }
}

fn find(cx: &mut TaskContext, name: &[u8]) -> Result<Arc<dyn Node>, Errno> {
    if let Some(file) = fixed::find(VOLUME, FIRST_FILE, &FILES, &root(), name) {
        return Ok(file);
    }
    let number = number_of(name).ok_or(Errno::ENOENT)?;
    if process::find(cx, number).is_some() {
        return Ok(task_directory::of_process(number));
    }
    // A thread's number leads to its directory, though only processes are listed.
    let task = process::find_task(cx, number).ok_or(Errno::ENOENT)?;
    Ok(task_directory::of_thread(task.process().id(), number))
}

fn own_process(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let task = process::current(cx).ok_or(Errno::ENOENT)?;
    Ok(format!("{}", task.process().id()).into_bytes())
}

fn own_thread(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let task = process::current(cx).ok_or(Errno::ENOENT)?;
    Ok(format!("{}/task/{}", task.process().id(), task.id()).into_bytes())
}

fn own_mounts(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(b"self/mounts".to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_name_processes() {
        assert_eq!(number_of(b"17"), Some(17));
        for name in [b"".as_slice(), b"0", b"017", b"+17", b"-1", b"99999999999", b"x"] {
            assert_eq!(number_of(name), None);
        }
    }

    #[test]
    fn processes_are_listed_after_all_fixed_names_and_in_order() {
        let fixed = fixed::names(FIRST_FILE, &FILES);
        let last = fixed.last().map(|name| name.position);
        assert!(last < Some(numbered(1, 0).position));
        assert!(numbered(1, 0).position < numbered(2, 0).position);
    }
}
