//! Calls that give two descriptors and cannot say which: they give none, and take none from another thread.

use linux_tests::numbers::must_stay;
use linux_tests::{call, equal, six};

const NOWHERE: usize = 0x10;
const ROUNDS: u32 = 5000;

fn open_count() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count())
}

fn main() {
    let before = open_count();
    let pipe = || call(libc::SYS_pipe2, six(&[NOWHERE, 0]));
    let pair = || call(libc::SYS_socketpair, six(&[libc::AF_UNIX as usize, libc::SOCK_STREAM as usize, 0, NOWHERE]));
    equal("a pipe to nowhere", pipe(), Err(libc::EFAULT));
    equal("a pair of sockets to nowhere", pair(), Err(libc::EFAULT));
    must_stay("what another thread put where a pipe would have been stays", ROUNDS, || assert_eq!(pipe(), Err(libc::EFAULT)));
    must_stay("and where a socket would have been", ROUNDS, || assert_eq!(pair(), Err(libc::EFAULT)));
    equal("none is left", open_count(), before);
}
