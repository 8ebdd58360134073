//! Pseudo-terminals: both ends, their settings, and what passes between them.

use std::ffi::CString;

use crate::process::{close, read, write};
use crate::{Errno, answer, call, done, is_braid, sleep_ms};

/// Both ends of a pseudo-terminal, the near one opened without becoming anybody's controlling terminal.
pub struct Pty {
    pub master: i32,
    pub slave: i32,
}

/// A new master, unlocked.
#[track_caller]
pub fn open_master() -> i32 {
    let master = done("opening /dev/ptmx", open("/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC));
    done("unlocking", call!(SYS_ioctl, master, libc::TIOCSPTLCK, &raw const UNLOCKED));
    master
}

static UNLOCKED: i32 = 0;

pub fn open(path: &str, flags: i32) -> Result<i32, Errno> {
    let path = CString::new(path).unwrap_or_default();
    call!(SYS_open, path.as_ptr(), flags, 0).map(|descriptor| descriptor as i32)
}

/// The path of the near end.
#[track_caller]
pub fn slave_path(master: i32) -> String {
    let mut number = 0_u32;
    done("TIOCGPTN", call!(SYS_ioctl, master, libc::TIOCGPTN, &raw mut number));
    format!("/dev/pts/{number}")
}

impl Pty {
    #[track_caller]
    pub fn new() -> Self {
        let master = open_master();
        let slave = done("opening the slave", open(&slave_path(master), libc::O_RDWR | libc::O_NOCTTY));
        Pty { master, slave }
    }

    /// With settings changed before anything else.
    #[track_caller]
    pub fn with(change: impl FnOnce(&mut libc::termios)) -> Self {
        let pty = Pty::new();
        pty.change(change);
        pty
    }

    #[track_caller]
    pub fn change(&self, change: impl FnOnce(&mut libc::termios)) {
        let mut settings = settings(self.slave);
        change(&mut settings);
        set_settings(self.slave, &settings);
    }

    /// Types keys, and gives the kernel the time to take them in.
    #[track_caller]
    pub fn types(&self, keys: &[u8]) {
        crate::must_equal("typing", write(self.master, keys), Ok(keys.len()));
        self.settle();
    }

    /// Lets Linux hand on what it does in the background: a look at an end that has nothing does that.
    pub fn settle(&self) {
        if is_readable(self.slave, 0) {
            settle();
        }
        is_readable(self.master, 0);
    }

    /// What the master can read now.
    pub fn shown(&self) -> String {
        shown(&available(self.master))
    }

    /// What one read of the near end gives, if it does not have to wait.
    pub fn line(&self) -> String {
        if !is_readable(self.slave, 0) {
            return "nothing".to_owned();
        }
        let mut bytes = [0; 8192];
        match read(self.slave, &mut bytes) {
            Ok(count) => shown(&bytes[..count]),
            Err(errno) => format!("errno {errno}"),
        }
    }
}

impl Default for Pty {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _the_test_may_have_closed_them = (close(self.slave), close(self.master));
    }
}

/// Linux hands keys and output on in the background; nothing tells when it has.
pub fn settle() {
    if !is_braid() {
        sleep_ms(15);
    }
}

/// Everything that can be read without waiting.
pub fn available(descriptor: i32) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0; 4096];
    while is_readable(descriptor, 0) {
        match read(descriptor, &mut part) {
            Ok(count) if count > 0 => all.extend_from_slice(&part[..count]),
            _ => break,
        }
    }
    all
}

/// Reads until `end` has come; what came so far when nothing does for ten seconds.
pub fn read_until(descriptor: i32, end: &str) -> String {
    let mut all = Vec::new();
    let mut part = [0; 256];
    while !String::from_utf8_lossy(&all).contains(end) && is_readable(descriptor, 10_000) {
        match read(descriptor, &mut part) {
            Ok(count) if count > 0 => all.extend_from_slice(&part[..count]),
            _ => break,
        }
    }
    shown(&all)
}

/// Bytes as a person can read them.
pub fn shown(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

pub fn is_readable(descriptor: i32, milliseconds: i32) -> bool {
    poll(descriptor, libc::POLLIN, milliseconds) & (libc::POLLIN | libc::POLLHUP) != 0
}

/// The events of one descriptor.
pub fn poll(descriptor: i32, events: i16, milliseconds: i32) -> i16 {
    let mut one = libc::pollfd { fd: descriptor, events, revents: 0 };
    // SAFETY: `one` is ours.
    done("poll", answer(unsafe { libc::poll(&mut one, 1, milliseconds) }));
    one.revents
}

/// The events in words.
pub fn names(events: i16) -> String {
    let all = [
        (libc::POLLIN, "IN"),
        (libc::POLLPRI, "PRI"),
        (libc::POLLOUT, "OUT"),
        (libc::POLLERR, "ERR"),
        (libc::POLLHUP, "HUP"),
        (libc::POLLNVAL, "NVAL"),
    ];
    let names: Vec<&str> = all.iter().filter(|(bit, _)| events & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join("|") }
}

#[track_caller]
pub fn settings(descriptor: i32) -> libc::termios {
    // SAFETY: all zero is a valid termios, and it is ours.
    unsafe {
        let mut settings = std::mem::zeroed();
        done("tcgetattr", answer(libc::tcgetattr(descriptor, &mut settings)));
        settings
    }
}

#[track_caller]
pub fn set_settings(descriptor: i32, settings: &libc::termios) {
    done("tcsetattr", try_settings(descriptor, libc::TCSANOW, settings));
}

pub fn try_settings(descriptor: i32, when: i32, settings: &libc::termios) -> Result<i32, Errno> {
    // SAFETY: the settings are the caller's.
    answer(unsafe { libc::tcsetattr(descriptor, when, settings) })
}

/// Bytes pass as they are.
pub fn make_raw(settings: &mut libc::termios) {
    // SAFETY: the settings are the caller's.
    unsafe { libc::cfmakeraw(settings) }
}

/// A request that gives a number.
pub fn get(descriptor: i32, request: libc::Ioctl) -> Result<i32, Errno> {
    let mut number = 0_i32;
    call!(SYS_ioctl, descriptor, request, &raw mut number).map(|_| number)
}

/// A request that takes the address of a number.
pub fn set(descriptor: i32, request: libc::Ioctl, number: i32) -> Result<usize, Errno> {
    call!(SYS_ioctl, descriptor, request, &raw const number)
}

/// A request whose argument is the number itself.
pub fn ask(descriptor: i32, request: libc::Ioctl, argument: usize) -> Result<usize, Errno> {
    call!(SYS_ioctl, descriptor, request, argument)
}

/// Nonblocking or not.
#[track_caller]
pub fn set_nonblocking(descriptor: i32, on: bool) {
    done("FIONBIO", set(descriptor, libc::FIONBIO, i32::from(on)));
}
