//! What frames and pages promise, with several CPUs at it.

use super::*;
use std::collections::BTreeSet;
use std::vec::Vec;

#[test]
fn a_page_goes_back_when_its_last_share_is_dropped() {
    let _alone = crate::memory::on_host::alone();
    let Ok(page) = Page::zeroed() else { panic!("no memory in a test") };
    page.write(100, b"text");
    let share = page.clone();
    assert_eq!((page.reference_count(), share.is_same(&page)), (2, true));
    drop(page);
    let mut bytes = [0; 5];
    share.read(100, &mut bytes);
    assert_eq!((&bytes, share.reference_count()), (b"text\0", 1));
}

#[test]
fn a_raw_share_counts_until_it_is_made_a_page_again() {
    let _alone = crate::memory::on_host::alone();
    let Ok(page) = Page::uninitialised() else { panic!("no memory in a test") };
    let raw = page.clone().into_raw();
    assert_eq!(page.reference_count(), 2);
    // SAFETY: the share given away just above.
    #[allow(unsafe_code)]
    let again = unsafe { Page::from_raw(raw) };
    assert_eq!((again.is_same(&page), page.reference_count()), (true, 2));
}

#[test]
fn no_frame_is_given_to_two_cpus() {
    let _alone = crate::memory::on_host::alone();
    let cpus: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let mut held: Vec<Page> = Vec::new();
                for round in 0..2000_usize {
                    if round % 7 < 4 {
                        held.extend(Page::uninitialised());
                    } else if !held.is_empty() {
                        held.swap_remove(round * 31 % held.len());
                    }
                }
                held
            })
        })
        .collect();
    let held: Vec<Page> = cpus.into_iter().filter_map(|cpu| cpu.join().ok()).flatten().collect();
    let different: BTreeSet<_> = held.iter().map(Page::physical).collect();
    assert_eq!(different.len(), held.len());
    assert!(held.len() > 100 && held.iter().all(|page| page.reference_count() == 1));
}
