//! The kernel's own ways (calls 501 to 512): channels, notifications and ports.

use crate::system::{address, address_to_write, call, fail, must};
use crate::ways::Way;

const IO_CREATE: i64 = 501;
const IO_SUBMIT: i64 = 502;
const IO_WAIT: i64 = 503;
const IPC_CREATE: i64 = 505;
const IPC_SEND: i64 = 506;
const IPC_RECEIVE: i64 = 507;
const NOTIFY_CREATE: i64 = 509;
const NOTIFY: i64 = 510;
const NOTHING: u32 = 0;
const WAIT_FOR_NOTIFICATION: u32 = 7;

#[repr(C)]
struct Message {
    tag: u64,
    data: [u64; 3],
    fds: [i32; 4],
}

impl Message {
    const EMPTY: Message = Message { tag: 0, data: [0; 3], fds: [-1; 4] };
}

#[repr(C)]
struct Submission {
    user_data: u64,
    opcode: u32,
    flags: u32,
    fd: i32,
    pad: i32,
    buffer: u64,
    length: u32,
    offset: u32,
    timeout_ns: u64,
}

#[repr(C)]
struct Completion {
    user_data: u64,
    result: i64,
    flags: u32,
    opcode: u32,
}

/// A rendezvous channel in each direction.
pub struct Channel {
    channels: [[i32; 2]; 2],
}

fn channel() -> Option<[i32; 2]> {
    let mut ends = [0; 2];
    call(IPC_CREATE, [address_to_write(&mut ends), 0, 0, 0, 0, 0]).ok()?;
    Some(ends)
}

impl Channel {
    fn give(&self, number: usize) {
        let message = Message { tag: 1, ..Message::EMPTY };
        must("ipc_send", call(IPC_SEND, [self.channels[number][0] as u64, address(&message), 0, 0, 0, 0]));
    }

    fn take(&self, number: usize) {
        let mut message = Message::EMPTY;
        must("ipc_recv", call(IPC_RECEIVE, [self.channels[number][1] as u64, address_to_write(&mut message), 0, 0, 0, 0]));
        if message.tag != 1 {
            fail("another message came than was sent");
        }
    }
}

impl Way for Channel {
    fn open() -> Option<Self> {
        Some(Self { channels: [channel()?, channel()?] })
    }

    fn ping(&self) {
        self.give(0);
        self.take(1);
    }

    fn pong(&self) {
        self.take(0);
        self.give(1);
    }
}

fn port() -> Option<i32> {
    call(IO_CREATE, [0; 6]).ok().map(|port| port as i32)
}

fn submit(port: i32, opcode: u32, fd: i32) {
    let entry = Submission { user_data: 1, opcode, flags: 0, fd, pad: 0, buffer: 0, length: 0, offset: 0, timeout_ns: 0 };
    if must("io_submit", call(IO_SUBMIT, [port as u64, address(&entry), 1, 0, 0, 0])) != 1 {
        fail("io_submit took no entry");
    }
}

fn complete(port: i32) {
    let mut completion = Completion { user_data: 0, result: 0, flags: 0, opcode: 0 };
    let count = must("io_wait", call(IO_WAIT, [port as u64, address_to_write(&mut completion), 1, 1, 0, 0]));
    if (count, completion.result, completion.user_data) != (1, 0, 1) {
        fail("io_wait came back with something else");
    }
}

/// A notification in each direction, each waited for at a port of its own.
pub struct Notification {
    notifications: [i32; 2],
    ports: [i32; 2],
}

impl Notification {
    fn give(&self, number: usize) {
        must("notify", call(NOTIFY, [self.notifications[number] as u64, 0, 0, 0, 0, 0]));
    }

    fn take(&self, number: usize) {
        submit(self.ports[number], WAIT_FOR_NOTIFICATION, self.notifications[number]);
        complete(self.ports[number]);
    }
}

impl Way for Notification {
    fn open() -> Option<Self> {
        let notification = || call(NOTIFY_CREATE, [0; 6]).ok().map(|handle| handle as i32);
        Some(Self { notifications: [notification()?, notification()?], ports: [port()?, port()?] })
    }

    fn ping(&self) {
        self.give(0);
        self.take(1);
    }

    fn pong(&self) {
        self.take(0);
        self.give(1);
    }
}

/// A port in each direction, posted to with an operation that completes at once.
pub struct Port {
    ports: [i32; 2],
}

impl Way for Port {
    fn open() -> Option<Self> {
        Some(Self { ports: [port()?, port()?] })
    }

    fn ping(&self) {
        submit(self.ports[0], NOTHING, -1);
        complete(self.ports[1]);
    }

    fn pong(&self) {
        complete(self.ports[0]);
        submit(self.ports[1], NOTHING, -1);
    }
}
