//! Slices never end by themselves, and no timer goes off: what may happen at any time, models do by themselves.

use sync::{IrqContext, IrqOff};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    Slice = 0,
    Timers = 1,
    Disturbance = 2,
}

pub fn set_called(_: Slot, _: fn(&IrqContext)) {}

pub fn set(_: Slot, _: Option<u64>, _: &mut IrqOff) {}

pub fn bring_forward(_: Slot, _: u64, _: &mut IrqOff) {}

pub fn interrupt(_: &IrqContext) {}

pub fn due(_: Slot, _: &IrqOff) -> Option<u64> {
    None
}
