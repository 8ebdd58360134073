//! Sessions and their terminals: how one gets its terminal, gives it up, loses it, and who is told.

use std::sync::atomic::{AtomicI32, Ordering};

use linux_tests::asleep::wait_until_asleep;
use linux_tests::job::{Job, as_status, in_a_session, lead, put_in_front, reads};
use linux_tests::process::{Ended, Pid, child_must_succeed, close, close_all, fork, my_pid, pipe, read_all, wait, wait_for_byte, write};
use linux_tests::terminal::{Pty, ask, available, get, open, poll, set, settle, shown, slave_path};
use linux_tests::{call, done, must, must_equal, signal};

fn main() {
    got_by_opening();
    got_by_request();
    in_a_session("stolen", stolen);
    in_a_session("given up by one", given_up_by_one);
    given_up_by_the_leader();
    leader_ends();
    hung_up();
    hung_up_by_request();
    in_a_session("keys that nobody pressed", unpressed_keys);
}

/// Whether the caller's session has a terminal.
fn has_terminal() -> bool {
    match open("/dev/tty", libc::O_RDWR) {
        Ok(descriptor) => close(descriptor).is_ok(),
        Err(errno) => {
            must_equal("no terminal", errno, libc::ENXIO);
            false
        }
    }
}

static SAYS: AtomicI32 = AtomicI32::new(-1);

extern "C" fn say(signal: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let letter = match signal {
        libc::SIGHUP => b"H",
        libc::SIGCONT => b"C",
        _ => b"?",
    };
    done("saying", write(SAYS.load(Ordering::SeqCst), letter));
}

/// The caller says which signals it gets, in the order of their numbers.
fn tells_of_signals(to: i32) {
    SAYS.store(to, Ordering::SeqCst);
    for signal in [libc::SIGHUP, libc::SIGCONT] {
        signal::handle_masking(signal, say, libc::SA_RESTART, &[libc::SIGHUP, libc::SIGCONT]);
    }
}

fn got_by_opening() {
    let pty = Pty::new();
    let path = slave_path(pty.master);
    let opens = |what: &str, flags: i32| {
        child_must_succeed(what, || {
            done("setsid", call!(SYS_setsid));
            let before = has_terminal();
            done("open", open(&path, flags));
            println!("{what}: {before} {}", has_terminal());
            std::process::exit(0)
        });
    };
    opens("with O_NOCTTY", libc::O_RDWR | libc::O_NOCTTY);
    opens("for writing", libc::O_WRONLY);
    opens("for reading", libc::O_RDONLY);
    opens("for both", libc::O_RDWR);
    opens("as a path", libc::O_PATH);
    child_must_succeed("no leader", || {
        done("setsid", call!(SYS_setsid));
        child_must_succeed("its child", || {
            done("open", open(&path, libc::O_RDWR));
            println!("who leads no session gets none: {}", has_terminal());
        });
        let another = Pty::new();
        lead_by_opening(&path);
        done("open", open(&slave_path(another.master), libc::O_RDWR));
        println!("a second one is not taken: {:?}", get(another.slave, libc::TIOCGSID));
        child_must_succeed("another session", || {
            done("setsid", call!(SYS_setsid));
            done("open", open(&path, libc::O_RDWR));
            println!("one that is taken is not: {}", has_terminal());
        });
        signal::set_disposition(libc::SIGHUP, libc::SIG_IGN);
    });
}

fn lead_by_opening(path: &str) {
    done("open", open(path, libc::O_RDWR));
    must("a terminal", has_terminal());
}

fn got_by_request() {
    let (pty, another) = (Pty::new(), Pty::new());
    child_must_succeed("by request", || {
        println!("no leader: {:?}", ask(pty.slave, libc::TIOCSCTTY, 0));
        println!("not even by force: {:?}", ask(pty.slave, libc::TIOCSCTTY, 1));
        done("setsid", call!(SYS_setsid));
        println!("a leader: {:?}", ask(pty.slave, libc::TIOCSCTTY, 0));
        println!("it is in front: {}", get(pty.slave, libc::TIOCGPGRP) == Ok(my_pid()));
        println!("again: {:?}", ask(pty.slave, libc::TIOCSCTTY, 0));
        println!("another: {:?} {:?}", ask(another.slave, libc::TIOCSCTTY, 0), ask(another.slave, libc::TIOCSCTTY, 1));
        child_must_succeed("another leader", || {
            done("setsid", call!(SYS_setsid));
            println!("one that is taken: {:?}", ask(pty.slave, libc::TIOCSCTTY, 0));
            let write_only = done("open", open(&slave_path(another.master), libc::O_WRONLY));
            println!("for writing only, by root: {:?}", ask(write_only, libc::TIOCSCTTY, 0));
        });
        let sessions = child_keeps_session(&pty);
        println!("a session is inherited: {sessions}");
        println!("/dev/tty names no other device: {}", same_terminal(&pty));
    });
}

fn child_keeps_session(pty: &Pty) -> bool {
    let leader = my_pid();
    let child = fork(|| i32::from(!(has_terminal() && get(pty.slave, libc::TIOCGSID) == Ok(leader))));
    wait(child) == Ended::Exited(0)
}

/// What is written to `/dev/tty` comes out of the terminal.
fn same_terminal(pty: &Pty) -> bool {
    let own = done("open", open("/dev/tty", libc::O_RDWR));
    must_equal("write", write(own, b"own"), Ok(3));
    settle();
    close_all(&[own]);
    available(pty.master) == b"own"
}

/// Root takes a terminal away from a session.
fn stolen(pty: &Pty) {
    let before = my_pid();
    child_must_succeed("thief", || {
        done("setsid", call!(SYS_setsid));
        println!("asked for: {:?}", ask(pty.slave, libc::TIOCSCTTY, 0));
        println!("taken: {:?}", ask(pty.slave, libc::TIOCSCTTY, 1));
        println!("it is mine: {} {}", get(pty.slave, libc::TIOCGSID) == Ok(my_pid()), get(pty.slave, libc::TIOCGPGRP) == Ok(my_pid()));
        println!("not the other's group in front: {:?}", put_in_front(pty.slave, before));
    });
    println!("and was: {} {:?}", has_terminal(), get(pty.slave, libc::TIOCGPGRP));
    println!("it is free for who had it: {:?} {}", ask(pty.slave, libc::TIOCSCTTY, 0), has_terminal());
}

fn given_up_by_one(pty: &Pty) {
    let job = Job::new(|| {
        println!("given up: {:?}", ask(pty.slave, libc::TIOCNOTTY, 0));
        println!("once: {:?}", ask(pty.slave, libc::TIOCNOTTY, 0));
        println!("by who has none: {} {:?}", has_terminal(), get(pty.slave, libc::TIOCGPGRP));
        must("typing", write(pty.master, b"keys\n") == Ok(5));
        reads(pty.slave)
    });
    println!("it reads from the background: {:?}", job.fares());
    println!("the session has it still: {}", has_terminal());
    let another = Pty::new();
    println!("no terminal of this session: {:?}", ask(another.slave, libc::TIOCNOTTY, 0));
    println!("nor its far end: {:?}", ask(pty.master, libc::TIOCNOTTY, 0));
}

/// A leader with two jobs, one in front; what these are told goes to two pipes.
fn with_two_jobs(pty: &Pty, ends: impl FnOnce()) -> (String, String) {
    let ((from_front, front_says), (from_behind, behind_says)) = (pipe(), pipe());
    let (gate, gate_end) = pipe();
    let leader = fork(|| {
        lead(pty);
        let job = |says: i32| {
            let (ready, is_ready) = pipe();
            let job = Job::new(|| {
                tells_of_signals(says);
                done("write", write(is_ready, b"x"));
                wait_for_byte(gate);
                0
            });
            job.begin();
            must("ready", wait_for_byte(ready));
            job
        };
        let (front, _behind) = (job(front_says), job(behind_says));
        done("TIOCSPGRP", put_in_front(pty.slave, front.pid));
        ends();
        0
    });
    println!("the leader: {:?}", wait(leader));
    // They end now; whatever they were told of was said before.
    done("write", write(gate_end, b"xx"));
    close_all(&[front_says, behind_says]);
    let said = (read_all(from_front), read_all(from_behind));
    close_all(&[from_front, from_behind, gate, gate_end]);
    (shown(&said.0), shown(&said.1))
}

fn given_up_by_the_leader() {
    let pty = Pty::new();
    let said = with_two_jobs(&pty, || {
        signal::set_disposition(libc::SIGHUP, libc::SIG_IGN);
        println!("given up by the leader: {:?}", ask(pty.slave, libc::TIOCNOTTY, 0));
        println!("nobody has it: {} {:?}", has_terminal(), get(pty.slave, libc::TIOCGSID));
        println!("its far end has none: {:?}", get(pty.master, libc::TIOCGSID));
        println!("no group is in front: {:?}", get(pty.master, libc::TIOCGPGRP));
        println!("it works: {:?}", write(pty.slave, b"x"));
    });
    println!("in front and behind were told: {said:?}");
}

fn leader_ends() {
    let pty = Pty::new();
    let said = with_two_jobs(&pty, || ());
    println!("when the leader ends, in front and behind are told: {said:?}");
    println!("the terminal goes on: {:?}, is nobody's: {:?}", write(pty.slave, b"x"), get(pty.master, libc::TIOCGSID));
    child_must_succeed("the next", || {
        done("setsid", call!(SYS_setsid));
        println!("the next one takes it: {:?}", ask(pty.slave, libc::TIOCSCTTY, 0));
    });
    let pty = Pty::new();
    let (from, to) = pipe();
    let leader = fork(|| {
        lead(&pty);
        let job = Job::new(|| {
            signal::raise(libc::SIGSTOP);
            0
        });
        must_equal("stopped", job.fares(), Ended::Stopped(libc::SIGSTOP));
        done("write", write(to, &job.pid.to_ne_bytes()));
        0
    });
    must_equal("leader", wait(leader), Ended::Exited(0));
    let mut number = [0; 4];
    must_equal("its number", linux_tests::process::read(from, &mut number), Ok(4));
    println!("a stopped job does not stay: {}", is_gone(Pid::from_ne_bytes(number)));
}

fn is_gone(pid: Pid) -> bool {
    (0..2_000).any(|_| {
        let is_gone = matches!(linux_tests::asleep::state_of(pid), None | Some('Z' | 'X'));
        if !is_gone {
            linux_tests::sleep_ms(2);
        }
        is_gone
    })
}

/// A leader that is told of a hang-up, its job in front, and a reader, when `hang_up` is done to the terminal.
fn with_hang_up(pty: Pty, hang_up: impl FnOnce(&Pty)) {
    let (from, to) = pipe();
    let (ready, is_ready) = pipe();
    let (gate, go_on) = pipe();
    let leader = fork(|| {
        done("close", close(pty.master));
        close_all(&[from, ready]);
        lead(&pty);
        let job = Job::new(|| {
            signal::set_disposition(libc::SIGHUP, libc::SIG_IGN);
            close_all(&[to]);
            reads(pty.slave)
        });
        done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
        job.begin();
        wait_until_asleep(job.pid);
        tells_of_signals(to);
        done("write", write(is_ready, b"x"));
        must("let go", wait_for_byte(gate));
        // Linux wakes a reader once before the hang-up is there and once after it.
        println!("the reader: {}", matches!(job.stands(), Ended::Exited(200 | libc::EIO)));
        println!("the leader reads and writes: {} {}", reads(pty.slave), as_status(write(pty.slave, b"x")));
        println!("its requests: {:?} {:?}", get(pty.slave, libc::TIOCGPGRP), get(pty.slave, libc::TIOCGSID));
        println!("it polls: {}", linux_tests::terminal::names(poll(pty.slave, libc::POLLIN | libc::POLLOUT, 0)));
        println!("the session's terminal: {}", has_terminal());
        0
    });
    close_all(&[to]);
    must("ready", wait_for_byte(ready));
    hang_up(&pty);
    done("write", write(go_on, b"x"));
    println!("the leader was told: {}", shown(&read_all(from)));
    println!("and ends: {:?}", wait(leader));
    close_all(&[from, ready, is_ready, gate, go_on]);
    std::mem::forget(pty);
}

fn hung_up() {
    println!("the far end closes");
    with_hang_up(Pty::new(), |pty| close_all(&[pty.master]));
}

fn hung_up_by_request() {
    println!("a hang-up by request");
    with_hang_up(Pty::new(), |pty| {
        done("TIOCVHANGUP", ask(pty.slave, libc::TIOCVHANGUP, 0));
        println!("the far end stays: {}", linux_tests::terminal::names(poll(pty.master, libc::POLLIN | libc::POLLOUT, 0)));
        let again = done("open", open(&slave_path(pty.master), libc::O_RDWR | libc::O_NOCTTY));
        println!("and it can be opened anew: {:?}", write(again, b"new"));
        settle();
        println!("written: {}", shown(&available(pty.master)));
        println!("who had it is cut off: {:?}", write(pty.slave, b"x"));
        close_all(&[again]);
    });
    println!("vhangup");
    let pty = Pty::new();
    child_must_succeed("vhangup", || {
        println!("without a terminal: {:?}", {
            done("setsid", call!(SYS_setsid));
            call!(SYS_vhangup)
        });
        done("TIOCSCTTY", ask(pty.slave, libc::TIOCSCTTY, 0));
        signal::set_disposition(libc::SIGHUP, libc::SIG_IGN);
        println!("with one: {:?}", call!(SYS_vhangup));
        println!("it is gone: {} {:?}", has_terminal(), write(pty.slave, b"x"));
        let asks = set(pty.slave, libc::TIOCSPGRP, my_pid());
        println!("and asks nothing: {asks:?}");
    });
}

fn unpressed_keys(pty: &Pty) {
    let press = |terminal: i32, key: u8| call!(SYS_ioctl, terminal, libc::TIOCSTI, &raw const key);
    let pressed: Vec<_> = b"ab\x7fc\n".iter().map(|key| press(pty.slave, *key)).collect();
    println!("pressed: {pressed:?}");
    pty.settle();
    println!("a line: {}, shown {}", pty.line(), pty.shown());
    let job = Job::new(|| reads(pty.slave));
    done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
    job.begin();
    wait_until_asleep(job.pid);
    println!("an interrupt: {:?} {:?}", press(pty.slave, 3), job.stands());
    println!("a wild address: {:?}", call!(SYS_ioctl, pty.slave, libc::TIOCSTI, 8));
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
    let _echo = pty.shown();
    println!("at the far end: {:?}, and there it is: {}", press(pty.master, b'z'), pty.shown());
}
