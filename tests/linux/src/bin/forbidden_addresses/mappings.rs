//! Calls about mappings: no address, length or alignment gets one to where none may be.

use linux_tests::memory::{PAGE, READ, READ_WRITE, anonymous, map, unmap};
use linux_tests::{Errno, call, done};

use crate::{CROOKED, FORBIDDEN, become_nobody, lonely_page, said, table};

const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

type Use = (&'static str, fn(usize, usize) -> Result<usize, Errno>);

const USES: [Use; 18] = [
    ("mmap with a hint", |at, length| {
        // Only read: how much may be promised is another matter.
        let given = map(at, length, READ, PRIVATE, -1, 0)?;
        done("munmap", unmap(given, length));
        Ok(if given == at { 1 } else { 0 })
    }),
    ("mmap fixed", |at, length| {
        let given = map(at, length, READ_WRITE, PRIVATE | libc::MAP_FIXED, -1, 0)?;
        done("munmap", unmap(given, length));
        Ok(given)
    }),
    ("mmap fixed beside others", |at, length| {
        let given = map(at, length, READ_WRITE, PRIVATE | libc::MAP_FIXED_NOREPLACE, -1, 0)?;
        done("munmap", unmap(given, length));
        Ok(given)
    }),
    ("munmap", unmap),
    ("mprotect", |at, length| call!(SYS_mprotect, at, length, READ_WRITE)),
    ("mremap from", |at, length| call!(SYS_mremap, at, length, PAGE, libc::MREMAP_MAYMOVE)),
    ("mremap grows", |at, length| call!(SYS_mremap, at, length, length.saturating_add(PAGE).min(1 << 30), libc::MREMAP_MAYMOVE)),
    ("mremap to", |at, length| {
        let page = anonymous(1);
        let moved = call!(SYS_mremap, page, PAGE, length, libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED, at);
        done("munmap", unmap(moved.unwrap_or(page), PAGE));
        moved
    }),
    ("MADV_DONTNEED", |at, length| call!(SYS_madvise, at, length, libc::MADV_DONTNEED)),
    ("MADV_NORMAL", |at, length| call!(SYS_madvise, at, length, libc::MADV_NORMAL)),
    ("MADV_POPULATE_READ", |at, length| call!(SYS_madvise, at, length, 22)),
    ("MADV_POPULATE_WRITE", |at, length| call!(SYS_madvise, at, length, 23)),
    ("msync", |at, length| call!(SYS_msync, at, length, libc::MS_ASYNC)),
    ("mincore", |at, length| call!(SYS_mincore, at, length, [0_u8; 64].as_mut_ptr())),
    ("mlock", |at, length| call!(SYS_mlock, at, length)),
    ("munlock", |at, length| call!(SYS_munlock, at, length)),
    ("brk", |at, _| {
        let before = done("brk", call!(SYS_brk, 0));
        let after = done("brk", call!(SYS_brk, at));
        Ok(usize::from(after != before))
    }),
    ("mincore to", |at, _| call!(SYS_mincore, lonely_page(), PAGE, at)),
];

/// Of these, the first is a page; the others are nothing, a byte, what ends with all there is, and what wraps.
fn lengths(at: usize) -> [(&'static str, usize); 6] {
    let to_the_end = usize::MAX - at;
    [
        ("a page", PAGE),
        ("nothing", 0),
        ("a byte", 1),
        ("to the very end", to_the_end),
        ("beyond the end", to_the_end.saturating_add(2 * PAGE)),
        ("all", usize::MAX),
    ]
}

pub fn all() {
    become_nobody();
    for (what, act) in USES {
        for index in 0..lengths(0).len() {
            let name = lengths(0)[index].0;
            table(&format!("{what} {name}"), |at| said(act(at / PAGE * PAGE, lengths(at)[index].1)));
        }
        // Of the last page of all, Linux makes an errno that there is not.
        table(&format!("{what} a byte on"), |at| {
            if at > usize::MAX - PAGE { String::new() } else { said(act(at / PAGE * PAGE + CROOKED, PAGE)) }
        });
        let page = lonely_page();
        let places = [page - PAGE, page, page + CROOKED, page + PAGE];
        println!("{what} around a page: {}", places.map(|at| said(act(at, 2 * PAGE))).join(", "));
    }
    println!("and this program is where it was: {}", FORBIDDEN.len());
}
