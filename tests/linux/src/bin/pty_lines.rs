//! Line editing on a pseudo-terminal: what keys become, and what the screen shows of them.

use libc::{ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHONL, ECHOPRT, EXTPROC, ICANON, IEXTEN, ISIG, NOFLSH};
use libc::{ICRNL, IGNCR, IMAXBEL, INLCR, ISTRIP, IUCLC, IUTF8, IXANY, IXON, PARMRK};
use libc::{OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TAB3};
use linux_tests::process::write;
use linux_tests::terminal::{Pty, get, set_nonblocking, set_settings, settings, settle};
use linux_tests::{done, must_equal};

fn main() {
    control_characters();
    echoes();
    input_modes();
    output_modes();
    changes_of_mode();
    limits();
    flow();
    flushes();
}

/// Types one chunk after another, and prints what came out at both ends.
fn report(what: &str, change: impl FnOnce(&mut libc::termios), chunks: &[&[u8]]) {
    let pty = Pty::with(change);
    let mut seen = Vec::new();
    for keys in chunks {
        pty.types(keys);
        seen.push(pty.shown());
    }
    let waiting = get(pty.slave, libc::FIONREAD);
    let (first, second) = (pty.line(), pty.line());
    println!("{what}: shown {}; {waiting:?}; read {first}, then {second}", seen.join(" "));
}

fn usual(_: &mut libc::termios) {}

fn control_characters() {
    report("a line", usual, &[b"abc\n"]);
    report("a carriage return", usual, &[b"abc\r"]);
    report("no line yet", usual, &[b"abc"]);
    report("erase", usual, &[b"abcd\x7f\x7f", b"e\n"]);
    report("erase of nothing", usual, &[b"\x7f\x15\x17", b"\n"]);
    report("kill", usual, &[b"wrong", b"\x15", b"right\n"]);
    for words in ["one two", "one two  ", "a/b_c.d", "a.b..", "  ", "x\ty", "\u{e9}t\u{e9} \u{e9}"] {
        report(&format!("word erase of {words:?}"), usual, &[words.as_bytes(), b"\x17", b"\n"]);
    }
    report("literal next", usual, &[b"a\x16", b"\x03", b"\x16\x7f", b"\n"]);
    report("literal newline", usual, &[b"a\x16\n", b"b\n"]);
    report("reprint", usual, &[b"abc", b"\x12", b"d\n"]);
    report("end of file on an empty line", usual, &[b"\x04"]);
    report("end of file after bytes", usual, &[b"abc\x04"]);
    report("two ends of file", usual, &[b"ab\x04\x04"]);
    report("a nul is an ordinary byte", usual, &[b"a\0b\n"]);
    report("discard is an ordinary key", usual, &[b"a\x0fb\n"]);
    let ends = |settings: &mut libc::termios| {
        settings.c_cc[libc::VEOL] = b';';
        settings.c_cc[libc::VEOL2] = b',';
    };
    report("other ends of lines", ends, &[b"one;two,three\n"]);
    let plain = |settings: &mut libc::termios| settings.c_lflag &= !IEXTEN;
    report("without the extended keys", plain, &[b"one two\x17\x16\x12\n"]);
    let other = |settings: &mut libc::termios| {
        settings.c_cc[libc::VERASE] = b'#';
        settings.c_cc[libc::VKILL] = b'@';
        settings.c_cc[libc::VEOF] = b'!';
    };
    report("keys of old", other, &[b"ab#c", b"@", b"de#!"]);
    let none = |settings: &mut libc::termios| settings.c_cc[libc::VERASE] = 0;
    report("a key that is switched off", none, &[b"a\0\x7fb\n"]);
    let pty = Pty::new();
    pty.types(b"ab\x04cd\n");
    let mut two = [0; 2];
    must_equal("read", linux_tests::process::read(pty.slave, &mut two), Ok(2));
    println!("a read up to an end of file: then {}", pty.line());
    let pty = Pty::new();
    pty.types(b"abcdef\n");
    must_equal("read", linux_tests::process::read(pty.slave, &mut two), Ok(2));
    println!("a short read: then {}", pty.line());
}

fn echoes() {
    let without = |bits: u32| move |settings: &mut libc::termios| settings.c_lflag &= !bits;
    report("without echo", without(ECHO), &[b"secret\x7f\n"]);
    let newline = |settings: &mut libc::termios| settings.c_lflag = settings.c_lflag & !ECHO | ECHONL;
    report("echo of the newline alone", newline, &[b"secret\n"]);
    report("control keys as they are", without(ECHOCTL), &[b"a\x01b", b"\x7f\x7f", b"\n"]);
    report("control keys in print", usual, &[b"a\x01b\x1b", b"\x7f\x7f\x7f", b"\n"]);
    report("no erasing echo", without(ECHOE), &[b"abc\x7f\x7f", b"\n"]);
    report("no erasing kill", without(ECHOKE), &[b"abc\x15", b"d\n"]);
    report("no kill at all", without(ECHOKE | ECHOK), &[b"abc\x15", b"d\n"]);
    let paper = |settings: &mut libc::termios| settings.c_lflag |= ECHOPRT;
    report("on paper", paper, &[b"abc\x7f\x7f", b"d\x7f\x7f\x7f", b"e\n"]);
    report("a kill on paper", paper, &[b"abc\x15", b"e\n"]);
    report("erasing a tab", usual, &[b"ab\tc\x7f", b"\x7f", b"\x7f", b"\n"]);
    report("erasing two tabs", usual, &[b"\t\t", b"\x7f", b"\x7f", b"\n"]);
    let pty = Pty::new();
    must_equal("prompt", write(pty.slave, b"prompt$ "), Ok(8));
    settle();
    pty.types(b"a\tb");
    pty.types(b"\x15");
    pty.types(b"\n");
    println!("a tab after a prompt: {}", pty.shown());
    let utf8 = |settings: &mut libc::termios| settings.c_iflag |= IUTF8;
    report("erasing in UTF-8", utf8, &["a\u{20ac}".as_bytes(), b"\x7f", b"\x7f", b"\n"]);
    report("erasing without", usual, &["a\u{20ac}".as_bytes(), b"\x7f", b"\n"]);
    report("a rest of a character", utf8, &[b"\x82\x7f", b"\n"]);
    let raw_echo = |settings: &mut libc::termios| settings.c_lflag &= !(ICANON | ISIG);
    report("echo in raw mode", raw_echo, &[b"a\n\r\x01\x7f"]);
}

fn input_modes() {
    let set = |bits: u32| move |settings: &mut libc::termios| settings.c_iflag = bits;
    for (name, bits) in [("none", 0), ("ICRNL", ICRNL), ("INLCR", INLCR), ("IGNCR", IGNCR), ("both", ICRNL | INLCR), ("IMAXBEL", IMAXBEL)] {
        report(&format!("input mode {name}"), set(bits), &[b"a\rb\nc"]);
        let raw = move |settings: &mut libc::termios| {
            settings.c_iflag = bits;
            settings.c_lflag &= !ICANON;
        };
        report(&format!("input mode {name}, raw"), raw, &[b"a\rb\nc"]);
    }
    report("seven bits", set(ISTRIP | ICRNL), &[b"\xe1\xe2\x8d"]);
    report("small letters", set(IUCLC), &[b"ABCd\n"]);
    let doubled = |settings: &mut libc::termios| {
        settings.c_iflag = PARMRK;
        settings.c_lflag = 0;
    };
    report("marked errors", doubled, &[b"a\xffb"]);
    let external = |settings: &mut libc::termios| settings.c_lflag |= EXTPROC;
    report("processed elsewhere", external, &[b"ab\x7f\x03\r\n"]);
}

fn output_modes() {
    for (name, bits) in [
        ("none", 0),
        ("OPOST", OPOST),
        ("ONLCR", OPOST | ONLCR),
        ("OCRNL", OPOST | OCRNL),
        ("ONOCR", OPOST | ONOCR),
        ("ONLRET", OPOST | ONLRET | ONOCR),
        ("OLCUC", OPOST | OLCUC),
        ("TAB3", OPOST | TAB3),
        ("TAB3 ONLRET OCRNL", OPOST | TAB3 | ONLRET | OCRNL),
    ] {
        let pty = Pty::with(|settings| settings.c_oflag = bits);
        let text = b"\ra\tB\r\r\nc\x08\x08\td\n\te\x01\tf\r\tg";
        must_equal("write", write(pty.slave, text), Ok(text.len()));
        settle();
        println!("output mode {name}: {}", pty.shown());
    }
}

fn changes_of_mode() {
    let pty = Pty::new();
    pty.types(b"one\ntwo");
    pty.change(|settings| settings.c_lflag &= !ICANON);
    println!("from lines to raw: {:?} {}", get(pty.slave, libc::FIONREAD), pty.line());
    pty.types(b"three");
    pty.change(|settings| settings.c_lflag |= ICANON);
    println!("from raw to lines: {:?} {}", get(pty.slave, libc::FIONREAD), pty.line());
    println!("and then {}", pty.line());
    pty.types(b"x\x04");
    pty.change(|settings| settings.c_lflag &= !ICANON);
    println!("an end of file in raw mode: {}", pty.line());
    pty.types(b"gone");
    let now = settings(pty.slave);
    done("TCSAFLUSH", linux_tests::terminal::try_settings(pty.slave, libc::TCSAFLUSH, &now));
    println!("flushed: {:?} {}", get(pty.slave, libc::FIONREAD), pty.line());
}

fn limits() {
    let pty = Pty::with(|settings| settings.c_lflag &= !ECHO);
    for _ in 0..3 {
        pty.types(&[b'a'; 2000]);
    }
    pty.types(b"z\n");
    pty.types(b"next\n");
    let long = pty.line();
    println!("an overlong line: {} {}, then {}", long.len(), &long[long.len() - 6..], pty.line());
    let pty = Pty::with(|settings| settings.c_lflag &= !(ECHO | ICANON));
    let mut sent = 0;
    for _ in 0..3 {
        pty.types(&[b'a'; 2000]);
        sent += 2000;
    }
    let mut got = 0;
    while sent > got && pty.line() != "nothing" {
        got += 1;
        settle();
    }
    println!("raw bytes wait for room: {}", got < 6 && sent == 6000);
    let pty = Pty::new();
    set_nonblocking(pty.slave, true);
    let mut written = 0;
    while let Ok(count) = write(pty.slave, &[b'x'; 1000]) {
        written += count;
    }
    println!("output has an end: {}", written > 4000);
    let mut read = 0;
    while read < written {
        read += linux_tests::terminal::available(pty.master).len();
        settle();
    }
    println!("and all of it arrives: {}", read == written);
}

fn flow() {
    let pty = Pty::new();
    pty.types(b"\x13");
    set_nonblocking(pty.slave, true);
    println!("stopped: {:?}, shown {}", write(pty.slave, b"held"), pty.shown());
    pty.types(b"echo is held too\n");
    println!("keys while stopped: shown {}, read {}", pty.shown(), pty.line());
    pty.types(b"\x11");
    println!("started: shown {}", pty.shown());
    println!("written: {:?}", write(pty.slave, b"let go"));
    settle();
    println!("shown {}", pty.shown());
    pty.types(b"\x13");
    pty.change(|settings| settings.c_iflag |= IXANY);
    pty.types(b"k");
    println!("any key starts: {:?}, shown {}", write(pty.slave, b"go"), pty.shown());
    pty.types(b"\x13");
    pty.change(|settings| settings.c_iflag &= !IXON);
    println!("without flow control: {:?}", write(pty.slave, b"go"));
    let again = settings(pty.slave);
    set_settings(pty.slave, &again);
    must_equal("TCOOFF", linux_tests::terminal::ask(pty.slave, libc::TCXONC, libc::TCOOFF as usize), Ok(0));
    pty.types(b"\x11");
    println!("stopped by request: {:?}", write(pty.slave, b"no"));
    must_equal("TCOON", linux_tests::terminal::ask(pty.slave, libc::TCXONC, libc::TCOON as usize), Ok(0));
    println!("and started: {:?}", write(pty.slave, b"yes"));
    settle();
    let _echo = pty.shown();
    must_equal("TCIOFF", linux_tests::terminal::ask(pty.slave, libc::TCXONC, libc::TCIOFF as usize), Ok(0));
    must_equal("TCION", linux_tests::terminal::ask(pty.slave, libc::TCXONC, libc::TCION as usize), Ok(0));
    settle();
    println!("input stopped and started by keys: {}", pty.shown());
}

fn flushes() {
    let pty = Pty::new();
    pty.types(b"typed\nhalf");
    must_equal("TCIFLUSH", linux_tests::terminal::ask(pty.slave, libc::TCFLSH, libc::TCIFLUSH as usize), Ok(0));
    pty.types(b"new\n");
    println!("input flushed: {}", pty.line());
    pty.types(b"part\x03");
    println!("a signal key flushes: {}", pty.shown());
    pty.types(b"rest\n");
    println!("the line before it: {}", pty.line());
    pty.change(|settings| settings.c_lflag |= NOFLSH);
    pty.types(b"part\x03");
    pty.types(b"rest\n");
    println!("or not: {}, shown {}", pty.line(), pty.shown());
}
