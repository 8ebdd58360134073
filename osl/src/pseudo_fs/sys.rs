//! /sys: which CPUs there are, and how large pages are used.
//!
//! Invariant: a CPU's directory is there as long as the CPU is up.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::{CpuId, CpuSet, MAXIMUM_CPUS, TaskContext, cpu};

use super::fixed::{self, Fixed, What};
use super::large_pages;
use super::proc::cpu_list;
use super::tree::{Content, FIRST_POSITION, Made, Name, Volume};
use crate::fs::{Kind, Node};

const VOLUME: Volume = Volume { device: 5, magic: 0x6265_6572 };

const ROOT: u64 = 1;
const TOP: u64 = 10;
const DEVICES: u64 = 20;
const SYSTEM: u64 = 30;
const PROCESSORS: u64 = 40;
const NODES: u64 = 60;
const KERNEL: u64 = 70;
const MEMORY: u64 = 80;
const LARGE_PAGES: u64 = 90;
const PROCESSOR: u64 = 1000;
const NUMBERS_EACH: u64 = 16;

static TOP_FILES: [Fixed; 2] = [
    Fixed { name: "devices", what: What::Directory(DEVICES, &DEVICE_FILES) },
    Fixed { name: "kernel", what: What::Directory(KERNEL, &KERNEL_FILES) },
];
static KERNEL_FILES: [Fixed; 1] = [Fixed { name: "mm", what: What::Directory(MEMORY, &MEMORY_FILES) }];
static MEMORY_FILES: [Fixed; 1] = [Fixed { name: "transparent_hugepage", what: What::Directory(LARGE_PAGES, &large_pages::FILES) }];
static DEVICE_FILES: [Fixed; 1] = [Fixed { name: "system", what: What::Directory(SYSTEM, &SYSTEM_FILES) }];
static SYSTEM_FILES: [Fixed; 2] =
    [Fixed { name: "cpu", what: What::Made(processors) }, Fixed { name: "node", what: What::Directory(NODES, &NODE_FILES) }];
static NODE_FILES: [Fixed; 2] = [Fixed::text("online", |_| Ok(b"0\n".to_vec())), Fixed::text("possible", |_| Ok(b"0\n".to_vec()))];
static PROCESSOR_LISTS: [Fixed; 5] = [
    Fixed::text("kernel_max", |_| Ok(format!("{}\n", MAXIMUM_CPUS - 1).into_bytes())),
    Fixed::text("offline", |_| Ok(b"\n".to_vec())),
    Fixed::text("online", |_| list_of(cpu::online())),
    Fixed::text("possible", |_| list_of(cpu::online())),
    Fixed::text("present", |_| list_of(cpu::online())),
];

/// The top directory, to be mounted.
pub fn root() -> Arc<dyn Node> {
    fixed::directory(VOLUME, ROOT, TOP, &TOP_FILES, None)
}

fn list_of(set: CpuSet) -> Result<Vec<u8>, Errno> {
    Ok(format!("{}\n", cpu_list::ranges(set)).into_bytes())
}

fn processors(volume: Volume, number: u64, above: &Arc<dyn Node>) -> Arc<dyn Node> {
    let parent = above.clone();
    let above = above.clone();
    let content = Content::Directory {
        list: Box::new(|_| Ok(processor_names())),
        find: Box::new(move |_, name| {
            let me = processors(volume, number, &above);
            if let Some(file) = fixed::find(volume, PROCESSORS, &PROCESSOR_LISTS, &me, name) {
                return Ok(file);
            }
            let cpu = processor_of(name).ok_or(Errno::ENOENT)?;
            Ok(processor(cpu, me))
        }),
        parent: Some(parent),
    };
    Made::node(volume, number, 0o555, content)
}

fn processor_names() -> Vec<Name> {
    let mut names = fixed::names(PROCESSORS, &PROCESSOR_LISTS);
    let after = FIRST_POSITION + names.len() as u64;
    names.extend(cpu::online().iter().map(|cpu| Name {
        name: format!("cpu{}", cpu.index()).into_bytes(),
        position: after + cpu.index() as u64,
        number: number(cpu),
        kind: Kind::Directory,
    }));
    names
}

fn number(cpu: CpuId) -> u64 {
    PROCESSOR + cpu.index() as u64 * NUMBERS_EACH
}

/// The CPU that a directory's name means, if it is up.
fn processor_of(name: &[u8]) -> Option<CpuId> {
    cpu::online().iter().find(|cpu| format!("cpu{}", cpu.index()).as_bytes() == name)
}

fn processor(cpu: CpuId, above: Arc<dyn Node>) -> Arc<dyn Node> {
    let online = Made::node(VOLUME, number(cpu) + 1, 0o444, Content::Text(Box::new(|_| Ok(b"1\n".to_vec()))));
    let content = Content::Directory {
        list: Box::new(move |_| {
            let name = b"online".to_vec();
            Ok(alloc::vec![Name { name, position: FIRST_POSITION, number: number(cpu) + 1, kind: Kind::Regular }])
        }),
        find: Box::new(move |_: &mut TaskContext, name| if name == b"online" { Ok(online.clone()) } else { Err(Errno::ENOENT) }),
        parent: Some(above),
    };
    Made::node(VOLUME, number(cpu), 0o555, content)
}
