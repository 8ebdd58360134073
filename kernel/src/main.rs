//! The boot, top to bottom, like a table of contents.
//!
//! Invariant: each line may use what the lines above it have made, and nothing else.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(target_os = "none", no_main)]

extern crate alloc;

mod board;
mod command_line;
mod debug;
mod first_program;
mod panic;
mod places;
mod stacks;
mod symbols;
mod upcalls;

#[cfg(target_os = "none")]
mod entry {
    //! The two symbols that the machine's start-up code calls, and the panic handler.

    use super::panic;
    use core::panic::PanicInfo;
    use machine::boot::BootInfo;
    use sync::CpuId;

    #[unsafe(no_mangle)]
    fn kernel_main(info: BootInfo) -> ! {
        super::boot(&info)
    }

    #[unsafe(no_mangle)]
    fn kernel_cpu_main(cpu: CpuId) -> ! {
        super::another_cpu(cpu)
    }

    #[panic_handler]
    fn panicked(information: &PanicInfo<'_>) -> ! {
        panic::panicked(information)
    }
}

use command_line::CommandLine;
use libkernel::thread::current;
use libkernel::{address_space, clock, info, log, memory, sched, thread, wait, warn};
use machine::boot::BootInfo;
use machine::{acpi, apic, power, serial, trap};
use sync::CpuId;

/// The boot CPU's way from its first line to idleness.
fn boot(boot_info: &BootInfo) -> ! {
    serial::Port::new(serial::COM1).initialise(); // nothing typed after the log's first byte is lost
    serial::Port::new(serial::COM2).initialise(); // the log's line
    log::set_sink(first_program::write_log);
    trap::upcalls::install(&upcalls::UPCALLS); // from here on a fault is a report
    memory::initialise(boot_info); // frames, page tables, heap
    let tables = find_tables(boot_info); // what the firmware says there is
    power::configure(tables.soft_off);
    apic::local::initialise_this_cpu();
    apic::io::initialise(&tables);
    let arrivals = machine::boot::start_cpus(boot_info, &tables.cpus, &mut stacks::of_cpu); // all others at once; the clock's rate
    clock::initialise(boot_info.entry_ticks);
    let all_online = clock::now();
    refuse(boot_info.command_line);
    shake(boot_info.command_line); // if that is asked for: before anything can be disturbed
    sched::initialise_cpu(CpuId::BOOT); // from here on there is a current thread
    wait::timers::initialise(); // and sleepers are called
    thread::user::set_return_hook(osl::signal::before_return);
    thread::user::set_absence_hook(osl::signal::sequence::after_absence);
    report(&arrivals, all_online);
    if address_space::kernel_pages::initialise().is_err() {
        warn!("no memory for the clock that programs read: they ask the kernel");
    }
    board::register(boot_info);
    sync::cpu::enable_interrupts();
    let mut cx = current::enter();
    first_program::begin(&mut cx, boot_info, CommandLine::parse(boot_info.command_line));
    sched::start_idle(CpuId::BOOT)
}

/// Every other CPU, once it is up.
fn another_cpu(cpu: CpuId) -> ! {
    sched::initialise_cpu(cpu);
    sched::start_idle(cpu)
}

fn find_tables(info: &BootInfo) -> acpi::Tables {
    match acpi::read(info.root_pointer) {
        Ok(tables) => tables,
        Err(error) => panic!("the ACPI tables cannot be used: {error:?}"),
    }
}

/// `fail=ODDS`, `fail-lists=ODDS` and `fail-seed=SEED`: one in so many requests for a frame, or for room in a list, is refused, once
/// the first program runs.
fn refuse(line: &str) {
    let number = |name| command_line::early_number(line, name);
    let (odds, odds_of_lists) = (number("fail").unwrap_or(0), number("fail-lists").unwrap_or(0));
    if odds == 0 && odds_of_lists == 0 {
        return;
    }
    if !memory::refuse_by_lot(odds, odds_of_lists, number("fail-seed").unwrap_or(1)) {
        warn!("fail={odds}: this kernel has no debug assertions, and refuses nothing by lot");
    }
}

/// `chaos=SEED`: from here on everything that may happen at some moment happens at random ones. `twin=NUMBER`: and wrongly.
fn shake(line: &str) {
    let Some(seed) = command_line::early_number(line, "chaos") else { return };
    if let Some(twin) = command_line::early_number(line, "twin") {
        sync::twin::make(twin as usize);
        warn!("this kernel makes mistake {twin} of sync::twin on purpose");
    }
    if sync::chaos::start(seed, machine::clock::tsc::frequency() / 1_000_000) {
        info!("braid: chaos seed {seed}");
    } else {
        warn!("chaos={seed}: this kernel was not built to be shaken");
    }
}

fn report(arrivals: &machine::boot::Arrivals, all_online: u64) {
    info!("Braid {}: {} CPUs, {} MiB free", env!("CARGO_PKG_VERSION"), arrivals.online, memory::statistics().free / 256);
    info!("braid: boot last-cpu-online {} us", all_online / 1000);
    for apic_id in &arrivals.missing {
        warn!("the CPU with APIC id {apic_id} did not come up and is left out");
    }
    if arrivals.left_out > 0 {
        warn!("{} CPUs were not called: the kernel takes {}", arrivals.left_out, sync::MAXIMUM_CPUS);
    }
    let step = machine::clock::tsc::worst_step_back();
    if step > 0 {
        warn!("the CPUs' clocks differ: up to {step} ticks back");
    }
}

/// On the host there is nothing to boot.
#[cfg(not(target_os = "none"))]
fn main() {
    let _not_called_here: [*const (); 2] = [boot as fn(&BootInfo) -> ! as *const (), another_cpu as fn(CpuId) -> ! as *const ()];
    std::println!("the kernel is built for x86_64-unknown-none; see `cargo xtask run`");
}
