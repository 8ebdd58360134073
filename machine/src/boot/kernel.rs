//! The two functions of the kernel crate that boot ends in.
//!
//! Found by name when the kernel is linked; a test never gets there.

use super::BootInfo;
use sync::CpuId;

#[cfg(target_os = "none")]
mod named {
    use super::{BootInfo, CpuId};

    unsafe extern "Rust" {
        pub safe fn kernel_main(info: BootInfo) -> !;
        pub safe fn kernel_cpu_main(cpu: CpuId) -> !;
    }
}

#[cfg(not(target_os = "none"))]
mod named {
    use super::{BootInfo, CpuId};

    pub fn kernel_main(info: BootInfo) -> ! {
        panic!("a test has no kernel to start with {info:?}")
    }

    pub fn kernel_cpu_main(cpu: CpuId) -> ! {
        panic!("a test has no kernel to start on {cpu:?}")
    }
}

pub(super) use named::{kernel_cpu_main, kernel_main};
