//! Pipes: what goes in comes out, in order, whole up to PIPE_BUF, and the ends are noticed.

use linux_tests::process::{Ended, close_all, fork, in_a_child, my_pid, pipe, pipe_with, read, read_all, wait, wait_for_byte, write};
use linux_tests::{call, check, done, equal, memory, must, must_equal, signal};

use std::sync::atomic::{AtomicBool, Ordering};

const ATOMIC: usize = libc::PIPE_BUF;

fn main() {
    ends();
    without_waiting();
    atomic_writes();
    large_transfer();
    vectors();
    ten_in_a_row();
    poll();
    select();
    poll_wakes();
    ping_pong();
    beside_a_faulting_reader();
    close_on_exec_flags();
}

fn ends() {
    let (from, to) = pipe();
    equal("what goes in comes out", (write(to, b"hello"), read(from, &mut [0; 5])), (Ok(5), Ok(5)));
    equal("the wrong end: EBADF", (write(from, b"x"), read(to, &mut [0])), (Err(libc::EBADF), Err(libc::EBADF)));
    equal("reading nothing is no waiting", read(from, &mut []), Ok(0));
    close_all(&[to]);
    equal("no writer: the end", read(from, &mut [0]), Ok(0));
    close_all(&[from]);
    let (from, to) = pipe();
    close_all(&[from]);
    let killed = in_a_child(|| {
        signal::set_disposition(libc::SIGPIPE, libc::SIG_DFL);
        i32::from(write(to, b"x").is_ok())
    });
    equal("no reader: SIGPIPE", killed, Ended::Killed(libc::SIGPIPE));
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    equal("or EPIPE, if that is ignored", write(to, b"x"), Err(libc::EPIPE));
    close_all(&[to]);
    let (from, to) = pipe();
    let reader = fork(|| {
        done("close", linux_tests::process::close(to));
        i32::from(read_all(from) != b"some more")
    });
    done("write", write(to, b"some "));
    done("write", write(to, b"more"));
    close_all(&[to, from]);
    equal("a reader in another process sees all and the end", wait(reader), Ended::Exited(0));
}

/// One reader's buffer cannot be written to: it must take nothing, and bring nothing out of order for the other.
fn beside_a_faulting_reader() {
    const NUMBERS: u64 = 20_000;
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    let wild = memory::anonymous(1);
    done("mprotect", memory::protect(wild, 4096, libc::PROT_NONE));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                match call(libc::SYS_read, [from as usize, wild, 24, 0, 0, 0]) {
                    Err(libc::EFAULT) => {}
                    other => must_equal("a read to where nothing can be written", other, Err(libc::EAGAIN)),
                }
            }
        });
        scope.spawn(|| {
            for number in 0..NUMBERS {
                while write(to, &number.to_ne_bytes()) == Err(libc::EAGAIN) {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0;
        while next < NUMBERS {
            let mut bytes = [0; 8];
            match read(from, &mut bytes) {
                Ok(8) => {
                    must_equal("the next number", u64::from_ne_bytes(bytes), next);
                    next += 1;
                }
                other => {
                    must_equal("a read of an empty pipe", other, Err(libc::EAGAIN));
                    std::thread::yield_now();
                }
            }
        }
        is_over.store(true, Ordering::Release);
    });

    done("write", write(to, b"x"));
    let fault = call(libc::SYS_read, [from as usize, wild, 24, 0, 0, 0]);
    equal("a read to where nothing can be written: EFAULT", fault, Err(libc::EFAULT));
    equal("and the byte is still there", read(from, &mut [0; 2]), Ok(1));
    println!("bytes stay in order beside a reader whose buffer is wild");
    close_all(&[from, to]);
    done("munmap", memory::unmap(wild, 4096));
}

fn without_waiting() {
    let (from, to) = pipe_with(libc::O_NONBLOCK);
    equal("an empty pipe that does not wait: EAGAIN", read(from, &mut [0]), Err(libc::EAGAIN));
    let mut filled = 0;
    while let Ok(count) = write(to, &[1; ATOMIC]) {
        filled += count;
    }
    equal("a full pipe has 64 KiB", filled, 65536);
    equal("a full pipe that does not wait: EAGAIN", write(to, b"x"), Err(libc::EAGAIN));
    must_equal("read", read(from, &mut [0; ATOMIC]), Ok(ATOMIC));
    equal("as much as was read fits again", write(to, &[2; ATOMIC]), Ok(ATOMIC));
    equal("the pipe says how much is in it", readable(from), 65536);
    close_all(&[to]);
    let all = read_nonblocking(from);
    equal("and it all comes out", (all.len(), all.last()), (65536, Some(&2)));
    close_all(&[from]);
}

fn readable(descriptor: i32) -> i32 {
    let mut count = 0_i32;
    done("FIONREAD", call!(SYS_ioctl, descriptor, libc::FIONREAD, &raw mut count));
    count
}

fn read_nonblocking(from: i32) -> Vec<u8> {
    let mut all = Vec::new();
    let mut part = [0; 10_000];
    while let Ok(count @ 1..) = read(from, &mut part) {
        all.extend_from_slice(&part[..count]);
    }
    all
}

/// Several write pieces of PIPE_BUF bytes, each of one letter: they never mix.
fn atomic_writes() {
    let (from, to) = pipe();
    let writers: Vec<_> = (b'a'..b'f')
        .map(|letter| {
            fork(move || {
                for _ in 0..40 {
                    must_equal("all of it", write(to, &[letter; ATOMIC]), Ok(ATOMIC));
                }
                0
            })
        })
        .collect();
    close_all(&[to]);
    let all = read_all(from);
    writers.into_iter().for_each(|writer| must_equal("writer", wait(writer), Ended::Exited(0)));
    equal("five writers, nothing lost", all.len(), 5 * 40 * ATOMIC);
    let whole = all.chunks(ATOMIC).all(|piece| piece.iter().all(|byte| *byte == piece[0]));
    check("pieces of PIPE_BUF bytes never mix", whole);
    close_all(&[from]);
}

fn large_transfer() {
    let (from, to) = pipe();
    let bytes: Vec<u8> = (0..1_000_003_u32).map(|index| (index ^ index >> 9) as u8).collect();
    let writer = fork(|| {
        must_equal("one write, however large, waits until all is gone", write(to, &bytes), Ok(bytes.len()));
        0
    });
    close_all(&[to]);
    check("a megabyte comes out as it went in", read_all(from) == bytes);
    equal("and its writer ends", wait(writer), Ended::Exited(0));
    close_all(&[from]);
}

fn vectors() {
    let (from, to) = pipe();
    let parts = [[b"ab".as_ptr() as usize, 2], [0, 0], [b"cde".as_ptr() as usize, 3]];
    equal("writev gathers", call!(SYS_writev, to, parts.as_ptr(), 3), Ok(5));
    let mut got = ([0_u8; 4], [0_u8; 4]);
    let parts = [[&raw mut got.0 as usize, 4], [&raw mut got.1 as usize, 4]];
    equal("readv scatters", call!(SYS_readv, from, parts.as_ptr(), 2), Ok(5));
    equal("in order", got, (*b"abcd", *b"e\0\0\0"));
    close_all(&[from, to]);
}

/// A pipeline of ten processes, each adding one to every byte.
fn ten_in_a_row() {
    let (first, mut last) = (pipe(), 0);
    let mut input = first.0;
    let stage = |input: i32, output: i32| {
        close_all(&[first.1]);
        let bytes: Vec<u8> = read_all(input).iter().map(|byte| byte + 1).collect();
        i32::from(write(output, &bytes) != Ok(bytes.len()))
    };
    let mut children = Vec::new();
    for _ in 0..10 {
        let (from, to) = pipe();
        children.push(fork(|| stage(input, to)));
        close_all(&[input, to]);
        (input, last) = (from, from);
    }
    done("write", write(first.1, b"abc"));
    close_all(&[first.1]);
    equal("a pipe of ten processes", read_all(last), b"klm".to_vec());
    check("all of which end", children.into_iter().all(|child| wait(child) == Ended::Exited(0)));
    close_all(&[last]);
}

/// Asks for (descriptor, events) and gives the count and what was found.
fn poll_for<const N: usize>(asked: [(i32, i16); N], milliseconds: i32) -> (Result<usize, i32>, [i16; N]) {
    let mut descriptors = asked.map(|(fd, events)| libc::pollfd { fd, events, revents: 0x55 });
    let result = call!(SYS_poll, descriptors.as_mut_ptr(), N, milliseconds);
    (result, descriptors.map(|descriptor| descriptor.revents))
}

fn poll() {
    let (from, to) = pipe();
    equal("an empty pipe can be written", poll_for([(from, libc::POLLIN), (to, libc::POLLOUT)], 0), (Ok(1), [0, libc::POLLOUT]));
    done("write", write(to, b"x"));
    equal("a pipe with a byte can be read", poll_for([(from, libc::POLLIN)], -1), (Ok(1), [libc::POLLIN]));
    must_equal("read", read(from, &mut [0]), Ok(1));
    let before = linux_tests::monotonic();
    equal("a timeout with nothing", poll_for([(from, libc::POLLIN)], 20), (Ok(0), [0]));
    check("and not too early", linux_tests::monotonic() - before >= 20_000_000);
    close_all(&[to]);
    equal("no writer: POLLHUP", poll_for([(from, libc::POLLIN)], -1), (Ok(1), [libc::POLLHUP]));
    equal("no descriptor: POLLNVAL", poll_for([(999, libc::POLLIN), (-1, libc::POLLIN)], -1), (Ok(1), [libc::POLLNVAL, 0]));
    close_all(&[from]);
    let (from, to) = pipe();
    close_all(&[from]);
    equal("no reader: POLLERR", poll_for([(to, libc::POLLOUT)], -1), (Ok(1), [libc::POLLOUT | libc::POLLERR]));
    close_all(&[to]);
}

fn select() {
    let (from, to) = pipe();
    let bit = |descriptor: i32| 1_u64 << descriptor;
    let mut sets = [[bit(from); 1], [bit(to); 1]].map(|[word]| {
        let mut set = [0_u64; 16];
        set[0] = word;
        set
    });
    let (reading, rest) = sets.split_at_mut(1);
    let mut timeout = [0_u64; 2];
    let found = call!(SYS_select, 64, reading[0].as_mut_ptr(), rest[0].as_mut_ptr(), 0, timeout.as_mut_ptr());
    equal("select finds the writable end", (found, sets[0][0], sets[1][0]), (Ok(1), 0, bit(to)));
    done("write", write(to, b"x"));
    let mut set = [0_u64; 16];
    set[0] = bit(from);
    equal("select finds the readable end", call!(SYS_select, from + 1, set.as_mut_ptr(), 0, 0, 0), Ok(1));
    equal("select of a closed descriptor: EBADF", call!(SYS_select, 64, [1_u64 << 63; 16].as_mut_ptr(), 0, 0, 0), Err(libc::EBADF));
    close_all(&[from, to]);
}

fn poll_wakes() {
    let pipes: Vec<_> = (0..5).map(|_| pipe()).collect();
    let child = fork(|| {
        for (_, to) in pipes.iter().cycle().take(100) {
            done("write", write(*to, b"x"));
        }
        0
    });
    let mut seen = 0;
    while seen < 100 {
        let asked = [0, 1, 2, 3, 4].map(|index: usize| (pipes[index].0, libc::POLLIN));
        let (_, found) = poll_for(asked, -1);
        for (index, events) in found.into_iter().enumerate() {
            if events & libc::POLLIN != 0 {
                seen += done("read", read(pipes[index].0, &mut [0; 100]));
            }
        }
    }
    equal("a poll of five pipes wakes for each", (seen, wait(child)), (100, Ended::Exited(0)));
    pipes.into_iter().for_each(|(from, to)| close_all(&[from, to]));
}

fn ping_pong() {
    let (there, back) = (pipe(), pipe());
    let child = fork(|| {
        for _ in 0..1_000 {
            must("ping", wait_for_byte(there.0));
            done("pong", write(back.1, b"x"));
        }
        0
    });
    for _ in 0..1_000 {
        done("ping", write(there.1, b"x"));
        must("pong", wait_for_byte(back.0));
    }
    equal("a thousand times there and back", wait(child), Ended::Exited(0));
    close_all(&[there.0, there.1, back.0, back.1]);
}

fn close_on_exec_flags() {
    let (from, to) = pipe_with(libc::O_CLOEXEC);
    equal("O_CLOEXEC is kept", call!(SYS_fcntl, from, libc::F_GETFD), Ok(libc::FD_CLOEXEC as usize));
    equal("unknown flags: EINVAL", call!(SYS_pipe2, [0_i32; 2].as_mut_ptr(), 0x7), Err(libc::EINVAL));
    equal("nowhere to put the ends: EFAULT", call!(SYS_pipe2, 0x10, 0), Err(libc::EFAULT));
    equal("the next free descriptor is as low as before", (pipe().0, my_pid() > 0), (to + 1, true));
}
