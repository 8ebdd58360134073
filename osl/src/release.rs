//! What this system is called: its release, and the names that root gives it.
//!
//! Invariant: a name holds at most `LONGEST` bytes, so that it and its final zero fit a field of `struct utsname`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use libkernel::random;
use sync::{Once, SpinLock, TaskContext, order};

/// The name of the system that programs expect.
pub const SYSTEM: &str = "Linux";
/// Programs compare this with what they were built for; it says which Linux this kernel behaves like.
pub const RELEASE: &str = "6.6.0-braid";
/// Linux prints build number and date here.
pub const VERSION: &str = concat!("#1 SMP PREEMPT Braid ", env!("CARGO_PKG_VERSION"));
/// The kind of machine.
pub const MACHINE: &str = "x86_64";
/// Longest name of a machine or domain.
pub const LONGEST: usize = 64;

struct Names {
    node: Vec<u8>,
    domain: Vec<u8>,
}

static NAMES: SpinLock<Names, order::FileSystemContext> = SpinLock::new(Names { node: Vec::new(), domain: Vec::new() });
static BOOT_IDENTIFIER: Once<String> = Once::new();

/// The name of this machine.
pub fn node(cx: &TaskContext) -> Vec<u8> {
    let name = NAMES.lock(cx).node.clone();
    if name.is_empty() { b"braid".to_vec() } else { name }
}

/// The domain it is in.
pub fn domain(cx: &TaskContext) -> Vec<u8> {
    let name = NAMES.lock(cx).domain.clone();
    if name.is_empty() { b"(none)".to_vec() } else { name }
}

/// Renames the machine; a name that is too long is cut.
pub fn set_node(cx: &TaskContext, mut name: Vec<u8>) {
    name.truncate(LONGEST);
    let before = core::mem::replace(&mut NAMES.lock(cx).node, name);
    drop(before);
}

/// Renames the domain; a name that is too long is cut.
pub fn set_domain(cx: &TaskContext, mut name: Vec<u8>) {
    name.truncate(LONGEST);
    let before = core::mem::replace(&mut NAMES.lock(cx).domain, name);
    drop(before);
}

/// A random identifier (version 4) in the usual spelling.
pub fn new_identifier() -> String {
    let mut bytes = [0; 16];
    random::fill(&mut bytes);
    spelled(bytes)
}

/// The identifier of this boot.
pub fn boot_identifier() -> String {
    BOOT_IDENTIFIER.get().unwrap_or_else(|| BOOT_IDENTIFIER.get_or_set(new_identifier())).clone()
}

fn spelled(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let number = number & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{number:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_says_that_it_is_random() {
        assert_eq!(spelled([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(spelled([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
