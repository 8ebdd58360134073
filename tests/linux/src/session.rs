//! A program on a pseudo-terminal of its own, driven key by key.
//!
//! Invariant: no key is typed on a guess. The next one goes out when the words, the settings or the waiting process that it is meant for
//! are there.

use std::ffi::CString;
use std::path::Path;

use crate::process::{Ended, Pid, close, fork, read, wait, write};
use crate::scratch::Scratch;
use crate::terminal::{get, is_readable, open, open_master, settings, slave_path};
use crate::{call, done, fail, sleep_ms};

/// What every program finds in its environment.
pub const ENVIRONMENT: [&str; 6] = ["PATH=/bin:/usr/bin", "HOME=/nowhere", "PS1=@> ", "HISTFILE=", "INPUTRC=/dev/null", "TERM=dumb"];

/// A program in a session of its own, with its terminal's far end here.
pub struct Session {
    pub master: i32,
    pub pid: Pid,
}

fn existing(paths: &[&'static str]) -> &'static str {
    paths.iter().copied().find(|path| Path::new(path).exists()).unwrap_or_else(|| fail(&format!("none of {paths:?}")))
}

pub fn bash() -> &'static str {
    existing(&["/bin/bash-static", "/bin/bash"])
}

/// What the process table calls it.
pub fn bash_name() -> &'static str {
    bash().rsplit('/').next().unwrap_or_default()
}

pub fn busybox() -> &'static str {
    existing(&["/bin/busybox", "/usr/bin/busybox"])
}

impl Session {
    /// Starts a program in an empty environment but for `ENVIRONMENT`, over which `more` goes, and a window of 24 lines.
    pub fn start(scratch: &Scratch, words: &[&str], more: &[&str]) -> Self {
        let master = open_master();
        let near = slave_path(master);
        set_window(master, 24, 80);
        let here = scratch.c("");
        let pid = fork(|| {
            done("setsid", call!(SYS_setsid));
            let slave = done("open", open(&near, libc::O_RDWR));
            for standard in 0..3 {
                done("dup2", call!(SYS_dup2, slave, standard));
            }
            if slave > 2 {
                done("close", close(slave));
            }
            done("chdir", call!(SYS_chdir, here.as_ptr()));
            execute(words, &environment(more))
        });
        Session { master, pid }
    }

    /// Types, whatever comes of it.
    #[track_caller]
    pub fn keys(&self, keys: &str) {
        done("typing", write(self.master, keys.as_bytes()));
    }

    /// Types, and reads on until what came since ends so.
    #[track_caller]
    pub fn types(&self, keys: &str, end: &str) -> String {
        self.keys(keys);
        self.until(end)
    }

    #[track_caller]
    pub fn until(&self, end: &str) -> String {
        plain(&self.read_until(end, |seen| plain(seen).ends_with(end)))
    }

    /// Reads on until the words have come.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        self.wait_for_texts(&[text]);
    }

    /// Until all of them have, in any order.
    #[track_caller]
    pub fn wait_for_texts(&self, texts: &[&str]) {
        self.read_until(&texts.join(" and "), |seen| texts.iter().all(|text| seen.contains(text)));
    }

    #[track_caller]
    fn read_until(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let mut seen = String::new();
        let mut part = [0; 4096];
        while !is_there(&seen) {
            if !is_readable(self.master, 20_000) {
                fail(&format!("waiting for {what:?} after {seen:?}"));
            }
            match read(self.master, &mut part) {
                Ok(count) => seen.push_str(&String::from_utf8_lossy(&part[..count])),
                Err(errno) => fail(&format!("errno {errno} waiting for {what:?} after {seen:?}")),
            }
        }
        seen
    }

    /// Types, waits for the end, and prints what came.
    #[track_caller]
    pub fn says(&self, keys: &str, end: &str) {
        println!("  {keys:?}: {:?}", self.types(keys, end));
    }

    /// Waits until the process in front is called so and waits for something itself.
    ///
    /// A shell that is about to wait for a key sees a signal only with the next one, and a job that is still a shell is not the job.
    #[track_caller]
    pub fn in_front(&self, name: &str) {
        let mut seen = String::new();
        for _ in 0..2_000 {
            let front = get(self.master, libc::TIOCGPGRP).unwrap_or(0);
            seen = std::fs::read_to_string(format!("/proc/{front}/stat")).unwrap_or_default();
            if seen.contains(&format!("({name}) S")) {
                return;
            }
            sleep_ms(10);
        }
        fail(&format!("waiting for {name} in front, which is {seen:?}"));
    }

    /// Waits until a whole line is read unseen. While a line is edited keys are not shown either, but come one by one.
    #[track_caller]
    pub fn reads_unseen(&self) {
        for _ in 0..2_000 {
            if settings(self.master).c_lflag & (libc::ECHO | libc::ICANON) == libc::ICANON {
                return;
            }
            sleep_ms(10);
        }
        fail("keys are still shown");
    }

    /// Reads what is left until everybody has closed the terminal.
    pub fn rest(&self) -> String {
        let mut seen = String::new();
        let mut part = [0; 4096];
        while let Ok(count) = read(self.master, &mut part) {
            seen.push_str(&String::from_utf8_lossy(&part[..count]));
        }
        plain(&seen)
    }

    pub fn end(self) -> Ended {
        let ended = wait(self.pid);
        done("close", close(self.master));
        ended
    }
}

/// Without the question where the cursor is, which depends on how fast one types, and without process numbers.
fn plain(seen: &str) -> String {
    let seen = seen.replace("\x1b[6n", "");
    let mut parts = seen.split("[1] ");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|one: char| one.is_ascii_digit());
        plain.push_str(if rest.len() < part.len() { "[1] PID" } else { "[1] " });
        plain.push_str(rest);
    }
    plain
}

/// The usual environment with some of it told anew.
pub fn environment<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let name = |variable: &&str| variable.split('=').next().map(str::to_owned);
    let usual = ENVIRONMENT.into_iter().filter(|usual| more.iter().all(|other| name(other) != name(usual)));
    usual.chain(more.iter().copied()).collect()
}

fn execute(words: &[&str], environment: &[&str]) -> i32 {
    let strings = |words: &[&str]| -> Vec<CString> { words.iter().map(|word| CString::new(*word).unwrap_or_default()).collect() };
    let (words, environment) = (strings(words), strings(environment));
    let pointers =
        |strings: &[CString]| -> Vec<*const libc::c_char> { strings.iter().map(|one| one.as_ptr()).chain([std::ptr::null()]).collect() };
    let (arguments, environment) = (pointers(&words), pointers(&environment));
    let refused = call!(SYS_execve, arguments[0], arguments.as_ptr(), environment.as_ptr());
    fail(&format!("execve: {refused:?}"))
}

pub fn set_window(master: i32, rows: u16, columns: u16) {
    let window = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    done("TIOCSWINSZ", call!(SYS_ioctl, master, libc::TIOCSWINSZ, &raw const window));
}
