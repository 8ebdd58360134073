//! The two ends of a pseudo-terminal: how much a read waits for, packets, windows, counts, flushes, who may open it, and draining.

use std::sync::atomic::{AtomicI32, Ordering};

use linux_tests::asleep::wait_until_asleep;
use linux_tests::job::{Job, in_a_session, put_in_front, reads};
use linux_tests::process::{child_must_succeed, close_all, fork, my_pid, pipe, read, wait, wait_for_byte, write};
use linux_tests::terminal::{
    Pty, ask, available, get, is_readable, make_raw, names, open, poll, set, set_nonblocking, settings, settle, shown, slave_path,
    try_settings,
};
use linux_tests::{call, done, monotonic, must, must_equal, signal, sleep_ms};

fn main() {
    for (least, tenths) in [(0, 0), (0, 2), (4, 0), (4, 2)] {
        amounts(least, tenths);
    }
    a_pause_ends_a_read();
    packets();
    in_a_session("windows", windows);
    counts();
    flushes_at_the_far_end();
    flow_of_input();
    exclusive();
    drains();
}

fn waiting_for(least: u8, tenths: u8) -> Pty {
    Pty::with(|settings| {
        make_raw(settings);
        settings.c_cc[libc::VMIN] = least;
        settings.c_cc[libc::VTIME] = tenths;
    })
}

/// What a read of so many bytes says, and whether it took about the time that VTIME says.
fn timed(slave: i32, size: usize) -> String {
    let began = monotonic();
    let result = read(slave, &mut vec![0; size]);
    let took = (monotonic() - began) / 1_000_000;
    format!("{result:?}{}", if took >= 190 { " late" } else { "" })
}

fn amounts(least: u8, tenths: u8) {
    println!("MIN {least} TIME {tenths}");
    let pty = waiting_for(least, tenths);
    let ready = |typed: &[u8]| {
        pty.types(typed);
        names(poll(pty.slave, libc::POLLIN, 0))
    };
    let mut polls = vec![ready(b"")];
    polls.push(ready(b"a"));
    polls.push(ready(b"bcd"));
    println!("  ready with none, one, four: {polls:?}");
    println!("  four, into more room: {}", timed(pty.slave, 40));
    pty.types(b"abcde");
    println!("  five, into less room: {}", timed(pty.slave, 3));
    set_nonblocking(pty.slave, true);
    println!("  nonblocking: the rest {}, and nothing {}", timed(pty.slave, 40), timed(pty.slave, 40));
    set_nonblocking(pty.slave, false);
    let reader = |typed: &[&[u8]]| {
        let job = fork(|| reads(pty.slave));
        for keys in typed {
            wait_until_asleep(job);
            pty.types(keys);
        }
        wait(job)
    };
    match (least, tenths) {
        (0, _) => println!("  nothing comes: {}", timed(pty.slave, 40)),
        (_, 0) => println!("  two, then two: {:?}; two, then five: {:?}", reader(&[b"ab", b"cd"]), reader(&[b"ab", b"cdefg"])),
        _ => println!("  four at once: {:?}", reader(&[b"abcd"])),
    }
    println!("  a read of nothing: {}", timed(pty.slave, 0));
}

fn a_pause_ends_a_read() {
    let pty = waiting_for(4, 2);
    pty.types(b"ab");
    println!("with two there the pause ends it: {}", timed(pty.slave, 40));
    let job = fork(|| {
        let mut bytes = [0; 40];
        let began = monotonic();
        must_equal("a first byte", read(pty.slave, &mut bytes), Ok(1));
        i32::from(monotonic() - began < 400_000_000)
    });
    wait_until_asleep(job);
    sleep_ms(300);
    pty.types(b"x");
    println!("and it begins with the first byte: {:?}", wait(job));
    let pty = waiting_for(0, 5);
    let job = fork(|| reads(pty.slave));
    wait_until_asleep(job);
    pty.types(b"y");
    println!("a byte ends the wait for one: {:?}", wait(job));
}

fn packets() {
    let pty = Pty::new();
    println!(
        "packets: {:?}, then {:?} {:?}",
        get(pty.master, libc::TIOCGPKT),
        set(pty.master, libc::TIOCPKT, 1),
        get(pty.master, libc::TIOCGPKT)
    );
    let tells = |what: &str| {
        settle();
        let ready = names(poll(pty.master, libc::POLLIN | libc::POLLPRI, 0));
        let mut bytes = [0; 64];
        set_nonblocking(pty.master, true);
        let first = read(pty.master, &mut bytes).map(|count| shown(&bytes[..count]));
        let second = read(pty.master, &mut bytes).map(|count| shown(&bytes[..count]));
        println!("  {what}: {ready}, {first:?}, {second:?}");
    };
    tells("nothing");
    done("write", write(pty.slave, b"data"));
    tells("data");
    pty.types(b"\x13");
    tells("stopped");
    pty.types(b"\x11");
    tells("started");
    pty.types(b"\x13\x11\x13");
    tells("stopped and started and stopped");
    pty.types(b"\x11");
    tells("started");
    for queue in [libc::TCIFLUSH, libc::TCOFLUSH, libc::TCIOFLUSH] {
        done("TCFLSH", ask(pty.slave, libc::TCFLSH, queue as usize));
        tells("flushed");
    }
    pty.change(|settings| settings.c_iflag &= !libc::IXON);
    tells("no keys stop it");
    pty.change(|settings| settings.c_iflag |= libc::IXON);
    tells("keys do again");
    pty.change(|settings| settings.c_lflag &= !libc::ECHO);
    tells("another change");
    pty.change(|settings| settings.c_lflag |= libc::EXTPROC);
    tells("processed elsewhere");
    pty.change(|settings| settings.c_lflag ^= libc::EXTPROC | libc::ECHO);
    tells("and not");
    done("write", write(pty.slave, b"before"));
    settle();
    done("TCFLSH", ask(pty.slave, libc::TCFLSH, libc::TCIFLUSH as usize));
    tells("news before data");
    done("TCFLSH", ask(pty.slave, libc::TCFLSH, libc::TCIFLUSH as usize));
    println!("off: {:?}", set(pty.master, libc::TIOCPKT, 0));
    tells("news that nobody wants");
    done("write", write(pty.slave, b"plain"));
    tells("data");
}

static SAYS: AtomicI32 = AtomicI32::new(-1);

extern "C" fn say(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    done("saying", write(SAYS.load(Ordering::SeqCst), b"W"));
}

fn windows(pty: &Pty) {
    let (from, to) = pipe();
    let (ready, is_ready) = pipe();
    SAYS.store(to, Ordering::SeqCst);
    let watcher = || {
        let job = Job::new(|| {
            signal::handle(libc::SIGWINCH, say, libc::SA_RESTART);
            done("write", write(is_ready, b"x"));
            loop {
                let _interrupted = call!(SYS_pause);
            }
        });
        job.begin();
        must("ready", wait_for_byte(ready));
        job
    };
    let (front, behind) = (watcher(), watcher());
    done("TIOCSPGRP", put_in_front(pty.slave, front.pid));
    let resize = |end: i32, rows: u16, columns: u16, pixels: u16| {
        let window = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: pixels, ws_ypixel: 0 };
        done("TIOCSWINSZ", call!(SYS_ioctl, end, libc::TIOCSWINSZ, &raw const window));
        // Who is told says so when it is asleep again.
        [&front, &behind].iter().for_each(|job| wait_until_asleep(job.pid));
        available(from).len()
    };
    println!("told of a window set at the far end: {}", resize(pty.master, 30, 90, 0));
    println!("of the same again: {}", resize(pty.master, 30, 90, 0));
    println!("set at the near end: {}", resize(pty.slave, 31, 90, 0));
    println!("of other pixels: {}", resize(pty.slave, 31, 90, 7));
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
    println!("behind: {}", resize(pty.master, 5, 5, 5));
    for job in [front, behind] {
        done("kill", linux_tests::process::kill(job.pid, libc::SIGKILL));
        job.stands();
    }
    close_all(&[from, to, ready, is_ready]);
}

fn counts() {
    let pty = Pty::new();
    let both = |what: &str| {
        settle();
        let of = |end: i32| (get(end, libc::FIONREAD), get(end, libc::TIOCOUTQ));
        println!("{what}: near {:?}, far {:?}", of(pty.slave), of(pty.master));
    };
    both("counts of nothing");
    pty.types(b"half");
    both("half a line");
    pty.types(b" of it\nmore\nrest");
    both("two lines and a half");
    must_equal("read", read(pty.slave, &mut [0; 4]), Ok(4));
    both("four read");
    pty.change(|settings| settings.c_lflag &= !libc::ICANON);
    both("in raw mode");
    println!("shown: {}", available(pty.master).len());
    done("write", write(pty.slave, b"out\n"));
    both("written");
    println!("a wild address: {:?} {:?}", call!(SYS_ioctl, pty.slave, libc::FIONREAD, 8), call!(SYS_ioctl, pty.master, libc::TIOCOUTQ, 8));
}

fn flushes_at_the_far_end() {
    for (name, queue) in [("input", libc::TCIFLUSH), ("output", libc::TCOFLUSH), ("both", libc::TCIOFLUSH)] {
        let pty = Pty::with(|settings| settings.c_lflag &= !libc::ECHO);
        pty.types(b"typed\n");
        done("write", write(pty.slave, b"written"));
        settle();
        let result = ask(pty.master, libc::TCFLSH, queue as usize);
        settle();
        println!("{name} flushed at the far end: {result:?}, typed {}, written {}", pty.line(), pty.shown());
    }
    let pty = Pty::new();
    println!("stopped at the far end: {:?}", ask(pty.master, libc::TCXONC, libc::TCOOFF as usize));
    done("write", write(pty.slave, b"free"));
    settle();
    println!("what is written comes: {}", pty.shown());
    println!("started: {:?}; no such: {:?}", ask(pty.master, libc::TCXONC, libc::TCOON as usize), ask(pty.master, libc::TCXONC, 9));
}

/// A terminal that is full asks nobody to stop: there is no line between the ends.
fn flow_of_input() {
    let pty = Pty::with(|settings| {
        make_raw(settings);
        settings.c_iflag |= libc::IXOFF;
    });
    set_nonblocking(pty.master, true);
    let mut typed = 0;
    while let Ok(count) = write(pty.master, &[b'k'; 512]) {
        typed += count;
        settle();
    }
    println!("it is full: {}, and says {}", typed >= 4000, shown(&available(pty.master)));
    println!("nor can more be typed: {}", names(poll(pty.master, libc::POLLOUT, 0)));
    let mut got = 0;
    while got < typed {
        got += available(pty.slave).len();
        settle();
    }
    println!("all arrives: {}, and it says {}", got == typed, shown(&available(pty.master)));
    println!("more can be typed: {}", names(poll(pty.master, libc::POLLOUT, 0)));
}

fn exclusive() {
    let pty = Pty::new();
    let path = slave_path(pty.master);
    done("chmod", std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)));
    let opens = |what: &str| {
        child_must_succeed(what, || {
            let root = open(&path, libc::O_RDWR | libc::O_NOCTTY).map(|_| ());
            done("setuid", call!(SYS_setuid, 65534));
            println!("{what}: root {root:?}, another {:?}", open(&path, libc::O_RDWR | libc::O_NOCTTY).map(|_| ()));
        });
    };
    opens("shared");
    must_equal("TIOCEXCL", ask(pty.slave, libc::TIOCEXCL, 0), Ok(0));
    opens("exclusive");
    println!("it says so: {:?}, the far end {:?}", get(pty.slave, libc::TIOCGEXCL), get(pty.master, libc::TIOCGEXCL));
    must_equal("TIOCNXCL", ask(pty.slave, libc::TIOCNXCL, 0), Ok(0));
    opens("shared again");
    must_equal("TIOCEXCL", ask(pty.slave, libc::TIOCEXCL, 0), Ok(0));
    close_all(&[pty.slave]);
    opens("closed by all");
    close_all(&[pty.master]);
    std::mem::forget(pty);
}

fn drains() {
    let pty = Pty::new();
    done("write", write(pty.slave, b"unread"));
    // SAFETY: no memory is involved.
    let (drain, pause) = unsafe { (libc::tcdrain(pty.slave), libc::tcsendbreak(pty.slave, 0)) };
    println!("output that nobody reads is sent: {drain}, and a break: {pause}");
    let now = settings(pty.slave);
    println!("settings after the output: {:?}", try_settings(pty.slave, libc::TCSADRAIN, &now));
    println!(
        "breaks: {:?} {:?} {:?}",
        ask(pty.slave, libc::TIOCSBRK, 0),
        ask(pty.slave, libc::TIOCCBRK, 0),
        ask(pty.slave, libc::TCSBRKP, 2)
    );
    println!(
        "at the far end: {:?} {:?} {:?}",
        ask(pty.master, libc::TIOCSBRK, 0),
        ask(pty.master, libc::TCSBRK, 1),
        ask(pty.master, libc::TCSBRKP, 0)
    );
    settle();
    println!("nothing of it shows: {}; nor arrives: {}", pty.shown(), is_readable(pty.slave, 0));
    pty.types(b"\x13");
    let drain = ask(pty.slave, libc::TCSBRK, 1);
    println!("stopped output has nothing to send: {drain:?}");
}
