//! System V message queues: types, who gets a message first, waiting for room, copies, limits, rights, removal.

use linux_tests::asleep::wait_until_asleep;
use linux_tests::process::{Ended, Pid, child_must_succeed, fork, kill, my_pid, wait};
use linux_tests::{Errno, call, check, done, equal, is_root, must};

const NEW: usize = 0o1000;
const ALONE: usize = 0o2000;
const NOW: usize = 0o4000;
const CUT: usize = 0o10000;
const OTHERS: usize = 0o20000;
const COPY: usize = 0o40000;
const ROOM: usize = 64;

#[repr(C)]
struct Message {
    kind: i64,
    bytes: [u8; 8192],
}

fn get(key: usize, flags: usize) -> Result<usize, Errno> {
    call!(SYS_msgget, key, flags)
}

fn send_long(queue: usize, kind: i64, length: usize, flags: usize) -> Result<usize, Errno> {
    let message = Message { kind, bytes: [b'l'; 8192] };
    call!(SYS_msgsnd, queue, &raw const message, length, flags)
}

fn send(queue: usize, kind: i64, text: &str) -> Result<usize, Errno> {
    let mut message = Message { kind, bytes: [0; 8192] };
    message.bytes[..text.len()].copy_from_slice(text.as_bytes());
    call!(SYS_msgsnd, queue, &raw const message, text.len(), 0)
}

fn receive_in(queue: usize, room: usize, kind: i64, flags: usize) -> Result<(i64, String), Errno> {
    let mut message = Message { kind: -1, bytes: [b'.'; 8192] };
    let length = call!(SYS_msgrcv, queue, &raw mut message, room, kind, flags)?;
    must("nothing is written beyond it", message.bytes[length..].iter().all(|byte| *byte == b'.'));
    Ok((message.kind, String::from_utf8_lossy(&message.bytes[..length]).into_owned()))
}

fn receive(queue: usize, kind: i64, flags: usize) -> Result<(i64, String), Errno> {
    receive_in(queue, ROOM, kind, flags)
}

fn control(queue: usize, command: i32, argument: usize) -> Result<usize, Errno> {
    call!(SYS_msgctl, queue, command, argument)
}

fn remove(queue: usize) -> Result<usize, Errno> {
    control(queue, libc::IPC_RMID, 0)
}

fn stat(queue: usize) -> Result<libc::msqid_ds, Errno> {
    // SAFETY: the structure is numbers only.
    let mut told: libc::msqid_ds = unsafe { std::mem::zeroed() };
    control(queue, libc::IPC_STAT, &raw mut told as usize).map(|_| told)
}

fn in_it(queue: usize) -> (u64, u64) {
    stat(queue).map_or((u64::MAX, u64::MAX), |told| (told.__msg_cbytes, told.msg_qnum))
}

fn message(kind: i64, text: &str) -> Result<(i64, String), Errno> {
    Ok((kind, text.into()))
}

fn key() -> usize {
    0x7000_0000 + my_pid() as usize
}

fn main() {
    queues();
    types();
    lengths();
    copies();
    receivers();
    senders();
    ends();
    told();
    rights();
    old_numbers();
    many();
}

fn queues() {
    equal("no such key", get(key(), 0o600), Err(libc::ENOENT));
    let queue = done("made", get(key(), NEW | ALONE | 0o600));
    equal("found", get(key(), 0o600), Ok(queue));
    equal("not made again", get(key(), NEW | ALONE | 0o600), Err(libc::EEXIST));
    let other = done("one without a key", get(0, 0o600));
    check("is another", other != queue);
    equal("no message", receive(queue, 0, NOW), Err(libc::ENOMSG));
    equal("no type", send(queue, 0, "a"), Err(libc::EINVAL));
    equal("a type below one", send(queue, -1, "a"), Err(libc::EINVAL));
    equal("one too long", call!(SYS_msgsnd, queue, &raw const *Box::new([1u64; 2000]), 8193, 0), Err(libc::EINVAL));
    equal("less than nothing", call!(SYS_msgsnd, queue, &raw const *Box::new([1u64; 2]), usize::MAX, 0), Err(libc::EINVAL));
    equal("room for less than nothing", call!(SYS_msgrcv, queue, 0, usize::MAX, 0, NOW), Err(libc::EINVAL));
    equal("from nowhere", call!(SYS_msgsnd, queue, 8, 1, 0), Err(libc::EFAULT));
    equal("nothing was sent", in_it(queue), (0, 0));
    equal("a queue below zero", send(usize::MAX, 1, "a"), Err(libc::EINVAL));
    equal("an unknown command", control(queue, 99, 0), Err(libc::EINVAL));
    equal("removed", remove(queue).and(remove(other)), Ok(0));
    equal("not again", remove(queue), Err(libc::EINVAL));
    equal("nor found", get(key(), 0o600), Err(libc::ENOENT));
    equal("nor sent to", send(queue, 1, "a"), Err(libc::EINVAL));
    equal("nor received from", receive(queue, 0, NOW), Err(libc::EINVAL));
}

fn types() {
    let queue = done("made", get(0, 0o600));
    for (kind, text) in [(5, "five"), (3, "three"), (7, "seven"), (3, "third"), (5, "fifth"), (i64::MAX, "most")] {
        equal("sent", send(queue, kind, text), Ok(0));
    }
    equal("all are there", in_it(queue), (28, 6));
    equal("none is so low", receive(queue, -2, NOW), Err(libc::ENOMSG));
    equal("none is like that", receive(queue, 4, NOW), Err(libc::ENOMSG));
    equal("the first of the lowest", receive(queue, -9, NOW), message(3, "three"));
    equal("one of a type", receive(queue, 7, NOW), message(7, "seven"));
    equal("the first of another type", receive(queue, 5, NOW | OTHERS), message(3, "third"));
    equal("the first of all", receive(queue, 0, NOW), message(5, "five"));
    equal("the first of all but none", receive(queue, 0, NOW | OTHERS), message(5, "fifth"));
    equal("the lowest of all", receive(queue, i64::MIN, NOW), message(i64::MAX, "most"));
    equal("nothing is left", in_it(queue), (0, 0));
    equal("an empty one", send(queue, 1, "").and(receive(queue, 0, NOW)), message(1, ""));
    equal("removed", remove(queue), Ok(0));
}

fn lengths() {
    let queue = done("made", get(0, 0o600));
    equal("sent", send(queue, 1, "longer").and(send(queue, 1, "than")), Ok(0));
    equal("too little room", receive_in(queue, 5, 0, NOW), Err(libc::E2BIG));
    equal("it stays", in_it(queue), (10, 2));
    equal("cut off", receive_in(queue, 5, 0, NOW | CUT), message(1, "longe"));
    equal("all of it is gone", in_it(queue), (4, 1));
    equal("none of it", receive_in(queue, 0, 0, NOW | CUT), message(1, ""));
    equal("sent", send(queue, 1, "lost"), Ok(0));
    equal("to nowhere", call!(SYS_msgrcv, queue, 8, 100, 0, NOW), Err(libc::EFAULT));
    equal("it is lost", in_it(queue), (0, 0));
    equal("a long one", send_long(queue, 1, 8192, NOW).and(send_long(queue, 1, 8192, NOW)), Ok(0));
    equal("no room for more", send_long(queue, 1, 1, NOW), Err(libc::EAGAIN));
    equal("but for nothing", send_long(queue, 1, 0, NOW), Ok(0));
    equal("it is whole", receive_in(queue, 8192, 0, NOW).map(|(kind, text)| (kind, text.len())), Ok((1, 8192)));
    equal("there is room again", send_long(queue, 1, 1, NOW), Ok(0));
    equal("removed", remove(queue), Ok(0));
}

fn copies() {
    let queue = done("made", get(0, 0o600));
    equal("sent", send(queue, 4, "one").and(send(queue, 2, "two")), Ok(0));
    // Not every Linux is built with this.
    if receive(queue, 0, NOW | COPY) != Err(libc::ENOSYS) {
        must("the first", receive(queue, 0, NOW | COPY) == message(4, "one"));
        must("the second", receive(queue, 1, NOW | COPY) == message(2, "two"));
        must("no third", receive(queue, 2, NOW | COPY) == Err(libc::ENOMSG));
        must("too little room", receive_in(queue, 2, 1, NOW | COPY) == Err(libc::E2BIG));
        must("nor is a copy cut off", receive_in(queue, 2, 1, NOW | COPY | CUT) == Err(libc::EINVAL));
    }
    equal("a copy does not wait", receive(queue, 0, COPY), Err(libc::EINVAL));
    equal("nor leaves out a type", receive(queue, 0, COPY | NOW | OTHERS), Err(libc::EINVAL));
    equal("both are there", in_it(queue), (6, 2));
    equal("removed", remove(queue), Ok(0));
}

fn child(act: impl FnOnce() -> Result<bool, Errno>) -> Pid {
    fork(|| match act() {
        Ok(as_wanted) => i32::from(!as_wanted),
        Err(error) => error,
    })
}

fn receivers() {
    let queue = done("made", get(0, 0o600));
    let other = child(|| receive(queue, 2, OTHERS).map(|(kind, _)| kind == 3));
    wait_until_asleep(other);
    let small = child(|| receive_in(queue, 1, -2, 0).map(|_| false));
    wait_until_asleep(small);
    let equal_one = child(|| receive(queue, 2, 0).map(|got| got == (2, "for the oldest with room".into())));
    wait_until_asleep(equal_one);
    let any = child(|| receive(queue, 0, 0).map(|got| got == (2, "for the next".into())));
    wait_until_asleep(any);
    equal("one for whom it suits", send(queue, 2, "for the oldest with room"), Ok(0));
    equal("it was never in the queue", in_it(queue), (0, 0));
    equal("who received it", stat(queue).map(|told| told.msg_lrpid), Ok(equal_one));
    equal("one had too little room", wait(small), Ended::Exited(libc::E2BIG));
    equal("one has it", wait(equal_one), Ended::Exited(0));
    equal("the next", send(queue, 2, "for the next"), Ok(0));
    equal("is for who takes any", wait(any), Ended::Exited(0));
    equal("and the first has another type", send(queue, 3, "other").map(|_| wait(other)), Ok(Ended::Exited(0)));
    equal("removed", remove(queue), Ok(0));
}

fn senders() {
    let queue = done("made", get(0, 0o600));
    equal("full", send_long(queue, 1, 8192, NOW).and(send_long(queue, 2, 8192, NOW)), Ok(0));
    let sender = child(|| send(queue, 3, "waited for room").map(|_| true));
    wait_until_asleep(sender);
    equal("it is not there yet", in_it(queue), (16384, 2));
    equal("one taken", receive_in(queue, 8192, 1, NOW).map(|(kind, _)| kind), Ok(1));
    equal("it is sent", wait(sender), Ended::Exited(0));
    equal("by it", stat(queue).map(|told| told.msg_lspid), Ok(sender));
    equal("and there", receive(queue, 3, NOW), message(3, "waited for room"));
    let mut told = done("told", stat(queue));
    told.msg_qbytes = 8192;
    equal("half the room", control(queue, libc::IPC_SET, &raw const told as usize), Ok(0));
    let sender = child(|| send(queue, 3, "more room").map(|_| true));
    wait_until_asleep(sender);
    told.msg_qbytes = 16384;
    equal("all of it", control(queue, libc::IPC_SET, &raw const told as usize), Ok(0));
    equal("it is sent", wait(sender), Ended::Exited(0));
    equal("removed", remove(queue), Ok(0));
}

fn ends() {
    let queue = done("made", get(0, 0o600));
    equal("full", send_long(queue, 1, 8192, NOW).and(send_long(queue, 1, 8192, NOW)), Ok(0));
    let receiver = child(|| receive(queue, 2, 0).map(|_| false));
    let sender = child(|| send(queue, 2, "no room").map(|_| false));
    wait_until_asleep(receiver);
    wait_until_asleep(sender);
    equal("removed while they wait", remove(queue), Ok(0));
    equal("the receiver is told", wait(receiver), Ended::Exited(libc::EIDRM));
    equal("the sender too", wait(sender), Ended::Exited(libc::EIDRM));
    let queue = done("made", get(0, 0o600));
    let killed = child(|| receive(queue, 2, 0).map(|_| false));
    wait_until_asleep(killed);
    done("killed", kill(killed, libc::SIGKILL));
    equal("who is killed while it waits ends", wait(killed), Ended::Killed(libc::SIGKILL));
    equal("and takes nothing", send(queue, 2, "stays").map(|_| in_it(queue)), Ok((5, 1)));
    let stopped = child(|| receive(queue, 1, 0).map(|got| got == (1, "after all".into())));
    wait_until_asleep(stopped);
    done("stopped", kill(stopped, libc::SIGSTOP));
    equal("sent", send(queue, 1, "after all"), Ok(0));
    done("continued", kill(stopped, libc::SIGCONT));
    equal("who was stopped goes on waiting", wait(stopped), Ended::Exited(0));
    equal("removed", remove(queue), Ok(0));
}

fn told() {
    let queue = done("made", get(key(), NEW | 0o640));
    let about = done("told", stat(queue));
    equal("its mode", u32::from(about.msg_perm.mode), 0o640);
    equal("so much fits in", about.msg_qbytes, 16384);
    check("made, and not used", about.msg_ctime > 0 && about.msg_stime == 0 && about.msg_rtime == 0);
    equal("used", send(queue, 1, "text").and(receive(queue, 0, 0)), message(1, "text"));
    check("used", stat(queue).is_ok_and(|told| told.msg_stime > 0 && told.msg_rtime > 0 && told.msg_lrpid == my_pid()));
    equal("sent", send(queue, 1, "text"), Ok(0));
    let list = std::fs::read_to_string("/proc/sysvipc/msg").unwrap_or_default();
    let head = "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime";
    equal("the list's head", list.lines().next().unwrap_or(""), head);
    let line = list.lines().find(|line| line.split_whitespace().nth(1) == Some(&queue.to_string())).unwrap_or("");
    equal("its line", line.split_whitespace().skip(2).take(3).collect::<Vec<_>>(), vec!["640", "4", "1"]);
    equal("as long as others", line.len() >= head.len(), true);
    let mut limits = [0i32; 8];
    done("limits", control(0, libc::IPC_INFO, limits.as_mut_ptr() as usize));
    equal("limits", limits, [512_000, 16384, 8192, 16384, 32000, 16, 16384, 0xffff]);
    done("in use", control(0, libc::MSG_INFO, limits.as_mut_ptr() as usize));
    check("in use", limits[0] >= 1 && limits[1] >= 1 && limits[6] >= 4);
    let setting = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    equal("settings", [setting("msgmax"), setting("msgmnb"), setting("msgmni")], ["8192\n", "16384\n", "32000\n"].map(String::from));
    let mut there = about;
    equal("by its place", control(queue % 32768, libc::MSG_STAT, &raw mut there as usize), Ok(queue));
    equal("told to nowhere", control(queue, libc::IPC_STAT, 8), Err(libc::EFAULT));
    equal("removed", remove(queue), Ok(0));
}

fn rights() {
    if !is_root() {
        return;
    }
    let key = key();
    let queue = done("made", get(key, NEW | 0o604));
    equal("sent", send(queue, 1, "read by all"), Ok(0));
    child_must_succeed("a stranger", || {
        done("another user", call!(SYS_setresgid, 1234, 1234, 1234));
        done("another user", call!(SYS_setresuid, 1234, 1234, 1234));
        must("may not send", send(queue, 1, "a") == Err(libc::EACCES));
        must("may read", receive(queue, 0, NOW) == message(1, "read by all"));
        must("may not find it to write", get(key, 0o600) == Err(libc::EACCES));
        must("may not remove", remove(queue) == Err(libc::EPERM));
        let own = done("its own", get(0, 0o600));
        let mut told = done("told", stat(own));
        told.msg_qbytes = 16385;
        must("may not have more than others", control(own, libc::IPC_SET, &raw const told as usize) == Err(libc::EPERM));
        told.msg_qbytes = 100;
        must("but less", control(own, libc::IPC_SET, &raw const told as usize) == Ok(0));
        must("which holds", send_long(own, 1, 101, NOW) == Err(libc::EAGAIN));
        must("removed", remove(own) == Ok(0));
    });
    let reader = child(|| {
        done("another user", call!(SYS_setresgid, 1234, 1234, 1234));
        done("another user", call!(SYS_setresuid, 1234, 1234, 1234));
        receive(queue, 0, 0).map(|_| false)
    });
    wait_until_asleep(reader);
    let mut told = done("told", stat(queue));
    told.msg_perm.mode = 0o600;
    equal("its mode is changed", control(queue, libc::IPC_SET, &raw const told as usize), Ok(0));
    equal("who may read no more waits no more", wait(reader), Ended::Exited(libc::EACCES));
    equal("removed", remove(queue), Ok(0));
}

/// Places come again after a while; numbers do not.
fn old_numbers() {
    let old = done("made", get(0, 0o600));
    equal("removed", remove(old), Ok(0));
    let same_place = (0..40_000).find_map(|_| {
        let new = done("made again", get(0, 0o600));
        (new % 32768 == old % 32768).then_some(new).ok_or_else(|| remove(new)).ok()
    });
    let new = done("its place comes again", same_place.ok_or(0));
    check("with another number", new != old);
    equal("nobody is told about the old one", stat(old).map(|_| ()), Err(libc::EINVAL));
    equal("nor removes it", remove(old), Err(libc::EINVAL));
    equal("but the new one", remove(new), Ok(0));
}

const PAIRS: i64 = 4;
const ROUNDS: i64 = 400;

/// Many processes with two threads each, in a queue that is often full: each message comes once, and each sender's in their order.
fn many() {
    let queue = done("made", get(0, 0o600));
    let receivers: Vec<Pid> = (1..=PAIRS).map(|kind| child(move || take_in_order(queue, kind))).collect();
    let senders: Vec<Pid> = (1..=PAIRS).map(|kind| child(move || send_by_threads(queue, kind))).collect();
    check("all is sent", senders.into_iter().all(|pid| wait(pid) == Ended::Exited(0)));
    check("and received, in order", receivers.into_iter().all(|pid| wait(pid) == Ended::Exited(0)));
    equal("nothing is left", in_it(queue), (0, 0));
    equal("removed", remove(queue), Ok(0));
}

fn send_by_threads(queue: usize, kind: i64) -> Result<bool, Errno> {
    let send_all = |thread: i64| {
        (0..ROUNDS).all(|round| send(queue, kind, &format!("{thread} {round:>0$}", 100 + (round as usize % 7) * 300)) == Ok(0))
    };
    Ok(std::thread::scope(|scope| {
        let other = scope.spawn(move || send_all(1));
        send_all(0) && other.join().unwrap_or(false)
    }))
}

fn take_in_order(queue: usize, kind: i64) -> Result<bool, Errno> {
    let mut next = [0; 2];
    for _ in 0..2 * ROUNDS {
        let (_, text) = receive_in(queue, 8192, kind, 0)?;
        let mut numbers = text.split_whitespace().map_while(|word| word.parse::<i64>().ok());
        let (Some(thread @ 0..2), Some(round)) = (numbers.next(), numbers.next()) else { return Ok(false) };
        if next[thread as usize] != round {
            return Ok(false);
        }
        next[thread as usize] += 1;
    }
    Ok(next == [ROUNDS; 2])
}
