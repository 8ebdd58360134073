//! The lines of /proc/PID/stat, statm and status, made from a snapshot.
//!
//! Invariant: fields stand at the places `man 5 proc` gives them; what this kernel does not count is printed as 0.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use super::cpu_list;
use super::snapshot::Snapshot;

const PAGE_BYTES: u64 = 4096;
const TICK_NS: u64 = 10_000_000;

/// Hundredths of a second, the unit of every time in /proc/PID/stat.
pub fn ticks(nanoseconds: u64) -> u64 {
    nanoseconds / TICK_NS
}

/// The number that `top` shows as priority: 20 + nice, or below zero for real time.
fn shown_priority(task: &Snapshot) -> i32 {
    match i32::try_from(task.real_time_priority) {
        Ok(priority) if priority > 0 => -1 - priority,
        _ => 20 + task.nice,
    }
}

/// /proc/PID/stat: 52 fields on one line.
pub fn stat(task: &Snapshot) -> String {
    let mut line = format!(
        "{} ({}) {} {} {} {} {} {} 0 {} {} 0 0",
        task.thread,
        task.name,
        task.state,
        task.parent,
        task.group,
        task.session,
        task.terminal,
        task.foreground,
        task.faults,
        task.children_faults
    );
    let spent = [task.spent.user_ns, task.spent.system_ns, task.children.user_ns, task.children.system_ns];
    for nanoseconds in spent {
        append(&mut line, format_args!(" {}", ticks(nanoseconds)));
    }
    append(
        &mut line,
        format_args!(
            " {} {} {} 0 {} {} {} {}",
            shown_priority(task),
            task.nice,
            task.threads,
            ticks(task.started_ns),
            task.mapped_bytes,
            task.resident_pages,
            u64::MAX
        ),
    );
    // Code and stack addresses are nobody's business but the process's own: zero, as Linux prints for strangers.
    line.push_str(" 0 0 0 0 0");
    let signals = &task.signals;
    append(
        &mut line,
        format_args!(
            " {} {} {} {} 0 0 0 17 {} {} {} 0 0 0 0 0 0 0 0 0 0 0\n",
            signals.pending & i64::MAX.cast_unsigned(),
            signals.blocked & i64::MAX.cast_unsigned(),
            signals.ignored & i64::MAX.cast_unsigned(),
            signals.caught & i64::MAX.cast_unsigned(),
            task.cpu,
            task.real_time_priority,
            task.policy
        ),
    );
    line
}

/// /proc/PID/statm, in pages.
pub fn statm(task: &Snapshot) -> String {
    format!("{} {} 0 0 0 {} 0\n", task.mapped_bytes / PAGE_BYTES, task.resident_pages, task.resident_pages)
}

/// /proc/PID/status.
pub fn status(task: &Snapshot) -> String {
    let mut text = String::new();
    identity(&mut text, task);
    memory(&mut text, task);
    signals(&mut text, task);
    let capabilities: u64 = if task.privileged { 0x1ff_ffff_ffff } else { 0 };
    for (name, value) in [("Inh", 0), ("Prm", capabilities), ("Eff", capabilities), ("Bnd", 0x1ff_ffff_ffff), ("Amb", 0)] {
        append(&mut text, format_args!("Cap{name}:\t{value:016x}\n"));
    }
    append(
        &mut text,
        format_args!(
            "NoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed:\t{}\nCpus_allowed_list:\t{}\n",
            cpu_list::mask(task.affinity),
            cpu_list::ranges(task.affinity)
        ),
    );
    append(
        &mut text,
        format_args!(
            "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n",
            task.voluntary_switches, task.involuntary_switches
        ),
    );
    text
}

fn identity(text: &mut String, task: &Snapshot) {
    append(
        text,
        format_args!(
            "Name:\t{}\nUmask:\t{:04o}\nState:\t{} ({})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\n",
            task.name,
            task.umask,
            task.state,
            state_name(task.state),
            task.process,
            task.thread,
            task.parent
        ),
    );
    for (name, values) in [("Uid", task.users), ("Gid", task.groups)] {
        let [real, effective, saved, file_system] = values;
        append(text, format_args!("{name}:\t{real}\t{effective}\t{saved}\t{file_system}\n"));
    }
    append(text, format_args!("FDSize:\t{}\nGroups:\t", task.descriptor_places));
    for group in &task.further_groups {
        append(text, format_args!("{group} "));
    }
    text.push('\n');
}

fn memory(text: &mut String, task: &Snapshot) {
    if task.state != 'Z' {
        let mapped = task.mapped_bytes / 1024;
        let resident = task.resident_pages.saturating_mul(PAGE_BYTES) / 1024;
        append(text, format_args!("VmPeak:\t{mapped:>8} kB\nVmSize:\t{mapped:>8} kB\nVmLck:\t{:>8} kB\n", 0));
        append(text, format_args!("VmHWM:\t{resident:>8} kB\nVmRSS:\t{resident:>8} kB\nVmSwap:\t{:>8} kB\n", 0));
    }
    append(text, format_args!("Threads:\t{}\n", task.threads));
}

fn signals(text: &mut String, task: &Snapshot) {
    let sets = &task.signals;
    for (name, set) in [
        ("SigPnd", sets.pending),
        ("ShdPnd", sets.shared_pending),
        ("SigBlk", sets.blocked),
        ("SigIgn", sets.ignored),
        ("SigCgt", sets.caught),
    ] {
        append(text, format_args!("{name}:\t{set:016x}\n"));
    }
}

fn state_name(state: char) -> &'static str {
    match state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "disk sleep",
        'T' => "stopped",
        'Z' => "zombie",
        _ => "dead",
    }
}

/// Writing to a `String` cannot fail, so there is nothing to pass on.
pub(super) fn append(text: &mut String, what: core::fmt::Arguments<'_>) {
    let _always_succeeds = text.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn fields(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    #[test]
    fn a_stat_line_has_fifty_two_fields_in_their_places() {
        let line = stat(&Snapshot::example());
        let fields = fields(&line);
        assert_eq!(fields.len(), 52);
        let at = |number: usize| fields[number - 1];
        assert_eq!((at(1), at(2), at(3), at(4)), ("42", "(sh)", "S", "1"));
        assert_eq!((at(10), at(11), at(12), at(13)), ("77", "8", "0", "0"));
        assert_eq!((at(14), at(15), at(16)), ("123", "5", "0"));
        assert_eq!((at(18), at(19), at(20)), ("25", "5", "1"));
        assert_eq!((at(22), at(23), at(24)), ("200", "8388608", "100"));
        assert_eq!((at(38), at(39), at(41)), ("17", "3", "0"));
    }

    #[test]
    fn real_time_shows_as_a_priority_below_zero() {
        let mut task = Snapshot::example();
        task.policy = 1;
        task.real_time_priority = 99;
        let line = stat(&task);
        assert_eq!(fields(&line)[17], "-100");
        assert_eq!(fields(&line)[39], "99");
    }

    #[test]
    fn statm_counts_pages() {
        assert_eq!(statm(&Snapshot::example()), "2048 100 0 0 0 100 0\n");
    }

    #[test]
    fn status_names_users_cpus_and_groups() {
        let text = status(&Snapshot::example());
        for line in [
            "Name:\tsh\n",
            "Umask:\t0022\n",
            "State:\tS (sleeping)\n",
            "Uid:\t1000\t1000\t1000\t1000\n",
            "Groups:\t4 24 \n",
            "VmSize:\t    8192 kB\n",
            "SigBlk:\t0000000000010000\n",
            "Cpus_allowed_list:\t0-1,3\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
    }

    #[test]
    fn a_zombie_has_no_memory_lines() {
        let mut task = Snapshot::example();
        task.state = 'Z';
        assert!(!status(&task).contains("VmSize"));
    }
}
