//! /proc/objects: how many kernel objects of each kind live.
//!
//! Invariant: a program that ends leaves every number as it found it; what stays longer is a leak.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::census::Census;
use libkernel::ipc::channel;
use libkernel::{address_space, thread};
use sync::TaskContext;

use crate::file::{in_flight, pipe, timer};
use crate::process::program_timers;
use crate::signal::file as signal_file;
use crate::socket::{parcel, socket};
use crate::tty::terminal;

/// Every kind that is counted.
static KINDS: &[&Census] = &[
    &thread::LIVING,
    &address_space::LIVING,
    &pipe::LIVING,
    &terminal::LIVING,
    &channel::LIVING,
    &timer::LIVING,
    &signal_file::LIVING,
    &program_timers::LIVING,
    &socket::LIVING,
    &parcel::LIVING,
];

pub fn read(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    in_flight::collect(cx);
    let lines: String = KINDS.iter().map(|kind| format!("{} {}\n", kind.name(), kind.living())).collect();
    Ok(lines.into_bytes())
}
