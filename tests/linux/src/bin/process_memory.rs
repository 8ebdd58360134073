//! process_vm_readv and process_vm_writev: bytes, pieces, gaps, rights, and a process that goes away meanwhile.

use linux_tests::memory::{anonymous, bytes, map, poke, protect, unmap};
use linux_tests::process::{Pid, close_all, fork, kill, my_pid, pipe, wait, wait_for_byte, write};
use linux_tests::{Errno, call, check, done, equal, is_root, must};

const PAGE: usize = 4096;
type Piece = [usize; 2];

fn read_from(pid: Pid, own: &[Piece], theirs: &[Piece]) -> Result<usize, Errno> {
    call!(SYS_process_vm_readv, pid, own.as_ptr(), own.len(), theirs.as_ptr(), theirs.len(), 0)
}

fn write_to(pid: Pid, own: &[Piece], theirs: &[Piece]) -> Result<usize, Errno> {
    call!(SYS_process_vm_writev, pid, own.as_ptr(), own.len(), theirs.as_ptr(), theirs.len(), 0)
}

/// A child with the same memory that waits until it is told to end.
fn sleeper(prepare: impl FnOnce()) -> (Pid, i32) {
    let (ours, theirs) = (pipe(), pipe());
    let child = fork(|| {
        prepare();
        done("ready", write(theirs.1, b"r"));
        close_all(&[ours.1]);
        wait_for_byte(ours.0);
        0
    });
    must("the child is ready", wait_for_byte(theirs.0));
    close_all(&[ours.0, theirs.0, theirs.1]);
    (child, ours.1)
}

fn main() {
    refused();
    in_pieces();
    with_gaps();
    by_rights();
    strangers();
    ended();
    while_it_unmaps();
}

fn refused() {
    let at = anonymous(1);
    let me = my_pid();
    let one = [[at, 8]];
    equal("flags", call!(SYS_process_vm_readv, me, one.as_ptr(), 1, one.as_ptr(), 1, 1), Err(libc::EINVAL));
    equal("nobody of that number", read_from(4_000_000, &one, &one), Err(libc::ESRCH));
    equal("nothing wanted of nobody", read_from(4_000_000, &[], &one), Ok(0));
    equal("nothing there of nobody", read_from(4_000_000, &one, &[]), Ok(0));
    equal("too many pieces here", call!(SYS_process_vm_readv, me, one.as_ptr(), 1025, one.as_ptr(), 1, 0), Err(libc::EINVAL));
    equal("too many pieces there", call!(SYS_process_vm_readv, me, one.as_ptr(), 1, one.as_ptr(), 1025, 0), Err(libc::EINVAL));
    equal("a list that is nowhere", call!(SYS_process_vm_readv, me, 8, 1, one.as_ptr(), 1, 0), Err(libc::EFAULT));
    equal("their list is nowhere", call!(SYS_process_vm_readv, me, one.as_ptr(), 1, 8, 1, 0), Err(libc::EFAULT));
    equal("a length below zero", read_from(me, &[[at, usize::MAX]], &one), Err(libc::EINVAL));
    equal("a length below zero there", read_from(me, &one, &[[at, usize::MAX]]), Err(libc::EINVAL));
    equal("the kernel's half here", read_from(me, &[[0xffff_8000_0000_0000, 8]], &one), Err(libc::EFAULT));
    equal("the kernel's half there", read_from(me, &one, &[[0xffff_8000_0000_0000, 8]]), Err(libc::EFAULT));
    equal("the top of all there", read_from(me, &one, &[[usize::MAX - 3, 8]]), Err(libc::EFAULT));
    done("gone", unmap(at, PAGE));
}

fn in_pieces() {
    let at = anonymous(4);
    let into = anonymous(4);
    for index in 0..4 * PAGE {
        poke(at + index, (index % 251) as u8);
    }
    let (child, end) = sleeper(|| poke(at, 77));
    let theirs = [[at, 5], [at + PAGE - 3, 0], [at + PAGE - 3, PAGE + 6], [at + 3 * PAGE, 100]];
    let own = [[into, 1], [into + 1, 10], [into + 11, 3 * PAGE]];
    equal("pieces of all lengths", read_from(child, &own, &theirs), Ok(5 + PAGE + 6 + 100));
    let mut wanted = vec![77];
    wanted.extend(bytes(at + 1, 4));
    wanted.extend(bytes(at + PAGE - 3, PAGE + 6));
    wanted.extend(bytes(at + 3 * PAGE, 100));
    check("and their bytes in order", bytes(into, wanted.len()) == wanted);
    equal("the shorter side ends it", read_from(child, &[[into, 7]], &[[at, PAGE]]), Ok(7));
    equal("written", write_to(child, &[[at + 100, 3 * PAGE]], &[[at + 300, PAGE], [at, 50]]), Ok(PAGE + 50));
    equal("and read back", read_from(child, &[[into, PAGE + 50]], &[[at + 300, PAGE], [at, 50]]), Ok(PAGE + 50));
    check("as it was written", bytes(into, PAGE + 50) == bytes(at + 100, PAGE + 50));
    check("the writer's own page is as before", bytes(at, 1) == [0]);
    close_all(&[end]);
    wait(child);
}

fn with_gaps() {
    let at = anonymous(4);
    let into = anonymous(3);
    let (child, end) = sleeper(|| {
        done("gap", unmap(at + 2 * PAGE, PAGE));
    });
    equal("up to a gap there", read_from(child, &[[into, 3 * PAGE]], &[[at, 4 * PAGE]]), Ok(2 * PAGE));
    equal("it begins in a gap", read_from(child, &[[into, 8]], &[[at + 2 * PAGE, 8]]), Err(libc::EFAULT));
    equal("a later piece in a gap", read_from(child, &[[into, 99]], &[[at, 8], [at + 2 * PAGE, 8], [at, 8]]), Ok(8));
    done("gap here", unmap(into + PAGE, PAGE));
    equal("up to a gap here", read_from(child, &[[into, 2 * PAGE]], &[[at, 2 * PAGE]]), Ok(PAGE));
    equal("written up to a gap there", write_to(child, &[[at, 4 * PAGE]], &[[at, 4 * PAGE]]), Ok(2 * PAGE));
    equal("from nowhere", write_to(child, &[[into + PAGE, 8]], &[[at, 8]]), Err(libc::EFAULT));
    close_all(&[end]);
    wait(child);
}

fn by_rights() {
    let at = anonymous(2);
    let into = anonymous(1);
    let (child, end) = sleeper(|| {
        poke(at + PAGE, 1);
        done("read only", protect(at, PAGE, libc::PROT_READ));
        done("closed", protect(at + PAGE, PAGE, libc::PROT_NONE));
    });
    equal("what it may only read is not written", write_to(child, &[[into, 8]], &[[at, 8]]), Err(libc::EFAULT));
    equal("but read", read_from(child, &[[into, 8]], &[[at, 8]]), Ok(8));
    equal("what it may not touch is not read", read_from(child, &[[into, 8]], &[[at + PAGE, 8]]), Err(libc::EFAULT));
    close_all(&[end]);
    wait(child);
}

fn strangers() {
    let at = anonymous(1);
    if !is_root() {
        return;
    }
    let one = [[at, 8]];
    let (child, end) = sleeper(|| ());
    linux_tests::process::child_must_succeed("a stranger is refused", || {
        done("another user", call!(SYS_setresuid, 1234, 1234, 1234));
        must("EPERM", read_from(child, &one, &one) == Err(libc::EPERM));
        must("EPERM", write_to(child, &one, &one) == Err(libc::EPERM));
        must("itself", read_from(my_pid(), &one, &one) == Ok(8));
    });
    close_all(&[end]);
    wait(child);
}

fn ended() {
    let at = anonymous(1);
    let child = fork(|| 0);
    let mut about = [0_u64; 16];
    done("it ends", call!(SYS_waitid, libc::P_PID, child, about.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT, 0));
    equal("one that has ended", read_from(child, &[[at, 8]], &[[at, 8]]), Err(libc::ESRCH));
    wait(child);
    equal("one that is gone", read_from(child, &[[at, 8]], &[[at, 8]]), Err(libc::ESRCH));
}

/// The other side maps and unmaps all the time: whole pages come, or none; then it is killed.
fn while_it_unmaps() {
    let at = anonymous(8);
    let into = anonymous(8);
    let child = fork(|| {
        loop {
            done("unmap", unmap(at, 8 * PAGE));
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            done("map", map(at, 8 * PAGE, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0));
            for page in 0..8 {
                poke(at + page * PAGE + 9, 9);
            }
        }
    });
    let mut right = true;
    for round in 0..2000 {
        right &= match read_from(child, &[[into, 8 * PAGE]], &[[at, 8 * PAGE]]) {
            Ok(length) => length % PAGE == 0 && (0..length / PAGE).all(|page| matches!(bytes(into + page * PAGE + 9, 1)[0], 0 | 9)),
            Err(error) => error == libc::EFAULT,
        };
        right &= matches!(write_to(child, &[[into + 9, 1]], &[[at + 9, 1]]), Ok(1) | Err(libc::EFAULT));
        if round == 1500 {
            done("killed", kill(child, libc::SIGKILL));
            break;
        }
    }
    check("pages of one that changes its memory", right);
    let last = (0..1_000_000).map(|_| read_from(child, &[[into, 8]], &[[at, 8]])).find(|answer| *answer == Err(libc::ESRCH));
    equal("until it is dead", last, Some(Err(libc::ESRCH)));
    wait(child);
}
