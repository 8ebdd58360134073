//! What becomes of calls when memory is short.
//!
//! Invariant: when the heap lives on its reserve, nothing more is made for programs; what gives things back is always served. A call that
//! failed only because a page of its program could not be brought is made again when there is memory.

use abi::Errno;
use abi::number::*;
use libkernel::memory::frames::{self, Shortage};
use libkernel::thread::current;

use super::Caller;
use super::call::Call;
use crate::process::shortage::relieve;

/// How often a call is made again before its program hears of it.
const ATTEMPTS: usize = 8;

/// The calls that make things in the kernel's heap which outlive them.
const MAKERS: [u32; 49] = [
    __NR_open,
    __NR_openat,
    __NR_openat2,
    __NR_creat,
    __NR_pipe,
    __NR_pipe2,
    __NR_dup,
    __NR_dup2,
    __NR_dup3,
    __NR_fcntl,
    __NR_flock,
    __NR_mkdir,
    __NR_mkdirat,
    __NR_mknod,
    __NR_mknodat,
    __NR_link,
    __NR_linkat,
    __NR_symlink,
    __NR_symlinkat,
    __NR_rename,
    __NR_renameat,
    __NR_renameat2,
    __NR_clone,
    __NR_clone3,
    __NR_fork,
    __NR_vfork,
    __NR_execve,
    __NR_execveat,
    __NR_mmap,
    __NR_mremap,
    __NR_mprotect,
    __NR_brk,
    __NR_epoll_create,
    __NR_epoll_create1,
    __NR_epoll_ctl,
    __NR_eventfd,
    __NR_eventfd2,
    __NR_timerfd_create,
    __NR_signalfd4,
    __NR_memfd_create,
    __NR_mount,
    __NR_rt_sigqueueinfo,
    __NR_rt_tgsigqueueinfo,
    __NR_timer_create,
    __NR_socket,
    __NR_socketpair,
    __NR_connect,
    __NR_bind,
    __NR_sendmsg,
];

/// May the call be served? Those that make something wait for memory first, and are refused when there is none.
pub fn admit(caller: &mut Caller<'_>, call: &Call) -> Result<(), Errno> {
    if frames::shortage() < Shortage::Desperate || !MAKERS.contains(&u32::from(call.number)) {
        return Ok(());
    }
    let task = caller.task.clone();
    if relieve(caller.cx, &task, Shortage::Desperate) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Makes a call, again and again while it fails for lack of a page.
pub fn with_pages(caller: &mut Caller<'_>, mut make: impl FnMut(&mut Caller<'_>) -> Result<u64, Errno>) -> Result<u64, Errno> {
    let _of_an_earlier_call = current::of(caller.cx).take_starved();
    for _ in 0..ATTEMPTS {
        let answer = make(caller);
        if answer != Err(Errno::EFAULT) || !current::of(caller.cx).take_starved() {
            return answer;
        }
        let task = caller.task.clone();
        if !relieve(caller.cx, &task, Shortage::Short) {
            return Err(Errno::ENOMEM);
        }
    }
    Err(Errno::ENOMEM)
}
