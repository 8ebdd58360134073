//! What is written goes nowhere.

use crate::serial::Port;
use sync::TaskContext;

pub struct Output;

impl Output {
    pub const fn new(_: Port) -> Self {
        Output
    }

    pub fn write(&self, _: &TaskContext, _: &[u8]) {}
}
