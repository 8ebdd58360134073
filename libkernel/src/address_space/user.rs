//! Bytes of the running program: copied in, copied out, never referenced.
//!
//! Invariant: a copy may fault, and a fault takes the space's lock and may sleep; so none is made under a spin lock, nor
//! under a sleeping lock that stands below address spaces. Whether it happens to fault or not, that is checked.

use super::UserAddress;
use super::address::PAGE;
use crate::error::KernelError;
use crate::memory::Room;
use alloc::vec::Vec;
use machine::user::{self, Fault};
use sync::{LockClass, PreemptOff, TaskContext, cpu, might_sleep, order};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Part of a program's memory, as the program named it. Nothing is known about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserSlice {
    address: UserAddress,
    length: usize,
}

impl UserSlice {
    pub const fn new(address: UserAddress, length: usize) -> Self {
        UserSlice { address, length }
    }

    pub const fn address(self) -> UserAddress {
        self.address
    }

    pub const fn length(self) -> usize {
        self.length
    }

    pub const fn is_empty(self) -> bool {
        self.length == 0
    }

    /// All of it, as the program has it now.
    pub fn copy_in(self, cx: &mut TaskContext) -> Result<Vec<u8>, KernelError> {
        let mut bytes = Vec::new();
        bytes.try_room_exact(self.length).map_err(|_| KernelError::NoMemory)?;
        bytes.resize(self.length, 0);
        copy_in(cx, self.address, &mut bytes)?;
        Ok(bytes)
    }
}

/// The word cannot be reached without sleeping, or not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotAtHand;

/// Fills `into`, or fails; after that `into` holds anything.
pub fn copy_in(cx: &mut TaskContext, at: UserAddress, into: &mut [u8]) -> Result<(), KernelError> {
    begin(cx);
    user::copy_in(into, at.as_u64()).map_err(bad_address)
}

/// Writes all of `bytes`, or fails; after that any part of them may have been written.
pub fn copy_out(cx: &mut TaskContext, at: UserAddress, bytes: &[u8]) -> Result<(), KernelError> {
    begin(cx);
    user::copy_out(at.as_u64(), bytes).map_err(bad_address)
}

pub fn copy_in_value<T: FromBytes + IntoBytes>(cx: &mut TaskContext, at: UserAddress) -> Result<T, KernelError> {
    let mut value = T::new_zeroed();
    copy_in(cx, at, value.as_mut_bytes())?;
    Ok(value)
}

pub fn copy_out_value<T: IntoBytes + Immutable>(cx: &mut TaskContext, at: UserAddress, value: &T) -> Result<(), KernelError> {
    copy_out(cx, at, value.as_bytes())
}

/// The bytes before the first zero byte; `TooLarge` when there is none among the first `maximum` bytes.
pub fn copy_in_string(cx: &mut TaskContext, at: UserAddress, maximum: usize) -> Result<Vec<u8>, KernelError> {
    const PIECE: usize = 256;
    let mut string = Vec::new();
    let mut piece = [0; PIECE];
    while string.len() < maximum {
        let from = at.checked_add(string.len() as u64).ok_or(KernelError::BadAddress)?;
        // Not beyond the page that the string may end in: the next one need not be mapped.
        let in_page = (PAGE - from.as_u64() % PAGE) as usize;
        let piece = &mut piece[..PIECE.min(in_page).min(maximum - string.len())];
        copy_in(cx, from, piece)?;
        let end = piece.iter().position(|byte| *byte == 0);
        let bytes = &piece[..end.unwrap_or(piece.len())];
        string.try_room(bytes.len()).map_err(|_| KernelError::NoMemory)?;
        string.extend_from_slice(bytes);
        if end.is_some() {
            return Ok(string);
        }
    }
    Err(KernelError::TooLarge)
}

/// Makes `length` bytes 0.
pub fn zero(cx: &mut TaskContext, at: UserAddress, length: usize) -> Result<(), KernelError> {
    begin(cx);
    user::zero(at.as_u64(), length).map_err(bad_address)
}

/// A word, read in one piece. An address that is not a multiple of 4 is a bad one, here and below.
pub fn load_u32(cx: &mut TaskContext, at: UserAddress) -> Result<u32, KernelError> {
    begin(cx);
    user::load(at.as_u64()).map_err(bad_address)
}

/// Writes a word in one piece.
pub fn store_u32(cx: &mut TaskContext, at: UserAddress, value: u32) -> Result<(), KernelError> {
    begin(cx);
    user::store(at.as_u64(), value).map_err(bad_address)
}

/// Writes `new` if the word is `expected`, in one step with all other threads: `Ok(Ok(expected))`; else what it is.
pub fn compare_exchange_u32(cx: &mut TaskContext, at: UserAddress, expected: u32, new: u32) -> Result<Result<u32, u32>, KernelError> {
    begin(cx);
    let before = user::compare_exchange(at.as_u64(), expected, new).map_err(bad_address)?;
    Ok(if before == expected { Ok(before) } else { Err(before) })
}

/// Makes the word's page present and writable without changing the word.
pub fn touch_u32(cx: &mut TaskContext, at: UserAddress) -> Result<(), KernelError> {
    begin(cx);
    user::add(at.as_u64(), 0).map(drop).map_err(bad_address)
}

/// A word read under a spin lock: fails also where its page would have to be brought first. `load_u32` brings it.
pub fn load_u32_at_hand(at: UserAddress) -> Result<u32, NotAtHand> {
    let _stays = PreemptOff::new();
    user::load(at.as_u64()).map_err(|_| NotAtHand)
}

/// `compare_exchange_u32` under a spin lock; `touch_u32` brings the page. Answers what the word was.
pub fn compare_exchange_u32_at_hand(at: UserAddress, expected: u32, new: u32) -> Result<u32, NotAtHand> {
    let _stays = PreemptOff::new();
    user::compare_exchange(at.as_u64(), expected, new).map_err(|_| NotAtHand)
}

#[track_caller]
fn begin(_: &mut TaskContext) {
    might_sleep();
    let held = cpu::sleep_held() >> order::AddressSpaceParent::RANK;
    assert!(held == 0, "a program's memory is touched under {}", order::Names(held << order::AddressSpaceParent::RANK));
}

fn bad_address(_: Fault) -> KernelError {
    KernelError::BadAddress
}
