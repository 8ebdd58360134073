//! One device's interrupt, which models send.

use crate::error::KernelError;
use std::cell::RefCell;
use std::sync::Arc;
use sync::{CpuId, IrqContext};

pub type Handler = Arc<dyn Fn(&IrqContext) + Send + Sync>;

// One model's threads all run on one OS thread.
std::thread_local! {
    static HANDLER: RefCell<Option<Handler>> = const { RefCell::new(None) };
}

pub struct DeviceInterrupt;

impl DeviceInterrupt {
    pub fn request_masked(_: u32, _: &'static str, _: CpuId, handler: Handler) -> Result<Self, KernelError> {
        HANDLER.set(Some(handler));
        Ok(DeviceInterrupt)
    }
}

/// As the kernel's: when it returns, no handler runs, and none will.
impl Drop for DeviceInterrupt {
    fn drop(&mut self) {
        HANDLER.set(None);
    }
}

/// In the entry of the interrupt.
pub fn arrives(context: &IrqContext) {
    let handler = HANDLER.with_borrow(Option::clone).unwrap();
    handler(context);
}
