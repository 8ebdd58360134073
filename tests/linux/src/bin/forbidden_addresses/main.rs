//! Addresses that no program may use, given to all that takes one: the errno or the signal, its code and its address are Linux's.
//!
//! Invariant: what is printed is what the kernel said; nothing is judged here. Four levels of page tables are assumed, and rights
//! are given up where root may do more than others.

mod accesses;
mod calls;
mod guard;
mod kernel_pages;
mod mappings;
mod starts;

use linux_tests::Errno;
use linux_tests::memory::{PAGE, anonymous};
use linux_tests::process::{Ended, child_must_succeed};

/// Where nothing is mapped, or can be; behind each its name.
pub const FORBIDDEN: [(usize, &str); 11] = [
    (0, "null"),
    (8, "8"),
    (0x7fff_ffff_dff8, "before the last page"),
    (0x7fff_ffff_eff8, "end of the last page"),
    (0x7fff_ffff_f000, "guard page"),
    (0x8000_0000_0000, "hole"),
    (0x1234_5678_9abc_def0, "deep hole"),
    (0xffff_8000_0000_0000, "kernel's half"),
    (0xffff_8880_0000_0000, "all memory"),
    (0xffff_ffff_8100_0000, "kernel"),
    (usize::MAX - 7, "end"),
];

/// A byte on.
const CROOKED: usize = 1;

fn main() {
    accesses::start();
    // Each in a child: what one takes away, the next one has; and rights that are given up do not come back.
    child_must_succeed("accesses", accesses::all);
    child_must_succeed("calls", calls::all);
    child_must_succeed("mappings", mappings::all);
    child_must_succeed("starts", starts::all);
    child_must_succeed("kernel pages", kernel_pages::all);
    child_must_succeed("guard", guard::all);
}

/// One line for a kind of use: the answers for all addresses, where equal ones follow each other said once.
pub fn table(what: &str, mut answer: impl FnMut(usize) -> String) {
    let mut line: Vec<(String, Vec<&str>)> = Vec::new();
    for (address, name) in FORBIDDEN {
        let said = answer(address);
        if said.is_empty() {
            continue;
        }
        match line.iter_mut().find(|(known, _)| *known == said) {
            Some((_, names)) => names.push(name),
            None => line.push((said, vec![name])),
        }
    }
    println!("{what}:");
    for (said, names) in line {
        println!("    {said}: {}", names.join(", "));
    }
}

/// Gives up root's rights: below `vm.mmap_min_addr` root may map, and it may lock without limit.
pub fn become_nobody() {
    if !linux_tests::is_root() {
        return;
    }
    linux_tests::done("setresgid", linux_tests::call!(SYS_setresgid, 65534, 65534, 65534));
    linux_tests::done("setresuid", linux_tests::call!(SYS_setresuid, 65534, 65534, 65534));
}

/// A mapping of one page with two pages of nothing on either side.
pub fn lonely_page() -> usize {
    let at = anonymous(5);
    linux_tests::done("munmap", linux_tests::memory::unmap(at, 2 * PAGE));
    linux_tests::done("munmap", linux_tests::memory::unmap(at + 3 * PAGE, 2 * PAGE));
    at + 2 * PAGE
}

/// A number that is the same wherever the program runs, or a word for one that is not.
pub fn said(result: Result<usize, Errno>) -> String {
    match result {
        Ok(value) if value < 100_000 => format!("{value}"),
        Ok(_) => "an address".to_owned(),
        Err(errno) => name_of(errno),
    }
}

fn name_of(errno: Errno) -> String {
    let known = [
        (libc::EPERM, "EPERM"),
        (libc::ESRCH, "ESRCH"),
        (libc::ENOMEM, "ENOMEM"),
        (libc::EACCES, "EACCES"),
        (libc::EFAULT, "EFAULT"),
        (libc::EEXIST, "EEXIST"),
        (libc::EINVAL, "EINVAL"),
        (libc::EAGAIN, "EAGAIN"),
        (libc::ENOSYS, "ENOSYS"),
        (libc::ENOENT, "ENOENT"),
    ];
    known.iter().find(|(number, _)| *number == errno).map_or_else(|| format!("errno {errno}"), |(_, name)| (*name).to_owned())
}

pub fn fate(ended: Ended) -> String {
    match ended {
        Ended::Exited(0) => "lives".to_owned(),
        other => format!("{other:?}"),
    }
}
