//! splice, tee, vmsplice and sendfile: bytes between pipes, files and sockets, none lost and none twice.

use linux_tests::process::{Ended, close_all, fork, kill, pipe, pipe_with, read, read_all, wait, write};
use linux_tests::scratch::Scratch;
use linux_tests::socket::{PACKET, STREAM, pair};
use linux_tests::{call, check, done, equal, must_equal, signal};

const NONBLOCK: u32 = libc::SPLICE_F_NONBLOCK;

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    let scratch = Scratch::new("splice");
    files(&scratch);
    pipes();
    tee();
    sockets();
    vmsplice();
    refused(&scratch);
    waiting();
    ends();
    sendfile(&scratch);
    large(&scratch);
}

fn splice(from: i32, to: i32, count: usize, flags: u32) -> Result<usize, i32> {
    call!(SYS_splice, from, 0, to, 0, count, flags)
}

fn text(from: i32) -> String {
    let mut bytes = [0; 100];
    let count = done("read", read(from, &mut bytes));
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

fn file(scratch: &Scratch, name: &str, content: &[u8], flags: i32) -> i32 {
    scratch.file(name, content, 0o600);
    done("open", call!(SYS_open, scratch.c(name).as_ptr(), flags)) as i32
}

fn files(scratch: &Scratch) {
    let (from, to) = pipe();
    let source = file(scratch, "source", b"some words", libc::O_RDONLY);
    equal("a file into a pipe", (splice(source, to, 4, 0), text(from)), (Ok(4), "some".into()));
    equal("and on from there", (splice(source, to, 100, 0), text(from)), (Ok(6), " words".into()));
    equal("the end of a file", splice(source, to, 100, 0), Ok(0));
    let mut offset = 5_u64;
    let at = &raw mut offset;
    equal("from a place", (call!(SYS_splice, source, at, to, 0, 3, 0), text(from), offset), (Ok(3), "wor".into(), 8));
    equal("which leaves the position", call!(SYS_lseek, source, 0, libc::SEEK_CUR), Ok(10));
    let target = file(scratch, "target", b"0123456789", libc::O_RDWR);
    done("write", write(to, b"abcdef"));
    equal("a pipe into a file", splice(from, target, 3, 0), Ok(3));
    offset = 7;
    equal("at a place", (call!(SYS_splice, from, 0, target, at, 100, 0), offset), (Ok(3), 10));
    let content = done("read", std::fs::read(scratch.path("target")));
    equal("it is there", String::from_utf8_lossy(&content).into_owned(), "abc3456def".into());
    close_all(&[from, to, source, target]);
}

fn pipes() {
    let (first, second) = (pipe(), pipe());
    done("write", write(first.1, b"abcdef"));
    equal("a pipe into a pipe", (splice(first.0, second.1, 4, 0), text(second.0)), (Ok(4), "abcd".into()));
    equal("the rest", (splice(first.0, second.1, 4, 0), text(second.0)), (Ok(2), "ef".into()));
    equal("nothing there: EAGAIN", splice(first.0, second.1, 4, NONBLOCK), Err(libc::EAGAIN));
    close_all(&[first.1]);
    equal("no writer: the end", splice(first.0, second.1, 4, 0), Ok(0));
    close_all(&[first.0, second.0, second.1]);
}

fn tee() {
    let (first, second) = (pipe(), pipe());
    let tee = |count: usize, flags: u32| call!(SYS_tee, first.0, second.1, count, flags);
    equal("nothing to copy: EAGAIN", tee(4, NONBLOCK), Err(libc::EAGAIN));
    done("write", write(first.1, b"abcdef"));
    equal("tee copies", (tee(4, 0), text(second.0)), (Ok(4), "abcd".into()));
    equal("and leaves it there", text(first.0), "abcdef".into());
    equal("nothing is nothing", tee(0, 0), Ok(0));
    close_all(&[first.1]);
    equal("no writer: the end", tee(4, 0), Ok(0));
    equal("into itself: EINVAL", call!(SYS_tee, second.0, second.1, 4, 0), Err(libc::EINVAL));
    close_all(&[first.0, second.0, second.1]);
}

fn sockets() {
    let (from, to) = pipe();
    let (one, other) = pair(STREAM);
    done("write", write(to, b"abc"));
    equal("a pipe into a socket", (splice(from, one, 100, 0), text(other)), (Ok(3), "abc".into()));
    done("write", write(one, b"defgh"));
    equal("a socket into a pipe", (splice(other, to, 3, 0), text(from)), (Ok(3), "def".into()));
    equal("the rest stays", text(other), "gh".into());
    equal("nothing there: EAGAIN", splice(other, to, 3, NONBLOCK), Err(libc::EAGAIN));
    close_all(&[one]);
    equal("the end of a stream", splice(other, to, 3, 0), Ok(0));
    done("write", write(to, b"lost?"));
    equal("to nobody: EPIPE", splice(from, other, 5, 0), Err(libc::EPIPE));
    close_all(&[from, to, other]);
    let _packets = PACKET;
}

fn vmsplice() {
    let (from, to) = pipe();
    let parts = [[b"ab".as_ptr() as usize, 2], [b"cde".as_ptr() as usize, 3]];
    equal("memory into a pipe", (call!(SYS_vmsplice, to, parts.as_ptr(), 2, 0), text(from)), (Ok(5), "abcde".into()));
    done("write", write(to, b"xyz"));
    let mut got = [0_u8; 3];
    let part = [got.as_mut_ptr() as usize, 3];
    equal("a pipe into memory", (call!(SYS_vmsplice, from, part.as_ptr(), 1, 0), got), (Ok(3), *b"xyz"));
    equal("nothing there: EAGAIN", call!(SYS_vmsplice, from, part.as_ptr(), 1, NONBLOCK), Err(libc::EAGAIN));
    equal("no pieces", call!(SYS_vmsplice, to, parts.as_ptr(), 0, 0), Ok(0));
    equal("too many: EINVAL", call!(SYS_vmsplice, to, parts.as_ptr(), 1025, 0), Err(libc::EINVAL));
    equal("from nowhere: EFAULT", call!(SYS_vmsplice, to, [8_usize, 8].as_ptr(), 1, 0), Err(libc::EFAULT));
    equal("no pipe: EBADF", call!(SYS_vmsplice, pair(STREAM).0, parts.as_ptr(), 1, 0), Err(libc::EBADF));
    close_all(&[from, to]);
}

fn refused(scratch: &Scratch) {
    let (from, to) = pipe();
    let one = file(scratch, "one", b"words", libc::O_RDONLY);
    let other = file(scratch, "other", b"", libc::O_WRONLY | libc::O_APPEND);
    let mut offset = 0_i64;
    let at = &raw mut offset;
    done("write", write(to, b"x"));
    equal("no pipe at all: EINVAL", splice(one, pair(STREAM).0, 4, 0), Err(libc::EINVAL));
    equal("the wrong ends: EBADF", (splice(to, from, 4, 0), splice(from, one, 4, 0)), (Err(libc::EBADF), Err(libc::EBADF)));
    equal("into itself: EINVAL", splice(from, to, 4, 0), Err(libc::EINVAL));
    equal("no descriptor: EBADF", (splice(999, to, 4, 0), splice(from, -1_i32, 4, 0)), (Err(libc::EBADF), Err(libc::EBADF)));
    equal("unknown flags: EINVAL", splice(one, to, 4, 0x100), Err(libc::EINVAL));
    equal("a place in a pipe: ESPIPE", call!(SYS_splice, from, at, other, 0, 4, 0), Err(libc::ESPIPE));
    equal("a place in a socket: EINVAL", call!(SYS_splice, pair(STREAM).0, at, to, 0, 4, 0), Err(libc::EINVAL));
    equal("a place from nowhere: EFAULT", call!(SYS_splice, one, 8, to, 0, 4, 0), Err(libc::EFAULT));
    equal("a place below zero: EINVAL", call!(SYS_splice, one, [-1_i64].as_ptr(), to, 0, 4, 0), Err(libc::EINVAL));
    equal("at the end of a file only: EINVAL", splice(from, other, 4, 0), Err(libc::EINVAL));
    equal("nothing is nothing", splice(999, 999, 0, 0), Ok(0));
    equal("and all is still there", text(from), "x".into());
    let _ = offset;
    close_all(&[from, to, one, other]);
}

fn waiting() {
    let (first, second) = (pipe(), pipe());
    let mover = fork(|| {
        close_all(&[first.1, second.0]);
        while done("splice", splice(first.0, second.1, 1000, 0)) > 0 {}
        0
    });
    close_all(&[first.0, second.1]);
    for word in [b"one ".as_slice(), b"two ", b"three"] {
        done("write", write(first.1, word));
        linux_tests::sleep_ms(2);
    }
    close_all(&[first.1]);
    equal("a splice waits for what comes", String::from_utf8(read_all(second.0)).ok(), Some("one two three".into()));
    equal("until the end", wait(mover), Ended::Exited(0));
    close_all(&[second.0]);
    let (first, second) = (pipe(), pipe_with(libc::O_NONBLOCK));
    done("write", write(first.1, b"x"));
    while write(second.1, &[0; 4096]).is_ok() {}
    equal("no room: EAGAIN", splice(first.0, second.1, 1, NONBLOCK), Err(libc::EAGAIN));
    let waiters = [
        fork(|| splice(first.0, pipe().1, 2, 0).and(splice(first.0, pipe().1, 2, 0)).map_or(1, |_| 0)),
        fork(|| {
            let flags = done("F_GETFL", call!(SYS_fcntl, second.1, libc::F_GETFL));
            done("F_SETFL", call!(SYS_fcntl, second.1, libc::F_SETFL, flags & !(libc::O_NONBLOCK as usize)));
            let (from, to) = pipe();
            done("write", write(to, b"x"));
            splice(from, second.1, 1, 0).map_or(1, |_| 0)
        }),
    ];
    linux_tests::sleep_ms(10);
    for waiter in waiters {
        done("kill", kill(waiter, libc::SIGKILL));
        must_equal("ends", wait(waiter), Ended::Killed(libc::SIGKILL));
    }
    println!("SIGKILL ends a splice that waits for bytes, or for room");
    close_all(&[first.0, first.1, second.0, second.1]);
}

fn ends() {
    let (first, second) = (pipe(), pipe());
    close_all(&[second.0]);
    done("write", write(first.1, b"x"));
    equal("no reader: EPIPE", splice(first.0, second.1, 1, 0), Err(libc::EPIPE));
    equal("and the byte stays", text(first.0), "x".into());
    close_all(&[first.0, first.1, second.1]);
}

fn sendfile(scratch: &Scratch) {
    let source = file(scratch, "sendfile", b"some more words", libc::O_RDONLY);
    let (one, other) = pair(STREAM);
    equal("sendfile into a socket", (call!(SYS_sendfile, one, source, 0, 9), text(other)), (Ok(9), "some more".into()));
    let (from, to) = pipe();
    equal("and into a pipe", (call!(SYS_sendfile, to, source, 0, 99), text(from)), (Ok(6), " words".into()));
    close_all(&[one, other, from, to, source]);
}

/// Through a socket and two pipes, by three programs.
fn large(scratch: &Scratch) {
    let bytes: Vec<u8> = (0..600_007_u32).map(|index| (index ^ index >> 9) as u8).collect();
    let source = file(scratch, "large", &bytes, libc::O_RDONLY);
    let (first, second, (one, other)) = (pipe(), pipe(), pair(STREAM));
    let move_all = |from: i32, to: i32, unused: &[i32]| {
        let unused = unused.to_vec();
        fork(move || {
            close_all(&unused);
            while done("splice", splice(from, to, 1 << 20, 0)) > 0 {}
            0
        })
    };
    let movers = [
        move_all(source, first.1, &[first.0, second.0, second.1, one, other]),
        move_all(first.0, one, &[first.1, second.0, second.1, other]),
        move_all(other, second.1, &[first.0, first.1, second.0, one]),
    ];
    close_all(&[first.0, first.1, second.1, one, other]);
    check("600 KB through a pipe, a socket and a pipe", read_all(second.0) == bytes);
    check("and all movers end", movers.into_iter().all(|mover| wait(mover) == Ended::Exited(0)));
    close_all(&[source, second.0]);
}
