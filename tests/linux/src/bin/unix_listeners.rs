//! Listening sockets: how many wait to be let in, and what becomes of them when the listener goes.

use linux_tests::process::{Ended, child_must_succeed, close, close_all, fork, my_pid, read, wait, wait_for_byte, write};
use linux_tests::scratch::Scratch;
use linux_tests::socket::*;
use linux_tests::{call, check, done, equal, must_equal, signal};

fn main() {
    signal::set_disposition(libc::SIGPIPE, libc::SIG_IGN);
    let scratch = Scratch::new("listeners");
    backlog(&scratch);
    waiting(&scratch);
    listener_closes(&scratch);
    many_clients(&scratch);
    descriptors_run_out(&scratch);
}

/// An abstract name of this program's own.
fn hidden(name: &str) -> Vec<u8> {
    address(format!("\0braid-{}-{name}", my_pid()).as_bytes())
}

fn backlog(scratch: &Scratch) {
    let to = at(&scratch.path("backlog"));
    let listening = listener(STREAM, &to, 1);
    let clients: Vec<i32> = (0..3).map(|_| socket(STREAM | libc::SOCK_NONBLOCK)).collect();
    let connected: Vec<_> = clients.iter().map(|client| connect(*client, &to)).collect();
    equal("a list of one has two, then EAGAIN", connected, vec![Ok(0), Ok(0), Err(libc::EAGAIN)]);
    let first = done("accept", accept(listening));
    equal("one leaves, another enters", connect(clients[2], &to), Ok(0));
    let child = fork(|| {
        close_all(&[listening]);
        let late = socket(STREAM);
        must_equal("it waits for a place", connect(late, &to), Ok(0));
        must_equal("and talks", write(late, b"x"), Ok(1));
        0
    });
    linux_tests::sleep_ms(5);
    let others: Vec<i32> = (0..3).map(|_| done("accept", accept(listening))).collect();
    check("a blocking connect waits for a place", wait_for_byte(others[2]));
    equal("and its program ends", wait(child), Ended::Exited(0));
    let timed = socket(STREAM);
    set_timeout(timed, libc::SO_SNDTIMEO, 20);
    let filler: Vec<i32> = (0..2).map(|_| socket(STREAM)).collect();
    connect_all(&filler, &to);
    equal("SO_SNDTIMEO ends that wait: EAGAIN", connect(timed, &to), Err(libc::EAGAIN));
    equal("a longer list", (listen(listening, 10), connect(timed, &to)), (Ok(0), Ok(0)));
    close_all(&clients);
    close_all(&others);
    close_all(&filler);
    close_all(&[first, timed, listening]);
}

fn waiting(scratch: &Scratch) {
    let to = at(&scratch.path("waiting"));
    let listening = listener(STREAM, &to, 1);
    let idle = fork(|| accept(listening).map_or(1, |_| 0));
    linux_tests::sleep_ms(5);
    done("kill", linux_tests::process::kill(idle, libc::SIGKILL));
    equal("SIGKILL ends an accept", wait(idle), Ended::Killed(libc::SIGKILL));
    let fillers: Vec<i32> = (0..2).map(|_| socket(STREAM)).collect();
    connect_all(&fillers, &to);
    let stuck = fork(|| connect(socket(STREAM), &to).map_or(1, |_| 0));
    linux_tests::sleep_ms(5);
    done("kill", linux_tests::process::kill(stuck, libc::SIGKILL));
    equal("and a connect", wait(stuck), Ended::Killed(libc::SIGKILL));
    equal("a listener that is shut", shutdown(listening, libc::SHUT_RDWR), Ok(0));
    equal("refuses whoever comes", connect(socket(STREAM), &to), Err(libc::ECONNREFUSED));
    let rest = [accept(listening).is_ok(), accept(listening).is_ok()];
    equal("lets in whom it had", rest, [true, true]);
    equal("and nobody more: EINVAL", accept(listening), Err(libc::EINVAL));
    close_all(&fillers);
    close_all(&[listening]);
    let listening = listener(STREAM, &hidden("shut"), 1);
    let waiter = fork(|| i32::from(accept(listening) != Err(libc::EINVAL)));
    linux_tests::sleep_ms(5);
    done("shutdown", shutdown(listening, libc::SHUT_RD));
    equal("shutting a listener ends its accepts", wait(waiter), Ended::Exited(0));
    set_timeout(listening, libc::SO_RCVTIMEO, 10);
    close_all(&[listening]);
    let listening = listener(STREAM | libc::SOCK_NONBLOCK, &hidden("shut"), 1);
    equal("nobody waits: EAGAIN", accept(listening), Err(libc::EAGAIN));
    close_all(&[listening]);
}

fn connect_all(clients: &[i32], to: &[u8]) {
    for client in clients {
        done("connect", connect(*client, to));
    }
}

fn listener_closes(scratch: &Scratch) {
    let to = at(&scratch.path("closing"));
    let listening = listener(STREAM, &to, 2);
    let clients: Vec<i32> = (0..3).map(|_| socket(STREAM)).collect();
    connect_all(&clients, &to);
    let late = fork(|| {
        close_all(&[listening]);
        let refused = connect(socket(STREAM), &to);
        i32::from(refused != Err(libc::ECONNREFUSED))
    });
    linux_tests::sleep_ms(5);
    close_all(&[listening]);
    equal("a listener closes: who waits is refused", wait(late), Ended::Exited(0));
    equal(
        "who was not accepted is reset",
        clients.iter().map(|client| read(*client, &mut [0])).collect::<Vec<_>>(),
        vec![Err(libc::ECONNRESET); 3],
    );
    equal("once", (read(clients[0], &mut [0]), write(clients[0], b"x")), (Ok(0), Err(libc::EPIPE)));
    close_all(&clients);
}

fn many_clients(scratch: &Scratch) {
    let to = at(&scratch.path("many"));
    let listening = listener(STREAM, &to, 3);
    let clients: Vec<_> = (0..8_u8)
        .map(|number| {
            fork(|| {
                for _ in 0..20 {
                    let client = socket(STREAM);
                    must_equal("connect", connect(client, &to), Ok(0));
                    must_equal("write", write(client, &[number]), Ok(1));
                    let mut answer = [0];
                    must_equal("read", read(client, &mut answer), Ok(1));
                    must_equal("its own answer", answer[0], number + 100);
                    close_all(&[client]);
                }
                0
            })
        })
        .collect();
    let servers: Vec<_> = (0..4)
        .map(|_| {
            fork(|| {
                for _ in 0..40 {
                    let server = done("accept", accept(listening));
                    let mut asked = [0];
                    must_equal("read", read(server, &mut asked), Ok(1));
                    must_equal("write", write(server, &[asked[0] + 100]), Ok(1));
                    close_all(&[server]);
                }
                0
            })
        })
        .collect();
    let all_end = clients.into_iter().chain(servers).all(|child| wait(child) == Ended::Exited(0));
    check("eight clients, four servers, 160 connections", all_end);
    close_all(&[listening]);
}

fn descriptors_run_out(scratch: &Scratch) {
    let to = at(&scratch.path("full"));
    let listening = listener(STREAM, &to, 5);
    let client = socket(STREAM);
    done("connect", connect(client, &to));
    child_must_succeed("child", || {
        let limit = [client as u64 + 1; 2];
        done("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_NOFILE, limit.as_ptr()));
        must_equal("no descriptor is free", accept(listening), Err(libc::EMFILE));
        must_equal("not for a socket", call!(SYS_socket, libc::AF_UNIX, STREAM, 0), Err(libc::EMFILE));
        must_equal("nor a pair", call!(SYS_socketpair, libc::AF_UNIX, STREAM, 0, [0_i32; 2].as_mut_ptr()), Err(libc::EMFILE));
    });
    let server = done("accept", accept(listening));
    equal("no descriptor: EMFILE, and the client waits on", (write(client, b"x"), read(server, &mut [0])), (Ok(1), Ok(1)));
    equal("the name of a client to nowhere: EFAULT", accept_to_nowhere(listening, &to), Err(libc::EFAULT));
    close_all(&[client, server, listening]);
}

fn accept_to_nowhere(listening: i32, to: &[u8]) -> Result<usize, i32> {
    let client = socket(STREAM);
    done("connect", connect(client, to));
    let mut length = 100_i32;
    let answer = call!(SYS_accept, listening, 8, &raw mut length);
    must_equal("close", close(client), Ok(0));
    answer
}
