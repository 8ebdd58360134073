//! /proc/sys: what can be asked, and here and there set, about the kernel.
//!
//! Invariant: a text that is written is checked before anything changes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use sync::{Published, TaskContext};

use super::super::fixed::{Fixed, What};
use super::drop_caches;
use crate::process::numbers;
use crate::system_v::keyed::MOST_OF_A_KIND;
use crate::system_v::{message_queues, segments, semaphores};
use crate::{release, tty};

/// Numbers of the files below /proc/sys.
pub const FIRST_NUMBER: u64 = 100;
const KERNEL: u64 = 120;
const RANDOM: u64 = 160;
const MEMORY: u64 = 180;
const FILES: u64 = 200;
const PSEUDO_TERMINALS: u64 = 220;

pub static DIRECTORIES: [Fixed; 3] = [
    Fixed { name: "fs", what: What::Directory(FILES, &FILE_SETTINGS) },
    Fixed { name: "kernel", what: What::Directory(KERNEL, &KERNEL_SETTINGS) },
    Fixed { name: "vm", what: What::Directory(MEMORY, &MEMORY_SETTINGS) },
];

static FILE_SETTINGS: [Fixed; 2] = [Fixed::text("file-max", |_| number(u64::from(u32::MAX))), Fixed::text("nr_open", |_| number(1 << 20))];

/// Limits that Linux keeps as an `int`.
const MOST_INT: u64 = i32::MAX as u64;

static KERNEL_SETTINGS: [Fixed; 21] = [
    Fixed::text("cap_last_cap", |_| number(40)),
    Fixed::text("domainname", |cx| line(&release::domain(cx))),
    Fixed { name: "hostname", what: What::Setting(|cx| line(&release::node(cx)), set_host_name) },
    Fixed {
        name: "msgmax",
        what: What::Setting(|_| number(message_queues::MOST_OF_ONE.load()), |_, text| set(&message_queues::MOST_OF_ONE, text, MOST_INT)),
    },
    Fixed {
        name: "msgmnb",
        what: What::Setting(
            |_| number(message_queues::MOST_IN_A_QUEUE.load()),
            |_, text| set(&message_queues::MOST_IN_A_QUEUE, text, MOST_INT),
        ),
    },
    Fixed {
        name: "msgmni",
        what: What::Setting(|_| number(message_queues::MOST.load()), |_, text| set(&message_queues::MOST, text, MOST_OF_A_KIND)),
    },
    Fixed::text("ngroups_max", |_| number(65_536)),
    Fixed::text("osrelease", |_| line(release::RELEASE.as_bytes())),
    Fixed::text("ostype", |_| line(release::SYSTEM.as_bytes())),
    Fixed::text("overflowgid", |_| number(65_534)),
    Fixed::text("overflowuid", |_| number(65_534)),
    Fixed::text("pid_max", |_| number(numbers::NUMBER_LIMIT)),
    Fixed::text("printk", |_| line(b"7\t4\t1\t7")),
    Fixed { name: "pty", what: What::Directory(PSEUDO_TERMINALS, &TERMINAL_SETTINGS) },
    Fixed { name: "random", what: What::Directory(RANDOM, &RANDOM_SETTINGS) },
    Fixed::text("sem", |_| line(semaphore_limits().as_bytes())),
    Fixed {
        name: "shmall",
        what: What::Setting(|_| number(segments::MOST_PAGES.load()), |_, text| set(&segments::MOST_PAGES, text, u64::MAX)),
    },
    Fixed {
        name: "shmmax",
        what: What::Setting(|_| number(segments::MOST_BYTES.load()), |_, text| set(&segments::MOST_BYTES, text, u64::MAX)),
    },
    Fixed { name: "shmmni", what: What::Setting(|_| number(segments::MOST.load()), |_, text| set(&segments::MOST, text, MOST_OF_A_KIND)) },
    Fixed::text("threads-max", |_| number(numbers::NUMBER_LIMIT)),
    Fixed::text("version", |_| line(release::VERSION.as_bytes())),
];

static TERMINAL_SETTINGS: [Fixed; 3] = [
    Fixed::text("max", |_| number(tty::numbers::MOST)),
    Fixed::text("nr", |cx| number(tty::numbers::all(cx).len())),
    Fixed::text("reserve", |_| number(0)),
];

static RANDOM_SETTINGS: [Fixed; 3] = [
    Fixed::text("boot_id", |_| line(release::boot_identifier().as_bytes())),
    Fixed::text("entropy_avail", |_| number(256)),
    Fixed::text("uuid", |_| line(release::new_identifier().as_bytes())),
];

static MEMORY_SETTINGS: [Fixed; 4] = [
    Fixed { name: "drop_caches", what: What::Order(drop_caches::write) },
    Fixed::text("max_map_count", |_| number(65_530)),
    Fixed::text("mmap_min_addr", |_| number(4096)),
    Fixed::text("overcommit_memory", |_| number(0)),
];

fn number(value: impl core::fmt::Display) -> Result<Vec<u8>, Errno> {
    Ok(format!("{value}\n").into_bytes())
}

fn line(text: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut line = text.to_vec();
    line.push(b'\n');
    Ok(line)
}

fn semaphore_limits() -> String {
    format!("{}\t{}\t{}\t{}", semaphores::MOST_IN_A_SET, semaphores::MOST_IN_ALL, semaphores::MOST_OPERATIONS, semaphores::MOST)
}

fn set(limit: &Published<u64>, text: &[u8], most: u64) -> Result<(), Errno> {
    let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    let wanted = text.trim().parse::<u64>().ok().filter(|wanted| *wanted <= most).ok_or(Errno::EINVAL)?;
    limit.store(wanted);
    Ok(())
}

fn set_host_name(cx: &mut TaskContext, text: &[u8]) -> Result<(), Errno> {
    let name = text.split(|&byte| byte == b'\n' || byte == 0).next().unwrap_or(&[]);
    release::set_node(cx, name.to_vec());
    Ok(())
}
