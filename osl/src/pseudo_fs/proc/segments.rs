//! /proc/sysvipc: what programs share by numbers and keys.
//!
//! Invariant: one line for each segment that somebody can still reach.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::super::fixed::Fixed;
use crate::system_v::segment::Uses;
use crate::system_v::segments::{self, Facts};

/// Numbers of the files here.
pub const FIRST_NUMBER: u64 = 240;

pub static FILES: [Fixed; 1] = [Fixed::text("shm", read)];

const HEAD: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n";

fn read(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let lines: String = segments::list(cx).iter().map(|(_, facts, uses)| line(facts, *uses)).collect();
    Ok((String::from(HEAD) + &lines).into_bytes())
}

fn line(facts: &Facts, uses: Uses) -> String {
    let Facts { number, key, rights, bytes, changed_at, maker, .. } = *facts;
    let Uses { attached, attached_at, detached_at, last, in_memory } = uses;
    let mode = facts.mode();
    let [user, group, makers, maker_group] = [rights.user, rights.group, rights.maker, rights.maker_group];
    let owners = format!("{user:5} {group:5} {makers:5} {maker_group:5}");
    let times = format!("{attached_at:10} {detached_at:10} {changed_at:10}");
    let resident = in_memory * 4096;
    format!("{key:10} {number:10}  {mode:4o} {bytes:21} {maker:5} {last:5}  {attached:5} {owners} {times} {resident:21} {:21}\n", 0)
}
