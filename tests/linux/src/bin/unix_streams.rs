//! Streams between programs of one machine: bytes in order, both directions, and their ends noticed.

use linux_tests::asleep::{ends_promptly, wait_until_asleep};
use linux_tests::process::{Ended, close, close_all, fork, in_a_child, my_pid, pipe, read, read_all, wait, wait_for_byte, write};
use linux_tests::socket::{DATAGRAM, STREAM, option, pair, polled, receive, send, set_option, set_timeout, shutdown, socket};
use linux_tests::{call, check, done, equal, monotonic, must, must_equal, signal};

const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;
const HUP: i16 = libc::POLLHUP;
const GONE: i16 = libc::POLLRDHUP;
const ALL: i16 = IN | OUT | GONE;

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    making();
    bytes();
    ends();
    unread_bytes();
    shutdowns();
    readiness();
    limits();
    waiting();
    large_transfer();
    ping_pong();
    vectors();
    bad_memory();
    bad_memory_of_one_that_waits();
    facts();
    many_writers();
}

fn making() {
    let make = |family: i32, kind: i32, protocol: i32| {
        let mut ends = [-1_i32; 2];
        let made = call!(SYS_socketpair, family, kind, protocol, ends.as_mut_ptr());
        if made.is_ok() {
            close_all(&ends);
        }
        made
    };
    equal("a pair of streams", make(libc::AF_UNIX, STREAM, 0), Ok(0));
    equal("protocol AF_UNIX is the same", make(libc::AF_UNIX, STREAM, libc::AF_UNIX), Ok(0));
    equal("other protocols: EPROTONOSUPPORT", make(libc::AF_UNIX, STREAM, 77), Err(libc::EPROTONOSUPPORT));
    equal("raw is datagrams", make(libc::AF_UNIX, libc::SOCK_RAW, 0), Ok(0));
    equal("no such type: ESOCKTNOSUPPORT", make(libc::AF_UNIX, libc::SOCK_RDM, 0), Err(libc::ESOCKTNOSUPPORT));
    equal("a type that is none: EINVAL", make(libc::AF_UNIX, 15, 0), Err(libc::EINVAL));
    equal("unknown flags: EINVAL", make(libc::AF_UNIX, STREAM | 0x100, 0), Err(libc::EINVAL));
    equal("family 99: EAFNOSUPPORT", make(99, STREAM, 0), Err(libc::EAFNOSUPPORT));
    equal("family -1: EAFNOSUPPORT", make(-1, STREAM, 0), Err(libc::EAFNOSUPPORT));
    equal("nowhere to put them: EFAULT", call!(SYS_socketpair, libc::AF_UNIX, STREAM, 0, 8), Err(libc::EFAULT));
    let (one, other) = pair(STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
    equal("SOCK_CLOEXEC", call!(SYS_fcntl, one, libc::F_GETFD), Ok(libc::FD_CLOEXEC as usize));
    let flags = done("F_GETFL", call!(SYS_fcntl, other, libc::F_GETFL)) as i32;
    equal("SOCK_NONBLOCK, and for both directions", flags & (libc::O_NONBLOCK | libc::O_ACCMODE), libc::O_NONBLOCK | libc::O_RDWR);
    equal("nothing there yet: EAGAIN", receive(one, 1, 0), Err(libc::EAGAIN));
    close_all(&[one, other]);
}

fn bytes() {
    let (one, other) = pair(STREAM);
    equal("what goes in comes out", (write(one, b"hello"), read(other, &mut [0; 9])), (Ok(5), Ok(5)));
    equal("and the other way", (send(other, b"back", 0), receive(one, 9, 0)), (Ok(4), Ok(b"back".to_vec())));
    done("write", write(one, b"ab"));
    done("write", write(one, b"cde"));
    equal("a look leaves it there", receive(other, 3, libc::MSG_PEEK), Ok(b"abc".to_vec()));
    equal("a look sees all", receive(other, 9, libc::MSG_PEEK), Ok(b"abcde".to_vec()));
    equal("messages have no borders", receive(other, 4, 0), Ok(b"abcd".to_vec()));
    equal("the rest comes next", receive(other, 9, 0), Ok(b"e".to_vec()));
    equal("MSG_DONTWAIT: EAGAIN", receive(other, 9, libc::MSG_DONTWAIT), Err(libc::EAGAIN));
    equal("writing nothing", write(one, b""), Ok(0));
    equal("reading nothing", read(other, &mut []), Ok(0));
    done("write", write(one, b"xy"));
    equal("a name for a connected stream: EISCONN", linux_tests::socket::send_to(one, b"z", 0, &[1, 0, b'/', 0]), Err(libc::EISCONN));
    equal("no such place: ESPIPE", call!(SYS_lseek, one, 0, libc::SEEK_SET), Err(libc::ESPIPE));
    equal("pread: ESPIPE", call!(SYS_pread64, other, [0_u8; 4].as_mut_ptr(), 4, 0), Err(libc::ESPIPE));
    equal("and it is all still there", read(other, &mut [0; 4]), Ok(2));
    close_all(&[one, other]);
}

fn ends() {
    let (one, other) = pair(STREAM);
    done("write", write(one, b"last"));
    close_all(&[one]);
    equal("what was sent before the end arrives", read(other, &mut [0; 9]), Ok(4));
    equal("then the end", (read(other, &mut [0; 9]), receive(other, 9, 0)), (Ok(0), Ok(vec![])));
    equal("writing to nobody: EPIPE", write(other, b"x"), Err(libc::EPIPE));
    let killed = |send_flags: Option<i32>| {
        in_a_child(|| {
            signal::set_disposition(libc::SIGPIPE, libc::SIG_DFL);
            match send_flags {
                None => write(other, b"x").err().unwrap_or(0),
                Some(flags) => send(other, b"x", flags).err().unwrap_or(0),
            }
        })
    };
    equal("and SIGPIPE", killed(None), Ended::Killed(libc::SIGPIPE));
    equal("from send too", killed(Some(0)), Ended::Killed(libc::SIGPIPE));
    equal("unless MSG_NOSIGNAL", killed(Some(libc::MSG_NOSIGNAL)), Ended::Exited(libc::EPIPE));
    equal("writing nothing to nobody", write(other, b""), Err(libc::EPIPE));
    close_all(&[other]);
    let lone = socket(STREAM);
    equal("not connected: write is ENOTCONN", write(lone, b"x"), Err(libc::ENOTCONN));
    equal("read is EINVAL", read(lone, &mut [0]), Err(libc::EINVAL));
    equal("recv is EINVAL", receive(lone, 1, 0), Err(libc::EINVAL));
    close_all(&[lone]);
}

fn unread_bytes() {
    let (one, other) = pair(STREAM);
    done("write", write(one, b"never read"));
    done("write", write(other, b"read"));
    close_all(&[other]);
    equal("a peer that closes with unread bytes: error", polled(one, ALL), ALL | HUP | libc::POLLERR);
    equal("what it sent is read first", read(one, &mut [0; 9]), Ok(4));
    equal("then ECONNRESET, once", (read(one, &mut [0; 9]), read(one, &mut [0; 9])), (Err(libc::ECONNRESET), Ok(0)));
    close_all(&[one]);
    let (one, other) = pair(STREAM);
    done("write", write(one, b"never read"));
    close_all(&[other]);
    equal("SO_ERROR tells it, once", (option(one, libc::SO_ERROR), option(one, libc::SO_ERROR)), (Ok(libc::ECONNRESET), Ok(0)));
    close_all(&[one]);
}

fn shutdowns() {
    let (one, other) = pair(STREAM);
    equal("no such way to shut: EINVAL", shutdown(one, 3), Err(libc::EINVAL));
    equal("shut for sending", shutdown(one, libc::SHUT_WR), Ok(0));
    equal("EPIPE", write(one, b"x"), Err(libc::EPIPE));
    equal("the other side reads the end", read(other, &mut [0; 9]), Ok(0));
    equal("and still writes", (write(other, b"y"), read(one, &mut [0; 9])), (Ok(1), Ok(1)));
    equal("poll: POLLRDHUP", (polled(other, ALL), polled(one, ALL)), (IN | OUT | GONE, OUT));
    done("write", write(other, b"before"));
    equal("shut for receiving", shutdown(one, libc::SHUT_RD), Ok(0));
    equal("both directions: POLLHUP", (polled(one, ALL), polled(other, ALL)), (ALL | HUP, ALL | HUP));
    equal("what came before is still read", read(one, &mut [0; 9]), Ok(6));
    equal("then the end", read(one, &mut [0; 9]), Ok(0));
    equal("the other side writes no more", write(other, b"z"), Err(libc::EPIPE));
    close_all(&[one, other]);
    let lone = socket(STREAM);
    equal("shutting what is not connected", (shutdown(lone, libc::SHUT_RDWR), polled(lone, ALL)), (Ok(0), ALL | HUP));
    close_all(&[lone]);
}

fn readiness() {
    let (one, other) = pair(STREAM);
    equal("a new pair can be written", (polled(one, ALL), polled(other, ALL)), (OUT, OUT));
    done("write", write(one, b"x"));
    equal("a byte can be read", polled(other, ALL), IN | OUT);
    equal("FIONREAD", unread(other), 1);
    done("write", write(one, b"yz"));
    equal("counts all", unread(other), 3);
    done("read", read(other, &mut [0]));
    equal("that is left", unread(other), 2);
    close_all(&[one]);
    equal("the other end closed", polled(other, ALL), ALL | HUP);
    close_all(&[other]);
    let lone = socket(STREAM);
    equal("a stream without a peer hangs", polled(lone, ALL), OUT | HUP);
    let datagrams = socket(DATAGRAM);
    equal("a datagram socket does not", polled(datagrams, ALL), OUT);
    close_all(&[lone, datagrams]);
}

fn unread(descriptor: i32) -> i32 {
    let mut count = -1_i32;
    done("FIONREAD", call!(SYS_ioctl, descriptor, libc::FIONREAD, &raw mut count));
    count
}

fn limits() {
    let (one, other) = pair(STREAM | libc::SOCK_NONBLOCK);
    let mut filled = 0;
    while let Ok(count) = write(one, &[7; 4096]) {
        filled += count;
    }
    check("a socket takes some, but not everything", (65_536..4 << 20).contains(&filled));
    equal("then EAGAIN, and no POLLOUT", (write(one, b"x"), polled(one, OUT)), (Err(libc::EAGAIN), 0));
    equal("the other direction is free", polled(other, OUT), OUT);
    let mut taken = 0;
    while let Ok(count @ 1..) = read(other, &mut [0; 10_000]) {
        taken += count;
    }
    equal("all of it comes out", taken, filled);
    equal("and there is room again", (polled(one, OUT), write(one, b"x")), (OUT, Ok(1)));
    close_all(&[one, other]);
}

fn waiting() {
    let (one, other) = pair(STREAM);
    set_timeout(one, libc::SO_RCVTIMEO, 20);
    let before = monotonic();
    equal("SO_RCVTIMEO ends a read: EAGAIN", read(one, &mut [0]), Err(libc::EAGAIN));
    check("not too early", monotonic() - before >= 20_000_000);
    set_timeout(other, libc::SO_SNDTIMEO, 20);
    let mut last = Ok(0);
    while last.is_ok() {
        last = write(other, &[0; 4096]);
    }
    equal("SO_SNDTIMEO ends a write: EAGAIN", last, Err(libc::EAGAIN));
    close_all(&[one, other]);
    let (one, other) = pair(STREAM);
    let reader = fork(|| {
        close_all(&[one]);
        must_equal("all five", receive(other, 5, libc::MSG_WAITALL), Ok(b"abcde".to_vec()));
        must_equal("cut short by the end", receive(other, 5, libc::MSG_WAITALL), Ok(b"xy".to_vec()));
        0
    });
    close_all(&[other]);
    for piece in [b"ab".as_slice(), b"c", b"de", b"xy"] {
        done("write", write(one, piece));
        linux_tests::sleep_ms(2);
    }
    close_all(&[one]);
    equal("MSG_WAITALL waits for all", wait(reader), Ended::Exited(0));
    killed_while_waiting();
}

fn killed_while_waiting() {
    let (one, other) = pair(STREAM);
    let (told, tell) = pipe();
    let reader = fork(|| {
        done("tell", write(tell, b"x"));
        read(one, &mut [0]).map_or(1, |_| 0)
    });
    let writer = fork(|| {
        done("tell", write(tell, b"x"));
        while write(one, &[0; 4096]).is_ok() {}
        1
    });
    must("both are there", wait_for_byte(told) && wait_for_byte(told));
    linux_tests::sleep_ms(5);
    done("kill", linux_tests::process::kill(reader, libc::SIGKILL));
    equal("SIGKILL ends a reader", wait(reader), Ended::Killed(libc::SIGKILL));
    linux_tests::sleep_ms(5);
    done("kill", linux_tests::process::kill(writer, libc::SIGKILL));
    equal("and a writer", wait(writer), Ended::Killed(libc::SIGKILL));
    close_all(&[one, other, told, tell]);
}

fn large_transfer() {
    let (one, other) = pair(STREAM);
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|index| (index ^ index >> 9) as u8).collect();
    let writer = fork(|| {
        close_all(&[other]);
        must_equal("one write, however large, waits until all is gone", write(one, &bytes), Ok(bytes.len()));
        0
    });
    close_all(&[one]);
    check("a megabyte comes out as it went in", read_all(other) == bytes);
    equal("and its writer ends", wait(writer), Ended::Exited(0));
    close_all(&[other]);
}

fn ping_pong() {
    let (one, other) = pair(STREAM);
    let child = fork(|| {
        close_all(&[one]);
        for _ in 0..1_000 {
            must("ping", wait_for_byte(other));
            done("pong", write(other, b"x"));
        }
        0
    });
    for _ in 0..1_000 {
        done("ping", write(one, b"x"));
        must("pong", wait_for_byte(one));
    }
    equal("a thousand times there and back", wait(child), Ended::Exited(0));
    close_all(&[one, other]);
}

fn vectors() {
    let (one, other) = pair(STREAM);
    let parts = [[b"ab".as_ptr() as usize, 2], [0, 0], [b"cde".as_ptr() as usize, 3]];
    equal("writev gathers", call!(SYS_writev, one, parts.as_ptr(), 3), Ok(5));
    let mut got = ([0_u8; 4], [0_u8; 4]);
    let parts = [[&raw mut got.0 as usize, 4], [&raw mut got.1 as usize, 4]];
    equal("readv scatters", call!(SYS_readv, other, parts.as_ptr(), 2), Ok(5));
    equal("in order", got, (*b"abcd", *b"e\0\0\0"));
    close_all(&[one, other]);
}

fn bad_memory() {
    let (one, other) = pair(STREAM);
    equal("bytes from nowhere: EFAULT", call!(SYS_write, one, 8, 100), Err(libc::EFAULT));
    done("write", write(one, b"abc"));
    equal("bytes to nowhere: EFAULT", call!(SYS_read, other, 8, 100), Err(libc::EFAULT));
    equal("and nothing is lost", receive(other, 9, 0), Ok(b"abc".to_vec()));
    equal("an absurd length is cut", call!(SYS_sendto, one, 8, usize::MAX, 0, 0, 0), Err(libc::EFAULT));
    equal("no socket: ENOTSOCK", (send(0, b"x", 0), receive(pipe().0, 1, 0).err()), (Err(libc::ENOTSOCK), Some(libc::ENOTSOCK)));
    equal("no descriptor: EBADF", (send(999, b"x", 0), shutdown(-1, 0)), (Err(libc::EBADF), Err(libc::EBADF)));
    close_all(&[one, other]);
}

fn bad_memory_of_one_that_waits() {
    let (one, other) = pair(STREAM);
    let first = fork(|| {
        must_equal("into nowhere: EFAULT", call!(SYS_read, other, 8, 1), Err(libc::EFAULT));
        0
    });
    wait_until_asleep(first);
    let second = fork(|| i32::from(!wait_for_byte(other)));
    wait_until_asleep(second);
    done("write", write(one, b"x"));
    equal("a byte that the first waiter cannot take wakes the second", ends_promptly(second, 0), Ended::Exited(0));
    done("write", write(one, b"y"));
    equal("and the first fails", ends_promptly(first, 0), Ended::Exited(0));
    close_all(&[one, other]);
}

fn facts() {
    let (one, other) = pair(STREAM);
    let mut status = [0_u64; 18];
    done("fstat", call!(SYS_fstat, one, status.as_mut_ptr()));
    equal("fstat says: a socket, for everyone", status[3] as u32, libc::S_IFSOCK | 0o777);
    equal("of size 0, with one link", (status[6], status[2]), (0, 1));
    let link = done("readlink", std::fs::read_link(format!("/proc/self/fd/{one}")));
    equal("/proc/self/fd shows it", link.to_string_lossy().into_owned(), format!("socket:[{}]", status[1]));
    let opened = std::fs::File::open(format!("/proc/self/fd/{one}"));
    equal("which cannot be opened: ENXIO", opened.err().and_then(|error| error.raw_os_error()), Some(libc::ENXIO));
    equal("SO_TYPE", option(one, libc::SO_TYPE), Ok(STREAM));
    equal("SO_DOMAIN", option(one, libc::SO_DOMAIN), Ok(libc::AF_UNIX));
    equal("SO_PROTOCOL", option(one, libc::SO_PROTOCOL), Ok(0));
    equal("SO_ACCEPTCONN", option(one, libc::SO_ACCEPTCONN), Ok(0));
    equal("SO_SNDBUF is doubled", (set_option(one, libc::SO_SNDBUF, 10_000), option(one, libc::SO_SNDBUF)), (Ok(0), Ok(20_000)));
    equal("and has a floor", (set_option(one, libc::SO_SNDBUF, 1), option(one, libc::SO_SNDBUF)), (Ok(0), Ok(4608)));
    equal("no such option: ENOPROTOOPT", option(one, 12_345), Err(libc::ENOPROTOOPT));
    equal(
        "too short a value: EINVAL",
        call!(SYS_setsockopt, one, libc::SOL_SOCKET, libc::SO_SNDBUF, &raw const status, 3),
        Err(libc::EINVAL),
    );
    equal("no such level: EOPNOTSUPP", call!(SYS_setsockopt, one, 6, 1, &raw const status, 4), Err(libc::EOPNOTSUPP));
    equal(
        "a length below zero: EINVAL",
        call!(SYS_setsockopt, one, libc::SOL_SOCKET, libc::SO_SNDBUF, &raw const status, usize::MAX),
        Err(libc::EINVAL),
    );
    let (mut credentials, mut length) = ([0_i32; 3], 12_i32);
    done("SO_PEERCRED", call!(SYS_getsockopt, one, libc::SOL_SOCKET, libc::SO_PEERCRED, credentials.as_mut_ptr(), &raw mut length));
    equal("SO_PEERCRED of a pair is its maker", (credentials[0], length), (my_pid(), 12));
    equal("closing twice: EBADF", (close(one), close(one)), (Ok(0), Err(libc::EBADF)));
    close_all(&[other]);
}

/// What one send puts in stays together, and nothing is lost, whoever else sends.
fn many_writers() {
    let (one, other) = pair(STREAM);
    let writers: Vec<_> = (b'a'..b'f')
        .map(|letter| {
            fork(move || {
                close_all(&[other]);
                for _ in 0..100 {
                    must_equal("all of it", write(one, &[letter; 100]), Ok(100));
                }
                0
            })
        })
        .collect();
    close_all(&[one]);
    let all = read_all(other);
    writers.into_iter().for_each(|writer| must_equal("writer", wait(writer), Ended::Exited(0)));
    equal("five writers, nothing lost", all.len(), 5 * 100 * 100);
    check("and nothing mixed", all.chunks(100).all(|piece| piece.iter().all(|byte| *byte == piece[0])));
    close_all(&[other]);
}
