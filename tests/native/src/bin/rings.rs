//! Rings: a port's queues in memory that it shares with the program, and indices that lie.

use std::sync::atomic::Ordering;

use linux_tests::objects::Objects;
use native_tests::opcode::{NOTHING, NOTIFIED, READ, RECEIVE, TIMEOUT};
use native_tests::process::{Ended, close, close_all, exit_now, fork, in_a_child, kill, pipe, wait as wait_for, write};
use native_tests::rings::{HEAD, Rings, TAIL, word};
use native_tests::{
    Message, RingParams, Submission, channel, check, done, equal, must, must_equal, notify, notify_create, op, port, ring_enter, send,
    setup_rings, setup_rings_at, submit, unless_busy, until_busy, wait,
};

const NOWHERE: usize = 0x10;

fn bad_arguments() {
    let port = port();
    let mut params = RingParams { submissions: 4, completions: 8, ..RingParams::default() };
    equal("entering without rings", ring_enter(port, 0, 0, 0), Err(libc::EINVAL));
    equal("rings of a file", setup_rings(0, &mut params), Err(libc::EBADF));
    equal("sizes from nowhere", setup_rings_at(port, NOWHERE), Err(libc::EFAULT));
    equal("no submissions", setup_rings(port, &mut RingParams { submissions: 0, ..params }), Err(libc::EINVAL));
    equal("no completions", setup_rings(port, &mut RingParams { completions: 0, ..params }), Err(libc::EINVAL));
    equal("rings", setup_rings(port, &mut params), Ok(0));
    equal("a second time", setup_rings(port, &mut RingParams { ..params }), Err(libc::EBUSY));
    equal("io_wait in ring mode", wait(port, 1, 0, 0), Err(libc::EINVAL));
    equal("no flags", ring_enter(port, 0, 0, 1), Err(libc::EINVAL));
    for more in [9, 129, u32::MAX] {
        equal("more than the ring can hold", ring_enter(port, 0, more, 0), Err(libc::EINVAL));
    }
    equal("entering a file", ring_enter(0, 0, 0, 0), Err(libc::EBADF));
    let beyond = linux_tests::memory::map(0, 8192, linux_tests::memory::READ_WRITE, libc::MAP_SHARED, params.submission_fd, 0);
    let beyond = done("mmap", beyond);
    let fate = linux_tests::memory::fate_of(|| linux_tests::memory::touch(beyond + 4096));
    equal("there is one page", fate, Ended::Killed(libc::SIGBUS));
    done("munmap", linux_tests::memory::unmap(beyond, 8192));
    close_all(&[port, params.submission_fd, params.completion_fd]);
    let rings = Rings::new(33, 1000);
    equal("sizes are powers of two, and within a page", (rings.params.submissions, rings.params.completions), (64, 128));
    rings.close();
}

fn round_and_round() {
    let rings = Rings::new(4, 8);
    for round in 0..100 {
        (0..3).for_each(|number| rings.push(op(round * 10 + number, NOTHING, -1)));
        must_equal("ready", ring_enter(rings.port, 3, 3, 0), Ok(3));
        must_equal("completions", rings.all(), (0..3).map(|number| (round * 10 + number, 0)).collect::<Vec<_>>());
    }
    equal("a hundred rounds", word(rings.submissions + HEAD).load(Ordering::Acquire), 300);
    (0..4).for_each(|number| rings.push(op(number, NOTHING, -1)));
    equal("not more than asked", ring_enter(rings.port, 2, 0, 0), Ok(2));
    equal("the rest, and no more than there is", ring_enter(rings.port, 99, 0, 0), Ok(4));
    must_equal("completions", rings.all().len(), 4);
    let entries: Vec<_> = (0..20).map(|number| op(number, NOTHING, -1)).collect();
    equal("io_submit still works", submit(rings.port, &entries), Ok(20));
    let mut got = rings.all();
    equal("a ring is filled", got.len(), 8);
    while got.len() < 20 {
        must("more", ring_enter(rings.port, 0, 1, 0).is_ok());
        got.extend(rings.all());
    }
    equal("and what did not fit comes after", got, (0..20).map(|number| (number, 0)).collect::<Vec<_>>());
    rings.close();
}

fn without_a_call() {
    let rings = Rings::new(4, 8);
    let fd = done("notify_create", notify_create(0)) as i32;
    rings.push(op(1, NOTIFIED, fd));
    equal("nothing yet", ring_enter(rings.port, 1, 0, 0), Ok(0));
    must_equal("notify", notify(fd), Ok(0));
    equal("a completion is simply there", rings.all(), vec![(1, 0)]);
    rings.push(Submission { timeout: 2_000_000, ..op(2, TIMEOUT, -1) });
    must("entering", ring_enter(rings.port, 1, 0, 0).is_ok());
    while word(rings.completions + TAIL).load(Ordering::Acquire) != 2 {
        std::hint::spin_loop();
    }
    equal("a timer's too, from its handler", rings.all(), vec![(2, 0)]);
    let (reader, writer) = pipe();
    let mut bytes = [0_u8; 4];
    rings.push(Submission { buffer: bytes.as_mut_ptr().addr() as u64, length: 4, ..op(3, READ, reader) });
    must_equal("entering", ring_enter(rings.port, 1, 0, 0), Ok(0));
    must("writing", write(writer, b"ring") == Ok(4));
    equal("bytes are placed", rings.all(), vec![]);
    equal("by the program's own call", ring_enter(rings.port, 0, 1, 0), Ok(1));
    equal("and are there", (rings.all(), &bytes), (vec![(3, 4)], b"ring"));
    let (sender, receiver) = channel(1);
    let mut message = Message::new(0);
    rings.push(Submission { buffer: (&raw mut message).addr() as u64, ..op(4, RECEIVE, receiver) });
    must_equal("entering", ring_enter(rings.port, 1, 0, 0), Ok(0));
    done("sending", send(sender, &Message::carrying(9, writer), 0));
    equal("a message with a file", ring_enter(rings.port, 0, 1, 0), Ok(1));
    check("comes too", rings.all() == vec![(4, 0)] && message.tag == 9 && message.fds[0] > 2);
    close_all(&[fd, reader, writer, sender, receiver, message.fds[0]]);
    rings.close();
}

fn lies() {
    let rings = Rings::new(4, 8);
    must_equal("entering", ring_enter(rings.port, 0, 0, 0), Ok(0));
    for (name, at) in [
        ("submission head", rings.submissions + HEAD),
        ("submission tail", rings.submissions + TAIL),
        ("completion head", rings.completions + HEAD),
        ("completion tail", rings.completions + TAIL),
    ] {
        for nonsense in [9, u32::MAX - 3, u32::MAX, 1 << 31, 0x5555_5555] {
            let truth = word(at).swap(nonsense, Ordering::SeqCst);
            must_equal(name, ring_enter(rings.port, 4, 0, 0), Err(libc::EINVAL));
            word(at).store(truth, Ordering::SeqCst);
        }
        equal(name, ring_enter(rings.port, 4, 0, 0), Ok(0));
    }
    // The mask is for the program; the kernel has its own.
    word(rings.submissions + 8).store(u32::MAX, Ordering::SeqCst);
    word(rings.completions + 8).store(u32::MAX, Ordering::SeqCst);
    rings.push(op(1, NOTHING, -1));
    equal("masks that lie change nothing", ring_enter(rings.port, 1, 1, 0), Ok(1));
    equal("here either", rings.all(), vec![(1, 0)]);
    word(rings.completions + HEAD).store(77, Ordering::SeqCst);
    must_equal("submitting", submit(rings.port, &[op(2, NOTHING, -1)]), Ok(1));
    word(rings.completions + HEAD).store(1, Ordering::SeqCst);
    equal("a completion waits for an index that makes sense", ring_enter(rings.port, 0, 1, 0), Ok(1));
    equal("and is not lost", rings.all(), vec![(2, 0)]);
    rings.close();
}

/// One thread scribbles over both pages as long as another works with them.
fn scribbling() {
    let rings = Rings::new(64, 128);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seed = 12345_u32;
            while !is_over.load(Ordering::Relaxed) {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let page = if seed & 1 == 0 { rings.submissions } else { rings.completions };
                let place = page + ((seed >> 8) as usize % 1024) * 4;
                word(place).store(seed >> 3, Ordering::Relaxed);
            }
        });
        for _ in 0..3000 {
            match ring_enter(rings.port, 64, 0, 0) {
                Ok(_) | Err(libc::EINVAL) => {}
                Err(other) => must_equal("entering", other, 0),
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    check("pages that change under the kernel do no harm", true);
    rings.close();
}

extern "C" fn nothing(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {}

fn waits_that_end() {
    let rings = Rings::new(4, 8);
    let ended = in_a_child(|| {
        linux_tests::signal::handle(libc::SIGALRM, nothing, 0);
        linux_tests::signal::set_timer(20, 0);
        i32::from(ring_enter(rings.port, 0, 1, 0) != Err(libc::EINTR))
    });
    equal("a signal ends a wait", ended, Ended::Exited(0));
    let child = fork(|| exit_now(i32::from(unless_busy(|| ring_enter(rings.port, 0, 1, 0)))));
    until_busy(|| ring_enter(rings.port, 0, 0, 0));
    equal("one at a time", ring_enter(rings.port, 0, 0, 0), Err(libc::EBUSY));
    done("kill", kill(child, libc::SIGKILL));
    equal("killed as it waits", wait_for(child), Ended::Killed(9));
    rings.close();
    let port = port();
    let child = fork(|| exit_now(i32::from(unless_busy(|| wait(port, 1, 1, 0)))));
    until_busy(|| wait(port, 1, 0, 0));
    let mut params = RingParams { submissions: 4, completions: 8, ..RingParams::default() };
    equal("rings while somebody waits without", setup_rings(port, &mut params), Err(libc::EBUSY));
    done("kill", kill(child, libc::SIGKILL));
    wait_for(child);
    done("close", close(port));
}

fn main() {
    std::thread::scope(|scope| drop(scope.spawn(|| ())));
    let before = Objects::of_one_thread();
    bad_arguments();
    round_and_round();
    without_a_call();
    lies();
    scribbling();
    waits_that_end();
    before.must_be_all_there_is();
    println!("ok");
}
