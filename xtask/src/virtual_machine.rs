//! One run of a machine: started, its streams carried, its end understood.
//!
//! Invariant: when `finish` returns, QEMU is gone and every byte that it wrote has been carried.

use std::io::{PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::children;
use crate::ending::Ending;
use crate::error::{Explain, Outcome};
use crate::machine::{ERROR_DESCRIPTOR, LOG_DESCRIPTOR, Machine};

/// How long a kernel that has said its last word may take to switch the machine off.
const GRACE: Duration = Duration::from_secs(5);

/// Where one stream of the machine goes. False stops the machine: nobody reads any more.
pub type Sink = Box<dyn FnMut(&[u8]) -> bool + Send>;

pub struct VirtualMachine {
    child: Child,
    pub input: Option<ChildStdin>,
    /// The kernel's log has begun, and so the console takes input: what is sent before may be lost.
    pub listens: Arc<AtomicBool>,
    carriers: Vec<JoinHandle<()>>,
    log: Arc<Mutex<Vec<u8>>>,
    qemu: Arc<Mutex<Vec<u8>>>,
    reader_gone: Arc<AtomicBool>,
}

/// What is left when a machine is gone.
pub struct Remains {
    pub ending: Ending,
    pub log: Vec<u8>,
    /// What QEMU itself had to say.
    pub qemu: String,
    pub timed_out: bool,
    /// The program's output found no reader any more.
    pub reader_gone: bool,
}

impl VirtualMachine {
    pub fn start(machine: &Machine, output: Sink, errors: Sink, mut log_copy: Sink) -> Outcome<Self> {
        let (log_reader, log_writer) = std::io::pipe().explain("making a pipe")?;
        let (error_reader, error_writer) = std::io::pipe().explain("making a pipe")?;
        let mut command = machine.command()?;
        children::dies_with_us(&mut command);
        children::inherits(&mut command, log_writer.as_raw_fd(), LOG_DESCRIPTOR);
        children::inherits(&mut command, error_writer.as_raw_fd(), ERROR_DESCRIPTOR);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().explain("starting QEMU")?;
        drop((command, log_writer, error_writer));
        let (log, qemu) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let reader_gone = Arc::new(AtomicBool::new(false));
        let listens = Arc::new(AtomicBool::new(false));
        let (kept, said, heard) = (log.clone(), qemu.clone(), listens.clone());
        let keep_log: Sink = Box::new(move |bytes| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            heard.store(true, Ordering::Release);
            log_copy(bytes)
        });
        let keep_qemu: Sink = Box::new(move |bytes| {
            said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            true
        });
        let mut carriers =
            vec![carry(log_reader, keep_log, Arc::default()), carry::<PipeReader>(error_reader, errors, reader_gone.clone())];
        carriers.extend(child.stdout.take().map(|stream| carry(stream, output, reader_gone.clone())));
        carriers.extend(child.stderr.take().map(|stream| carry(stream, keep_qemu, Arc::default())));
        let input = child.stdin.take();
        Ok(Self { child, input, listens, carriers, log, qemu, reader_gone })
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// QEMU is gone, or the kernel has said its last word.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None)) || self.ending() != Ending::Vanished
    }

    /// Waits for the end; beyond the deadline, or long after the kernel's last word, the machine is stopped.
    pub fn finish(mut self, deadline: Option<Instant>) -> Remains {
        let mut last_word: Option<Instant> = None;
        let mut timed_out = false;
        while let Ok(None) = self.child.try_wait() {
            let now = Instant::now();
            if last_word.is_none() && self.ending() != Ending::Vanished {
                last_word = Some(now);
            }
            timed_out = last_word.is_none() && deadline.is_some_and(|deadline| now > deadline);
            let overdue = last_word.is_some_and(|said| now.duration_since(said) > GRACE);
            if timed_out || overdue || self.reader_gone.load(Ordering::Acquire) {
                children::stop(&mut self.child);
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Whoever still waits to send finds a closed pipe.
        self.listens.store(true, Ordering::Release);
        for carrier in self.carriers.drain(..) {
            let _a_panic_there_was_printed = carrier.join();
        }
        let ending = self.ending();
        let log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        let said = std::mem::take(&mut *self.qemu.lock().unwrap_or_else(PoisonError::into_inner));
        let qemu = String::from_utf8_lossy(&said).into_owned();
        Remains { ending, log, qemu, timed_out, reader_gone: self.reader_gone.load(Ordering::Acquire) }
    }

    /// Ends the machine whatever it does.
    pub fn stop(mut self) {
        children::stop(&mut self.child);
    }

    /// The last word stands in the end of the log, so a long log costs no more than a short one.
    fn ending(&self) -> Ending {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match Ending::of(&log[log.len().saturating_sub(8192)..]) {
            Ending::Panicked(_) => Ending::of(&log),
            other => other,
        }
    }
}

/// Carries one stream to its end on a thread of its own.
fn carry<R: Read + Send + 'static>(mut stream: R, mut sink: Sink, gone: Arc<AtomicBool>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0u8; 16384];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) if sink(&buffer[..length]) => {}
                Ok(_) => {
                    gone.store(true, Ordering::Release);
                    break;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    })
}

/// A sink that writes on and passes every byte at once.
pub fn onto(mut stream: impl Write + Send + 'static) -> Sink {
    Box::new(move |bytes| stream.write_all(bytes).and_then(|()| stream.flush()).is_ok())
}

/// A sink for what nobody wants.
pub fn nowhere() -> Sink {
    Box::new(|_| true)
}

/// A sink that keeps everything, up to a limit, and the place where it is kept.
pub fn kept(limit: usize) -> (Sink, Arc<Mutex<Vec<u8>>>) {
    let place = Arc::<Mutex<Vec<u8>>>::default();
    let here = place.clone();
    let sink = Box::new(move |bytes: &[u8]| {
        let mut place = here.lock().unwrap_or_else(PoisonError::into_inner);
        let room = limit.saturating_sub(place.len()).min(bytes.len());
        place.extend_from_slice(&bytes[..room]);
        true
    });
    (sink, place)
}
