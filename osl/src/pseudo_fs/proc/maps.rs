//! /proc/PID/maps: what is mapped where.
//!
//! Invariant: lines come in the order of their addresses, and only to those who may look into the process.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use sync::TaskContext;

use crate::error::errno;
use libkernel::memory::Room;

use super::gather::Subject;
use super::task_text::append;

/// One mapping, as a line shows it.
struct Line {
    start: u64,
    end: u64,
    read: bool,
    write: bool,
    execute: bool,
    shared: bool,
    offset: u64,
    name: String,
}

/// The column at which names begin.
const NAME_COLUMN: usize = 73;
/// What a line takes at most, but for its name, each byte of which is written in four at most.
const ROOM: usize = 128;

pub fn read(cx: &mut TaskContext, subject: &Subject) -> Result<Vec<u8>, Errno> {
    let Some(space) = subject.process.space(cx) else { return Ok(Vec::new()) };
    let mut text = String::new();
    for region in space.regions(cx).map_err(errno)? {
        let line = Line {
            start: region.start.as_u64(),
            end: region.end.as_u64(),
            read: region.protection.read,
            write: region.protection.write,
            execute: region.protection.execute,
            shared: region.shared,
            offset: region.offset,
            name: region.name,
        };
        text.try_room(ROOM + 4 * line.name.len()).map_err(errno)?;
        push(&mut text, &line);
    }
    Ok(text.into_bytes())
}

fn push(text: &mut String, line: &Line) {
    let flag = |set: bool, letter: char| if set { letter } else { '-' };
    let front = format!(
        "{:08x}-{:08x} {}{}{}{} {:08x} 00:00 0",
        line.start,
        line.end,
        flag(line.read, 'r'),
        flag(line.write, 'w'),
        flag(line.execute, 'x'),
        if line.shared { 's' } else { 'p' },
        line.offset
    );
    if line.name.is_empty() {
        append(text, format_args!("{front} \n"));
    } else {
        // Only the end of line would break the format; Linux spells it so too.
        let name = line.name.replace('\n', "\\012");
        let width = NAME_COLUMN;
        append(text, format_args!("{front:<width$}{name}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str) -> Line {
        Line {
            start: 0x40_0000,
            end: 0x40_1000,
            read: true,
            write: false,
            execute: true,
            shared: false,
            offset: 0x1000,
            name: String::from(name),
        }
    }

    #[test]
    fn a_line_looks_as_on_linux() {
        let mut text = String::new();
        push(&mut text, &line("/bin/x"));
        assert!(text.starts_with("00400000-00401000 r-xp 00001000 00:00 0 "));
        assert_eq!(text.find("/bin/x"), Some(NAME_COLUMN));
    }

    #[test]
    fn a_name_cannot_begin_a_line_of_its_own() {
        let mut text = String::new();
        push(&mut text, &line("/tmp/a\n00000000-ffffffff rwxp"));
        assert_eq!(text.lines().count(), 1);
    }
}
