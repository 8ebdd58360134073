//! Shells and editors on a pseudo-terminal, driven key by key: line editing, history, completion, job control, windows, hang-up.
// needs: bash

use linux_tests::asleep::wait_until_asleep;
use linux_tests::process::{Ended, close, wait};
use linux_tests::scratch::Scratch;
use linux_tests::session::{Session, bash, bash_name, busybox, set_window};
use linux_tests::{check, done, equal};

/// The prompt on a line of its own: what a redrawn line begins with does not count.
const PROMPT: &str = "\r\n@> ";
const FIRST_PROMPT: &str = "@> ";
/// A shell waits for the process in the background to stand still, and takes note of it.
const UNTIL_STOPPED: &str = "until busybox grep -q State:.T /proc/$!/status; do busybox sleep 0.1; done; busybox true";
const LEFT: &str = "\x1b[D";
const UP: &str = "\x1b[A";

fn main() {
    let scratch = Scratch::new("shells");
    for name in ["alpha_one", "alpha_two", "beta"] {
        scratch.file(name, b"some text\n", 0o644);
    }
    bash_edits(&scratch);
    bash_jobs(&scratch);
    bash_is_hung_up(&scratch);
    busybox_edits(&scratch);
    busybox_jobs(&scratch);
    editors(&scratch);
}

fn start_bash(scratch: &Scratch) -> Session {
    let session = Session::start(scratch, &[bash(), "--norc", "--noprofile", "-i"], &["LC_ALL=C"]);
    println!("bash begins: {:?}", session.until(FIRST_PROMPT));
    session
}

fn bash_edits(scratch: &Scratch) {
    let bash = start_bash(scratch);
    bash.says("echo one two\r", PROMPT);
    bash.says(&format!("cho hi\x01e\x05 there{LEFT}{LEFT}\x7f\x7f\r"), PROMPT);
    bash.says("echo one two three\x17\x17four\r", PROMPT);
    bash.says("garbage\x15echo clean\r", PROMPT);
    bash.says("echo ab\x02\x02\x0b\x19\x19\r", PROMPT);
    bash.says("echo xy\x14\r", PROMPT);
    bash.says(&format!("{UP}\r"), PROMPT);
    bash.says(&format!("{UP}{UP}{UP}\r"), PROMPT);
    bash.says("\x12one\r", PROMPT);
    bash.says("echo be\t\r", PROMPT);
    bash.says("echo al\tt\t\r", PROMPT);
    bash.says("echo al\t", "pha_");
    bash.says("\t\t", "@> echo alpha_");
    bash.says("\x15\r", PROMPT);
    bash.says("no such thing", "no such thing");
    bash.in_front(bash_name());
    bash.says("\x03", PROMPT);
    bash.says("busybox sh -c 'echo ready; exec cat'\r", "ready\r\n");
    bash.says("line\x7f\x7fked\rmore\r\x04", PROMPT);
    bash.says("read -s x\r", "\r\n");
    bash.reads_unseen();
    bash.says("hidden\r", FIRST_PROMPT);
    bash.says("echo $x\r", PROMPT);
    bash.says("stty size\r", PROMPT);
    bash.in_front(bash_name());
    set_window(bash.master, 50, 132);
    println!("bash draws the line anew: {:?}", bash.until("\r@> "));
    bash.says("stty size; echo $LINES $COLUMNS\r", PROMPT);
    bash.says("trap 'echo changed' WINCH\r", PROMPT);
    bash.says("tty -s && test -t 0 && echo a terminal\r", PROMPT);
    println!("bash ends: {:?}", bash.types("\x04", "exit\r\n"));
    equal("and nobody is left", (bash.rest(), bash.end()), (String::new(), Ended::Exited(0)));
}

fn bash_jobs(scratch: &Scratch) {
    let bash = start_bash(scratch);
    let sleeper = "busybox sh -c 'echo ready; exec sleep 1000'\r";
    bash.says(sleeper, "ready\r\n");
    bash.says("\x03", PROMPT);
    bash.says("echo $?\r", PROMPT);
    bash.says("cat\r", "cat\r\n");
    bash.in_front("cat");
    bash.says("\x1c", PROMPT);
    bash.says(sleeper, "ready\r\n");
    bash.says("\x1a", PROMPT);
    bash.says("echo $?; jobs\r", PROMPT);
    bash.says("bg\r", PROMPT);
    bash.says("jobs\r", PROMPT);
    bash.says("fg\r", "sleep 1000'\r\n");
    bash.in_front("sleep");
    bash.says("\x1a", PROMPT);
    bash.says("fg %1\r", "sleep 1000'\r\n");
    bash.in_front("sleep");
    bash.says("\x03", PROMPT);
    bash.says(&format!("cat & {UNTIL_STOPPED}\r"), PROMPT);
    bash.says("jobs\r", PROMPT);
    bash.says("fg\r", "cat\r\n");
    bash.in_front("cat");
    bash.says("to cat\r", "to cat\r\nto cat\r\n");
    bash.says("\x04", FIRST_PROMPT);
    bash.says(&format!("stty tostop; (echo too early) & {UNTIL_STOPPED}\r"), PROMPT);
    bash.says("jobs\r", PROMPT);
    bash.says("stty -tostop; fg\r", PROMPT);
    bash.says("sleep 1000 | busybox sh -c 'echo ready; exec cat'\r", "ready\r\n");
    bash.in_front("sleep");
    bash.says("\x1a", PROMPT);
    println!("leaving with jobs: {:?}", bash.types("exit\r", PROMPT));
    println!("insisting: {:?}", bash.types("exit\r", "exit\r\nexit\r\n"));
    let _words_of_the_jobs = bash.rest();
    check("bash ends", matches!(bash.end(), Ended::Exited(_)));
}

fn bash_is_hung_up(scratch: &Scratch) {
    let bash = start_bash(scratch);
    bash.keys("busybox sh -c 'echo ready; exec sleep 1000' & wait\r");
    // The shell says the job's number before or after that. A hang-up that it hears of before it waits does not end its wait.
    bash.wait_for_texts(&["ready\r\n", "[1] "]);
    wait_until_asleep(bash.pid);
    let pid = bash.pid;
    done("close", close(bash.master));
    equal("a shell dies of the hang-up", wait(pid), Ended::Killed(libc::SIGHUP));
    let bash = start_bash(scratch);
    bash.types("exec busybox sh -c 'trap \"\" HUP; echo ready; cat; exit 7'\r", "ready\r\n");
    let pid = bash.pid;
    done("close", close(bash.master));
    equal("who ignores it finds the end of its input", wait(pid), Ended::Exited(7));
}

fn start_busybox(scratch: &Scratch) -> Session {
    let session = Session::start(scratch, &[busybox(), "sh", "-i"], &["LC_ALL=C"]);
    session.until(FIRST_PROMPT);
    session
}

fn busybox_edits(scratch: &Scratch) {
    println!("busybox begins");
    let shell = start_busybox(scratch);
    shell.says("echo one two\r", PROMPT);
    shell.says(&format!("cho hi\x01e\x05 there{LEFT}{LEFT}\x7f\x7f\r"), PROMPT);
    shell.says("echo one two three\x17\x17four\r", PROMPT);
    shell.says("garbage\x15echo clean\r", PROMPT);
    shell.says(&format!("{UP}\r"), PROMPT);
    shell.says(&format!("{UP}{UP}{UP}\r"), PROMPT);
    shell.says("echo be\t\r", PROMPT);
    shell.says("echo al\tt\t\r", PROMPT);
    shell.says("no such thing", "no such thing");
    shell.in_front("busybox");
    shell.says("\x03", PROMPT);
    shell.says("stty size\r", PROMPT);
    shell.in_front("busybox");
    set_window(shell.master, 30, 100);
    println!("busybox draws the line anew: {:?}", shell.until("\x1b[J"));
    shell.says("stty size\r", PROMPT);
    shell.types("exit 3\r", "exit 3\r\n");
    equal("busybox ends", (shell.rest(), shell.end()), (String::new(), Ended::Exited(3)));
}

fn busybox_jobs(scratch: &Scratch) {
    let shell = start_busybox(scratch);
    let sleeper = "busybox sh -c 'echo ready; exec sleep 1000'\r";
    shell.says(sleeper, "ready\r\n");
    shell.says("\x03", PROMPT);
    shell.says(sleeper, "ready\r\n");
    shell.says("\x1a", PROMPT);
    shell.says("bg\r", PROMPT);
    shell.says("jobs\r", PROMPT);
    shell.says("fg\r", "1000\"\r\n");
    shell.in_front("sleep");
    shell.says("\x03", PROMPT);
    shell.types("\x04", "");
    let _last_words = shell.rest();
    check("busybox ends at the end of its input", matches!(shell.end(), Ended::Exited(_)));
}

fn editors(scratch: &Scratch) {
    let text = scratch.path("text");
    let name = text.to_str().unwrap_or_default();
    let vi = Session::start(scratch, &[busybox(), "vi", name], &[]);
    let (commands, inserting) = (format!("- {name}"), format!("I {name}"));
    vi.wait_for_text(&commands);
    // What follows an escape too soon is a key's name to it, so its last line has to say that it took that one in.
    for (keys, mode) in [("ione two\rthree", &inserting), ("\x1b", &commands), ("ggdwix", &inserting), ("\x1b", &commands)] {
        vi.keys(keys);
        vi.wait_for_text(mode);
    }
    vi.keys("yyp:wq\r");
    let _screen = vi.rest();
    equal("vi ends", vi.end(), Ended::Exited(0));
    println!("what vi wrote: {:?}", std::fs::read_to_string(&text));
    let long: String = (0..100).map(|number| format!("line {number}\n")).collect();
    done("writing", std::fs::write(&text, long));
    let less = Session::start(scratch, &[busybox(), "less", name], &[]);
    less.wait_for_text("line 22");
    check("less shows a page", true);
    less.keys(" ");
    less.wait_for_text("line 45");
    check("and the next", true);
    less.keys("q");
    let _screen = less.rest();
    equal("less ends", less.end(), Ended::Exited(0));
    let top = Session::start(scratch, &[busybox(), "top"], &[]);
    top.wait_for_text("PID");
    top.keys("q");
    let _screen = top.rest();
    equal("top shows the processes and ends", top.end(), Ended::Exited(0));
}
