//! /proc/sysvipc: what programs share by numbers and keys.
//!
//! Invariant: one line for each object that somebody can still reach.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::super::fixed::Fixed;
use crate::system_v::segment::Uses;
use crate::system_v::segments::{self, Facts};
use crate::system_v::{Rights, message_queues, semaphores};

/// Numbers of the files here.
pub const FIRST_NUMBER: u64 = 240;

pub static FILES: [Fixed; 3] = [Fixed::text("msg", queues), Fixed::text("sem", semaphore_sets), Fixed::text("shm", shared_segments)];

const HEAD: &str = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n";

const SET_HEAD: &str = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";

const QUEUE_HEAD: &str =
    "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n";

fn queues(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let mut text = String::from(QUEUE_HEAD);
    for (_, queue) in message_queues::list(cx) {
        let (key, number) = (queue.key, queue.number);
        let (Rights { user, group, maker, maker_group, mode }, (bytes, messages), sender, receiver, times) = {
            let state = queue.state.lock(cx);
            let times = [state.sent_at, state.received_at, state.changed_at];
            (state.rights, state.in_it(), state.last_sender, state.last_receiver, times)
        };
        let owners = format!("{user:5} {group:5} {maker:5} {maker_group:5}");
        let [sent_at, received_at, changed_at] = times;
        let times = format!("{sent_at:10} {received_at:10} {changed_at:10}");
        text += &format!("{key:10} {number:10}  {mode:4o}  {bytes:10} {messages:10} {sender:5} {receiver:5} {owners} {times}\n");
    }
    Ok(text.into_bytes())
}

fn semaphore_sets(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let mut text = String::from(SET_HEAD);
    for (_, set) in semaphores::list(cx) {
        let (rights, operated_at, changed_at) = {
            let state = set.state.lock(cx);
            (state.rights, state.operated_at, state.changed_at)
        };
        let Rights { user, group, maker, maker_group, mode } = rights;
        let (key, number, length) = (set.key, set.number, set.length);
        let owners = format!("{user:5} {group:5} {maker:5} {maker_group:5}");
        text += &format!("{key:10} {number:10}  {mode:4o} {length:10} {owners} {operated_at:10} {changed_at:10}\n");
    }
    Ok(text.into_bytes())
}

fn shared_segments(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
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
