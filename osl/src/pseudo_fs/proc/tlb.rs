//! /proc/tlb: how often CPUs had to forget what they remembered of page tables, and who was told.
//!
//! Invariant: every line has one column for all CPUs together, and then one for each CPU that is up.

use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::memory::forget::{COUNTED, counts};
use sync::{TaskContext, cpu};

use super::task_text::append;

pub fn read(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let columns: Vec<_> = cpu::online().iter().map(|cpu| (cpu.index(), counts(cpu))).collect();
    Ok(text(&columns).into_bytes())
}

fn text(columns: &[(usize, [u64; COUNTED.len()])]) -> String {
    let mut text = String::new();
    append(&mut text, format_args!("{:<20} {:>10}", "", "all"));
    for (cpu, _) in columns {
        append(&mut text, format_args!(" {:>10}", alloc::format!("CPU{cpu}")));
    }
    text.push('\n');
    for (row, name) in COUNTED.iter().enumerate() {
        let all: u64 = columns.iter().map(|(_, counts)| counts[row]).sum();
        append(&mut text, format_args!("{name:<20} {all:>10}"));
        columns.iter().for_each(|(_, counts)| append(&mut text, format_args!(" {:>10}", counts[row])));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_the_sum_and_a_column_for_each_cpu() {
        let text = text(&[(0, [1, 2, 3, 4, 5, 6, 7]), (2, [10; COUNTED.len()])]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["all", "CPU0", "CPU2"]);
        assert_eq!(lines[1], ["batches", "11", "1", "10"]);
        assert_eq!(lines[2], ["knocks", "sent", "12", "2", "10"]);
        assert_eq!(lines.len(), 1 + COUNTED.len());
    }
}
