//! One boot of the shaken kernel with one program, and a report out of it when nothing goes on any more.
//!
//! Invariant: a machine that stands still is asked for its report before it is stopped.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Plan, Run};
use crate::ending::Ending;
use crate::error::Outcome;
use crate::framing::FirstProgram;
use crate::machine::Machine;
use crate::virtual_machine::{Remains, Sink, VirtualMachine, kept};

/// How long a kernel may take to write its report.
const REPORT_TIME: Duration = Duration::from_secs(20);
/// Beyond its own time, a program may take so long to begin and to end.
const PATIENCE: Duration = Duration::from_secs(240);
const MOST_OUTPUT: usize = 1 << 20;

/// What a run left.
pub struct Story {
    pub remains: Remains,
    pub output: Vec<u8>,
    pub errors: Vec<u8>,
    /// Why the machine was asked for a report, if it was.
    pub asked: Option<String>,
}

impl Story {
    /// How much went on, in the program's own last words.
    pub fn rounds(&self) -> String {
        let text = String::from_utf8_lossy(&self.errors);
        text.lines().rev().find_map(|line| line.strip_prefix("soak: ")).unwrap_or("no rounds").trim().to_owned()
    }
}

pub fn run(run: &Run, kernel: &Path, root: &Path, plan: &Plan) -> Outcome<Story> {
    let monitor = monitor_path(run);
    let machine = machine(run, kernel, root, &monitor, plan);
    let last_sign = Arc::new(Mutex::new(Instant::now()));
    let ((output_sink, output), (error_sink, errors)) = (kept(MOST_OUTPUT), kept(MOST_OUTPUT));
    let mut running = VirtualMachine::start(&machine, output_sink, noting(error_sink, &last_sign), noting(Box::new(|_| true), &last_sign))?;
    let deadline = Instant::now() + Duration::from_secs(run.seconds) + PATIENCE;
    let mut asked = None;
    while !running.has_ended() {
        let silent_for = last_sign.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        let why = match () {
            () if silent_for > plan.silence => format!("silent for {} seconds", silent_for.as_secs()),
            () if Instant::now() > deadline => "still running long after its time".to_owned(),
            () => {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
        };
        asked = Some(match ask_for_report(&monitor) {
            Ok(()) => why,
            Err(error) => format!("{why}; and QEMU takes no command: {error}"),
        });
        break;
    }
    let remains = running.finish(Some(Instant::now() + REPORT_TIME));
    let _gone_with_qemu = std::fs::remove_file(&monitor);
    Ok(Story { remains, output: take(&output), errors: take(&errors), asked })
}

fn machine(run: &Run, kernel: &Path, root: &Path, monitor: &Path, plan: &Plan) -> Machine {
    let path = format!("/tests/{}", run.program);
    let arguments = [run.seconds.to_string().into(), run.seed.to_string().into()];
    let twin = plan.twin.map_or_else(String::new, |twin| format!(" twin={twin}"));
    let append = format!("chaos={}{twin}", run.seed);
    let first = FirstProgram {
        path: path.as_ref(),
        arguments: &arguments,
        is_on_terminal: false,
        window: (24, 80),
        terminal_kind: "linux",
        append: &append,
    };
    Machine {
        kernel: kernel.to_path_buf(),
        root: Some(root.to_path_buf()),
        disks: Vec::new(),
        cpus: run.cpus,
        memory: "512M".to_owned(),
        command_line: first.command_line(),
        debugger: None,
        monitor: Some(monitor.to_path_buf()),
        is_deterministic: plan.is_deterministic,
    }
}

/// Short, since the name of a socket may not be long.
fn monitor_path(run: &Run) -> PathBuf {
    std::env::temp_dir().join(format!("braid-{}-{}-{}-{}", std::process::id(), run.seed, run.cpus, run.program))
}

fn noting(mut sink: Sink, last_sign: &Arc<Mutex<Instant>>) -> Sink {
    let last_sign = last_sign.clone();
    Box::new(move |bytes| {
        *last_sign.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        sink(bytes)
    })
}

/// An NMI on every CPU: the kernel answers with where each is, what it holds, and what every thread waits for.
fn ask_for_report(monitor: &Path) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(monitor)?;
    stream.write_all(b"nmi\n")?;
    // QEMU drops what it has not read yet when the other side goes.
    std::thread::sleep(Duration::from_millis(500));
    Ok(())
}

fn take(place: &Mutex<Vec<u8>>) -> Vec<u8> {
    std::mem::take(&mut *place.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Did it end as it should? The kernel's own word, if it had one.
pub fn is_good_end(story: &Story) -> bool {
    story.asked.is_none() && story.remains.ending == Ending::Exited(0)
}
