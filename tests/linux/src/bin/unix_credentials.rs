//! Credentials in messages: who sent them, as the kernel knows it.

use linux_tests::process::{Ended, child_must_succeed, close_all, fork, my_pid, pipe, wait, write};
use linux_tests::socket::*;
use linux_tests::{call, done, equal, is_root, must_equal};

fn main() {
    credentials();
    told_lies();
}

fn pass(through: i32, descriptors: &[i32]) {
    must_equal("a message", send_message(through, b"d", &rights(descriptors), 0), Ok(1));
}

fn credentials() {
    let me = |_: ()| [my_pid(), done("getuid", call!(SYS_getuid)) as i32, done("getgid", call!(SYS_getgid)) as i32];
    for kind in [STREAM, DATAGRAM, PACKET] {
        let (one, other) = pair(kind);
        done("write", write(one, b"early"));
        done("SO_PASSCRED", set_option(other, libc::SO_PASSCRED, 1));
        let message = done("recvmsg", receive_message(other, 9, 64, 0));
        equal("sent before anyone asked: nobody", message.credentials, Some([0, 65534, 65534]));
        done("write", write(one, b"x"));
        let message = done("recvmsg", receive_message(other, 9, 64, 0));
        equal("SO_PASSCRED tells who sent", message.credentials, Some(me(())));
        equal("in 32 bytes", message.control_length, 32);
        let child = fork(|| i32::from(write(one, b"y") != Ok(1)));
        must_equal("child", wait(child), Ended::Exited(0));
        done("write", write(one, b"z"));
        let message = done("recvmsg", receive_message(other, 9, 64, 0));
        equal(
            "each message its own sender",
            (message.bytes.as_slice(), message.credentials.map(|told| told[0])),
            (b"y".as_slice(), Some(child)),
        );
        let message = done("recvmsg", receive_message(other, 9, 20, 0));
        equal("with less room it is cut", (message.flags, message.control_length), (libc::MSG_CTRUNC, 20));
        let (from, to) = pipe();
        pass(one, &[to]);
        let message = done("recvmsg", receive_message(other, 9, 64, 0));
        equal("descriptors come after", (message.credentials.is_some(), message.descriptors.len(), message.control_length), (true, 1, 56));
        close_all(&message.descriptors);
        close_all(&[one, other, from, to]);
    }
}

fn told_lies() {
    let (one, other) = pair(DATAGRAM);
    done("SO_PASSCRED", set_option(other, libc::SO_PASSCRED, 1));
    let say = |who: [i32; 3]| {
        let content: Vec<u8> = who.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut message = control(libc::SCM_CREDENTIALS, &content);
        message.truncate(32);
        send_message(one, b"d", &message, 0)
    };
    let ids = [done("getuid", call!(SYS_getuid)) as i32, done("getgid", call!(SYS_getgid)) as i32];
    equal("a sender may say who it is", say([my_pid(), ids[0], ids[1]]), Ok(1));
    equal("and is believed", receive_message(other, 9, 64, 0).map(|told| told.credentials), Ok(Some([my_pid(), ids[0], ids[1]])));
    if is_root() {
        equal("root may say that it is another", say([my_pid(), 77, 88]), Ok(1));
        equal("and is believed", receive_message(other, 9, 64, 0).map(|told| told.credentials), Ok(Some([my_pid(), 77, 88])));
        equal("if there is one: ESRCH", say([0x3fff_fff0, 0, 0]), Err(libc::ESRCH));
        child_must_succeed("child", || {
            done("setgid", call!(SYS_setresgid, 1234, 1234, 1234));
            done("setuid", call!(SYS_setresuid, 1234, 1234, 1234));
            must_equal("another user", say([my_pid(), 0, 1234]), Err(libc::EPERM));
            must_equal("another group", say([my_pid(), 1234, 0]), Err(libc::EPERM));
            must_equal("another process", say([1, 1234, 1234]), Err(libc::EPERM));
            must_equal("the truth", say([my_pid(), 1234, 1234]), Ok(1));
        });
    }
    println!("who is not root may say only what is true: EPERM");
    close_all(&[one, other]);
}
