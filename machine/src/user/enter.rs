//! The way down to ring 3.

use crate::trap::{TrapFrame, make_fit_for_user_mode};

/// Goes on in user mode as `frame` says, whatever privileges it claims. The kernel stack that this runs on is begun
/// anew at the next door, so everything on it must have been dropped. Interrupts may be on or off.
pub fn enter_ring3(frame: &TrapFrame) -> ! {
    let mut frame = *frame;
    sync::cpu::disable_interrupts();
    make_fit_for_user_mode(&mut frame);
    enter(&frame)
}

#[cfg(target_os = "none")]
fn enter(frame: &TrapFrame) -> ! {
    unsafe extern "C" {
        fn machine_enter_user(frame: &TrapFrame) -> !;
    }
    // SAFETY: the frame is fit for user mode, interrupts are off, and GS is the CPU's own, as always in the kernel.
    unsafe { machine_enter_user(frame) }
}

#[cfg(not(target_os = "none"))]
fn enter(frame: &TrapFrame) -> ! {
    panic!("there is no ring 3 below a test: {frame:x?}")
}
