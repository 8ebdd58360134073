//! Named sockets: who finds whom, who is let in, and what a name is worth.

use linux_tests::process::{Ended, close_all, fork, my_pid, read, wait, wait_for_byte, write};
use linux_tests::scratch::Scratch;
use linux_tests::socket::*;
use linux_tests::{call, check, done, equal, is_root, must, must_equal, signal};

const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    let scratch = Scratch::new("names");
    addresses(&scratch);
    files(&scratch);
    abstract_names();
    given_names();
    connections(&scratch);
    connected_names(&scratch);
    refused(&scratch);
    permissions(&scratch);
    credentials(&scratch);
    table(&scratch);
}

/// An abstract name of this program's own.
fn hidden(name: &str) -> Vec<u8> {
    address(format!("\0braid-{}-{name}", my_pid()).as_bytes())
}

fn addresses(scratch: &Scratch) {
    let one = socket(STREAM);
    equal("no address: EINVAL", bind(one, &[]), Err(libc::EINVAL));
    equal("half a family: EINVAL", bind(one, &[1]), Err(libc::EINVAL));
    equal("another family: EINVAL", bind(one, &[2, 0, b'/', 0]), Err(libc::EINVAL));
    equal("too long: EINVAL", bind(one, &address(&[b'x'; 109])), Err(libc::EINVAL));
    equal("absurdly long: EINVAL", bind(one, &address(&[b'x'; 1000])), Err(libc::EINVAL));
    equal("a length below zero: EINVAL", call!(SYS_bind, one, b"\x01\0/x".as_ptr(), usize::MAX), Err(libc::EINVAL));
    equal("an address from nowhere: EFAULT", call!(SYS_bind, one, 8, 20), Err(libc::EFAULT));
    equal(
        "the same for connect",
        (connect(one, &[]), connect(one, &[1, 0]), connect(one, &[2, 0, b'/', 0])),
        (Err(libc::EINVAL), Err(libc::EINVAL), Err(libc::EINVAL)),
    );
    equal("no folder: ENOENT", bind(one, &at(&scratch.path("none/socket"))), Err(libc::ENOENT));
    equal("without a name, only the family is told", name(libc::SYS_getsockname, one), Ok(vec![1, 0]));
    equal("no peer: ENOTCONN", name(libc::SYS_getpeername, one), Err(libc::ENOTCONN));
    equal("a length from nowhere: EFAULT", call!(SYS_getsockname, one, [0_u8; 16].as_mut_ptr(), 8), Err(libc::EFAULT));
    let negative = -1_i32;
    equal("room below zero: EINVAL", call!(SYS_getsockname, one, [0_u8; 16].as_mut_ptr(), &raw const negative), Err(libc::EINVAL));
    close_all(&[one]);
}

fn files(scratch: &Scratch) {
    let path = scratch.path("file");
    let one = socket(STREAM);
    done("umask", call!(SYS_umask, 0o027));
    equal("a name in a folder", bind(one, &at(&path)), Ok(0));
    done("umask", call!(SYS_umask, 0o022));
    let status = done("stat", std::fs::metadata(&path));
    use std::os::unix::fs::MetadataExt;
    equal("makes a socket there, less the umask", status.mode(), libc::S_IFSOCK | 0o750);
    equal("getsockname tells it", name(libc::SYS_getsockname, one), Ok(at(&path)));
    equal("a second name: EINVAL", bind(one, &at(&scratch.path("second"))), Err(libc::EINVAL));
    check("which leaves no file", !scratch.path("second").exists());
    equal("a second abstract name: EINVAL", bind(one, &hidden("second")), Err(libc::EINVAL));
    let other = socket(STREAM);
    equal("a name that is taken: EADDRINUSE", bind(other, &at(&path)), Err(libc::EADDRINUSE));
    equal("open: ENXIO", std::fs::File::open(&path).err().and_then(|error| error.raw_os_error()), Some(libc::ENXIO));
    equal("nobody listens: ECONNREFUSED", connect(other, &at(&path)), Err(libc::ECONNREFUSED));
    close_all(&[one]);
    check("the file outlives its socket", path.exists());
    equal("but leads nowhere: ECONNREFUSED", connect(other, &at(&path)), Err(libc::ECONNREFUSED));
    equal("and is still taken: EADDRINUSE", bind(other, &at(&path)), Err(libc::EADDRINUSE));
    done("unlink", std::fs::remove_file(&path));
    equal("until it is removed", bind(other, &at(&path)), Ok(0));
    let long = scratch.path(&"l".repeat(104 - scratch.path("").as_os_str().len()));
    let third = socket(DATAGRAM);
    let whole: Vec<u8> = at(&long)[..at(&long).len() - 1].to_vec();
    equal("a path without a zero", bind(third, &whole), Ok(0));
    equal("is told with one", name(libc::SYS_getsockname, third), Ok(at(&long)));
    let mut cut = ([0_u8; 6], 6_i32);
    done("getsockname", call!(SYS_getsockname, third, cut.0.as_mut_ptr(), &raw mut cut.1));
    equal("with less room it is cut, and its length told", (cut.0, cut.1), ([1, 0, b'/', b't', b'm', b'p'], at(&long).len() as i32));
    close_all(&[other, third]);
}

fn abstract_names() {
    let (one, other) = (socket(STREAM), socket(STREAM));
    equal("an abstract name", bind(one, &hidden("a")), Ok(0));
    equal("is told as it was given", name(libc::SYS_getsockname, one), Ok(hidden("a")));
    equal("and is taken: EADDRINUSE", bind(other, &hidden("a")), Err(libc::EADDRINUSE));
    equal("a zero more is another name", bind(other, &[hidden("a"), vec![0]].concat()), Ok(0));
    let datagrams = socket(DATAGRAM);
    equal("datagrams have their own names", bind(datagrams, &hidden("a")), Ok(0));
    equal("and streams do not find them", connect(socket(PACKET), &hidden("a")), Err(libc::ECONNREFUSED));
    close_all(&[one]);
    let third = socket(STREAM);
    equal("a name ends with its socket", (connect(third, &hidden("a")), bind(third, &hidden("a"))), (Err(libc::ECONNREFUSED), Ok(0)));
    close_all(&[other, datagrams, third]);
}

fn given_names() {
    let one = socket(DATAGRAM);
    equal("only a family: any name", bind(one, &[1, 0]), Ok(0));
    let given = done("getsockname", name(libc::SYS_getsockname, one));
    let is_digits = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_hexdigit());
    check("an abstract one of five digits", given.len() == 8 && given[2] == 0 && is_digits(&given[3..]));
    equal("asked again, it stays", (bind(one, &[1, 0]), name(libc::SYS_getsockname, one)), (Ok(0), Ok(given)));
    close_all(&[one]);
}

fn connections(scratch: &Scratch) {
    for kind in [STREAM, PACKET] {
        let to = at(&scratch.path(&format!("connections{kind}")));
        let listening = listener(kind, &to, 5);
        equal("SO_ACCEPTCONN", option(listening, libc::SO_ACCEPTCONN), Ok(1));
        equal("nobody there: poll", polled(listening, IN | OUT), 0);
        let client = socket(kind);
        equal("a client connects before anyone accepts", connect(client, &to), Ok(0));
        equal("and is there: poll", polled(listening, IN | OUT), IN);
        equal("it may write at once", write(client, b"early"), Ok(5));
        let server = done("accept", accept(listening));
        equal("the server reads that", receive(server, 9, 0), Ok(b"early".to_vec()));
        equal("and answers", (write(server, b"hello"), receive(client, 9, 0)), (Ok(5), Ok(b"hello".to_vec())));
        equal("connected twice: EISCONN", connect(client, &to), Err(libc::EISCONN));
        equal("to oneself: EINVAL", connect(listening, &to), Err(libc::EINVAL));
        equal("a listener does not read", receive(listening, 1, 0).err(), Some(if kind == STREAM { libc::EINVAL } else { libc::ENOTCONN }));
        equal("nor write: ENOTCONN", write(listening, b"x"), Err(libc::ENOTCONN));
        equal("a connection does not listen: EINVAL", listen(client, 1), Err(libc::EINVAL));
        equal("a connection does not accept: EINVAL", accept(client), Err(libc::EINVAL));
        close_all(&[server]);
        equal("the client sees the end", read(client, &mut [0]), Ok(0));
        close_all(&[client, listening]);
    }
    let lone = socket(STREAM);
    equal("no name: listen is EINVAL", listen(lone, 1), Err(libc::EINVAL));
    equal("not listening: accept is EINVAL", accept(lone), Err(libc::EINVAL));
    let datagrams = socket(DATAGRAM);
    equal("datagrams do neither: EOPNOTSUPP", (listen(datagrams, 1), accept(datagrams)), (Err(libc::EOPNOTSUPP), Err(libc::EOPNOTSUPP)));
    close_all(&[lone, datagrams]);
}

fn connected_names(scratch: &Scratch) {
    let to = at(&scratch.path("server"));
    let listening = listener(STREAM, &to, 5);
    let client = socket(STREAM);
    let from = at(&scratch.path("client"));
    done("bind", bind(client, &from));
    done("connect", connect(client, &to));
    let (mut peer, mut length) = ([0_u8; 128], 128_i32);
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let server = done("accept4", call!(SYS_accept4, listening, peer.as_mut_ptr(), &raw mut length, flags)) as i32;
    equal("accept tells the client's name", &peer[..length as usize], from.as_slice());
    equal("getpeername tells it too", name(libc::SYS_getpeername, server), Ok(from.clone()));
    equal("the server's end is called as its listener", name(libc::SYS_getsockname, server), Ok(to.clone()));
    equal("and so the client's peer", name(libc::SYS_getpeername, client), Ok(to));
    equal("SOCK_CLOEXEC", call!(SYS_fcntl, server, libc::F_GETFD), Ok(libc::FD_CLOEXEC as usize));
    equal("SOCK_NONBLOCK", receive(server, 1, 0), Err(libc::EAGAIN));
    equal("unknown flags: EINVAL", call!(SYS_accept4, listening, 0, 0, 1), Err(libc::EINVAL));
    done("write", write(client, b"x"));
    equal("a stream tells its sender's name", receive_from(server, 9, 0), Ok((b"x".to_vec(), from)));
    done("write", write(server, b"y"));
    let told = receive_from(client, 9, 0);
    equal("the listener's name for the other way", told.map(|(bytes, from)| (bytes, from.len() > 2)), Ok((b"y".to_vec(), true)));
    close_all(&[server, client]);
    let unnamed = socket(STREAM);
    done("connect", connect(unnamed, &at(&scratch.path("server"))));
    let mut length = 128_i32;
    let server = done("accept", call!(SYS_accept, listening, peer.as_mut_ptr(), &raw mut length)) as i32;
    equal("a client without a name: only the family", (length, peer[0]), (2, 1));
    done("write", write(unnamed, b"x"));
    equal("or nothing at all", receive_from(server, 9, 0), Ok((b"x".to_vec(), vec![])));
    close_all(&[unnamed, server, listening]);
}

fn refused(scratch: &Scratch) {
    let client = socket(STREAM);
    equal("no file: ENOENT", connect(client, &at(&scratch.path("nothing"))), Err(libc::ENOENT));
    scratch.file("plain", b"", 0o777);
    equal("a plain file: ECONNREFUSED", connect(client, &at(&scratch.path("plain"))), Err(libc::ECONNREFUSED));
    equal("no folder: ENOTDIR", connect(client, &at(&scratch.path("plain/x"))), Err(libc::ENOTDIR));
    equal("no abstract name: ECONNREFUSED", connect(client, &hidden("nobody")), Err(libc::ECONNREFUSED));
    let datagrams = socket(DATAGRAM);
    done("bind", bind(datagrams, &at(&scratch.path("datagrams"))));
    equal("another sort: EPROTOTYPE", connect(client, &at(&scratch.path("datagrams"))), Err(libc::EPROTOTYPE));
    let quiet = socket(STREAM);
    done("bind", bind(quiet, &hidden("quiet")));
    equal("bound but not listening: ECONNREFUSED", connect(client, &hidden("quiet")), Err(libc::ECONNREFUSED));
    done("listen", listen(quiet, 1));
    equal("a link is followed", std::os::unix::fs::symlink(scratch.path("to"), scratch.path("link")).is_ok(), true);
    let far = listener(STREAM, &at(&scratch.path("to")), 1);
    equal("and what failed may connect later", connect(client, &at(&scratch.path("link"))), Ok(0));
    close_all(&[client, datagrams, quiet, far]);
}

fn permissions(scratch: &Scratch) {
    let path = scratch.path("guarded");
    let listening = listener(STREAM, &at(&path), 5);
    let strangers = |mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        done("chmod", std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)));
        let child = fork(|| {
            if is_root() {
                done("setuid", call!(SYS_setuid, 1234));
            }
            connect(socket(STREAM), &at(&path)).err().unwrap_or(0)
        });
        wait(child)
    };
    use std::os::unix::fs::PermissionsExt;
    done("chmod", std::fs::set_permissions(scratch.path(""), std::fs::Permissions::from_mode(0o755)));
    if is_root() {
        equal("no right to write: EACCES", strangers(0o755), Ended::Exited(libc::EACCES));
        equal("the right to write lets in", strangers(0o722), Ended::Exited(0));
        let child = fork(|| {
            done("setuid", call!(SYS_setuid, 1234));
            bind(socket(STREAM), &at(&scratch.path("mine"))).err().unwrap_or(0)
        });
        equal("no right to make a name: EACCES", wait(child), Ended::Exited(libc::EACCES));
    } else {
        println!("no right to write: EACCES\nthe right to write lets in\nno right to make a name: EACCES");
    }
    close_all(&[listening]);
}

fn peer(socket: i32) -> [i32; 3] {
    let (mut credentials, mut length) = ([0_i32; 3], 12_i32);
    done("SO_PEERCRED", call!(SYS_getsockopt, socket, libc::SOL_SOCKET, libc::SO_PEERCRED, credentials.as_mut_ptr(), &raw mut length));
    credentials
}

fn credentials(scratch: &Scratch) {
    let lone = socket(STREAM);
    equal("no peer: nobody", peer(lone), [0, -1, -1]);
    close_all(&[lone]);
    let to = at(&scratch.path("credentials"));
    let listening = listener(STREAM, &to, 5);
    let child = fork(|| {
        let client = socket(STREAM);
        done("connect", connect(client, &to));
        must_equal("the listener", peer(client)[0], done("getppid", call!(SYS_getppid)) as i32);
        must("the parent's turn", wait_for_byte(client));
        0
    });
    let server = done("accept", accept(listening));
    equal("SO_PEERCRED is who connected", peer(server)[0], child);
    done("write", write(server, b"x"));
    equal("and who listened", wait(child), Ended::Exited(0));
    equal("even when he is gone", peer(server)[0], child);
    close_all(&[server, listening]);
}

fn table(scratch: &Scratch) {
    let path = scratch.path("shown");
    let listening = listener(STREAM, &at(&path), 5);
    let text = done("/proc/net/unix", std::fs::read_to_string("/proc/net/unix"));
    let line = text.lines().find(|line| line.ends_with(&*path.to_string_lossy())).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    equal("/proc/net/unix lists a listener", words.get(2..6), Some(["00000000", "00010000", "0001", "01"].as_slice()));
    equal("below its heading", text.lines().next(), Some("Num       RefCount Protocol Flags    Type St Inode Path"));
    close_all(&[listening]);
}
