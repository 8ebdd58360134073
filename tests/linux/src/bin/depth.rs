//! What goes deep: folders in folders, links to links, handlers in handlers, stacks that run over. An errno or a signal ends it.
//!
//! On a Linux host the folders are left out: only the lines are printed.

use linux_tests::memory::PAGE;
use linux_tests::process::{Ended, fork, in_a_child, kill, wait};
use linux_tests::scratch::Scratch;
use linux_tests::{call, check, done, equal, is_braid, must, sleep_ms};
use std::sync::atomic::{AtomicUsize, Ordering};

const LEVELS: usize = 3_000;

fn main() {
    chains_of_links();
    if is_braid() {
        deep_folders();
        gone_all_at_once();
    }
    check("folders three thousand levels deep are made, walked up and removed", true);
    check("a deep tree that nobody can reach any more goes away", true);
    handlers_in_handlers();
    absurd_sizes();
    spinners();
}

fn chains_of_links() {
    let scratch = Scratch::new("chains");
    scratch.file("link-0", b"x", 0o644);
    for number in 1..60 {
        let (from, to) = (scratch.c(&format!("link-{}", number - 1)), scratch.c(&format!("link-{number}")));
        must("symlink", call!(SYS_symlink, from.as_ptr(), to.as_ptr()).is_ok());
    }
    let open = |name: &str| call!(SYS_open, scratch.c(name).as_ptr(), libc::O_RDONLY, 0).map(|_| ());
    equal("forty links are followed", open("link-40"), Ok(()));
    equal("forty-one are not", open("link-41"), Err(libc::ELOOP));
    must("symlink", call!(SYS_symlink, c"circle".as_ptr(), scratch.c("circle").as_ptr()).is_ok());
    equal("a circle is not followed", open("circle"), Err(libc::ELOOP));
    let long = "a/".repeat(2040);
    equal("a path of 4,080 bytes may lead nowhere", open(&long[..long.len() - 200]), Err(libc::ENOENT));
    let longer = std::ffi::CString::new("a/".repeat(3000)).unwrap_or_default();
    equal("one of 6,000 is too long", call!(SYS_open, longer.as_ptr(), 0, 0), Err(libc::ENAMETOOLONG));
}

fn descend(levels: usize) -> usize {
    (0..levels).take_while(|_| call!(SYS_mkdir, c"d".as_ptr(), 0o755).is_ok() && call!(SYS_chdir, c"d".as_ptr()).is_ok()).count()
}

fn deep_folders() {
    let scratch = Scratch::new("deep");
    let ended = in_a_child(|| {
        done("chdir", call!(SYS_chdir, scratch.c("").as_ptr()));
        let depth = descend(LEVELS);
        must("all levels", depth == LEVELS);
        let mut path = [0_u8; 8192];
        let named = call!(SYS_getcwd, path.as_mut_ptr(), path.len());
        must("its path is told or refused", named.is_ok() || named == Err(libc::ENAMETOOLONG) || named == Err(libc::ERANGE));
        let mut link = [0_u8; 256];
        let _told_or_not = call!(SYS_readlink, c"/proc/self/cwd".as_ptr(), link.as_mut_ptr(), link.len());
        must(
            "up a long way",
            call!(SYS_stat, std::ffi::CString::new("../".repeat(1300)).unwrap_or_default().as_ptr(), path.as_mut_ptr()).is_ok(),
        );
        must("a file", call!(SYS_mknod, c"f".as_ptr(), libc::S_IFREG | 0o644, 0).is_ok());
        must("rename", call!(SYS_rename, c"f".as_ptr(), c"../g".as_ptr()).is_ok());
        must("unlink", call!(SYS_unlink, c"../g".as_ptr()).is_ok());
        for _ in 0..depth {
            must("chdir", call!(SYS_chdir, c"..".as_ptr()).is_ok());
            must("rmdir", call!(SYS_rmdir, c"d".as_ptr()).is_ok());
        }
        0
    });
    must("all the way down and up", ended == Ended::Exited(0));
}

/// A file system whose deep tree is dropped with its mount: the kernel must not go as deep itself.
fn gone_all_at_once() {
    let scratch = Scratch::new("gone");
    must("mkdir", call!(SYS_mkdir, scratch.c("m").as_ptr(), 0o755).is_ok());
    let place = scratch.c("m");
    must("mount", call!(SYS_mount, c"none".as_ptr(), place.as_ptr(), c"tmpfs".as_ptr(), 0, 0).is_ok());
    let ended = in_a_child(|| {
        done("chdir", call!(SYS_chdir, place.as_ptr()));
        i32::from(descend(LEVELS * 4) < LEVELS)
    });
    must("a deep tree", ended == Ended::Exited(0));
    must("umount", call!(SYS_umount2, place.as_ptr(), 0).is_ok());
}

static NESTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn nest(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    NESTED.fetch_add(1, Ordering::Relaxed);
    linux_tests::signal::raise(libc::SIGUSR1);
}

fn handlers_in_handlers() {
    let ended = in_a_child(|| {
        linux_tests::signal::set_disposition(libc::SIGSEGV, libc::SIG_DFL);
        linux_tests::signal::handle(libc::SIGUSR1, nest, libc::SA_NODEFER);
        linux_tests::signal::raise(libc::SIGUSR1);
        0
    });
    equal("handlers in handlers end with the stack", ended, Ended::Killed(libc::SIGSEGV));
}

fn absurd_sizes() {
    let huge = [usize::MAX, usize::MAX / 2, 1 << 62, (1 << 47) - 1, 0x7fff_ffff_ffff_f000];
    let mut byte = [0_u8; PAGE];
    let null = done("open", call!(SYS_open, c"/dev/null".as_ptr(), libc::O_RDWR, 0));
    for size in huge {
        // The kernel refuses, or stops at the end of what is mapped.
        let _none_of_these_hurts = [
            call!(SYS_write, null, NOWHERE, size),
            call!(SYS_getrandom, NOWHERE, size, 0),
            call!(SYS_readv, null, byte.as_mut_ptr(), size),
            call!(SYS_poll, NOWHERE, size, 0),
            call!(SYS_getgroups, size, NOWHERE),
            call!(SYS_setgroups, size, NOWHERE),
            call!(SYS_mmap, 0, size, 3, 0x22, usize::MAX, 0),
            call!(SYS_mremap, byte.as_ptr(), PAGE, size, 1),
            call!(SYS_munmap, END, size),
            call!(SYS_mprotect, END, size, 0),
            call!(SYS_madvise, END, size, 4),
            call!(SYS_epoll_wait, null, NOWHERE, size, 0),
            call!(SYS_sched_setaffinity, 0, size, NOWHERE),
            call!(SYS_sched_getaffinity, 0, size, NOWHERE),
            call!(SYS_getdents64, null, NOWHERE, size),
            call!(SYS_select, size, NOWHERE, 0, 0, NOWHERE),
            call!(SYS_syslog, 3, NOWHERE, size),
            call!(SYS_sendfile, null, null, 0, size),
            call!(SYS_prctl, size, size, size, size, size),
            call!(SYS_getcwd, NOWHERE, size),
            call!(SYS_readlink, c"/proc/self/exe".as_ptr(), NOWHERE, size),
            call!(SYS_brk, size),
            call!(SYS_ftruncate, null, size),
            call!(SYS_lseek, null, size, 1),
        ];
    }
    check("absurd sizes are refused", true);
}

const NOWHERE: usize = 0x10;
/// The first address that is no program's.
const END: usize = 0x7fff_ffff_f000;

/// As many as there are CPUs and one more, none of which ever sleeps: others are served nevertheless.
fn spinners() {
    let spinners: Vec<_> = (0..=linux_tests::allowed_cpus().len())
        .map(|_| {
            fork(|| {
                loop {
                    std::hint::spin_loop();
                }
            })
        })
        .collect();
    sleep_ms(100);
    let served = in_a_child(|| 11);
    spinners.into_iter().for_each(|spinner| {
        must("kill", kill(spinner, libc::SIGKILL).is_ok());
        must("killed", wait(spinner) == Ended::Killed(libc::SIGKILL));
    });
    equal("a program that never sleeps on every CPU keeps nobody from running", served, Ended::Exited(11));
}
