//! Job control on a pseudo-terminal: whom keys reach, and what the background may not do.

use std::sync::atomic::{AtomicI32, Ordering};

use linux_tests::asleep::wait_until_asleep;
use linux_tests::job::{Job, as_status, in_a_session, put_in_front, reads};
use linux_tests::process::{Ended, close_all, exit_now, fork, in_a_child, kill, my_pid, pipe, read, wait, wait_for_byte, write};
use linux_tests::terminal::{Pty, ask, get, set, set_settings, settings};
use linux_tests::{call, done, must, must_equal, signal, sleep_ms};

fn main() {
    in_a_session("keys", keys);
    in_a_session("keys that do nothing", keys_without_effect);
    in_a_session("keys and reads", keys_interrupt_reads);
    in_a_session("reads in the background", background_reads);
    in_a_session("writes in the background", background_writes);
    in_a_session("changes in the background", background_changes);
    in_a_session("groups alone", orphans);
    in_a_session("who is in front", front);
    in_a_session("a job of several", whole_jobs);
}

/// Where a handler says that it was called.
static SAYS: AtomicI32 = AtomicI32::new(-1);

extern "C" fn note(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let _nobody_may_listen = write(SAYS.load(Ordering::SeqCst), b"x");
}

fn pauses() -> i32 {
    loop {
        let _interrupted = call!(SYS_pause);
    }
}

/// Ends a job that only waits.
fn end(job: &Job) -> Ended {
    done("kill", kill(job.pid, libc::SIGKILL));
    job.stands()
}

fn keys(pty: &Pty) {
    for (key, name) in [(b"\x03", "interrupt"), (b"\x1c", "quit"), (b"\x1a", "suspend")] {
        let front = Job::new(pauses);
        let second = Job::of_group(front.pid, pauses);
        let behind = Job::new(pauses);
        [&front, &second, &behind].iter().for_each(|job| job.begin());
        done("TIOCSPGRP", put_in_front(pty.slave, front.pid));
        pty.types(key);
        println!("{name}: in front {:?} {:?}", front.stands(), second.stands());
        println!("  behind {:?}, shown {}", end(&behind), pty.shown());
        if key == b"\x1a" {
            done("kill", kill(-front.pid, libc::SIGCONT));
            println!("  going on, and ended: {:?} {:?}", end(&front), end(&second));
        }
    }
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
}

fn keys_without_effect(pty: &Pty) {
    let before = settings(pty.slave);
    pty.change(|settings| settings.c_lflag &= !libc::ISIG);
    let job = Job::new(|| reads(pty.slave));
    done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
    pty.types(b"\x03\x1c\x1a\n");
    println!("keys that are bytes: {:?}", job.fares());
    set_settings(pty.slave, &before);
    pty.change(|settings| settings.c_cc[libc::VINTR] = b'i');
    let job = Job::new(|| reads(pty.slave));
    done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
    pty.types(b"\x03x\n");
    println!("another key interrupts now: {:?}", job.fares());
    let job = Job::new(|| reads(pty.slave));
    done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
    job.begin();
    wait_until_asleep(job.pid);
    pty.types(b"i");
    println!("this one: {:?}", job.stands());
    set_settings(pty.slave, &before);
    let job = Job::new(|| {
        signal::set_disposition(libc::SIGINT, libc::SIG_IGN);
        signal::block(&[libc::SIGQUIT]);
        let status = reads(pty.slave);
        status + if signal::contains(&signal::pending(), libc::SIGQUIT) { 20 } else { 0 }
    });
    done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
    job.begin();
    wait_until_asleep(job.pid);
    pty.types(b"lost\x03");
    pty.types(b"lost too\x1c");
    pty.types(b"read\n");
    println!("a key that is ignored, and one that waits: {:?}", job.stands());
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
    println!("shown {}", pty.shown());
}

fn keys_interrupt_reads(pty: &Pty) {
    for (what, flags) in [("a handler", 0), ("a handler that restarts", libc::SA_RESTART)] {
        let (from, to) = pipe();
        SAYS.store(to, Ordering::SeqCst);
        let job = Job::new(|| {
            signal::handle(libc::SIGINT, note, flags);
            reads(pty.slave)
        });
        done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
        job.begin();
        wait_until_asleep(job.pid);
        pty.types(b"\x03");
        must("it is called", wait_for_byte(from));
        pty.types(b"line\n");
        println!("{what}: the read {:?}", job.stands());
        close_all(&[from, to]);
        SAYS.store(-1, Ordering::SeqCst);
        done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
        done("TCFLSH", ask(pty.slave, libc::TCFLSH, libc::TCIFLUSH as usize));
    }
}

fn background_reads(pty: &Pty) {
    let job = Job::new(|| reads(pty.slave));
    println!("usually: {:?}", job.fares());
    done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
    done("kill", kill(job.pid, libc::SIGCONT));
    pty.types(b"now\n");
    println!("brought to the front: {:?}", job.stands());
    let with = |before: fn()| {
        let job = Job::new(|| {
            before();
            reads(pty.slave)
        });
        job.fares()
    };
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
    println!("ignored: {:?}", with(|| signal::set_disposition(libc::SIGTTIN, libc::SIG_IGN)));
    println!("blocked: {:?}", with(|| signal::block(&[libc::SIGTTIN])));
    println!("handled: {:?}", with(|| signal::handle(libc::SIGTTIN, note, 0)));
    println!("nonblocking: {:?}", with_nonblocking(pty));
    let nothing = Job::new(|| as_status(read(pty.slave, &mut [])));
    println!("a read of nothing: {:?}", nothing.fares());
    end(&nothing);
    println!("a look is no read: {:?}", Job::new(|| get(pty.slave, libc::FIONREAD).unwrap_or(99)).fares());
}

fn with_nonblocking(pty: &Pty) -> Ended {
    let job = Job::new(|| {
        linux_tests::terminal::set_nonblocking(pty.slave, true);
        reads(pty.slave)
    });
    let fares = job.fares();
    end(&job);
    linux_tests::terminal::set_nonblocking(pty.slave, false);
    fares
}

fn background_writes(pty: &Pty) {
    let writes = |before: fn()| {
        let job = Job::new(|| {
            before();
            as_status(write(pty.slave, b"w"))
        });
        let fares = job.fares();
        if matches!(fares, Ended::Stopped(_)) {
            done("TIOCSPGRP", put_in_front(pty.slave, job.pid));
            done("kill", kill(job.pid, libc::SIGCONT));
            println!("  then {:?}", job.stands());
            done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
        }
        fares
    };
    println!("usually: {:?}", writes(|| ()));
    pty.change(|settings| settings.c_lflag |= libc::TOSTOP);
    println!("with TOSTOP: {:?}", writes(|| ()));
    println!("ignored: {:?}", writes(|| signal::set_disposition(libc::SIGTTOU, libc::SIG_IGN)));
    println!("blocked: {:?}", writes(|| signal::block(&[libc::SIGTTOU])));
    println!("handled: {:?}", writes(|| signal::handle(libc::SIGTTOU, note, 0)));
    linux_tests::terminal::settle();
    println!("written: {}", pty.shown());
}

fn background_changes(pty: &Pty) {
    type Change = (&'static str, fn(i32) -> i32);
    let changes: [Change; 8] = [
        ("TCSETS", |slave| as_status(linux_tests::terminal::try_settings(slave, libc::TCSANOW, &settings(slave)).map(|_| 0))),
        ("TCFLSH", |slave| as_status(ask(slave, libc::TCFLSH, libc::TCIFLUSH as usize))),
        ("TCXONC", |slave| as_status(ask(slave, libc::TCXONC, libc::TCOON as usize))),
        ("TCSBRK", |slave| as_status(ask(slave, libc::TCSBRK, 1))),
        ("TIOCSPGRP", |slave| as_status(put_in_front(slave, my_pid()))),
        ("TIOCSWINSZ", |slave| {
            let window = libc::winsize { ws_row: 7, ws_col: 7, ws_xpixel: 0, ws_ypixel: 0 };
            as_status(call!(SYS_ioctl, slave, libc::TIOCSWINSZ, &raw const window))
        }),
        ("TIOCGPGRP", |slave| as_status(get(slave, libc::TIOCGPGRP).map(|_| 0))),
        ("TIOCEXCL", |slave| as_status(ask(slave, libc::TIOCNXCL, 0))),
    ];
    for (name, change) in changes {
        let tries = |before: fn()| {
            let job = Job::new(|| {
                before();
                change(pty.slave)
            });
            let fares = job.fares();
            if matches!(fares, Ended::Stopped(_)) {
                end(&job);
            }
            done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
            fares
        };
        let ignoring = tries(|| signal::set_disposition(libc::SIGTTOU, libc::SIG_IGN));
        let handling = tries(|| signal::handle(libc::SIGTTOU, note, 0));
        println!("{name}: {:?}, ignoring {ignoring:?}, handling {handling:?}", tries(|| ()));
    }
}

/// A group whose leader's parent is gone: nobody could bring it to the front again.
fn orphans(pty: &Pty) {
    let alone = |body: &dyn Fn() -> i32| {
        let (from, to) = pipe();
        let parent = fork(|| {
            let me = my_pid();
            fork(|| {
                done("setpgid", call!(SYS_setpgid, 0, 0));
                signal::set_disposition(libc::SIGTTOU, libc::SIG_DFL);
                while call!(SYS_getppid) == Ok(me as usize) {
                    sleep_ms(1);
                }
                done("write", write(to, &[body() as u8]));
                0
            });
            exit_now(0)
        });
        wait(parent);
        let mut said = [0];
        must_equal("a word", read(from, &mut said), Ok(1));
        close_all(&[from, to]);
        said[0]
    };
    println!("a read: {}", alone(&|| reads(pty.slave)));
    println!("a write: {}", alone(&|| as_status(write(pty.slave, b"w"))));
    pty.change(|settings| settings.c_lflag |= libc::TOSTOP);
    println!("a write with TOSTOP: {}", alone(&|| as_status(write(pty.slave, b"w"))));
    println!("a change: {}", alone(&|| as_status(ask(pty.slave, libc::TCFLSH, 0))));
    println!("to the front: {}", alone(&|| as_status(put_in_front(pty.slave, my_pid()))));
    let in_front = alone(&|| {
        signal::set_disposition(libc::SIGTTOU, libc::SIG_IGN);
        done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
        must("typing", write(pty.master, b"to it\n") == Ok(6));
        reads(pty.slave)
    });
    println!("a read in front: {in_front}");
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
    let stop = alone(&|| {
        signal::raise(libc::SIGTSTP);
        1
    });
    println!("nothing stops it that a key could: {stop}");
}

fn front(pty: &Pty) {
    println!("the leader's: {}", get(pty.slave, libc::TIOCGPGRP) == Ok(my_pid()));
    println!("the far end says the same: {}", get(pty.master, libc::TIOCGPGRP) == Ok(my_pid()));
    println!("of this session: {}", get(pty.slave, libc::TIOCGSID) == Ok(my_pid()));
    println!("no such group: {:?}", put_in_front(pty.slave, 0x3fff_ffff));
    println!("less than none: {:?}", put_in_front(pty.slave, -1));
    println!("none: {:?}", put_in_front(pty.slave, 0));
    let child = Job::new(|| {
        done("setpgid", call!(SYS_setpgid, 0, 0));
        0
    });
    println!("one with a dead leader: {:?} {:?}", put_in_front(pty.slave, child.pid), {
        child.begin();
        while linux_tests::asleep::state_of(child.pid) != Some('Z') {
            sleep_ms(1);
        }
        put_in_front(pty.slave, child.pid)
    });
    child.stands();
    println!("that is gone: {:?}", put_in_front(pty.slave, child.pid));
    println!("the terminal names it still: {}", get(pty.slave, libc::TIOCGPGRP) == Ok(child.pid));
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
    let other = in_a_child(|| {
        let before = my_pid();
        done("setsid", call!(SYS_setsid));
        println!("of another session: {:?} {:?}", get(pty.slave, libc::TIOCGPGRP), put_in_front(pty.slave, before));
        println!("its session: {:?}; by the far end: {:?}", get(pty.slave, libc::TIOCGSID), put_in_front(pty.master, before));
        println!("what it reads is read: {:?}", {
            must("typing", write(pty.master, b"any\n") == Ok(4));
            reads(pty.slave)
        });
        0
    });
    must_equal("other", other, Ended::Exited(0));
    let (from, to) = pipe();
    let stranger = fork(|| {
        done("setsid", call!(SYS_setsid));
        done("write", write(to, b"x"));
        pauses()
    });
    wait_for_byte(from);
    println!("a group of another session: {:?}", put_in_front(pty.slave, stranger));
    done("kill", kill(stranger, libc::SIGKILL));
    wait(stranger);
    println!("a wild address: {:?}", call!(SYS_ioctl, pty.slave, libc::TIOCSPGRP, 8));
    println!("by the far end: {:?} {:?}", put_in_front(pty.master, my_pid()), set(pty.master, libc::TIOCSIG, libc::SIGWINCH));
}

/// The whole group stops for the one that reads.
fn whole_jobs(pty: &Pty) {
    let first = Job::new(|| reads(pty.slave));
    let second = Job::of_group(first.pid, pauses);
    second.begin();
    println!("one reads: {:?}, the other: {:?}", first.fares(), second.stands());
    done("TIOCSPGRP", put_in_front(pty.slave, first.pid));
    done("kill", kill(-first.pid, libc::SIGCONT));
    pty.types(b"x\n");
    println!("in front: {:?}", first.stands());
    pty.types(b"\x03");
    println!("and the other: {:?}", second.stands());
    done("TIOCSPGRP", put_in_front(pty.slave, my_pid()));
}
