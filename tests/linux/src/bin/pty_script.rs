//! Debian's `script`: a shell on a terminal within a terminal, and the record of what passed.
// needs: bash script

use linux_tests::process::{Ended, close, wait};
use linux_tests::scratch::Scratch;
use linux_tests::session::{Session, bash, set_window};
use linux_tests::{check, done, equal, sleep_ms};

const SCRIPT: &str = "/usr/bin/script";
const PROMPT: &str = "\r\n@> ";
const ENVIRONMENT: [&str; 2] = ["LC_ALL=C", "SHELL=/bin/sh"];

fn main() {
    let scratch = Scratch::new("script");
    a_shell_is_recorded(&scratch);
    the_record_goes_on(&scratch);
    statuses(&scratch);
    hung_up(&scratch);
}

fn record(scratch: &Scratch) -> String {
    done("the record", std::fs::read_to_string(scratch.path("record")))
}

/// The record without its first and last line, which have the time in them.
fn recorded(scratch: &Scratch) -> String {
    let text = record(scratch);
    let lines: Vec<&str> = text.split('\n').collect();
    let is_framed = lines.first().is_some_and(|line| line.starts_with("Script started on "))
        && lines.get(lines.len() - 2).is_some_and(|line| line.starts_with("Script done on "));
    check("the record says when it began and when it ended", is_framed);
    lines[1..lines.len() - 2].join("\n")
}

fn a_shell_is_recorded(scratch: &Scratch) {
    let shell = format!("exec {} --norc --noprofile -i", bash());
    let outer = Session::start(scratch, &[SCRIPT, "-q", "-c", &shell, "-T", "times", "record"], &ENVIRONMENT);
    println!("script begins: {:?}", outer.until("@> "));
    outer.says("echo one two\r", PROMPT);
    outer.says("ech\x01\x05o edited\r", PROMPT);
    outer.says("tty -s && stty size\r", PROMPT);
    outer.says("echo $LINES; until test \"$(stty size)\" = '31 97'; do busybox sleep 0.02; done; stty size\r", "24\r\n");
    set_window(outer.master, 31, 97);
    println!("the window within follows: {:?}", outer.until(PROMPT));
    outer.says("busybox sh -c 'echo ready; exec cat'\r", "ready\r\n");
    outer.says("to cat\r", "to cat\r\nto cat\r\n");
    outer.says("\x04", "@> ");
    outer.says("busybox sh -c 'echo ready; exec sleep 1000'\r", "ready\r\n");
    outer.says("\x03", PROMPT);
    outer.says("busybox sh -c 'echo ready; exec sleep 1000'\r", "ready\r\n");
    outer.says("\x1a", PROMPT);
    outer.says("jobs\r", PROMPT);
    outer.says("bg; kill %1; wait %1; echo $?\r", PROMPT);
    outer.keys("exit\r");
    println!("script ends: {:?}", outer.rest());
    equal("and so does the session", outer.end(), Ended::Exited(0));
    let text = recorded(scratch);
    println!("the record:");
    text.lines().for_each(|line| println!("  {line:?}"));
    let times = done("the times", std::fs::read_to_string(scratch.path("times")));
    let counted: usize = times.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum();
    println!("the times account for the bytes: {}", counted == text.len() || counted == text.len() + 1);
}

fn the_record_goes_on(scratch: &Scratch) {
    let before = record(scratch).len();
    let outer = Session::start(scratch, &[SCRIPT, "-q", "-a", "-c", "echo appended; tty -s; echo $?", "record"], &ENVIRONMENT);
    println!("a command: {:?}", outer.rest());
    equal("ends", outer.end(), Ended::Exited(0));
    let after = record(scratch);
    check("what was there stays", after.len() > before && after[before..].contains("appended\r\n0\r\n"));
}

fn statuses(scratch: &Scratch) {
    let of = |command: &str| {
        let outer = Session::start(scratch, &[SCRIPT, "-q", "-e", "-c", command, "/dev/null"], &ENVIRONMENT);
        let said = outer.rest();
        (said, outer.end())
    };
    println!("a status passes on: {:?}", of("exit 7"));
    println!("and a signal: {:?}", of("kill -TERM $$"));
    let (said, ended) = of("busybox seq 1 5000");
    println!("much output: {:?}, {} lines, the last {:?}", ended, said.lines().count(), said.lines().last());
}

fn hung_up(scratch: &Scratch) {
    let text = b"trap : HUP; echo set; cat; echo over >>ending";
    scratch.file("leader", text, 0o755);
    let outer = Session::start(scratch, &[SCRIPT, "-q", "-f", "-c", "exec busybox sh ./leader", "record"], &ENVIRONMENT);
    outer.until("set\r\n");
    let pid = outer.pid;
    done("close", close(outer.master));
    println!("when its own terminal is hung up it ends: {:?}", wait(pid));
    let mut said = String::new();
    for _ in 0..1_000 {
        said = std::fs::read_to_string(scratch.path("ending")).unwrap_or_default();
        if said.ends_with("over\n") {
            break;
        }
        sleep_ms(10);
    }
    println!("and who it recorded reads to the end: {said:?}");
}
