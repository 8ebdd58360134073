//! Start infos made by hand.

use super::*;
use std::vec;
use std::vec::Vec;

struct Bytes(Vec<u8>);

impl Memory for Bytes {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        let Some(piece) = usize::try_from(address).ok().and_then(|at| self.0.get(at..)?.get(..into.len())) else {
            return false;
        };
        into.copy_from_slice(piece);
        true
    }
}

impl Bytes {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

fn start_info() -> Bytes {
    let mut memory = Bytes(vec![0; 0x2000]);
    memory.put(0x100, &MAGIC.to_le_bytes());
    memory.put(0x104, &1u32.to_le_bytes());
    memory.put(0x10c, &1u32.to_le_bytes());
    memory.put(0x110, &0x400u64.to_le_bytes());
    memory.put(0x118, &0x500u64.to_le_bytes());
    memory.put(0x120, &0xf_5a00u64.to_le_bytes());
    memory.put(0x128, &0x600u64.to_le_bytes());
    memory.put(0x130, &3u32.to_le_bytes());
    memory.put(0x400, &0x100_0000u64.to_le_bytes());
    memory.put(0x408, &0x1234u64.to_le_bytes());
    memory.put(0x500, b"root=cpio quiet\0");
    for (index, (start, bytes, kind)) in
        [(0u64, 0x9_fc00u64, 1u32), (0x10_0000, 0x1ff0_0000, 1), (0xfffc_0000, 0x4_0000, 2)].iter().enumerate()
    {
        memory.put(0x600 + index * 24, &start.to_le_bytes());
        memory.put(0x608 + index * 24, &bytes.to_le_bytes());
        memory.put(0x610 + index * 24, &kind.to_le_bytes());
    }
    memory
}

#[test]
fn a_whole_start_info_is_read() {
    let info = BootInfo::read(&start_info(), 0x100, 0x10_0000..0x20_0000, 7).unwrap();
    assert_eq!(info.usable().collect::<Vec<_>>(), [0..0x9_f000, 0x10_0000..0x2000_0000]);
    assert_eq!(info.initial_root, Some((PhysAddr::new(0x100_0000), 0x1234)));
    assert_eq!(info.root_pointer, Some(PhysAddr::new(0xf_5a00)));
    assert_eq!(info.low_page, Some(8));
    assert_eq!(info.entry_ticks, 7);
}

#[test]
fn something_else_at_the_address_is_not_believed() {
    let mut memory = start_info();
    memory.put(0x100, &[0]);
    assert!(BootInfo::read(&memory, 0x100, 0..0, 0).is_none());
    assert!(BootInfo::read(&memory, u64::MAX, 0..0, 0).is_none());
}

#[test]
fn wild_pointers_and_counts_end_early() {
    let mut memory = start_info();
    for field in [0x110, 0x118, 0x120, 0x128] {
        memory.put(field, &(u64::MAX - 3).to_le_bytes());
    }
    memory.put(0x10c, &u32::MAX.to_le_bytes());
    memory.put(0x130, &u32::MAX.to_le_bytes());
    let info = BootInfo::read(&memory, 0x100, 0..0, 0).unwrap();
    assert_eq!((info.usable().count(), info.initial_root, info.low_page), (0, None, None));
}

#[test]
fn the_usual_low_page_is_left_when_it_is_no_ram() {
    let mut parts = Parts::new();
    parts.push(0x2_0000..0x3_0000);
    assert_eq!(low_page(&parts), Some(0x20));
}
