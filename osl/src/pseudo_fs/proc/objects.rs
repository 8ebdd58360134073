//! /proc/objects: how many kernel objects of each kind live.
//!
//! Invariant: a program that ends leaves every number as it found it; what stays longer is a leak.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::census::Census;
use libkernel::ipc::{channel, completion_port, interrupt_line, notify, shared_memory};
use libkernel::memory::{self, kernel_map};
use libkernel::wait::timers;
use libkernel::{address_space, thread};
use sync::TaskContext;

use crate::file::{epoll, event, in_flight, open_file, pipe, table as file_table, timer};
use crate::fs::{context, ext, mapped_file, tmpfs};
use crate::futex::waiter;
use crate::process::{self, descriptor, program_timers, shared, task};
use crate::signal::file as signal_file;
use crate::socket::{parcel, socket};
use crate::system_v::{message_queue, segment, semaphore_set};
use crate::tty::terminal;

/// Every kind that is counted.
static KINDS: &[&Census] = &[
    &thread::LIVING,
    &task::LIVING,
    &shared::LIVING,
    &address_space::LIVING,
    &file_table::LIVING,
    &context::LIVING,
    &open_file::LIVING,
    &pipe::LIVING,
    &terminal::LIVING,
    &channel::LIVING,
    &event::LIVING,
    &epoll::LIVING,
    &completion_port::LIVING,
    &notify::LIVING,
    &interrupt_line::LIVING,
    &shared_memory::LIVING,
    &timer::LIVING,
    &signal_file::LIVING,
    &program_timers::LIVING,
    &socket::LIVING,
    &parcel::LIVING,
    &timers::LIVING,
    &waiter::LIVING,
    &tmpfs::LIVING,
    &ext::LIVING,
    &mapped_file::LIVING,
    &descriptor::LIVING,
    &segment::LIVING,
    &semaphore_set::LIVING,
    &message_queue::LIVING,
];

pub fn read(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    in_flight::collect(cx);
    let mut lines: String = KINDS.iter().map(|kind| line(kind.name(), kind.living())).collect();
    let frames = memory::statistics();
    // Those of the kernel's own half stay, so they belong to nobody who might leave them behind.
    let tables = frames.page_tables.saturating_sub(kernel_map::tables());
    for (name, count) in [("pages", frames.pages), ("page tables", tables)] {
        lines += &line(name, count);
    }
    for (name, count) in process::places(cx) {
        lines += &line(name, count as u64);
    }
    Ok(lines.into_bytes())
}

fn line(name: &str, count: u64) -> String {
    format!("{name} {count}\n")
}
