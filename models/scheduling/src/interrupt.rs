//! Nobody counts interrupts.

pub fn count_on(_: sync::CpuId) -> u64 {
    0
}
