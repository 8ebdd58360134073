//! Linux's ways to hand a turn to another thread and to get it back.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::system::{address, address_to_write, call, fail, must, read_bytes, write_bytes};

/// A pair of threads takes turns by it.
pub trait Way: Sync {
    /// `None` where the kernel does not have it.
    fn open() -> Option<Self>
    where
        Self: Sized;
    /// Gives the turn to the other, and waits until it is back.
    fn ping(&self);
    /// Waits for the turn, and gives it back.
    fn pong(&self);
}

/// One word each, slept on with `futex`.
pub struct Futex {
    words: [AtomicU32; 2],
}

impl Futex {
    fn give(&self, number: usize) {
        let word = &self.words[number];
        word.store(1, Ordering::Release);
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        must("futex wake", call(libc::SYS_futex, [address(word), operation as u64, 1, 0, 0, 0]));
    }

    fn take(&self, number: usize) {
        let word = &self.words[number];
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        while word.swap(0, Ordering::AcqRel) == 0 {
            let waited = call(libc::SYS_futex, [address(word), operation as u64, 0, 0, 0, 0]);
            if let Err(error) = waited
                && !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR))
            {
                fail(&format!("futex wait: {error}"));
            }
        }
    }
}

impl Way for Futex {
    fn open() -> Option<Self> {
        Some(Self { words: [const { AtomicU32::new(0) }; 2] })
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

/// A pipe in each direction, one byte at a time.
pub struct Pipe {
    pipes: [[i32; 2]; 2],
}

fn pipe() -> [i32; 2] {
    let mut ends = [0; 2];
    must("pipe2", call(libc::SYS_pipe2, [address_to_write(&mut ends), libc::O_CLOEXEC as u64, 0, 0, 0, 0]));
    ends
}

impl Way for Pipe {
    fn open() -> Option<Self> {
        Some(Self { pipes: [pipe(), pipe()] })
    }

    fn ping(&self) {
        write_bytes(self.pipes[0][1], &[1]);
        read_bytes(self.pipes[1][0], &mut [0]);
    }

    fn pong(&self) {
        read_bytes(self.pipes[0][0], &mut [0]);
        write_bytes(self.pipes[1][1], &[1]);
    }
}

/// An event counter in each direction, waited for with `epoll`.
pub struct Epoll {
    counters: [i32; 2],
    sets: [i32; 2],
}

impl Epoll {
    fn give(&self, number: usize) {
        write_bytes(self.counters[number], &1_u64.to_ne_bytes());
    }

    fn take(&self, number: usize) {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        let wait = [self.sets[number] as u64, address_to_write(&mut event), 1, u64::MAX, 0, 8];
        if must("epoll_wait", call(libc::SYS_epoll_pwait, wait)) != 1 {
            fail("epoll_wait came back with nothing");
        }
        read_bytes(self.counters[number], &mut [0; 8]);
    }
}

impl Way for Epoll {
    fn open() -> Option<Self> {
        let counters = [0; 2].map(|_: i32| must("eventfd2", call(libc::SYS_eventfd2, [0; 6])) as i32);
        let sets = counters.map(|counter| {
            let set = must("epoll_create1", call(libc::SYS_epoll_create1, [0; 6]));
            let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
            let add = [set, libc::EPOLL_CTL_ADD as u64, counter as u64, address(&event), 0, 0];
            must("epoll_ctl", call(libc::SYS_epoll_ctl, add));
            set as i32
        });
        Some(Self { counters, sets })
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
