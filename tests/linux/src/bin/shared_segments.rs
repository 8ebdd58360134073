//! System V shared memory: keys, rights, places, how many are attached, and a segment that is removed while it is in use.

use linux_tests::memory::{anonymous, bytes, fate_of, peek, poke, protect, touch, unmap};
use linux_tests::process::{Ended, Pid, child_must_succeed, exit_now, fork, my_pid, wait};
use linux_tests::{Errno, call, check, done, equal, is_root, must};

const PAGE: usize = 4096;
const NEW: usize = 0o1000;
const ALONE: usize = 0o2000;
const READ_ONLY: usize = 0o10000;
const ROUND: usize = 0o20000;
const REMAP: usize = 0o40000;
const REMOVED: u32 = 0o1000;

fn get(key: usize, length: usize, flags: usize) -> Result<usize, Errno> {
    call!(SYS_shmget, key, length, flags)
}

fn attach(number: usize, at: usize, flags: usize) -> Result<usize, Errno> {
    call!(SYS_shmat, number, at, flags)
}

fn detach(at: usize) -> Result<usize, Errno> {
    call!(SYS_shmdt, at)
}

fn remove(number: usize) -> Result<usize, Errno> {
    call!(SYS_shmctl, number, libc::IPC_RMID, 0)
}

fn stat(number: usize) -> Result<libc::shmid_ds, Errno> {
    // SAFETY: the structure is numbers only.
    let mut told: libc::shmid_ds = unsafe { std::mem::zeroed() };
    call!(SYS_shmctl, number, libc::IPC_STAT, &raw mut told).map(|_| told)
}

fn attached(number: usize) -> u64 {
    stat(number).map_or(u64::MAX, |told| told.shm_nattch)
}

fn main() {
    keys();
    places();
    told();
    counted();
    removed();
    rights();
    old_numbers();
}

fn key() -> usize {
    0x5000_0000 + my_pid() as usize
}

fn keys() {
    equal("no such key", get(key(), PAGE, 0o600), Err(libc::ENOENT));
    equal("a new one of no bytes", get(key(), 0, NEW | 0o600), Err(libc::EINVAL));
    equal("a new one of too many", get(key(), usize::MAX, NEW | 0o600), Err(libc::EINVAL));
    let number = done("made", get(key(), 5000, NEW | ALONE | 0o600));
    equal("found", get(key(), 5000, 0o600), Ok(number));
    equal("found with fewer bytes", get(key(), 0, NEW | 0o600), Ok(number));
    equal("asked for more than it has", get(key(), 5001, 0o600), Err(libc::EINVAL));
    equal("not made again", get(key(), 5000, NEW | ALONE | 0o600), Err(libc::EEXIST));
    let (one, other) = (done("private", get(0, 1, 0o600)), done("private", get(0, 1, 0o600)));
    check("those without a key are all different", one != other && one != number);
    equal("removed", remove(one).and(remove(other)).and(remove(number)), Ok(0));
    equal("not found then", get(key(), 5000, 0o600), Err(libc::ENOENT));
    equal("nor removed again", remove(number), Err(libc::EINVAL));
    equal("nor attached", attach(number, 0, 0), Err(libc::EINVAL));
    equal("a number below zero", attach(usize::MAX, 0, 0), Err(libc::EINVAL));
    equal("an unknown command", call!(SYS_shmctl, 0, 99, 0), Err(libc::EINVAL));
}

fn places() {
    let number = done("made", get(0, 2 * PAGE, 0o600));
    let free = anonymous(4);
    done("room", unmap(free, 4 * PAGE));
    equal("not on a page", attach(number, free + 1, 0), Err(libc::EINVAL));
    equal("rounded down", attach(number, free + 1, ROUND), Ok(free));
    equal("where something is", attach(number, free + PAGE, 0), Err(libc::EINVAL));
    equal("instead of what is there", attach(number, free + PAGE, REMAP), Ok(free + PAGE));
    equal("instead of what is nowhere", attach(number, 0, REMAP), Err(libc::EINVAL));
    poke(free, 42);
    equal("both show the same", peek(free + PAGE), 42);
    equal("two are attached", attached(number), 2);
    equal("an end that is no start", detach(free + 2 * PAGE), Err(libc::EINVAL));
    equal("an end off a page", detach(free + 1), Err(libc::EINVAL));
    equal("the first goes", detach(free), Ok(0));
    equal("once", detach(free), Err(libc::EINVAL));
    equal("the second is there still", peek(free + PAGE), 42);
    equal("for reading only", attach(number, free, READ_ONLY).map_err(|error| error == libc::EINVAL), Err(true));
    equal("the second goes", detach(free + PAGE), Ok(0));
    equal("for reading only, with room", attach(number, free, READ_ONLY), Ok(free));
    equal("what is in it stays", peek(free), 42);
    equal("and is not written", fate_of(|| poke(free, 1)), Ended::Killed(libc::SIGSEGV));
    equal("nor made writable", protect(free, PAGE, libc::PROT_READ | libc::PROT_WRITE), Err(libc::EACCES));
    equal("its first page is taken out", unmap(free, PAGE), Ok(0));
    equal("it ends where it began", detach(free), Ok(0));
    equal("nothing is attached", attached(number), 0);
    equal("removed", remove(number), Ok(0));
}

fn told() {
    let number = done("made", get(key(), 5000, NEW | 0o640));
    let at = done("attached", attach(number, 0, 0));
    let about = done("told", stat(number));
    equal("bytes as they were asked for", about.shm_segsz, 5000);
    equal("its mode", about.shm_perm.mode as u32, 0o640);
    equal("its maker and who came last", (about.shm_cpid, about.shm_lpid), (my_pid(), my_pid()));
    check("when it was attached and made", about.shm_atime > 0 && about.shm_ctime > 0 && about.shm_dtime == 0);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let name = format!("/SYSV{:08x} (deleted)", key());
    check(
        "a line in maps",
        maps.lines().any(|line| line.starts_with(&format!("{at:x}-{:x} rw-s", at + 2 * PAGE)) && line.ends_with(&name)),
    );
    let list = std::fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    equal(
        "the list's head",
        list.lines().next().unwrap_or("").split_whitespace().take(6).collect::<Vec<_>>().join(" "),
        "key shmid perms size cpid lpid".into(),
    );
    let line = list.lines().find(|line| line.split_whitespace().nth(1) == Some(&number.to_string())).unwrap_or("");
    let fields: Vec<&str> = line.split_whitespace().collect();
    equal("its line", fields.iter().skip(2).take(2).copied().collect::<Vec<_>>(), vec!["640", "5000"]);
    equal("how many are attached, there", fields.get(6).copied(), Some("1"));
    equal("beyond its bytes its last page goes on", fate_of(|| touch(at + 2 * PAGE - 1)), Ended::Exited(0));
    let mut about = done("told", stat(number));
    about.shm_perm.mode = 0o600;
    equal("its mode is changed", call!(SYS_shmctl, number, libc::IPC_SET, &raw const about), Ok(0));
    equal("and told", stat(number).map(|told| told.shm_perm.mode as u32), Ok(0o600));
    equal("detached", detach(at), Ok(0));
    check("when it was detached", stat(number).is_ok_and(|told| told.shm_dtime > 0));
    equal("told to nowhere", call!(SYS_shmctl, number, libc::IPC_STAT, 8), Err(libc::EFAULT));
    equal("removed", remove(number), Ok(0));
}

/// A child that has the same memory, and ends in this way.
fn child(act: impl FnOnce()) -> Pid {
    fork(|| {
        act();
        0
    })
}

fn counted() {
    let number = done("made", get(0, 3 * PAGE, 0o600));
    let at = done("attached", attach(number, 0, 0));
    equal("one", attached(number), 1);
    child_must_succeed("a child counts", || {
        must("two", attached(number) == 2);
        poke(at, 7);
        done("split", protect(at + PAGE, PAGE, libc::PROT_READ));
        must("parts count", attached(number) == 4);
        done("detached", detach(at));
        must("one", attached(number) == 1);
    });
    equal("what the child wrote is there", peek(at), 7);
    wait(child(|| exit_now(0)));
    equal("a child that ends counts no more", attached(number), 1);
    equal("unmapped by hand", unmap(at, 3 * PAGE), Ok(0));
    equal("none", attached(number), 0);
    let again = done("attached", attach(number, 0, 0));
    equal("contents stay while nobody has it", bytes(again, 1), vec![7]);
    equal("gone", detach(again).and(remove(number)), Ok(0));
}

fn removed() {
    let number = done("made", get(key(), PAGE, NEW | 0o600));
    let at = done("attached", attach(number, 0, 0));
    poke(at, 5);
    equal("removed while it is attached", remove(number), Ok(0));
    equal("its key leads nowhere", get(key(), PAGE, 0o600), Err(libc::ENOENT));
    equal("its memory is there", peek(at), 5);
    equal("it says so", stat(number).map(|told| told.shm_perm.mode as u32), Ok(REMOVED | 0o600));
    let second = done("attached by its number", attach(number, 0, 0));
    equal("the same memory", peek(second), 5);
    equal("one goes", detach(at), Ok(0));
    equal("the other stays", attached(number), 1);
    equal("the last goes", detach(second), Ok(0));
    equal("and with it the segment", stat(number).err(), Some(libc::EINVAL));
    equal("for good", attach(number, 0, 0), Err(libc::EINVAL));
}

fn rights() {
    if !is_root() {
        return;
    }
    let number = done("made", get(key(), PAGE, NEW | 0o604));
    let wanted = key();
    child_must_succeed("a stranger", || {
        done("another user", call!(SYS_setresgid, 1234, 1234, 1234));
        done("another user", call!(SYS_setresuid, 1234, 1234, 1234));
        must("may not write", attach(number, 0, 0) == Err(libc::EACCES));
        must("may read", attach(number, 0, READ_ONLY).is_ok());
        must("finds it to read", get(wanted, 1, 0o400) == Ok(number));
        must("not to write", get(wanted, 1, 0o600) == Err(libc::EACCES));
        must("may not remove", remove(number) == Err(libc::EPERM));
        must("may ask", stat(number).is_ok());
    });
    equal("removed", remove(number), Ok(0));
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
