//! One memory for all, never changed.

use sync::IrqOff;

pub struct Translation;

impl Translation {
    pub fn enter(&self, _: &IrqOff) {}

    pub fn leave(&self, _: &IrqOff) {}
}

pub mod kernel_map {
    pub fn load() {}
}
