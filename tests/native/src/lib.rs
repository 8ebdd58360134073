//! What the tests of the kernel's own calls share: the calls as plain functions, and a look at what the kernel holds.
//!
//! Invariant: no other kernel has these calls, so the programs are their own judges: the first thing that does not hold ends them with
//! `FAILED`, and one that ends with 0 has found nothing wrong.

pub use linux_tests::{check, done, equal, fail, must, must_equal, process, sleep_ms, soak};

pub mod opcode;
pub mod rings;

use linux_tests::Errno;

pub const IO_CREATE: i64 = 501;
pub const IO_SUBMIT: i64 = 502;
pub const IO_WAIT: i64 = 503;
pub const IRQ_CREATE: i64 = 504;
pub const IPC_CREATE: i64 = 505;
pub const IPC_SEND: i64 = 506;
pub const IPC_RECV: i64 = 507;
pub const SHMEM_CREATE: i64 = 508;
pub const NOTIFY_CREATE: i64 = 509;
pub const NOTIFY: i64 = 510;
pub const IO_SETUP_RINGS: i64 = 511;
pub const IO_RING_ENTER: i64 = 512;

/// Fail rather than wait.
pub const DO_NOT_BLOCK: u32 = 1;
/// Close-on-exec.
pub const CLOSE_ON_EXEC: u32 = 1;

/// What goes through a channel.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    pub tag: u64,
    pub data: [u64; 3],
    pub fds: [i32; 4],
}

impl Message {
    pub const fn new(tag: u64) -> Self {
        Message { tag, data: [tag ^ 1, tag ^ 2, tag ^ 3], fds: [-1; 4] }
    }

    /// With one descriptor.
    pub fn carrying(tag: u64, fd: i32) -> Self {
        Message { fds: [fd, -1, -1, -1], ..Message::new(tag) }
    }
}

/// One operation, asked for.
#[repr(C)]
#[derive(Clone, Copy, Default, Debug)]
pub struct Submission {
    pub user_data: u64,
    pub opcode: u32,
    pub flags: u32,
    pub fd: i32,
    pub padding: i32,
    pub buffer: u64,
    pub length: u32,
    pub offset: u32,
    pub timeout: u64,
}

/// One that needs nothing else.
pub fn op(user_data: u64, opcode: u32, fd: i32) -> Submission {
    Submission { user_data, opcode, fd, ..Submission::default() }
}

/// One operation, done.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Completion {
    pub user_data: u64,
    pub result: i64,
    pub flags: u32,
    pub opcode: u32,
}

/// How large rings are, and where.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct RingParams {
    pub submissions: u32,
    pub completions: u32,
    pub submission_fd: i32,
    pub completion_fd: i32,
}

fn native(number: i64, arguments: &[usize]) -> Result<usize, Errno> {
    linux_tests::call(number, linux_tests::six(arguments))
}

/// The two ends of a new channel: send, receive.
#[track_caller]
pub fn channel(capacity: u32) -> (i32, i32) {
    let mut ends = [0; 2];
    done("ipc_create", ipc_create(ends.as_mut_ptr(), capacity, 0));
    (ends[0], ends[1])
}

pub fn ipc_create(ends: *mut i32, capacity: u32, flags: u32) -> Result<usize, Errno> {
    native(IPC_CREATE, &[ends.addr(), capacity as usize, flags as usize])
}

pub fn send(fd: i32, message: &Message, flags: u32) -> Result<usize, Errno> {
    native(IPC_SEND, &[fd as usize, std::ptr::from_ref(message).addr(), flags as usize])
}

pub fn receive(fd: i32, flags: u32) -> Result<Message, Errno> {
    let mut message = Message::new(0);
    native(IPC_RECV, &[fd as usize, (&raw mut message).addr(), flags as usize])?;
    Ok(message)
}

/// With any address instead of a message.
pub fn send_from(fd: i32, at: usize) -> Result<usize, Errno> {
    native(IPC_SEND, &[fd as usize, at, 0])
}

pub fn receive_at(fd: i32, at: usize, flags: u32) -> Result<usize, Errno> {
    native(IPC_RECV, &[fd as usize, at, flags as usize])
}

pub fn port() -> i32 {
    done("io_create", io_create(0)) as i32
}

pub fn io_create(flags: u32) -> Result<usize, Errno> {
    native(IO_CREATE, &[flags as usize])
}

pub fn submit(port: i32, entries: &[Submission]) -> Result<usize, Errno> {
    native(IO_SUBMIT, &[port as usize, entries.as_ptr().addr(), entries.len()])
}

/// With any address and count instead of entries.
pub fn submit_from(port: i32, at: usize, count: u32) -> Result<usize, Errno> {
    native(IO_SUBMIT, &[port as usize, at, count as usize])
}

/// At most `most` completions, at least `least` unless the time (0: none) is over before.
pub fn wait(port: i32, most: usize, least: u32, timeout: u64) -> Result<Vec<Completion>, Errno> {
    let mut out = vec![Completion::default(); most];
    let count = wait_at(port, out.as_mut_ptr().addr(), most as u32, least, timeout)?;
    out.truncate(count);
    Ok(out)
}

pub fn wait_at(port: i32, at: usize, most: u32, least: u32, timeout: u64) -> Result<usize, Errno> {
    native(IO_WAIT, &[port as usize, at, most as usize, least as usize, timeout as usize])
}

pub fn irq_create(line: u32) -> Result<usize, Errno> {
    native(IRQ_CREATE, &[line as usize])
}

pub fn shmem_create(size: u64, flags: u32) -> Result<usize, Errno> {
    native(SHMEM_CREATE, &[size as usize, flags as usize])
}

pub fn notify_create(flags: u32) -> Result<usize, Errno> {
    native(NOTIFY_CREATE, &[flags as usize])
}

pub fn notify(fd: i32) -> Result<usize, Errno> {
    native(NOTIFY, &[fd as usize])
}

pub fn setup_rings(port: i32, params: &mut RingParams) -> Result<usize, Errno> {
    native(IO_SETUP_RINGS, &[port as usize, std::ptr::from_mut(params).addr()])
}

pub fn setup_rings_at(port: i32, at: usize) -> Result<usize, Errno> {
    native(IO_SETUP_RINGS, &[port as usize, at])
}

pub fn ring_enter(port: i32, to_submit: u32, least: u32, flags: u32) -> Result<usize, Errno> {
    native(IO_RING_ENTER, &[port as usize, to_submit as usize, least as usize, flags as usize])
}

/// A wait for which another program's look may be in the way. Did it succeed?
pub fn unless_busy<T>(mut wait: impl FnMut() -> Result<T, Errno>) -> bool {
    loop {
        match wait() {
            Err(libc::EBUSY) => sleep_ms(1),
            other => return other.is_ok(),
        }
    }
}

/// Until somebody waits there.
pub fn until_busy<T>(mut look: impl FnMut() -> Result<T, Errno>) {
    while !matches!(look(), Err(libc::EBUSY)) {
        sleep_ms(1);
    }
}
