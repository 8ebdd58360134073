//! System calls that copy, with each address that is forbidden, beside a page, and with lengths that wrap.

use linux_tests::memory::{PAGE, READ, protect};
use linux_tests::process::{my_pid, pipe_with, read, write};
use linux_tests::{Errno, call, done};

use crate::{lonely_page, said, table};

struct Ends {
    reading: usize,
    writing: usize,
    zero: usize,
    page: usize,
}

/// A pipe with a few bytes in it.
fn filled(ends: &Ends) {
    while read(ends.reading as i32, &mut [0; 256]).is_ok_and(|count| count > 0) {}
    done("write", write(ends.writing as i32, &[7; 64]));
}

fn vector(at: usize, length: usize) -> [[usize; 2]; 2] {
    [[at, length], [at, 0]]
}

type Use = (&'static str, fn(&Ends, usize, usize) -> Result<usize, Errno>);

/// With an address and a length.
const USES: [Use; 29] = [
    ("read from a pipe", |ends, at, length| {
        filled(ends);
        call!(SYS_read, ends.reading, at, length)
    }),
    ("write to a pipe", |ends, at, length| {
        filled(ends);
        call!(SYS_write, ends.writing, at, length)
    }),
    ("read zeroes", |ends, at, length| call!(SYS_read, ends.zero, at, length)),
    ("pread64", |ends, at, length| call!(SYS_pread64, ends.zero, at, length, 0)),
    ("readv", |ends, at, length| {
        filled(ends);
        call!(SYS_readv, ends.reading, vector(at, length).as_ptr(), 2)
    }),
    ("readv after a good piece", |ends, at, length| {
        filled(ends);
        call!(SYS_readv, ends.reading, [[ends.page, 3], [at, length]].as_ptr(), 2)
    }),
    ("writev", |ends, at, length| {
        filled(ends);
        call!(SYS_writev, ends.writing, vector(at, length).as_ptr(), 2)
    }),
    ("writev after a good piece", |ends, at, length| {
        filled(ends);
        call!(SYS_writev, ends.writing, [[ends.page, 3], [at, length]].as_ptr(), 2)
    }),
    ("readv's list", |ends, at, _| call!(SYS_readv, ends.reading, at, 1)),
    ("process_vm_readv to", |ends, at, length| {
        call!(SYS_process_vm_readv, my_pid(), vector(at, length).as_ptr(), 1, vector(ends.page, 64).as_ptr(), 1, 0)
    }),
    ("process_vm_readv from", |ends, at, length| {
        call!(SYS_process_vm_readv, my_pid(), vector(ends.page, 64).as_ptr(), 1, vector(at, length).as_ptr(), 1, 0)
    }),
    ("process_vm_writev to", |ends, at, length| {
        call!(SYS_process_vm_writev, my_pid(), vector(ends.page, 64).as_ptr(), 1, vector(at, length).as_ptr(), 1, 0)
    }),
    ("process_vm_readv's lists", |ends, at, _| call!(SYS_process_vm_readv, my_pid(), at, 1, vector(ends.page, 64).as_ptr(), 1, 0)),
    ("getrandom", |_, at, length| call!(SYS_getrandom, at, length.min(256), 0)),
    ("futex wait", |_, at, _| call!(SYS_futex, at & !3, libc::FUTEX_WAIT, 1, [0_u64; 2].as_ptr())),
    ("private futex wait", |_, at, _| call!(SYS_futex, at & !3, libc::FUTEX_WAIT | 128, 1, [0_u64; 2].as_ptr())),
    ("futex wake", |_, at, _| call!(SYS_futex, at & !3, libc::FUTEX_WAKE, 1)),
    ("private futex wake", |_, at, _| call!(SYS_futex, at & !3, libc::FUTEX_WAKE | 128, 1)),
    ("crooked futex wake", |_, at, _| call!(SYS_futex, at | 1, libc::FUTEX_WAKE | 128, 1)),
    ("futex lock", |_, at, _| call!(SYS_futex, at & !3, libc::FUTEX_TRYLOCK_PI | 128, 0)),
    ("futex requeue", |ends, at, _| call!(SYS_futex, ends.page, libc::FUTEX_CMP_REQUEUE | 128, 1, 1, at & !3, 0)),
    ("futex wake-op", |ends, at, _| call!(SYS_futex, ends.page, libc::FUTEX_WAKE_OP | 128, 1, 1, at & !3, 0)),
    ("futex's time", |ends, at, _| call!(SYS_futex, ends.page, libc::FUTEX_WAIT | 128, 1, at)),
    ("sigaltstack from", |_, at, _| call!(SYS_sigaltstack, at, 0)),
    ("set_robust_list", |_, at, length| call!(SYS_set_robust_list, at, length)),
    ("get_robust_list", |ends, at, _| call!(SYS_get_robust_list, 0, at, ends.page)),
    ("set_tid_address", |_, at, _| call!(SYS_set_tid_address, at).map(|_| 1)),
    ("open", |_, at, _| call!(SYS_openat, libc::AT_FDCWD, at, libc::O_RDONLY)),
    ("getcwd", |_, at, length| call!(SYS_getcwd, at, length)),
];

pub fn all() {
    done("chdir", call!(SYS_chdir, c"/tmp".as_ptr()));
    let (reading, writing) = pipe_with(libc::O_NONBLOCK);
    let zero = done("open", call!(SYS_openat, libc::AT_FDCWD, c"/dev/zero".as_ptr(), libc::O_RDONLY));
    let ends = Ends { reading: reading as usize, writing: writing as usize, zero, page: linux_tests::memory::anonymous(1) };
    for (what, act) in USES {
        table(what, |at| said(act(&ends, at, 24)));
        table(&format!("{what}, nothing"), |at| said(act(&ends, at, 0)));
        let page = lonely_page();
        let places = [page - 8, page + PAGE - 8, page + PAGE, page];
        let of = |length: usize| places.map(|at| said(act(&ends, at, length))).join(", ");
        // Lengths of which an implementation may take a part have an answer each; those that wrap have one.
        println!("{what} beside a page: {}", of(24));
        println!("{what} around the end: {}", of(usize::MAX - page + 1));
        println!("{what} of all there is: {}", of(usize::MAX));
        done("mprotect", protect(page, PAGE, READ));
        println!("{what} of what is only read: {}", of(24));
        done("mprotect", protect(page, PAGE, libc::PROT_NONE));
        println!("{what} of what is closed: {}", of(24));
    }
}
