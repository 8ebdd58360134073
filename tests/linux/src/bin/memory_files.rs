//! Files in memory without a name: made, sealed, mapped, handed on, run.

use linux_tests::memory::{bytes, fate_of, map, poke, protect, unmap};
use linux_tests::process::{Pid, close, exit_now, fork, in_a_child, read, wait, write};
use linux_tests::{Errno, answer, call, check, done, equal, must_equal};
use std::ffi::CString;

const CLOEXEC: u32 = 1;
const ALLOW_SEALING: u32 = 2;
const NOEXEC_SEAL: u32 = 8;
const EXEC: u32 = 16;
const ADD_SEALS: i32 = 1033;
const GET_SEALS: i32 = 1034;
const SEAL: i32 = 1;
const SHRINK: i32 = 2;
const GROW: i32 = 4;
const WRITE: i32 = 8;
const FUTURE_WRITE: i32 = 16;
const EXEC_SEAL: i32 = 32;
const PAGE: usize = 4096;
const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

fn main() {
    if std::env::args().len() > 1 {
        println!("run as {:?}", std::env::args().collect::<Vec<_>>());
        exit_now(7);
    }
    making();
    bytes_and_mappings();
    seals();
    sealed_against_writing();
    sealed_sizes();
    future_writes();
    permissions();
    other_files();
    running();
    without_a_maker();
}

fn make(name: &str, flags: u32) -> Result<i32, Errno> {
    let name = done("a name without zeros", CString::new(name));
    call!(SYS_memfd_create, name.as_ptr(), flags).map(|fd| fd as i32)
}

fn control(fd: i32, command: i32, argument: i32) -> Result<i32, Errno> {
    call!(SYS_fcntl, fd, command, argument).map(|answer| answer as i32)
}

fn truncate(fd: i32, size: usize) -> Result<usize, Errno> {
    call!(SYS_ftruncate, fd, size)
}

fn status(fd: i32) -> libc::stat {
    // SAFETY: all zero is a status, and it is ours to be written.
    let mut status = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    done("fstat", answer(unsafe { libc::fstat(fd, &mut status) }));
    status
}

fn link(fd: i32) -> String {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).map(|path| path.display().to_string()).unwrap_or_default()
}

fn making() {
    let fd = done("made", make("a name", CLOEXEC));
    println!("it is called {}", link(fd));
    let found = status(fd);
    println!("mode {:o}, {} links, {} bytes", found.st_mode, found.st_nlink, found.st_size);
    equal("closed on exec", control(fd, libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    equal("for reading and writing", control(fd, libc::F_GETFL, 0).map(|flags| flags & libc::O_ACCMODE), Ok(libc::O_RDWR));
    let other = done("another of that name", make("a name", 0));
    check("they are two files", status(fd).st_ino != status(other).st_ino);
    equal("not closed on exec", control(other, libc::F_GETFD, 0), Ok(0));
    equal("no such flag", make("x", 0x4000), Err(libc::EINVAL));
    equal("both kinds of exec", make("x", EXEC | NOEXEC_SEAL), Err(libc::EINVAL));
    check("the longest name", make(&"n".repeat(249), 0).is_ok_and(|fd| link(fd).len() == "/memfd: (deleted)".len() + 249));
    equal("a longer name", make(&"n".repeat(250), 0), Err(libc::EINVAL));
    equal("a name that is nowhere", call!(SYS_memfd_create, 1_usize, 0), Err(libc::EFAULT));
    done("closed", close(fd).and(close(other)));
}

fn bytes_and_mappings() {
    let fd = done("made", make("bytes", 0));
    equal("written", write(fd, b"0123456789"), Ok(10));
    equal("there", call!(SYS_lseek, fd, 3, libc::SEEK_SET), Ok(3));
    let mut some = [0; 4];
    equal("read", read(fd, &mut some), Ok(4));
    equal("what was written", &some, b"3456");
    done("longer", truncate(fd, 3 * PAGE));
    let shared = done("shared", map(0, 3 * PAGE, READ_WRITE, libc::MAP_SHARED, fd, 0));
    let private = done("private", map(0, 3 * PAGE, READ_WRITE, libc::MAP_PRIVATE, fd, 0));
    poke(shared + PAGE, b'S');
    poke(private + 1, b'P');
    equal("seen by all", bytes(private + PAGE, 2), b"S\0".to_vec());
    equal("seen by one", (bytes(shared, 3), bytes(private, 3)), (b"012".to_vec(), b"0P2".to_vec()));
    let child = fork(|| {
        poke(shared + 2 * PAGE, b'C');
        0
    });
    wait(child);
    equal("a child's", bytes(shared + 2 * PAGE, 1), b"C".to_vec());
    let reopened = done("opened by its link", open_link(fd, libc::O_RDWR));
    equal("it is the same file", status(reopened).st_ino, status(fd).st_ino);
    done("closed", close(fd));
    equal("it lives on", bytes(shared, 3), b"012".to_vec());
    let named = std::fs::read_to_string("/proc/self/maps")
        .unwrap_or_default()
        .lines()
        .filter(|line| line.ends_with("/memfd:bytes (deleted)"))
        .count();
    println!("mappings of that name: {named}");
    done("tidied up", unmap(shared, 3 * PAGE).and(unmap(private, 3 * PAGE)).and(close(reopened)));
}

fn open_link(fd: i32, flags: i32) -> Result<i32, Errno> {
    let path = done("no zeros", CString::new(format!("/proc/self/fd/{fd}")));
    // SAFETY: a path that ends with a zero.
    answer(unsafe { libc::open(path.as_ptr(), flags) })
}

fn seals() {
    let fd = done("made", make("sealed", ALLOW_SEALING));
    equal("none at first", control(fd, GET_SEALS, 0), Ok(0));
    equal("nonsense", control(fd, ADD_SEALS, 0x1000), Err(libc::EINVAL));
    equal("two", control(fd, ADD_SEALS, SHRINK | GROW), Ok(0));
    equal("both are there", control(fd, GET_SEALS, 0), Ok(SHRINK | GROW));
    equal("again", control(fd, ADD_SEALS, SHRINK), Ok(0));
    equal("no more", control(fd, ADD_SEALS, SEAL), Ok(0));
    equal("refused", control(fd, ADD_SEALS, WRITE), Err(libc::EPERM));
    equal("all", control(fd, GET_SEALS, 0), Ok(SEAL | SHRINK | GROW));
    done("closed", close(fd));
    let fd = done("made without", make("unsealed", 0));
    equal("sealed against seals", control(fd, GET_SEALS, 0), Ok(SEAL));
    equal("refused", control(fd, ADD_SEALS, GROW), Err(libc::EPERM));
    done("closed", close(fd));
    let fd = done("made", make("read", ALLOW_SEALING));
    let reader = done("opened for reading", open_link(fd, libc::O_RDONLY));
    equal("a reader seals nothing", control(reader, ADD_SEALS, GROW), Err(libc::EPERM));
    equal("and sees them", control(reader, GET_SEALS, 0), Ok(0));
    done("closed", close(fd).and(close(reader)));
}

fn sealed_against_writing() {
    let fd = done("made", make("write", ALLOW_SEALING));
    done("written", write(fd, b"content"));
    let shared = done("mapped", map(0, PAGE, READ_WRITE, libc::MAP_SHARED, fd, 0));
    equal("somebody may write", control(fd, ADD_SEALS, WRITE), Err(libc::EBUSY));
    done("gone", unmap(shared, PAGE));
    let private = done("private", map(0, PAGE, READ_WRITE, libc::MAP_PRIVATE, fd, 0));
    equal("private does no harm", control(fd, ADD_SEALS, WRITE), Ok(0));
    equal("write", write(fd, b"x"), Err(libc::EPERM));
    equal("nothing", write(fd, b""), Ok(0));
    equal("at a place", call!(SYS_pwrite64, fd, b"x".as_ptr(), 1, 0), Err(libc::EPERM));
    equal("punched", call!(SYS_fallocate, fd, libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE, 0, PAGE), Err(libc::EPERM));
    equal("mapped to be written", map(0, PAGE, READ_WRITE, libc::MAP_SHARED, fd, 0), Err(libc::EPERM));
    poke(private, b'C');
    equal("private can be written", bytes(private, 7), b"Content".to_vec());
    equal("size may change", truncate(fd, 3), Ok(0));
    let reader = done("opened for reading", open_link(fd, libc::O_RDONLY));
    let shown = done("shown", map(0, PAGE, libc::PROT_READ, libc::MAP_SHARED, reader, 0));
    equal("shown", bytes(shown, 3), b"con".to_vec());
    equal("never to be written", protect(shown, PAGE, READ_WRITE), Err(libc::EACCES));
    done("tidied up", unmap(private, PAGE).and(unmap(shown, PAGE)).and(close(fd)).and(close(reader)));
}

fn sealed_sizes() {
    let fd = done("made", make("sizes", ALLOW_SEALING));
    done("two pages", truncate(fd, 2 * PAGE));
    done("no shorter", control(fd, ADD_SEALS, SHRINK));
    equal("shorter", truncate(fd, PAGE), Err(libc::EPERM));
    equal("as it is", truncate(fd, 2 * PAGE), Ok(0));
    equal("longer", truncate(fd, 3 * PAGE), Ok(0));
    done("no longer", control(fd, ADD_SEALS, GROW));
    equal("longer", truncate(fd, 4 * PAGE), Err(libc::EPERM));
    equal("inside", call!(SYS_pwrite64, fd, b"x".as_ptr(), 1, 3 * PAGE - 1), Ok(1));
    equal("beyond", call!(SYS_pwrite64, fd, b"x".as_ptr(), 1, 3 * PAGE), Err(libc::EPERM));
    equal("room beyond", call!(SYS_fallocate, fd, 0, 0, 4 * PAGE), Err(libc::EPERM));
    equal("room inside", call!(SYS_fallocate, fd, 0, 0, 3 * PAGE), Ok(0));
    done("closed", close(fd));
}

fn future_writes() {
    let fd = done("made", make("future", ALLOW_SEALING));
    done("a page", truncate(fd, PAGE));
    let early = done("mapped before", map(0, PAGE, READ_WRITE, libc::MAP_SHARED, fd, 0));
    done("sealed", control(fd, ADD_SEALS, FUTURE_WRITE));
    poke(early, b'E');
    equal("write", write(fd, b"x"), Err(libc::EPERM));
    equal("mapped after", map(0, PAGE, READ_WRITE, libc::MAP_SHARED, fd, 0), Err(libc::EPERM));
    let shown = done("shown", map(0, PAGE, libc::PROT_READ, libc::MAP_SHARED, fd, 0));
    equal("what the early one wrote", bytes(shown, 1), b"E".to_vec());
    equal("not to be written", protect(shown, PAGE, READ_WRITE), Err(libc::EACCES));
    done("tidied up", unmap(early, PAGE).and(unmap(shown, PAGE)).and(close(fd)));
}

fn permissions() {
    let fd = done("made", make("plain", NOEXEC_SEAL));
    println!("mode {:o}, seals {:?}", status(fd).st_mode, control(fd, GET_SEALS, 0));
    equal("executable", call!(SYS_fchmod, fd, 0o777), Err(libc::EPERM));
    equal("something else", call!(SYS_fchmod, fd, 0o600), Ok(0));
    done("closed", close(fd));
    let fd = done("made", make("program", EXEC | ALLOW_SEALING));
    println!("mode {:o}", status(fd).st_mode);
    equal("executable for ever", control(fd, ADD_SEALS, EXEC_SEAL), Ok(0));
    println!("seals {:?}", control(fd, GET_SEALS, 0));
    equal("and never changed", write(fd, b"x"), Err(libc::EPERM));
    done("closed", close(fd));
}

fn other_files() {
    let (one, other) = linux_tests::process::pipe();
    equal("a pipe has none", control(one, GET_SEALS, 0), Err(libc::EINVAL));
    equal("and takes none", control(other, ADD_SEALS, GROW), Err(libc::EINVAL));
    done("closed", close(one).and(close(other)));
}

/// A script's interpreter opens the file by its descriptor's path; a program is mapped from it.
fn running() {
    let own = done("this program", std::fs::read("/proc/self/exe"));
    let fd = done("made", make("copy", 0));
    let mut written = 0;
    while written < own.len() {
        written += done("written", write(fd, &own[written..]));
    }
    let empty = CString::default();
    let words = [c"copy".as_ptr(), c"--child".as_ptr(), std::ptr::null()];
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
    let ended = in_a_child(|| {
        let failed = call!(SYS_execveat, fd, empty.as_ptr(), words.as_ptr(), environment.as_ptr(), libc::AT_EMPTY_PATH);
        failed.map_or_else(|error| error, |_| 0)
    });
    println!("run from memory: {ended:?}");
    done("closed", close(fd));
}

/// The last mapping keeps the bytes when who made them has ended.
fn without_a_maker() {
    let fd = done("made", make("left", 0));
    done("a page", truncate(fd, PAGE));
    let shared = done("mapped", map(0, PAGE, READ_WRITE, libc::MAP_SHARED, fd, 0));
    let maker: Pid = fork(|| {
        poke(shared, b'L');
        exit_now(0)
    });
    must_equal("ended", close(fd).is_ok(), true);
    println!("the maker: {:?}", wait(maker));
    equal("left", bytes(shared, 1), b"L".to_vec());
    println!("beyond its pages: {:?}", fate_of(|| poke(shared + PAGE, 1)));
}
