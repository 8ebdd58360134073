//! The machine's console as a terminal, and the thread that feeds it.
//!
//! Invariant: once started, this thread is the only reader of the console.

use alloc::boxed::Box;
use alloc::sync::Arc;

use abi::Errno;
use abi::file::device_number;
use abi::terminal::WindowSize;
use libkernel::device::{self, Console, ConsoleEvent};
use libkernel::sched::{self, Spawn};
use sync::{Once, TaskContext};

use super::terminal::Terminal;
use crate::error::errno;

/// `/dev/tty1` stands for the console; `/dev/console` and `/dev/tty` lead to it.
const MAJOR: u32 = 4;
const MINOR: u32 = 1;

static CONSOLE: Once<Arc<Terminal>> = Once::new();

/// The terminal at the machine's console, once it was started.
pub fn console_terminal() -> Option<&'static Arc<Terminal>> {
    CONSOLE.get()
}

/// Makes the console a terminal and starts the thread that reads it. Called once, before the first program.
pub fn start(cx: &mut TaskContext) -> Result<(), Errno> {
    let console = device::console().ok_or(Errno::ENXIO)?;
    let terminal = Terminal::of_console(device_number(MAJOR, MINOR), console);
    CONSOLE.set(terminal.clone()).map_err(|_| Errno::EBUSY)?;
    let entry = Box::new(move |cx: &mut TaskContext| feed(cx, console, &terminal));
    sched::spawn(cx, Spawn::kernel("tty", entry)).map_err(errno)?;
    Ok(())
}

/// Reads the console until its other end is gone.
fn feed(cx: &mut TaskContext, console: &'static dyn Console, terminal: &Arc<Terminal>) {
    let mut bytes = [0; 256];
    loop {
        match console.read(cx, &mut bytes) {
            Ok(ConsoleEvent::Bytes(count)) => type_all(cx, terminal, bytes.get(..count).unwrap_or(&[])),
            Ok(ConsoleEvent::Window { rows, columns }) => terminal.resize(cx, WindowSize { rows, columns, ..WindowSize::default() }),
            Ok(ConsoleEvent::End) => return terminal.hang_up(),
            Err(_) => {}
        }
    }
}

/// Types all of it. Without readers this waits, and the device holds what comes meanwhile.
fn type_all(cx: &mut TaskContext, terminal: &Terminal, mut keys: &[u8]) {
    while !keys.is_empty() {
        let attempt = |cx: &mut TaskContext| terminal.try_type(cx, keys);
        // Short of memory, keys are lost.
        let Ok((count, todo)) = terminal.master_changed.wait_until(cx, attempt) else { return };
        terminal.act(cx, todo);
        keys = keys.get(count..).unwrap_or(&[]);
    }
}
