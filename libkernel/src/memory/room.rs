//! Room in the kernel's own lists, for who can hear no.
//!
//! Invariant: a refusal leaves the list as it was. What a program decides the length of is asked for here, not by the list itself.

use super::refusals::is_drawn_for_list;
use crate::error::KernelError;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

pub trait Room {
    /// Room for so many more, and perhaps for others after them.
    fn try_room(&mut self, more: usize) -> Result<(), KernelError>;
    /// Room for so many more.
    fn try_room_exact(&mut self, more: usize) -> Result<(), KernelError>;
}

macro_rules! has_room {
    ($([$($generics:tt)*] $list:ty;)*) => { $(
        impl<$($generics)*> Room for $list {
            fn try_room(&mut self, more: usize) -> Result<(), KernelError> {
                draw(self.capacity() - self.len(), more)?;
                self.try_reserve(more).map_err(|_| KernelError::NoMemory)
            }

            fn try_room_exact(&mut self, more: usize) -> Result<(), KernelError> {
                draw(self.capacity() - self.len(), more)?;
                self.try_reserve_exact(more).map_err(|_| KernelError::NoMemory)
            }
        }
    )* };
}

has_room! {
    [T] Vec<T>;
    [T] VecDeque<T>;
    [] String;
}

/// Refusals by lot meet those that would have asked the heap.
fn draw(left: usize, more: usize) -> Result<(), KernelError> {
    if more > left && is_drawn_for_list() { Err(KernelError::NoMemory) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_had_is_refused_and_changes_nothing() {
        let mut list = alloc::vec![1_u64, 2];
        assert_eq!(list.try_room(usize::MAX), Err(KernelError::NoMemory));
        assert_eq!(list.try_room_exact(usize::MAX / 16), Err(KernelError::NoMemory));
        assert_eq!(list, [1, 2]);
        assert_eq!(list.try_room(1), Ok(()));
        assert!(list.capacity() >= 3);
    }
}
