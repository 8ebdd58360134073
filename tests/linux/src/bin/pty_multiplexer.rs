//! tmux, driven key by key: a terminal multiplexer's server, its panes, and clients that come, change size, go, and are cut off.
//!
//! What its screen gets depends on how fast one draws, so what is printed is what tmux itself says of its panes.
// needs: bash tmux

use std::process::Command;

use linux_tests::process::{Ended, close, exists, wait};
use linux_tests::scratch::Scratch;
use linux_tests::session::{Session, bash, environment, set_window};
use linux_tests::{check, done, equal, fail, sleep_ms};

const TMUX: &str = "/usr/bin/tmux";
const MORE: [&str; 3] = ["TERM=xterm", "LC_ALL=C.UTF-8", "SHELL=/bin/sh"];
/// One pane in a line: where it is, its size, and whether keys go to it.
const PANES: [&str; 3] = ["list-panes", "-F", "#{window_index}.#{pane_index} #{pane_width}x#{pane_height} #{pane_active}"];

fn main() {
    let tmux = Tmux::new();
    let client = tmux.begins();
    tmux.splits(&client);
    tmux.follows_the_window(&client);
    tmux.detaches(client);
    let pane = tmux.attaches();
    tmux.is_cut_off();
    tmux.has_windows();
    tmux.is_killed(pane);
}

struct Tmux {
    scratch: Scratch,
    socket: String,
}

impl Tmux {
    fn new() -> Self {
        let scratch = Scratch::new("tmux");
        let path = |name: &str| scratch.path(name).to_string_lossy().into_owned();
        let (settings, socket) = (path("settings"), path("socket"));
        let shell = format!("exec {} --norc --noprofile -i", bash());
        let words = format!(
            "set -g default-command '{shell}'\nset -g status-right ''\nset -g escape-time 0\nset -g assume-paste-time 0\nset -g automatic-rename off\n"
        );
        done("settings", std::fs::write(settings, words));
        Tmux { scratch, socket }
    }

    /// A client on a terminal of its own.
    fn client(&self, words: &[&str]) -> Session {
        let settings = self.scratch.path("settings").to_string_lossy().into_owned();
        let all = [&[TMUX, "-S", &self.socket, "-f", &settings], words].concat();
        Session::start(&self.scratch, &all, &MORE)
    }

    /// A command to the server, what it says, and its status.
    fn asked(&self, words: &[&str]) -> (String, Option<i32>) {
        let mut command = Command::new(TMUX);
        command.args(["-S", &self.socket]).args(words).env_clear();
        command.envs(environment(&MORE).iter().filter_map(|variable| variable.split_once('=')));
        let output = done("tmux", command.output());
        (String::from_utf8_lossy(&output.stdout).trim_end().to_owned(), output.status.code())
    }

    /// Asks until the answer is right.
    #[track_caller]
    fn until(&self, words: &[&str], is_right: impl Fn(&str) -> bool) -> String {
        let mut said = (String::new(), None);
        for _ in 0..500 {
            said = self.asked(words);
            if is_right(&said.0) {
                return said.0;
            }
            sleep_ms(20);
        }
        fail(&format!("{words:?} says {said:?} to the end"));
    }

    /// Waits until the panes lie so.
    #[track_caller]
    fn panes(&self, what: &str, wanted: &[&str]) {
        self.until(&PANES, |said| said.lines().eq(wanted.iter().copied()));
        println!("{what}: {wanted:?}");
    }

    /// Waits until a pane shows the text and then a prompt, and prints the pane.
    #[track_caller]
    fn pane_shows(&self, pane: &str, text: &str) {
        let words = ["capture-pane", "-p", "-t", pane];
        let is_right = |said: &str| said.contains(text) && said.lines().last() == Some("@>");
        println!("pane {pane}: {:?}", self.until(&words, is_right).lines().collect::<Vec<_>>());
    }

    fn begins(&self) -> Session {
        let client = self.client(&["new-session", "-s", "work"]);
        client.wait_for_text("@> ");
        client.keys("echo answer-$((6*7))\r");
        client.wait_for_text("answer-42");
        check("a key goes to the pane, and what it causes comes to the screen", true);
        self.pane_shows("work:0.0", "answer-42");
        self.panes("one pane, and a line for the status", &["0.0 80x23 1"]);
        client
    }

    fn splits(&self, client: &Session) {
        client.keys("\x02%");
        self.panes("side by side", &["0.0 40x23 0", "0.1 39x23 1"]);
        self.pane_shows("work:0.1", "");
        client.keys("echo right-$((1+1)); stty size\r");
        client.wait_for_text("right-2");
        self.pane_shows("work:0.1", "23 39");
        client.keys("\x02o");
        self.panes("the other", &["0.0 40x23 1", "0.1 39x23 0"]);
        client.keys("echo left-$((2+2)); stty size\r");
        client.wait_for_text("left-4");
        self.pane_shows("work:0.0", "23 40");
        client.keys("\x02\"");
        self.panes("one above the other", &["0.0 40x11 0", "0.1 40x11 1", "0.2 39x23 0"]);
        self.pane_shows("work:0.1", "");
        client.keys("busybox seq 1 300; echo low-$((3+3))\r");
        client.wait_for_text("low-6");
        self.pane_shows("work:0.1", "low-6");
        let history = self.until(&["capture-pane", "-p", "-t", "work:0.1", "-S", "-"], |said| said.contains("low-6"));
        let numbers = history.lines().filter_map(|line| line.parse::<u32>().ok());
        check("what has scrolled away is still there", numbers.eq(1..=300));
    }

    fn follows_the_window(&self, client: &Session) {
        set_window(client.master, 41, 101);
        self.panes("a larger window", &["0.0 51x20 0", "0.1 51x19 1", "0.2 49x40 0"]);
        self.program_follows(client, "work:0.1", "19 51");
        set_window(client.master, 24, 80);
        self.until(&["list-clients", "-F", "#{client_width}x#{client_height}"], |said| said == "80x24");
        println!("and back: {:?}", self.until(&PANES, |said| said.lines().count() == 3).lines().collect::<Vec<_>>());
        client.keys("\x02x");
        client.wait_for_text("kill-pane");
        client.keys("y");
        println!("a pane is killed: {:?}", self.until(&PANES, |said| said.lines().count() == 2).lines().collect::<Vec<_>>());
        self.asked(&["select-pane", "-t", "work:0.1"]);
        client.keys("\x04");
        self.panes("the last key of a shell closes its pane", &["0.0 80x23 1"]);
        self.program_follows(client, "work:0.0", "23 80");
    }

    /// Until the terminal has the size the line is drawn for another: then it is cleared away.
    #[track_caller]
    fn program_follows(&self, client: &Session, pane: &str, size: &str) {
        client.keys(&format!("until test \"$(stty size)\" = '{size}'; do busybox sleep 0.1; done; clear; echo siz''ed\r"));
        self.pane_shows(pane, "sized\n");
    }

    fn detaches(&self, client: Session) {
        client.keys("busybox sh -c 'echo slee''ping; exec sleep 1000'\r");
        client.wait_for_text("sleeping");
        client.keys("\x02d");
        let said = client.rest();
        check("a client says that it goes", said.contains("[detached (from session work)]"));
        equal("and ends well", client.end(), Ended::Exited(0));
        let sessions = ["list-sessions", "-F", "#{session_name} #{session_windows} #{session_attached}"];
        println!("the session stays: {:?}", self.asked(&sessions));
        println!("with its program: {:?}", self.until(&["list-panes", "-F", "#{pane_current_command}"], |said| said == "sleep"));
    }

    /// The process in the pane.
    fn attaches(&self) -> i32 {
        let client = self.client(&["attach-session", "-t", "work"]);
        client.wait_for_text("sleeping");
        check("who attaches sees what is there", true);
        client.keys("\x03");
        self.pane_shows("work:0.0", "^C");
        let other = self.client(&["attach-session", "-t", "work"]);
        other.wait_for_text("sleeping");
        client.keys("echo both-$((4+4))\r");
        client.wait_for_text("both-8");
        other.wait_for_text("both-8");
        check("two clients see the same", true);
        other.keys("\x02d");
        check("one goes", other.rest().contains("[detached"));
        equal("well", other.end(), Ended::Exited(0));
        self.asked(&["send-keys", "-t", "work", "clear; echo from-$((5+5))-outside", "Enter"]);
        client.wait_for_text("from-10-outside");
        self.pane_shows("work:0.0", "from-10-outside");
        client.keys("\x02d");
        client.rest();
        equal("the other too", client.end(), Ended::Exited(0));
        self.asked(&["list-panes", "-F", "#{pane_pid}"]).0.parse().unwrap_or_else(|_| fail("no number of a process"))
    }

    fn is_cut_off(&self) {
        let client = self.client(&["attach-session", "-t", "work"]);
        client.wait_for_text("outside");
        let pid = client.pid;
        done("close", close(client.master));
        println!("a client whose terminal is hung up ends: {:?}", wait(pid));
        println!("the session does not: {:?}", self.until(&["list-clients"], str::is_empty));
        println!("it is there: {:?}", self.asked(&["has-session", "-t", "work"]));
    }

    fn has_windows(&self) {
        let client = self.client(&["attach-session", "-t", "work"]);
        client.wait_for_text("outside");
        client.keys("\x02c");
        let windows = ["list-windows", "-F", "#{window_index} #{window_active}"];
        println!("another window: {:?}", self.until(&windows, |said| said == "0 0\n1 1"));
        self.pane_shows("work:1.0", "");
        client.keys("stty size; exit\r");
        println!("gone with its shell: {:?}", self.until(&windows, |said| said == "0 1"));
        client.keys("\x02d");
        client.rest();
        equal("and detached", client.end(), Ended::Exited(0));
    }

    fn is_killed(&self, pane: i32) {
        let client = self.client(&["attach-session", "-t", "work"]);
        client.wait_for_text("outside");
        check("the shell in the pane lives", exists(pane));
        println!("the server is killed: {:?}", self.asked(&["kill-server"]));
        check("its client says so", client.rest().contains("[server exited]"));
        println!("and ends: {:?}", client.end());
        println!("nobody answers: {:?}", self.asked(&["list-sessions"]));
        for _ in 0..500 {
            if !exists(pane) {
                return check("the shell in the pane is gone", true);
            }
            sleep_ms(20);
        }
        fail("the shell in the pane has outlived its terminal");
    }
}
