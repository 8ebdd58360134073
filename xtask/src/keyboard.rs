//! What is typed, sent to the machine: bytes, end of input, a changed window, and the one escape that stays on this side.
//!
//! Invariant: this thread never waits in a write, so the escape works even when the machine takes no input.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{framing, terminal};

/// Ctrl-], as in telnet.
const ESCAPE_KEY: u8 = 0x1d;
pub const HINT: &str = "Ctrl-] q stops the machine";
/// As much as may wait for the machine before a pipe or a file is no longer read.
const MOST_WAITING: usize = 1 << 16;
const SIGNALS: [i32; 5] = [libc::SIGWINCH, libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

/// Keeps signals from ending this tool before the terminal is restored; call it before any thread starts.
pub fn take_signals() -> std::io::Result<File> {
    // SAFETY: a zeroed sigset_t is plain data; the calls read and write only it, and the descriptor returned is ours alone.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in SIGNALS {
            libc::sigaddset(&mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC) {
            -1 => Err(std::io::Error::last_os_error()),
            descriptor => Ok(File::from_raw_fd(descriptor)),
        }
    }
}

pub struct Keyboard {
    machine: u32,
    to_machine: ChildStdin,
    listens: Arc<AtomicBool>,
    signals: File,
    waiting: Vec<u8>,
    input_open: bool,
    has_escape: bool,
    escape_typed: bool,
}

impl Keyboard {
    pub fn start(machine: u32, to_machine: ChildStdin, listens: Arc<AtomicBool>, signals: File, has_escape: bool) {
        let keyboard =
            Self { machine, to_machine, listens, signals, waiting: Vec::new(), input_open: true, has_escape, escape_typed: false };
        // Never joined: it ends with the process, or when the machine hangs up.
        std::thread::spawn(move || keyboard.carry());
    }

    fn carry(mut self) {
        // SAFETY: fcntl on our own open descriptor.
        unsafe { libc::fcntl(self.to_machine.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        // SAFETY: descriptor 0 stays open as long as the process, and ManuallyDrop never closes it.
        let mut input = ManuallyDrop::new(unsafe { File::from_raw_fd(libc::STDIN_FILENO) });
        loop {
            let listens = self.listens.load(Ordering::Acquire);
            let writes = listens && !self.waiting.is_empty();
            let reads = self.input_open && (self.has_escape || self.waiting.len() < MOST_WAITING);
            let mut watched = [
                poll_for(libc::STDIN_FILENO, if reads { libc::POLLIN } else { 0 }, reads),
                poll_for(self.signals.as_raw_fd(), libc::POLLIN, true),
                poll_for(self.to_machine.as_raw_fd(), if writes { libc::POLLOUT } else { 0 }, true),
            ];
            // SAFETY: `watched` is an array of three pollfd.
            if unsafe { libc::poll(watched.as_mut_ptr(), 3, if listens { -1 } else { 2 }) } < 0 {
                continue;
            }
            let [typed, signalled, writable] = watched.map(|one| one.revents);
            if signalled != 0 {
                self.signal();
            }
            if typed != 0 {
                self.read(&mut input);
            }
            if writable & libc::POLLERR != 0 || (listens && !self.write()) {
                return;
            }
        }
    }

    fn read(&mut self, input: &mut File) {
        let mut bytes = [0u8; 4096];
        match input.read(&mut bytes) {
            Ok(length) if length > 0 => self.typed(&bytes[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            _ => {
                self.input_open = false;
                framing::push_end_of_input(&mut self.waiting);
            }
        }
    }

    fn typed(&mut self, bytes: &[u8]) {
        if !self.has_escape {
            framing::push_bytes(&mut self.waiting, bytes);
            return;
        }
        for &byte in bytes {
            if std::mem::take(&mut self.escape_typed) {
                match byte {
                    b'q' | b'Q' => self.leave("stopped from the keyboard", 130),
                    ESCAPE_KEY => framing::push_bytes(&mut self.waiting, &[ESCAPE_KEY]),
                    other => framing::push_bytes(&mut self.waiting, &[ESCAPE_KEY, other]),
                }
            } else if byte == ESCAPE_KEY {
                self.escape_typed = true;
            } else {
                framing::push_bytes(&mut self.waiting, &[byte]);
            }
        }
    }

    fn signal(&mut self) {
        let mut record = [0u8; size_of::<libc::signalfd_siginfo>()];
        if self.signals.read_exact(&mut record).is_err() {
            return;
        }
        let signal = i32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
        if signal == libc::SIGWINCH {
            let (rows, columns) = terminal::window();
            framing::push_window(&mut self.waiting, rows, columns);
        } else {
            self.leave("stopped by a signal", (128 + signal) as u8);
        }
    }

    /// False when the machine has hung up.
    fn write(&mut self) -> bool {
        if self.waiting.is_empty() {
            return true;
        }
        match self.to_machine.write(&self.waiting) {
            Ok(length) => {
                self.waiting.drain(..length);
                true
            }
            Err(error) => matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock),
        }
    }

    fn leave(&self, why: &str, status: u8) -> ! {
        // SAFETY: kill takes any number; QEMU's process stays ours until it is reaped at the end of this process.
        unsafe { libc::kill(self.machine as i32, libc::SIGKILL) };
        terminal::restore();
        eprintln!("\nxtask: {why}");
        std::process::exit(i32::from(status));
    }
}

fn poll_for(descriptor: i32, events: i16, wanted: bool) -> libc::pollfd {
    libc::pollfd { fd: if wanted { descriptor } else { -1 }, events, revents: 0 }
}
