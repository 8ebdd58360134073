//! Interrupt lines and shared memory.

use linux_tests::objects::Objects;
use native_tests::opcode::INTERRUPT;
use native_tests::process::{Ended, close, close_all, in_a_child};
use native_tests::{CLOSE_ON_EXEC, Submission, check, done, equal, irq_create, must, must_equal, port, shmem_create, submit, wait};

const PAGE: usize = 4096;
/// The old timer of every PC, as the firmware of this machine wires it. The firmware sets it to 18 interrupts a second, and nobody
/// in the kernel uses it.
const OLD_TIMER: u32 = 2;
/// The first serial port: the kernel's.
const CONSOLE: u32 = 4;
/// The second one, which the machine has not: nothing ever comes.
const QUIET: u32 = 3;
const PATIENCE: u64 = 5_000_000_000;

fn op(user_data: u64, fd: i32) -> Submission {
    Submission { user_data, opcode: INTERRUPT, fd, ..Submission::default() }
}

fn lines() {
    let ended = in_a_child(|| {
        // SAFETY: no memory is involved.
        must("setuid works", unsafe { libc::setuid(1000) } == 0);
        i32::from(irq_create(OLD_TIMER) != Err(libc::EPERM))
    });
    equal("only the privileged get a line", ended, Ended::Exited(0));
    for absurd in [1000, 240, u32::MAX, 1 << 31] {
        equal("a line that no machine has", irq_create(absurd), Err(libc::EINVAL));
    }
    equal("a line of the kernel's", irq_create(CONSOLE), Err(libc::EBUSY));
    let fd = done("irq_create", irq_create(OLD_TIMER)) as i32;
    equal("a line that somebody has", irq_create(OLD_TIMER), Err(libc::EBUSY));
    one_waits_at_a_time();
    let port = port();
    for round in 0..5 {
        must_equal("accepted", submit(port, &[op(round, fd)]), Ok(1));
        let got = done("waiting", wait(port, 8, 1, PATIENCE));
        must("an interrupt comes", got.len() == 1 && got[0].user_data == round && got[0].result >= 1);
    }
    check("and another, five times", true);
    must_equal("accepted", submit(port, &[op(9, fd)]), Ok(1));
    done("close", close(fd));
    equal("an operation keeps the line", irq_create(OLD_TIMER), Err(libc::EBUSY));
    done("close", close(port));
    let again = done("and with its port the line is free", irq_create(OLD_TIMER));
    done("close", close(again as i32));
    for _ in 0..300 {
        let fd = done("vectors come back", irq_create(OLD_TIMER));
        done("close", close(fd as i32));
    }
}

/// On a line where nothing comes: what waits first could be over before the second is looked at.
fn one_waits_at_a_time() {
    let fd = done("irq_create", irq_create(QUIET)) as i32;
    let port = port();
    must_equal("accepted", submit(port, &[op(1, fd), op(2, fd)]), Ok(2));
    let got = done("waiting", wait(port, 8, 1, PATIENCE));
    must("one completion", got.len() == 1);
    equal("one waits at a time", (got[0].user_data, got[0].result), (2, -i64::from(libc::EBUSY)));
    close_all(&[fd, port]);
}

fn memory() {
    equal("of no size", shmem_create(0, 0), Err(libc::EINVAL));
    equal("unknown flags", shmem_create(1, 2), Err(libc::EINVAL));
    for absurd in [u64::MAX, 1 << 50, 1 << 63] {
        equal("more than there is", shmem_create(absurd, 0), Err(libc::ENOMEM));
    }
    let fd = done("shmem_create", shmem_create(PAGE as u64 + 1, CLOSE_ON_EXEC)) as i32;
    // SAFETY: no memory is involved.
    equal("closes at exec", unsafe { libc::fcntl(fd, libc::F_GETFD) }, libc::FD_CLOEXEC);
    let map = |protection| linux_tests::memory::map(0, 3 * PAGE, protection, libc::MAP_SHARED, fd, 0);
    let (one, other) = (done("mmap", map(linux_tests::memory::READ_WRITE)), done("mmap", map(linux_tests::memory::READ)));
    linux_tests::memory::poke(one + PAGE, 42);
    equal("two mappings show the same", linux_tests::memory::peek(other + PAGE), 42);
    equal("of zeroes at first", linux_tests::memory::peek(other), 0);
    equal(
        "and end where it ends",
        linux_tests::memory::fate_of(|| linux_tests::memory::touch(one + 2 * PAGE)),
        Ended::Killed(libc::SIGBUS),
    );
    let ended = in_a_child(|| {
        linux_tests::memory::poke(one, 7);
        0
    });
    equal("a child's change", (ended, linux_tests::memory::peek(other)), (Ended::Exited(0), 7));
    equal("it is not read", linux_tests::process::read(fd, &mut [0; 4]), Err(libc::EINVAL));
    close_all(&[fd]);
    equal("the mapping outlives the descriptor", linux_tests::memory::peek(other + PAGE), 42);
    for at in [one, other] {
        done("munmap", linux_tests::memory::unmap(at, 3 * PAGE));
    }
}

fn main() {
    let before = Objects::of_one_thread();
    lines();
    memory();
    before.must_be_all_there_is();
    println!("ok");
}
