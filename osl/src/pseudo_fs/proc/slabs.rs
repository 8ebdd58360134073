//! /proc/slabinfo: what the heap's size classes have, as Linux tells of its caches.
//!
//! Invariant: objects in use are those that somebody has; what CPUs keep for the next one to ask is free here.

use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::memory::heap::{self, Class};
use sync::TaskContext;

use super::task_text::append;

const HEADING: &str = "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
: tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n";

pub fn read(cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    Ok(text(&heap::classes(cx)).into_bytes())
}

fn text(classes: &[Class]) -> String {
    let mut text = String::from(HEADING);
    for class in classes {
        let Class { object_bytes, frames, objects, in_use } = *class;
        let name = alloc::format!("kmalloc-{object_bytes}");
        let per_frame = objects.checked_div(frames).unwrap_or(0);
        append(&mut text, format_args!("{name:<17} {in_use:>6} {objects:>6} {object_bytes:>6} {per_frame:>4}    1 "));
        append(&mut text, format_args!(": tunables    0    0    0 : slabdata {frames:>6} {frames:>6}      0\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_as_on_linux() {
        let text = text(&[Class { object_bytes: 512, frames: 3, objects: 24, in_use: 20 }]);
        assert_eq!(
            text.lines().nth(2),
            Some("kmalloc-512           20     24    512    8    1 : tunables    0    0    0 : slabdata      3      3      0"),
        );
    }
}
