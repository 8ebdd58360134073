//! How a CPU gets its tables, played.

pub mod flush {
    use crate::addr::{PhysAddr, VirtAddr};
    use crate::buffers;

    pub fn has_tags() -> bool {
        true
    }

    pub fn page(at: VirtAddr) {
        buffers::mine(|buffer| buffer.forget(at.as_u64() as usize));
    }

    pub fn all() {
        buffers::mine(buffers::Buffer::forget_all);
    }

    pub fn load_root(_: PhysAddr) {
        load_tagged_root(PhysAddr(0), 0, false);
    }

    pub fn load_tagged_root(_: PhysAddr, tag: u16, keeps: bool) {
        buffers::mine(|buffer| buffer.load(tag, keeps));
    }
}
