//! The kernel half over fake RAM.
//!
//! Invariant: what is mapped is checked page by page against what each section may do.

use super::*;
use crate::paging::fake_frames::FakeFrames;
use crate::paging::{Flags, lookup, new_root, walk};

const MEGABYTE: u64 = 1 << 20;

fn built(gigabyte_pages: bool) -> (PhysAddr, FakeFrames) {
    let image = Image { text: MEGABYTE..0x12_3000, constants: 0x12_3000..0x14_0000, data: 0x14_0000..0x31_0000 };
    let mut frames = FakeFrames::new();
    (build_from(&image, 5 << 30, gigabyte_pages, &mut frames), frames)
}

fn rights(root: PhysAddr, at: u64) -> Option<(u64, bool, bool)> {
    let entry = lookup(root, VirtAddr::new(at))?;
    Some((entry.address().as_u64(), entry.has(Flags::WRITABLE), !entry.has(Flags::NO_EXECUTE)))
}

#[test]
fn each_section_has_its_own_rights_and_none_is_writable_and_executable() {
    for gigabyte_pages in [false, true] {
        let (root, _frames) = built(gigabyte_pages);
        assert_eq!(rights(root, IMAGE + MEGABYTE), Some((MEGABYTE, false, true)));
        assert_eq!(rights(root, IMAGE + 0x12_3000), Some((0x12_3000, false, false)));
        assert_eq!(rights(root, IMAGE + 0x20_0000), Some((0x20_0000, true, false)));
        assert_eq!(rights(root, IMAGE + 0x31_0000), None);
        assert_eq!(rights(root, IMAGE), None);
        for page in 0..0x400 {
            let at = page * PAGE;
            let constant = (MEGABYTE..0x14_0000).contains(&at);
            assert_eq!(rights(root, DIRECT_MAP + at), Some((at, !constant, false)), "window at {at:#x}");
        }
        assert_eq!(rights(root, DIRECT_MAP + (5 << 30) - PAGE), Some(((5 << 30) - PAGE, true, false)));
        assert_eq!(rights(root, DIRECT_MAP + (5 << 30)), None);
    }
}

#[test]
fn larger_pages_need_fewer_tables() {
    let (_, small) = built(false);
    let (_, large) = built(true);
    assert!(large.taken.len() < small.taken.len());
}

#[test]
fn an_address_space_has_the_kernel_half_and_an_empty_user_half() {
    let (kernel, mut frames) = built(true);
    let Ok(root) = new_root(kernel, &mut frames) else { panic!("no frames") };
    assert_eq!(rights(root, IMAGE + MEGABYTE), Some((MEGABYTE, false, true)));
    let found = walk::visit(root, 0..1 << 47, &mut |at, _| Err(at));
    assert_eq!(found, Ok(()));
    for index in KERNEL_HALF..ENTRIES {
        assert!(!Slot::of(kernel, index).load().is_empty(), "root entry {index} could change later");
    }
}
