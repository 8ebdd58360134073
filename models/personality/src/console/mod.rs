//! The console on a serial line: the driver's own files.

#[path = "../../../../devices/src/console/framing.rs"]
pub mod framing;
#[path = "../../../../devices/src/console/input.rs"]
pub mod input;
#[path = "../../../../devices/src/console/serial_console.rs"]
pub mod serial_console;

pub mod output;
