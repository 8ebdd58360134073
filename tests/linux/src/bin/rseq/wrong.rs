//! Areas and sections that cannot be: the program gets SIGSEGV when it is disturbed next.

use crate::area::{Area, LENGTH, SIGNATURE, Section, endless, give_up_library_area, register};
use linux_tests::process::{Ended, fork, wait};
use linux_tests::signal::{handle, set_disposition};
use linux_tests::{call, equal, must};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

/// The standard library's handler takes itself back and returns. On a signal's way into its own handler a wrong section is told
/// by SIGSEGV when the thread stands there already, outside: the section is forgotten, and after both handlers the thread
/// goes on in circles for good, on Linux too.
fn end_by_default() {
    set_disposition(libc::SIGSEGV, libc::SIG_DFL);
}

/// What becomes of a child whose area is made wrong, and who then gets a signal.
fn end_of(spoil: impl FnOnce(&'static Area)) -> Ended {
    wait(fork(|| {
        let area = Area::registered();
        end_by_default();
        handle(libc::SIGUSR1, nothing, 0);
        spoil(area);
        must("kill", call!(SYS_tgkill, call!(SYS_getpid).unwrap_or(0), call!(SYS_gettid).unwrap_or(0), libc::SIGUSR1) == Ok(0));
        area.give_up();
        0
    }))
}

fn end_with(section: Section) -> Ended {
    end_of(move |area| area.enter(Box::leak(Box::new(section))))
}

/// The same while it is inside, in circles.
fn end_inside(spoil: impl FnOnce(&'static Area)) -> Ended {
    wait(fork(|| {
        let area = Area::registered();
        end_by_default();
        handle(libc::SIGALRM, nothing, 0);
        crate::aborts::alarm_soon();
        spoil(area);
        area.stay(&AtomicU32::new(0)) as i32
    }))
}

pub fn all() {
    let segv = Ended::Killed(libc::SIGSEGV);
    equal("no section", end_of(|_| {}), Ended::Exited(0));
    equal("a section elsewhere is left", end_with(endless()), Ended::Exited(0));
    equal("with flags too", end_with(Section { flags: 1, ..endless() }), Ended::Exited(0));
    equal("a section that is not mapped", end_of(|area| area.section.store(64, SeqCst)), segv);
    equal("a section of the kernel's", end_of(|area| area.section.store(1 << 63, SeqCst)), segv);
    equal("an unknown version", end_with(Section { version: 1, ..endless() }), segv);
    equal("an abort in the section", end_with(Section { abort: endless().start + 1, ..endless() }), segv);
    equal("a section without end", end_with(Section { length: usize::MAX, ..endless() }), segv);
    equal("an abort that is not mapped", end_with(Section { abort: 64, ..endless() }), segv);
    equal("another signature", end_with(Section { abort: endless().abort + 1, ..endless() }), segv);
    equal("disturbed inside", end_inside(|_| {}), Ended::Exited(0));
    equal("flags in the area, inside", end_inside(|area| area.flags.store(1, SeqCst)), segv);
    equal("an area that is gone", end_of(gone), segv);
    equal("an area that cannot be written", end_of(read_only), segv);
}

/// Another area on a page of its own, which then changes.
fn on_a_page(area: &'static Area) -> usize {
    area.give_up();
    give_up_library_area();
    let page = call!(SYS_mmap, 0, 4096, 3, 0x22, usize::MAX, 0).unwrap_or(0);
    must("registered", register(page, LENGTH, 0, SIGNATURE) == Ok(0));
    page
}

fn gone(area: &'static Area) {
    let page = on_a_page(area);
    must("munmap", call!(SYS_munmap, page, 4096) == Ok(0));
}

/// A section stands there, which has to be cleared.
fn read_only(area: &'static Area) {
    let page = on_a_page(area);
    let section: &'static Section = Box::leak(Box::new(endless()));
    // SAFETY: the page is ours, and nobody else's.
    unsafe { ((page + 8) as *mut usize).write_volatile(std::ptr::from_ref(section).addr()) };
    must("mprotect", call!(SYS_mprotect, page, 4096, 1) == Ok(0));
}
