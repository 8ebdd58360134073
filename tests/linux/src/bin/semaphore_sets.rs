//! System V semaphores: all operations or none, waiting for zero, who is let through, what a process's end takes back, removal.

use linux_tests::asleep::wait_until_asleep;
use linux_tests::process::{Ended, Pid, child_must_succeed, fork, kill, my_pid, wait};
use linux_tests::{Errno, call, check, done, equal, is_root, monotonic, must};

const NEW: usize = 0o1000;
const ALONE: usize = 0o2000;
const NOW: i16 = 0o4000;
const UNDO: i16 = 0x1000;
const MOST: u16 = 32767;

fn get(key: usize, length: usize, flags: usize) -> Result<usize, Errno> {
    call!(SYS_semget, key, length, flags)
}

fn operate(set: usize, operations: &[(u16, i16, i16)]) -> Result<usize, Errno> {
    let texts: Vec<libc::sembuf> = operations.iter().map(|&(sem_num, sem_op, sem_flg)| libc::sembuf { sem_num, sem_op, sem_flg }).collect();
    call!(SYS_semop, set, texts.as_ptr(), texts.len())
}

fn operate_until(set: usize, operation: (u16, i16, i16), milliseconds: i64) -> Result<usize, Errno> {
    let text = libc::sembuf { sem_num: operation.0, sem_op: operation.1, sem_flg: operation.2 };
    let limit = libc::timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
    call!(SYS_semtimedop, set, &raw const text, 1, &raw const limit)
}

fn control(set: usize, index: usize, command: i32, argument: usize) -> Result<usize, Errno> {
    call!(SYS_semctl, set, index, command, argument)
}

fn value(set: usize, index: usize) -> Result<usize, Errno> {
    control(set, index, libc::GETVAL, 0)
}

fn values(set: usize, length: usize) -> Vec<u16> {
    let mut values = vec![u16::MAX; length];
    done("all values", control(set, 0, libc::GETALL, values.as_mut_ptr() as usize));
    values
}

fn set_all(set: usize, values: &[u16]) -> Result<usize, Errno> {
    control(set, 0, libc::SETALL, values.as_ptr() as usize)
}

fn remove(set: usize) -> Result<usize, Errno> {
    control(set, 0, libc::IPC_RMID, 0)
}

fn stat(set: usize) -> Result<libc::semid_ds, Errno> {
    // SAFETY: the structure is numbers only.
    let mut told: libc::semid_ds = unsafe { std::mem::zeroed() };
    control(set, 0, libc::IPC_STAT, &raw mut told as usize).map(|_| told)
}

fn key() -> usize {
    0x6000_0000 + my_pid() as usize
}

fn main() {
    sets();
    operations();
    waiting();
    order();
    ends();
    undone();
    told();
    rights();
    old_numbers();
    many();
}

fn sets() {
    equal("no such key", get(key(), 1, 0o600), Err(libc::ENOENT));
    equal("a new one of none", get(key(), 0, NEW | 0o600), Err(libc::EINVAL));
    equal("a new one of too many", get(key(), 1_000_000, NEW | 0o600), Err(libc::EINVAL));
    equal("a new one of less than none", get(key(), usize::MAX, NEW | 0o600), Err(libc::EINVAL));
    let set = done("made", get(key(), 3, NEW | ALONE | 0o600));
    equal("found", get(key(), 3, 0o600), Ok(set));
    equal("found with fewer", get(key(), 0, NEW | 0o600), Ok(set));
    equal("asked for more than it has", get(key(), 4, 0o600), Err(libc::EINVAL));
    equal("not made again", get(key(), 3, NEW | ALONE | 0o600), Err(libc::EEXIST));
    equal("all are zero", values(set, 3), vec![0; 3]);
    equal("removed", remove(set), Ok(0));
    equal("not removed again", remove(set), Err(libc::EINVAL));
    equal("nor found", get(key(), 3, 0o600), Err(libc::ENOENT));
    equal("nor operated on", operate(set, &[(0, 1, 0)]), Err(libc::EINVAL));
    equal("nor asked", value(set, 0), Err(libc::EINVAL));
}

fn operations() {
    let set = done("made", get(0, 2, 0o600));
    equal("one set", control(set, 0, libc::SETVAL, 5), Ok(0));
    equal("more than the most", control(set, 0, libc::SETVAL, 32768), Err(libc::ERANGE));
    equal("less than zero", control(set, 0, libc::SETVAL, usize::MAX), Err(libc::ERANGE));
    equal("one that it has not", control(set, 2, libc::SETVAL, 1), Err(libc::EINVAL));
    equal("all set", set_all(set, &[1, 0]), Ok(0));
    equal("one too high", set_all(set, &[1, 32768]), Err(libc::ERANGE));
    equal("no operations", operate(set, &[]), Err(libc::EINVAL));
    equal("too many operations", operate(set, &[(0, 0, 0); 501]), Err(libc::E2BIG));
    equal("on one that it has not", operate(set, &[(2, 1, 0)]), Err(libc::EFBIG));
    equal("from nowhere", call!(SYS_semop, set, 8, 1), Err(libc::EFAULT));
    equal("not all can be done", operate(set, &[(0, -1, NOW), (1, -1, NOW)]), Err(libc::EAGAIN));
    equal("so none was", values(set, 2), vec![1, 0]);
    equal("each sees those before it", operate(set, &[(0, -1, NOW), (0, 0, NOW), (0, 3, 0), (1, 2, 0)]), Ok(0));
    equal("all were done", values(set, 2), vec![3, 2]);
    equal("who was last", control(set, 1, libc::GETPID, 0), Ok(my_pid() as usize));
    equal("not zero", operate(set, &[(0, 0, NOW)]), Err(libc::EAGAIN));
    equal("beyond the most", operate(set, &[(0, MOST as i16, 0)]), Err(libc::ERANGE));
    equal(
        "more undone than the most",
        operate(set, &[(1, MOST as i16 - 2, UNDO), (1, -(MOST as i16), 0), (1, 4, UNDO)]),
        Err(libc::ERANGE),
    );
    equal("nothing came of that", values(set, 2), vec![3, 2]);
    let begun = monotonic();
    equal("a wait with an end", operate_until(set, (1, -9, 0), 30), Err(libc::EAGAIN));
    check("it took that long", monotonic() - begun >= 30_000_000);
    equal("none waits", control(set, 1, libc::GETNCNT, 0), Ok(0));
    equal("an unknown command", control(set, 0, 99, 0), Err(libc::EINVAL));
    equal("removed", remove(set), Ok(0));
}

fn child(act: impl FnOnce() -> Result<usize, Errno>) -> Pid {
    fork(|| act().err().unwrap_or(0))
}

fn waiting() {
    let set = done("made", get(0, 2, 0o600));
    let taker = child(|| operate(set, &[(0, -2, 0), (1, 1, 0)]));
    wait_until_asleep(taker);
    equal("it waits for more", control(set, 0, libc::GETNCNT, 0), Ok(1));
    equal("one is not enough", operate(set, &[(0, 1, 0)]), Ok(0));
    wait_until_asleep(taker);
    equal("two are", operate(set, &[(0, 1, 0)]), Ok(0));
    equal("it did all that it wanted by then", values(set, 2), vec![0, 1]);
    equal("who did it", control(set, 1, libc::GETPID, 0), Ok(taker as usize));
    equal("and ends", wait(taker), Ended::Exited(0));
    let zero = child(|| operate(set, &[(1, 0, 0), (0, 7, 0)]));
    wait_until_asleep(zero);
    equal("it waits for zero", control(set, 1, libc::GETZCNT, 0), Ok(1));
    equal("and not for more", control(set, 1, libc::GETNCNT, 0), Ok(0));
    equal("zero", operate(set, &[(1, -1, 0)]), Ok(0));
    equal("it did the rest", values(set, 2), vec![7, 0]);
    equal("and ends then", wait(zero), Ended::Exited(0));
    let set_free = child(|| operate(set, &[(1, -1, 0)]));
    wait_until_asleep(set_free);
    equal("a value that is set lets it through too", control(set, 1, libc::SETVAL, 4), Ok(0));
    equal("which is seen at once", value(set, 1), Ok(3));
    equal("and it ends", wait(set_free), Ended::Exited(0));
    equal("removed", remove(set), Ok(0));
}

fn order() {
    let set = done("made", get(0, 2, 0o600));
    let first = child(|| operate(set, &[(0, -2, 0)]));
    wait_until_asleep(first);
    let second = child(|| operate(set, &[(0, -1, 0)]));
    wait_until_asleep(second);
    let third = child(|| operate(set, &[(0, -1, 0)]));
    wait_until_asleep(third);
    equal("one for three", operate(set, &[(0, 1, 0)]), Ok(0));
    equal("the first that can goes", wait(second), Ended::Exited(0));
    equal("two more", operate(set, &[(0, 2, 0)]), Ok(0));
    equal("the oldest goes", wait(first), Ended::Exited(0));
    equal("nothing is left", value(set, 0), Ok(0));
    equal("and the last", operate(set, &[(0, 1, 0)]).map(|_| wait(third)), Ok(Ended::Exited(0)));
    equal("removed", remove(set), Ok(0));
}

fn ends() {
    let set = done("made", get(0, 1, 0o600));
    let taker = child(|| operate(set, &[(0, -1, 0)]));
    let other = child(|| operate_until(set, (0, -1, 0), 999));
    wait_until_asleep(taker);
    wait_until_asleep(other);
    equal("removed while they wait", remove(set), Ok(0));
    equal("who waits is told", wait(taker), Ended::Exited(libc::EIDRM));
    equal("the other too", wait(other), Ended::Exited(libc::EIDRM));
    let set = done("made", get(0, 1, 0o600));
    let killed = child(|| operate(set, &[(0, -1, 0)]));
    wait_until_asleep(killed);
    done("killed", kill(killed, libc::SIGKILL));
    equal("who is killed while it waits ends", wait(killed), Ended::Killed(libc::SIGKILL));
    equal("and waits no more", control(set, 0, libc::GETNCNT, 0), Ok(0));
    equal("nor takes anything", operate(set, &[(0, 1, 0)]).and(value(set, 0)), Ok(1));
    equal("removed", remove(set), Ok(0));
}

fn undone() {
    let set = done("made", get(0, 3, 0o600));
    equal("set", set_all(set, &[5, 5, 5]), Ok(0));
    let ender = child(|| operate(set, &[(0, -3, UNDO), (1, -3, 0), (2, 2, UNDO)]));
    equal("it ends", wait(ender), Ended::Exited(0));
    equal("what it wanted undone is", values(set, 3), vec![5, 2, 5]);
    equal("by it", control(set, 0, libc::GETPID, 0), Ok(ender as usize));
    let killed = fork(|| {
        must("operated", operate(set, &[(0, -5, UNDO)]).is_ok());
        loop {
            std::thread::park();
        }
    });
    while value(set, 0) != Ok(0) {
        linux_tests::sleep_ms(1);
    }
    let waiter = child(|| operate(set, &[(0, -5, 0)]));
    wait_until_asleep(waiter);
    done("killed", kill(killed, libc::SIGKILL));
    equal("its end lets the waiter through", wait(waiter), Ended::Exited(0));
    equal("after it was killed", wait(killed), Ended::Killed(libc::SIGKILL));
    equal("and all is taken", value(set, 0), Ok(0));
    child_must_succeed("what is set is not undone", || {
        must("operated", operate(set, &[(0, 4, UNDO), (1, 4, UNDO)]).is_ok());
        must("set", control(set, 0, libc::SETVAL, 9) == Ok(0));
    });
    equal("it stays", values(set, 3), vec![9, 2, 5]);
    child_must_succeed("a child's child does not undo for it", || {
        must("operated", operate(set, &[(2, -1, UNDO)]).is_ok());
        must("ended", wait(child(|| Ok(0))) == Ended::Exited(0));
        must("not undone", value(set, 2) == Ok(4));
    });
    equal("but it itself", value(set, 2), Ok(5));
    child_must_succeed("not below zero", || {
        must("operated", operate(set, &[(2, 5, UNDO)]).is_ok());
        must("and taken", operate(set, &[(2, -8, 0)]).is_ok());
    });
    equal("it is zero", value(set, 2), Ok(0));
    equal("removed", remove(set), Ok(0));
}

fn told() {
    let set = done("made", get(key(), 4, NEW | 0o640));
    let about = done("told", stat(set));
    equal("how many", about.sem_nsems, 4);
    equal("its mode", about.sem_perm.mode as u32, 0o640);
    check("made, and not operated on", about.sem_ctime > 0 && about.sem_otime == 0);
    done("operated", operate(set, &[(0, 1, 0)]));
    check("operated on", stat(set).is_ok_and(|told| told.sem_otime > 0));
    let list = std::fs::read_to_string("/proc/sysvipc/sem").unwrap_or_default();
    equal(
        "the list's head",
        list.lines().next().unwrap_or("").to_string(),
        "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime".into(),
    );
    let line = list.lines().find(|line| line.split_whitespace().nth(1) == Some(&set.to_string())).unwrap_or("");
    equal("its line", line.split_whitespace().skip(2).take(2).collect::<Vec<_>>(), vec!["640", "4"]);
    let limits = std::fs::read_to_string("/proc/sys/kernel/sem").unwrap_or_default();
    equal("the limits", limits.trim(), "32000\t1024000000\t500\t32000");
    let mut changed = about;
    changed.sem_perm.mode = 0o600;
    equal("its mode is changed", control(set, 0, libc::IPC_SET, &raw const changed as usize), Ok(0));
    equal("and told", stat(set).map(|told| told.sem_perm.mode as u32), Ok(0o600));
    equal("told to nowhere", control(set, 0, libc::IPC_STAT, 8), Err(libc::EFAULT));
    equal("removed", remove(set), Ok(0));
}

fn rights() {
    if !is_root() {
        return;
    }
    let set = done("made", get(key(), 1, NEW | 0o604));
    child_must_succeed("a stranger", || {
        done("another user", call!(SYS_setresgid, 1234, 1234, 1234));
        done("another user", call!(SYS_setresuid, 1234, 1234, 1234));
        must("may not operate", operate(set, &[(0, 1, 0)]) == Err(libc::EACCES));
        must("may wait for zero", operate(set, &[(0, 0, 0)]) == Ok(0));
        must("may read", value(set, 0) == Ok(0));
        must("may not set", control(set, 0, libc::SETVAL, 1) == Err(libc::EACCES));
        must("may not remove", remove(set) == Err(libc::EPERM));
    });
    equal("removed", remove(set), Ok(0));
}

/// Many hands on a few semaphores: nothing is lost, and nobody is left.
fn many() {
    let set = done("made", get(0, 3, 0o600));
    equal("two tokens", set_all(set, &[2, 0, 0]), Ok(0));
    let children: Vec<Pid> = (0..8)
        .map(|_| {
            child(|| {
                for round in 0..500 {
                    let undo = if round % 2 == 0 { UNDO } else { 0 };
                    operate(set, &[(0, -1, undo), (1, 1, undo)])?;
                    operate(set, &[(1, -1, undo), (0, 1, undo)])?;
                }
                operate(set, &[(2, 1, 0)])
            })
        })
        .collect();
    equal("all come through", operate(set, &[(2, -8, 0)]), Ok(0));
    check("and end", children.into_iter().all(|child| wait(child) == Ended::Exited(0)));
    equal("the tokens are there", values(set, 3), vec![2, 0, 0]);
    equal("removed", remove(set), Ok(0));
}

/// Places come again after a while; numbers do not.
fn old_numbers() {
    let old = done("made", get(0, 1, 0o600));
    equal("removed", remove(old), Ok(0));
    let same_place = (0..40_000).find_map(|_| {
        let new = done("made again", get(0, 1, 0o600));
        (new % 32768 == old % 32768).then_some(new).ok_or_else(|| remove(new)).ok()
    });
    let new = done("its place comes again", same_place.ok_or(0));
    check("with another number", new != old);
    equal("nobody is told about the old one", stat(old).map(|_| ()), Err(libc::EINVAL));
    equal("nor removes it", remove(old), Err(libc::EINVAL));
    equal("but the new one", remove(new), Ok(0));
}
