//! Where a handler's frame goes: the program's stack, or the one it set apart for handlers.
//!
//! Invariant: pure. A frame never touches the 128 bytes below the interrupted stack pointer, begins 8 below a multiple of 16, and
//! lies wholly within the alternate stack when it is put there.

use abi::signal::{SS_AUTODISARM, SS_DISABLE, SignalFrame, SignalStack};

/// Bytes below the stack pointer that a function may use without moving it.
const RED_ZONE: u64 = 128;
const EXTENDED_ALIGN: u64 = 64;
const FRAME_ALIGN: u64 = 16;

/// Where the parts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The frame.
    pub frame: u64,
    /// The extended state above it.
    pub extended: u64,
}

/// Whether a stack pointer is on the alternate stack.
pub fn is_on(stack: &SignalStack, pointer: u64) -> bool {
    stack.flags & (SS_DISABLE | SS_AUTODISARM) == 0 && pointer > stack.base && pointer - stack.base <= stack.size
}

/// Whether there is an alternate stack and the pointer is not on it yet.
fn may_change_to(stack: &SignalStack, pointer: u64) -> bool {
    stack.size != 0 && stack.flags & SS_DISABLE == 0 && !is_on(stack, pointer)
}

/// Places a frame with `extended_bytes` of extended state. `None` when it does not fit.
pub fn place(pointer: u64, stack: &SignalStack, wants_other: bool, extended_bytes: usize) -> Option<Placement> {
    let changes = wants_other && may_change_to(stack, pointer);
    let top = if changes { stack.base.checked_add(stack.size)? } else { pointer.checked_sub(RED_ZONE)? };
    let extended = top.checked_sub(extended_bytes as u64)? & !(EXTENDED_ALIGN - 1);
    let below = extended.checked_sub(size_of::<SignalFrame>() as u64)?;
    let frame = (below & !(FRAME_ALIGN - 1)).checked_sub(8)?;
    let must_stay = changes || is_on(stack, pointer);
    if must_stay && frame < stack.base {
        return None;
    }
    Some(Placement { frame, extended })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: SignalStack = SignalStack { base: 0x10_0000, flags: 0, padding: 0, size: 0x4000 };
    const NONE: SignalStack = SignalStack { base: 0, flags: SS_DISABLE, padding: 0, size: 0 };

    #[test]
    fn the_red_zone_is_left_alone_and_the_frame_is_aligned_as_after_a_call() {
        for pointer in 0x7000_0000..0x7000_0040u64 {
            let placed = place(pointer, &NONE, false, 836).unwrap();
            assert!(placed.extended + 836 <= pointer - RED_ZONE);
            assert_eq!(placed.extended % 64, 0);
            assert_eq!((placed.frame + 8) % 16, 0);
            assert!(placed.frame + 440 <= placed.extended);
        }
    }

    #[test]
    fn a_handler_that_asks_for_it_gets_the_other_stack_from_its_top() {
        let placed = place(0x7000_0000, &STACK, true, 836).unwrap();
        assert!(placed.frame >= STACK.base && placed.extended + 836 <= STACK.base + STACK.size);
        assert!(STACK.base + STACK.size - (placed.extended + 836) < 64, "no red zone is needed there");
    }

    #[test]
    fn a_nested_handler_goes_on_below_on_the_same_stack() {
        let inside = STACK.base + 0x3000;
        let placed = place(inside, &STACK, true, 836).unwrap();
        assert!(placed.frame < inside && placed.frame >= STACK.base);
    }

    #[test]
    fn a_frame_that_would_leave_the_other_stack_is_refused() {
        assert_eq!(place(STACK.base + 0x200, &STACK, true, 836), None);
        let tiny = SignalStack { size: 512, ..STACK };
        assert_eq!(place(0x7000_0000, &tiny, true, 836), None);
    }

    #[test]
    fn a_stack_pointer_near_zero_is_refused() {
        assert_eq!(place(100, &NONE, false, 836), None);
        assert_eq!(place(900, &NONE, false, 836), None);
    }

    #[test]
    fn a_disarmed_stack_counts_as_never_used() {
        let stack = SignalStack { flags: SS_AUTODISARM, ..STACK };
        assert!(!is_on(&stack, stack.base + 8));
        assert!(is_on(&STACK, STACK.base + 8) && !is_on(&STACK, STACK.base));
    }
}
