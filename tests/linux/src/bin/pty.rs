//! Pseudo-terminals: how they are made, found, opened and closed.

use std::ffi::CStr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};

use linux_tests::process::{close, close_all, read, write};
use linux_tests::terminal::{
    Pty, ask, available, get, names, open, open_master, poll, set, set_nonblocking, settings, settle, shown, slave_path,
};
use linux_tests::{answer, call, check, done, equal, must, must_equal};

fn main() {
    made_and_found();
    locked();
    by_glibc();
    peers();
    output_and_input();
    slave_closes();
    master_closes();
    settings_of_a_new_one();
    windows();
    wrong_requests();
}

fn made_and_found() {
    let master = open_master();
    let path = slave_path(master);
    let found = done("stat", std::fs::metadata(&path));
    check("the near end is a character device of major 136", found.file_type().is_char_device() && libc::major(found.rdev()) == 136);
    let number: u32 = path.trim_start_matches("/dev/pts/").parse().unwrap_or(u32::MAX);
    equal("its minor is its number", libc::minor(found.rdev()), number);
    let me = done("geteuid", call!(SYS_geteuid));
    equal("it belongs to whoever made it", found.uid() as usize, me);
    done("chmod", std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)));
    equal("its mode can be changed", done("stat", std::fs::metadata(&path)).mode() & 0o7777, 0o640);
    let listed = done("listing", std::fs::read_dir("/dev/pts")).flatten().any(|entry| entry.path().to_str() == Some(&path));
    check("it is listed", listed);
    let another = open_master();
    check("another has another number", slave_path(another) != path);
    close_all(&[another, master]);
    check("when the master is closed the name is gone", std::fs::metadata(&path).is_err());
    equal("and cannot be opened", open(&path, libc::O_RDWR), Err(libc::ENOENT));
    let again = open_master();
    equal("the number is free again", slave_path(again), path);
    close_all(&[again]);
    equal("no directory is made there", std::fs::create_dir("/dev/pts/x").map_err(|error| error.raw_os_error()), Err(Some(libc::EPERM)));
}

fn locked() {
    let master = done("open", open("/dev/ptmx", libc::O_RDWR | libc::O_NOCTTY));
    let path = slave_path(master);
    equal("a new one is locked", get(master, libc::TIOCGPTLCK), Ok(1));
    equal("and does not open: EIO", open(&path, libc::O_RDWR | libc::O_NOCTTY), Err(libc::EIO));
    must_equal("unlock", set(master, libc::TIOCSPTLCK, 0), Ok(0));
    equal("unlocked", get(master, libc::TIOCGPTLCK), Ok(0));
    let slave = done("open", open(&path, libc::O_RDWR | libc::O_NOCTTY));
    must_equal("lock", set(master, libc::TIOCSPTLCK, 1), Ok(0));
    equal("locking again keeps others out", open(&path, libc::O_RDWR | libc::O_NOCTTY), Err(libc::EIO));
    close_all(&[slave, master]);
}

/// The way programs do it.
fn by_glibc() {
    // SAFETY: the name is copied before anything else is called.
    unsafe {
        let master = done("posix_openpt", answer(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY)));
        equal("grantpt", libc::grantpt(master), 0);
        equal("unlockpt", libc::unlockpt(master), 0);
        let name = CStr::from_ptr(libc::ptsname(master)).to_string_lossy().into_owned();
        equal("ptsname", &name, &slave_path(master));
        let slave = done("open", open(&name, libc::O_RDWR | libc::O_NOCTTY));
        equal("both ends are terminals", (libc::isatty(master), libc::isatty(slave)), (1, 1));
        let mut path = [0; 64];
        must_equal("ttyname_r", libc::ttyname_r(slave, path.as_mut_ptr(), path.len()), 0);
        equal("ttyname knows the near end", CStr::from_ptr(path.as_ptr()).to_string_lossy().into_owned(), name);
        close_all(&[slave, master]);
    }
    let (mut master, mut slave) = (0, 0);
    let nothing = std::ptr::null_mut();
    // SAFETY: all that is written is ours.
    let made = unsafe { libc::openpty(&mut master, &mut slave, nothing, nothing.cast(), nothing.cast()) };
    equal("openpty", made, 0);
    close_all(&[slave, master]);
}

fn peers() {
    let master = open_master();
    let slave = done("TIOCGPTPEER", ask(master, libc::TIOCGPTPEER, (libc::O_RDWR | libc::O_NOCTTY) as usize)) as i32;
    must_equal("write", write(slave, b"hello"), Ok(5));
    settle();
    equal("a peer is the near end", shown(&available(master)), "\"hello\"".to_owned());
    let link = done("readlink", std::fs::read_link(format!("/proc/self/fd/{slave}")));
    equal("and has its path", link.to_str().unwrap_or_default(), slave_path(master).as_str());
    equal("a near end has no peer: EIO", ask(slave, libc::TIOCGPTPEER, 0), Err(libc::EIO));
    close_all(&[slave, master]);
}

fn output_and_input() {
    let pty = Pty::new();
    must_equal("write", write(pty.slave, b"one\ntwo\n"), Ok(8));
    settle();
    println!("written: {}", pty.shown());
    pty.types(b"keys\n");
    println!("typed: {}, shown: {}", pty.line(), pty.shown());
    set_nonblocking(pty.slave, true);
    set_nonblocking(pty.master, true);
    equal("nothing typed: EAGAIN", read(pty.slave, &mut [0]), Err(libc::EAGAIN));
    equal("nothing written: EAGAIN", read(pty.master, &mut [0]), Err(libc::EAGAIN));
    let seek = call!(SYS_lseek, pty.slave, 0, libc::SEEK_CUR);
    equal("a terminal has no position: ESPIPE", seek, Err(libc::ESPIPE));
    // Typed before anybody has it open.
    let master = open_master();
    must_equal("write", write(master, b"early\n"), Ok(6));
    settle();
    println!("echo without a near end: {}", shown(&available(master)));
    let slave = done("open", open(&slave_path(master), libc::O_RDWR | libc::O_NOCTTY));
    let mut bytes = [0; 16];
    equal("keys wait for who opens it", read(slave, &mut bytes), Ok(6));
    close_all(&[slave, master]);
}

fn slave_closes() {
    let pty = Pty::new();
    println!("poll of the master: {}", names(poll(pty.master, !0, 0)));
    must_equal("write", write(pty.slave, b"last words"), Ok(10));
    done("close", close(pty.slave));
    settle();
    println!("poll with words left: {}", names(poll(pty.master, libc::POLLIN | libc::POLLOUT, 0)));
    let mut bytes = [0; 64];
    equal("what was written is read first", read(pty.master, &mut bytes), Ok(10));
    equal("then the near end is gone: EIO", read(pty.master, &mut bytes), Err(libc::EIO));
    println!("poll after that: {}", names(poll(pty.master, libc::POLLIN | libc::POLLOUT, 0)));
    equal("keys are taken all the same", write(pty.master, b"kept\n"), Ok(5));
    let slave = done("open again", open(&slave_path(pty.master), libc::O_RDWR | libc::O_NOCTTY));
    println!("poll when it is open again: {}", names(poll(pty.master, libc::POLLHUP, 0)));
    equal("and read by the next", read(slave, &mut bytes), Ok(5));
    let second = done("open", open(&slave_path(pty.master), libc::O_RDWR | libc::O_NOCTTY));
    done("close", close(slave));
    println!("poll with one of two closed: {}", names(poll(pty.master, libc::POLLHUP, 0)));
    done("close", close(second));
    println!("poll with both closed: {}", names(poll(pty.master, libc::POLLHUP, 0)));
}

fn master_closes() {
    let pty = Pty::new();
    pty.types(b"typed\n");
    done("close", close(pty.master));
    let mut bytes = [0; 64];
    equal("a hung-up terminal reads the end of file", read(pty.slave, &mut bytes), Ok(0));
    equal("again", read(pty.slave, &mut bytes), Ok(0));
    equal("and takes nothing: EIO", write(pty.slave, b"x"), Err(libc::EIO));
    println!("poll of it: {}", names(poll(pty.slave, libc::POLLIN | libc::POLLOUT, 0)));
    equal("no request: EIO", get(pty.slave, libc::FIONREAD), Err(libc::EIO));
    equal("but one: ENOTTY", set(pty.slave, libc::TIOCSPGRP, 1), Err(libc::ENOTTY));
    set_nonblocking(pty.slave, true);
    equal("the end of file does not wait either", read(pty.slave, &mut bytes), Ok(0));
}

fn settings_of_a_new_one() {
    let pty = Pty::new();
    for end in [pty.slave, pty.master] {
        let now = settings(end);
        println!("{:o} {:o} {:o} {:o} {:?}", now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag, &now.c_cc[..17]);
    }
    pty.change(|settings| {
        settings.c_cflag = libc::CS7 | libc::PARENB | libc::B9600;
        settings.c_lflag |= libc::TOSTOP;
    });
    let now = settings(pty.master);
    println!("changed: {:o} {:o}", now.c_cflag, now.c_lflag);
    // SAFETY: all zero is a valid termios2.
    let mut exact: libc::termios2 = unsafe { std::mem::zeroed() };
    must_equal("TCGETS2", call!(SYS_ioctl, pty.slave, libc::TCGETS2, &raw mut exact), Ok(0));
    println!("speeds: {} {}", exact.c_ispeed, exact.c_ospeed);
    exact.c_cflag = exact.c_cflag & !libc::CBAUD | libc::BOTHER;
    (exact.c_ispeed, exact.c_ospeed) = (12345, 54321);
    must_equal("TCSETS2", call!(SYS_ioctl, pty.slave, libc::TCSETS2, &raw const exact), Ok(0));
    must_equal("TCGETS2", call!(SYS_ioctl, pty.slave, libc::TCGETS2, &raw mut exact), Ok(0));
    println!("odd speeds: {} {}", exact.c_ispeed, exact.c_ospeed);
}

fn windows() {
    let pty = Pty::new();
    let mut window = libc::winsize { ws_row: 9, ws_col: 9, ws_xpixel: 9, ws_ypixel: 9 };
    must_equal("TIOCGWINSZ", call!(SYS_ioctl, pty.slave, libc::TIOCGWINSZ, &raw mut window), Ok(0));
    println!("a new window: {} {} {} {}", window.ws_row, window.ws_col, window.ws_xpixel, window.ws_ypixel);
    window = libc::winsize { ws_row: 50, ws_col: 132, ws_xpixel: 1, ws_ypixel: 2 };
    must_equal("TIOCSWINSZ", call!(SYS_ioctl, pty.master, libc::TIOCSWINSZ, &raw const window), Ok(0));
    let mut seen = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    must_equal("TIOCGWINSZ", call!(SYS_ioctl, pty.slave, libc::TIOCGWINSZ, &raw mut seen), Ok(0));
    println!("set at the far end: {} {} {} {}", seen.ws_row, seen.ws_col, seen.ws_xpixel, seen.ws_ypixel);
}

fn wrong_requests() {
    let pty = Pty::new();
    let bad = 8 as *mut i32;
    for (name, request) in [("TCGETS", libc::TCGETS), ("TIOCGWINSZ", libc::TIOCGWINSZ), ("FIONREAD", libc::FIONREAD)] {
        equal(&format!("{name} to a wild address: EFAULT"), call!(SYS_ioctl, pty.slave, request, bad), Err(libc::EFAULT));
    }
    for request in [libc::TIOCGPTN, libc::TIOCGPTLCK, libc::TIOCGPKT] {
        must_equal("of the near end", get(pty.slave, request), Err(libc::ENOTTY));
    }
    check("requests to the far end are none of the near one's: ENOTTY", true);
    equal("an unknown request: ENOTTY", ask(pty.slave, 0x54fe, 0), Err(libc::ENOTTY));
    equal("no such flush: EINVAL", ask(pty.slave, libc::TCFLSH, 7), Err(libc::EINVAL));
    equal("no such flow: EINVAL", ask(pty.slave, libc::TCXONC, 7), Err(libc::EINVAL));
    equal("a break is over at once", ask(pty.slave, libc::TCSBRK, 0), Ok(0));
    equal("the only line discipline", (get(pty.slave, libc::TIOCGETD), set(pty.slave, libc::TIOCSETD, 0)), (Ok(0), Ok(0)));
    must("exclusive", ask(pty.slave, libc::TIOCEXCL, 0) == Ok(0));
    equal("exclusive", get(pty.slave, libc::TIOCGEXCL), Ok(1));
    must("shared", ask(pty.slave, libc::TIOCNXCL, 0) == Ok(0));
    equal("shared again", get(pty.slave, libc::TIOCGEXCL), Ok(0));
}
