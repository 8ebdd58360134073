//! /proc/net: the sockets there are.
//!
//! Invariant: a line has the columns that `unix(7)` gives it; an abstract name begins with `@`.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use super::super::fixed::Fixed;
use crate::socket::address::Name;
use crate::socket::socket::Phase;
use crate::socket::{Socket, registry};

/// Numbers of the files below /proc/net.
pub const FIRST_NUMBER: u64 = 220;

pub static FILES: [Fixed; 1] = [Fixed::text("unix", unix)];

const HEADING: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n";
/// `__SO_ACCEPTCON`.
const LISTENING: u32 = 0x10000;
const UNCONNECTED: u32 = 1;
const CONNECTED: u32 = 3;

fn unix(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::from(HEADING);
    for socket in registry::all(cx) {
        let (phase, address) = socket.facts(cx);
        text.extend(line(&socket, phase).into_bytes());
        if let Some(address) = address {
            text.push(b' ');
            text.extend(shown(&address.name));
        }
        text.push(b'\n');
    }
    Ok(text)
}

/// The columns before the name. No address of the kernel's own is told, and the one reference is the socket's.
fn line(socket: &Arc<Socket>, phase: Phase) -> String {
    let flags = if phase == Phase::Listening { LISTENING } else { 0 };
    let state = if phase == Phase::Connected { CONNECTED } else { UNCONNECTED };
    let (kind, number) = (socket.sort().number(), socket.number());
    format!("{:016x}: {:08X} {:08X} {flags:08X} {kind:04X} {state:02X} {number:5}", 0, 2, 0)
}

fn shown(name: &Name) -> Vec<u8> {
    match name {
        Name::Path(path) => path.clone(),
        Name::Abstract(name) => {
            let mut shown = Vec::from(b"@");
            shown.extend(name.iter().map(|&byte| if byte == 0 { b'@' } else { byte }));
            shown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_an_abstract_name_are_shown_as_signs() {
        assert_eq!(shown(&Name::Abstract(b"a\0b".to_vec())), b"@a@b");
        assert_eq!(shown(&Name::Path(b"/a".to_vec())), b"/a");
    }
}
