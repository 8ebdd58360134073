//! Memory runs out in the middle of everything.

use super::program::{at, context, frames_in_use, load, store};
use crate::address_space::address::PAGE;
use crate::address_space::{AddressSpace, Backing, Fault, MapRequest, Placement, Protection};
use crate::error::KernelError;
use crate::memory::{Page, on_host};
use std::vec::Vec;

/// All frames that programs may have.
fn take_all() -> Vec<Page> {
    core::iter::from_fn(|| Page::uninitialised().ok()).collect()
}

#[test]
fn a_program_that_runs_out_of_memory_keeps_what_it_has_and_loses_nothing() {
    let _alone = on_host::alone();
    let before = frames_in_use();
    let (space, mut cx) = (AddressSpace::new().unwrap(), context());
    let request = MapRequest {
        placement: Placement::Fixed(at(1000)),
        length: 64 * PAGE,
        protection: Protection::READ_WRITE,
        backing: Backing::Anonymous,
    };
    assert_eq!(space.map(&mut cx, request), Ok(at(1000)));
    for page in 0..32 {
        assert_eq!(store(&space, &mut cx, (1000 + page) * PAGE, page as u8), Ok(()));
    }
    let mut hoard = take_all();
    assert_eq!(store(&space, &mut cx, 1040 * PAGE, 1), Err(Fault::NoMemory));
    assert_eq!(space.write(&mut cx, at(1050), &[1]), Err(KernelError::NoMemory));
    // Tables still have their reserve, so the child comes into being; its first writes do not.
    let child = space.fork(&mut cx).unwrap();
    hoard.extend(take_all());
    assert_eq!(store(&child, &mut cx, 1000 * PAGE, 9), Err(Fault::NoMemory));
    assert_eq!(load(&child, &mut cx, 1031 * PAGE), Ok(31));
    hoard.truncate(hoard.len() / 2);
    assert_eq!(store(&child, &mut cx, 1000 * PAGE, 9), Ok(()));
    assert_eq!(load(&space, &mut cx, 1000 * PAGE), Ok(0));
    drop((hoard, child, space));
    assert_eq!(frames_in_use(), before);
}
