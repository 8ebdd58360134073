//! From the loader's jump to `kernel_main`, and from there to `kernel_cpu_main` on every other CPU.
//!
//! Invariant: from its first Rust line on a CPU has its own block (GS), GDT, TSS, IST stacks and kernel stack. The kernel
//! crate defines two functions, found by name:
//!
//! ```text
//! #[unsafe(no_mangle)] fn kernel_main(info: BootInfo) -> !
//! #[unsafe(no_mangle)] fn kernel_cpu_main(cpu: CpuId) -> !
//! ```

mod arrive;
mod image;
mod info;
mod kernel;
mod low_code;
mod memory_map;
mod start;
mod start_cpu;

pub use crate::cpu::gdt::CpuStacks;
pub use info::BootInfo;
pub use start_cpu::{Arrivals, start_cpus};
