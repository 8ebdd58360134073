//! The console, the root and the first program; and the end of the machine when that program has ended.
//!
//! Invariant: however the machine's work ends, save by a panic, a status is the last line of the log.

use crate::command_line::CommandLine;
use crate::{debug, places};
use alloc::boxed::Box;
use alloc::vec::Vec;
use devices::console::{SerialConsole, Settings};
use libkernel::sched::{self, Spawn};
use libkernel::{device, error, info, memory, warn, watchdog};
use machine::addr::PhysAddr;
use machine::boot::BootInfo;
use machine::serial::{self, Port};
use machine::{physical, power};
use osl::process::status::ExitStatus;
use osl::start_up::{self, Root, Wanted};
use sync::TaskContext;

static CONSOLE: SerialConsole = SerialConsole::new();

/// The status of a machine that finds nothing to run, as a shell's for a program that cannot be run.
const NO_ROOT: u32 = 126;

/// Bytes of the archive that the loader brought, and where they stand.
struct Archive {
    at: PhysAddr,
    length: u64,
}

/// Shows a line of the log on the second serial line.
pub fn write_log(line: &[u8]) {
    let port = Port::new(serial::COM2);
    line.iter().for_each(|&byte| port.write_byte(byte));
}

/// Starts the thread that does the rest; the boot's own stack goes idle meanwhile.
pub fn begin(cx: &mut TaskContext, info: &BootInfo, line: CommandLine) {
    let archive = info.initial_root.map(|(at, length)| Archive { at, length });
    let entry = Box::new(move |cx: &mut TaskContext| run(cx, archive, line));
    if let Err(error) = sched::spawn(cx, Spawn::kernel("start", entry)) {
        panic!("no memory for the first thread: {error:?}");
    }
}

fn run(cx: &mut TaskContext, archive: Option<Archive>, line: CommandLine) {
    for word in &line.unknown {
        warn!("command line: {} means nothing here", alloc::string::String::from_utf8_lossy(word));
    }
    watchdog::personality::set(osl::watch::describe);
    watchdog::set_show_cpus(places::show_all);
    if let Err(error) = watchdog::start(cx, line.limits) {
        warn!("nobody watches for what hangs: {error:?}");
    }
    if let Some(how) = &line.debug {
        debug::provoke(cx, how);
    }
    let settings = Settings { framed: line.framed, window: line.window, separate_errors: line.piped };
    if let Err(error) = CONSOLE.start(cx, settings) {
        warn!("the console has no interrupt ({error:?}): nothing can be typed");
    }
    device::register_console(&CONSOLE);
    devices::virtio::find_disks();
    let root = match &line.root {
        Some(device) => Root::Disk(device),
        None => Root::Archive(archive.as_ref().map(Archive::bytes)),
    };
    let root = match start_up::make_root(cx, &root) {
        Ok(root) => root,
        Err(errno) => {
            error!("the root cannot be made: {errno:?}");
            last_word(NO_ROOT);
            power::off()
        }
    };
    if let Some(archive) = archive {
        memory::release_initial_root(archive.at, archive.length);
    }
    let mut arguments = line.arguments;
    let program = line.program.unwrap_or_else(|| {
        arguments = [b"-l".to_vec()].to_vec();
        b"/bin/sh".to_vec()
    });
    let environment = if line.environment.is_empty() { default_environment() } else { line.environment };
    start_up::start(cx, root, Wanted { program, arguments, environment, piped: line.piped, ended });
}

fn default_environment() -> Vec<Vec<u8>> {
    [&b"PATH=/bin:/sbin:/usr/bin:/usr/sbin"[..], b"HOME=/root", b"TERM=linux"].map(<[u8]>::to_vec).to_vec()
}

impl Archive {
    fn bytes(&self) -> &[u8] {
        let length = usize::try_from(self.length).unwrap_or(0);
        // SAFETY: the loader put the archive there; the memory is kept from the allocator until `release_initial_root`, after the last
        // use of this, and nobody writes to it.
        unsafe { core::slice::from_raw_parts(physical::pointer(self.at), length) }
    }
}

/// The first program has ended, and with it the machine's work.
fn ended(_: &mut TaskContext, status: ExitStatus) {
    if let ExitStatus::Killed { signal, .. } = status {
        error!("the first program was killed by signal {signal}");
    }
    last_word(status.shell_code());
    power::off()
}

/// Says how the machine's work has ended, and sees that everything said is out.
pub fn last_word(status: u32) {
    info!("braid: exit-status {status}");
    for base in [serial::COM1, serial::COM2, serial::COM3] {
        Port::new(base).wait_until_sent();
    }
}
