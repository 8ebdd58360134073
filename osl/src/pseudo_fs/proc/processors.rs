//! /proc/cpuinfo: one block for each CPU that is up.
//!
//! Invariant: the blocks come in the order of the CPUs' numbers, and there are as many as CPUs.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use abi::Errno;
use sync::{TaskContext, cpu};

use super::task_text::append;
use crate::board::{self, Processor};

pub fn read(_cx: &mut TaskContext) -> Result<Vec<u8>, Errno> {
    let online = cpu::online();
    let mut text = String::new();
    for cpu in online.iter() {
        let processor = board::get().map_or_else(Processor::default, |board| board.processor(cpu));
        text.push_str(&block(cpu.index(), &processor, online.count()));
    }
    Ok(text.into_bytes())
}

fn block(number: usize, processor: &Processor, siblings: usize) -> String {
    let mut text = format!(
        "processor\t: {number}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\nstepping\t: {}\n",
        processor.vendor, processor.family, processor.model, processor.model_name, processor.stepping
    );
    let (megahertz, rest) = (processor.kilohertz / 1000, processor.kilohertz % 1000);
    append(&mut text, format_args!("cpu MHz\t\t: {megahertz}.{rest:03}\n"));
    if processor.cache_kilobytes > 0 {
        append(&mut text, format_args!("cache size\t: {} KB\n", processor.cache_kilobytes));
    }
    append(
        &mut text,
        format_args!(
            "physical id\t: 0\nsiblings\t: {siblings}\ncore id\t\t: {number}\ncpu cores\t: {siblings}\napicid\t\t: {}\n",
            processor.apic_id
        ),
    );
    append(
        &mut text,
        format_args!(
            "fpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t: {}\nbogomips\t: {}.{:02}\n",
            processor.flags,
            processor.kilohertz / 500,
            processor.kilohertz / 5 % 100
        ),
    );
    append(
        &mut text,
        format_args!(
            "clflush size\t: 64\naddress sizes\t: {} bits physical, {} bits virtual\n\n",
            processor.physical_bits, processor.virtual_bits
        ),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_begins_with_the_number_and_ends_with_an_empty_line() {
        let processor = Processor { kilohertz: 2_400_123, apic_id: 6, flags: String::from("fpu sse2"), ..Processor::default() };
        let text = block(3, &processor, 4);
        assert!(text.starts_with("processor\t: 3\n") && text.ends_with("\n\n"));
        for line in ["cpu MHz\t\t: 2400.123\n", "apicid\t\t: 6\n", "flags\t\t: fpu sse2\n", "bogomips\t: 4800.24\n"] {
            assert!(text.contains(line), "{line:?} is not in {text}");
        }
    }
}
