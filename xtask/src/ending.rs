//! How a virtual machine ended, read from the last words of its kernel's log.

/// Exit statuses of this tool when the machine itself, and not the program, is to blame.
pub const PANIC_STATUS: u8 = 125;
pub const VANISHED_STATUS: u8 = 124;

const EXIT_STATUS: &str = "braid: exit-status ";
const PANIC: &str = "braid: panic";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The first program's status, 128 + n for a signal.
    Exited(u8),
    /// The report, from its first line to the end of the log.
    Panicked(String),
    /// Neither was said.
    Vanished,
}

impl Ending {
    pub fn of(log: &[u8]) -> Self {
        let text = String::from_utf8_lossy(log);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        if let Some(first) = lines.iter().position(|line| message(line).starts_with(PANIC)) {
            return Ending::Panicked(lines[first..].join("\n"));
        }
        let said = lines.iter().rev().find_map(|line| message(line).strip_prefix(EXIT_STATUS));
        match said.and_then(|number| number.trim().parse().ok()) {
            Some(status) => Ending::Exited(status),
            None => Ending::Vanished,
        }
    }

    pub fn status(&self) -> u8 {
        match self {
            Ending::Exited(status) => *status,
            Ending::Panicked(_) => PANIC_STATUS,
            Ending::Vanished => VANISHED_STATUS,
        }
    }
}

/// A number of microseconds that the kernel notes once, as in `braid: boot last-cpu-online 1234 us`.
pub fn microseconds(log: &[u8], event: &str) -> Option<u64> {
    let text = String::from_utf8_lossy(log);
    text.lines().find_map(|line| {
        let rest = message(line).strip_prefix("braid: boot ")?.strip_prefix(event)?;
        rest.trim().strip_suffix("us")?.trim().parse().ok()
    })
}

/// The end of a log, for a report.
pub fn tail(log: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(log);
    let all: Vec<&str> = text.lines().map(str::trim_end).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A log line without the time that may stand before it in brackets.
fn message(line: &str) -> &str {
    let line = line.trim_start();
    match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((_, message)) => message.trim_start(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_status_said_is_the_one_that_counts() {
        let log = b"braid: exit-status 1\r\n[    1.25] braid: exit-status 7\r\n";
        assert_eq!(Ending::of(log), Ending::Exited(7));
    }

    #[test]
    fn a_panic_counts_more_than_a_status_and_keeps_its_whole_report() {
        let log = b"[0.1] started\n[0.2] braid: panic on CPU 1: the queue is gone\n  at f\nbraid: exit-status 0\n";
        let Ending::Panicked(report) = Ending::of(log) else { panic!("no panic seen") };
        assert!(report.contains("the queue is gone\n  at f"));
        assert_eq!(Ending::of(log).status(), 125);
    }

    #[test]
    fn silence_and_nonsense_are_neither() {
        for log in [&b""[..], b"hello\n", b"braid: exit-status 256\n", b"say braid: exit-status 0\n", b"\xff\xfe"] {
            assert_eq!(Ending::of(log), Ending::Vanished);
        }
        assert_eq!(Ending::Vanished.status(), 124);
    }

    #[test]
    fn boot_times_are_read_by_their_names() {
        let log = b"[0.03] braid: boot last-cpu-online 30500 us\nbraid: boot first-user-instruction 71000 us\n";
        assert_eq!(microseconds(log, "last-cpu-online"), Some(30_500));
        assert_eq!(microseconds(log, "first-user-instruction"), Some(71_000));
        assert_eq!(microseconds(log, "something-else"), None);
    }
}
