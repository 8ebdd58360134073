//! A program's words, as the kernel reaches them, and as the program does.
//!
//! A load and a store are no stronger than the machine's; a locked instruction is weaker here, so nothing leans on its being a fence.

use super::UserAddress;
use crate::error::KernelError;
use crate::explore::atomic::{AtomicU32, Ordering};
use sync::TaskContext;

const WORDS: usize = 4;

sync::shared_static! {
    static MEMORY: [AtomicU32; WORDS] = core::array::from_fn(|_| AtomicU32::new(0));
}

/// A word that is not at hand, which none is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAtHand;

const FIRST: u64 = 4096;
const DISTANCE: u64 = 12;

/// Where the word of this number is. The first two fall into two buckets, the third into that of the second.
pub const fn word(number: usize) -> UserAddress {
    UserAddress::new(FIRST + DISTANCE * number as u64)
}

fn at(address: UserAddress) -> &'static AtomicU32 {
    let number = (address.as_u64() - FIRST) / DISTANCE;
    &MEMORY[number as usize]
}

/// As the program reads.
pub fn read(number: usize) -> u32 {
    at(word(number)).load(Ordering::Acquire)
}

/// As the program writes.
pub fn write(number: usize, value: u32) {
    at(word(number)).store(value, Ordering::Release);
}

/// As the program takes and gives back a lock without calling.
pub fn exchange(number: usize, expected: u32, new: u32) -> bool {
    at(word(number)).compare_exchange(expected, new, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

pub fn load_u32(_: &TaskContext, address: UserAddress) -> Result<u32, KernelError> {
    Ok(at(address).load(Ordering::Acquire))
}

pub fn load_u32_at_hand(address: UserAddress) -> Result<u32, NotAtHand> {
    Ok(at(address).load(Ordering::Acquire))
}

pub fn compare_exchange_u32(_: &TaskContext, address: UserAddress, expected: u32, new: u32) -> Result<Result<u32, u32>, KernelError> {
    Ok(at(address).compare_exchange(expected, new, Ordering::AcqRel, Ordering::Acquire))
}

pub fn compare_exchange_u32_at_hand(address: UserAddress, expected: u32, new: u32) -> Result<u32, NotAtHand> {
    let (Ok(found) | Err(found)) = at(address).compare_exchange(expected, new, Ordering::AcqRel, Ordering::Acquire);
    Ok(found)
}

pub fn touch_u32(_: &TaskContext, _: UserAddress) -> Result<(), KernelError> {
    Ok(())
}

/// Nothing but words can be read.
pub fn copy_in_value<T>(_: &TaskContext, _: UserAddress) -> Result<T, KernelError> {
    Err(KernelError::BadAddress)
}
