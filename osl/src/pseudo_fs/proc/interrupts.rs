//! /proc/interrupts: how often each interrupt came, for each CPU.
//!
//! Invariant: every line has one column for each CPU that is up.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use libkernel::interrupt;
use sync::{CpuId, TaskContext, cpu};

use super::task_text::append;

/// One source of interrupts.
struct Row {
    label: String,
    counts: Vec<u64>,
    meaning: String,
}

/// Linux's names of the fixed vectors: timer, knock, call, spurious.
const FIXED_LABELS: [&str; interrupt::FIXED.len()] = ["LOC", "RES", "CAL", "SPU"];

pub fn read(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let cpus: Vec<CpuId> = cpu::online().iter().collect();
    let counts = |vector: u8| cpus.iter().map(|&cpu| interrupt::count_of(vector, cpu)).collect();
    let mut rows = Vec::new();
    interrupt::for_each_device(|vector, name| {
        rows.push(Row { label: format!("{vector}"), counts: counts(vector), meaning: format!("IO-APIC  {name}") });
    });
    for (label, (vector, meaning)) in FIXED_LABELS.into_iter().zip(interrupt::FIXED) {
        rows.push(Row { label: String::from(label), counts: counts(vector), meaning: String::from(meaning) });
    }
    let numbers: Vec<usize> = cpus.iter().map(|cpu| cpu.index()).collect();
    Ok(text(&numbers, &rows).into_bytes())
}

fn text(cpus: &[usize], rows: &[Row]) -> String {
    let mut text = String::from("     ");
    for cpu in cpus {
        let label = format!("CPU{cpu}");
        append(&mut text, format_args!("{label:>10} "));
    }
    text.push('\n');
    for row in rows {
        append(&mut text, format_args!("{:>4}:", row.label));
        for count in &row.counts {
            append(&mut text, format_args!("{count:>10} "));
        }
        append(&mut text, format_args!("  {}\n", row.meaning));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_column_for_each_cpu() {
        let row = Row { label: String::from("LOC"), counts: alloc::vec![12, 3], meaning: String::from("Timer") };
        let text = text(&[0, 1], &[row]);
        assert_eq!(text, "           CPU0       CPU1 \n LOC:        12          3   Timer\n");
    }
}
