//! The time and the CPU's number without a system call: the same answers as with one, on every CPU, at once after the clock is set.

use linux_tests::memory::{PAGE, READ, READ_WRITE, bytes, fate_of, peek, poke, protect, unmap};
use linux_tests::process::{Ended, child_must_succeed, in_a_child};
use linux_tests::vdso::{Functions, Object, place};
use linux_tests::{Errno, allowed_cpus, call, check, done, equal, is_braid, must, must_equal, pin_to};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

const SECOND: u64 = 1_000_000_000;

fn main() {
    let object = Object::at(place());
    names(&object);
    let functions = object.functions();
    beside_system_calls(functions);
    what_is_not_known(functions);
    never_back_among_threads(functions);
    cpu_numbers(functions);
    setting_the_clock(functions);
    in_the_list_of_mappings();
    in_children(functions);
    moved_and_unmapped(functions);
}

fn names(object: &Object) {
    let symbols = object.symbols();
    for name in ["clock_gettime", "clock_getres", "gettimeofday", "time", "getcpu"] {
        let find = |wanted: &str| symbols.iter().find(|(name, version, _)| name == wanted && version == "LINUX_2.6").map(|found| found.2);
        let found = find(&format!("__vdso_{name}"));
        check(name, found.is_some() && found == find(name));
    }
}

fn system_now(clock: i32) -> Result<u64, Errno> {
    let mut time = [0_u64; 2];
    call!(SYS_clock_gettime, clock, time.as_mut_ptr())?;
    Ok(time[0] * SECOND + time[1])
}

fn beside_system_calls(functions: Functions) {
    for clock in [0, 1, 4, 5, 6, 7, 11] {
        let mut last = done("clock_gettime", system_now(clock));
        for _ in 0..2_000 {
            let own = done("the function", functions.now(clock));
            let system = done("clock_gettime", system_now(clock));
            must(&format!("clock {clock}: {last} {own} {system}"), last <= own && own <= system);
            last = system;
        }
        println!("clock {clock} tells the same with and without a system call");
    }
    for _ in 0..2_000 {
        let (mut before, mut time, mut after) = ([0_u64; 2], [0_u64; 2], [0_u64; 2]);
        done("gettimeofday", call!(SYS_gettimeofday, before.as_mut_ptr(), 0));
        must_equal("gettimeofday", (functions.gettimeofday)(&raw mut time, std::ptr::null_mut()), 0);
        done("gettimeofday", call!(SYS_gettimeofday, after.as_mut_ptr(), 0));
        must("the time of day", before <= time && time <= after && time[1] < 1_000_000);
    }
    println!("the time of day too");
    let mut zone = [7_u32; 2];
    equal("no time and a zone", ((functions.gettimeofday)(std::ptr::null_mut(), &raw mut zone), zone), (0, [0, 0]));
    let mut stored = 0;
    let before = done("time", call!(SYS_time, 0));
    let told = (functions.time)(&raw mut stored);
    must("seconds", before <= told as usize && told as usize <= done("time", call!(SYS_time, 0)));
    equal("seconds are stored and told", stored, told);
    check("seconds need no place", (functions.time)(std::ptr::null_mut()) >= told);
}

fn what_is_not_known(functions: Functions) {
    for clock in [-1, 10, 12, 32, 99, i32::MAX, i32::MIN] {
        let own = functions.now(clock).err();
        must_equal(&format!("clock {clock}"), own, system_now(clock).err());
        let mut place = [0; 2];
        let resolution = (functions.clock_getres)(clock, &raw mut place);
        let system = call!(SYS_clock_getres, clock, place.as_mut_ptr());
        must_equal("its resolution", (resolution != 0).then_some(-resolution), system.err());
    }
    println!("clocks that there are not are refused alike");
    for clock in [2, 3, !std::process::id().cast_signed() << 3 | 2] {
        must("processor time", done("the function", functions.now(clock)) <= done("clock_gettime", system_now(clock)));
    }
    println!("processor time is asked of the kernel");
    for clock in [0, 1, 4, 7, 11] {
        let (mut own, mut system) = ([7; 2], [8; 2]);
        must_equal("clock_getres", (functions.clock_getres)(clock, &raw mut own), 0);
        done("clock_getres", call!(SYS_clock_getres, clock, system.as_mut_ptr()));
        must_equal("resolutions", own, system);
        must_equal("no place for it", (functions.clock_getres)(clock, std::ptr::null_mut()), 0);
    }
    println!("resolutions are the same");
    let wild = fate_of(|| must("it does not come back", (functions.clock_gettime)(1, 0x10 as *mut [u64; 2]) != 0));
    equal("a wild pointer", wild, Ended::Killed(libc::SIGSEGV));
}

/// What one thread has published, by either way, another on another CPU never finds in its future.
fn never_back_among_threads(functions: Functions) {
    let latest = Arc::new(AtomicU64::new(0));
    let threads = allowed_cpus().into_iter().cycle().take(8).enumerate().map(|(number, cpu)| {
        let latest = latest.clone();
        std::thread::spawn(move || {
            done("pin", pin_to(cpu));
            for turn in 0..4_000 {
                let before = latest.load(SeqCst);
                let is_call = turn % 4 == number % 4;
                let now = done("the time", if is_call { system_now(1) } else { functions.now(1) });
                must(&format!("not before what another saw: {before} {now}"), before <= now);
                latest.fetch_max(now, SeqCst);
            }
        })
    });
    let threads: Vec<_> = threads.collect();
    check("time goes back between no CPUs", threads.into_iter().all(|thread| thread.join().is_ok()));
}

fn cpu_numbers(functions: Functions) {
    let cpus = allowed_cpus();
    for turn in 0..400 {
        let wanted = cpus[turn % cpus.len()];
        done("pin", pin_to(wanted));
        let (mut cpu, mut node) = (u32::MAX, u32::MAX);
        must_equal("getcpu", (functions.getcpu)(&raw mut cpu, &raw mut node, 0), 0);
        must_equal("the CPU right after the move", cpu as usize, wanted);
        let (mut system_cpu, mut system_node) = (u32::MAX, u32::MAX);
        done("getcpu", call!(SYS_getcpu, &raw mut system_cpu, &raw mut system_node, 0));
        must_equal("what the kernel says", (system_cpu, system_node), (cpu, node));
    }
    println!("the CPU's number is right after every move");
    equal("and need not be stored", (functions.getcpu)(std::ptr::null_mut(), std::ptr::null_mut(), 0), 0);
    let mut mask = [0_u64; 16];
    cpus.iter().for_each(|cpu| mask[cpu / 64] |= 1 << (cpu % 64));
    done("sched_setaffinity", call!(SYS_sched_setaffinity, 0, 128, mask.as_ptr()));
}

/// Somebody's Linux keeps its clock: there nothing is set, and the time is looked at all the same.
fn setting_the_clock(functions: Functions) {
    let steps = Arc::new(AtomicU64::new(0));
    let over = Arc::new(AtomicBool::new(false));
    let real = done("the time", system_now(0));
    let base = if is_braid() { 2_000_000_000 * SECOND } else { 0 };
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (steps, over) = (steps.clone(), over.clone());
            std::thread::spawn(move || {
                while !over.load(SeqCst) {
                    let before = steps.load(SeqCst);
                    let now = done("the function", functions.now(0));
                    let after = steps.load(SeqCst);
                    // Each step sets the clock a thousand seconds further; the next one may be set already, but not yet be told.
                    let step = now.saturating_sub(base) / SECOND / 1_000;
                    must(&format!("seen at once: {before} {step} {after}"), base == 0 || before <= step && step <= after + 1);
                }
            })
        })
        .collect();
    for step in 1..=300 {
        if is_braid() {
            done("clock_settime", call!(SYS_clock_settime, 0, [(base / SECOND) + step * 1_000, 0].as_ptr()));
        }
        let (monotonic, own) = (done("the time", system_now(1)), done("the time", functions.now(1)));
        must("the other clock goes on", monotonic <= own && own < monotonic + 100 * SECOND);
        steps.store(step, SeqCst);
    }
    over.store(true, SeqCst);
    check("a clock that is set is seen at once", readers.into_iter().all(|reader| reader.join().is_ok()));
    if is_braid() {
        done("clock_settime", call!(SYS_clock_settime, 0, [real / SECOND, real % SECOND].as_ptr()));
    }
    check("and set back", done("the function", functions.now(0)).abs_diff(real) < 100 * SECOND);
}

/// The kernel's mappings of this process: start, end, rights, name.
fn mappings() -> Vec<(usize, usize, String, String)> {
    let text = done("maps", std::fs::read_to_string("/proc/self/maps"));
    let parse = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (start, end) = words.first()?.split_once('-')?;
        let name = words.get(5).filter(|name| name.starts_with("[v") && **name != "[vsyscall]")?;
        let number = |digits| usize::from_str_radix(digits, 16).ok();
        Some((number(start)?, number(end)?, words.get(1)?.to_string(), name.to_string()))
    };
    text.lines().filter_map(parse).collect()
}

fn in_the_list_of_mappings() {
    let all = mappings();
    let code: Vec<_> = all.iter().filter(|mapping| mapping.3 == "[vdso]").collect();
    equal(
        "one mapping is the object",
        code.iter().map(|mapping| (mapping.0, mapping.2.as_str())).collect::<Vec<_>>(),
        vec![(place(), "r-xp")],
    );
    let data = all.iter().find(|mapping| mapping.3 == "[vvar]");
    equal("the clock's can be read", data.map(|mapping| mapping.2.as_str()), Some("r--p"));
    check("and ends where the object begins", all.iter().any(|mapping| mapping.3.starts_with("[vvar") && mapping.1 == place()));
    let (data, length) = data.map_or((0, 0), |mapping| (mapping.0, mapping.1 - mapping.0));
    equal("the clock's is not to be written", protect(data, length, READ_WRITE), Err(libc::EACCES));
    equal("nor is it now", fate_of(|| poke(data, 1)), Ended::Killed(libc::SIGSEGV));
    equal("it can be hidden", protect(data, length, libc::PROT_NONE).and_then(|_| protect(data, length, READ)), Ok(0));
}

fn in_children(functions: Functions) {
    let before = done("the function", functions.now(1));
    child_must_succeed("the child's time", || must("goes on", done("the function", functions.now(1)) >= before));
    println!("children have it too");
    let old = bytes(place(), PAGE);
    let length: usize = mappings().iter().filter(|mapping| mapping.3 == "[vdso]").map(|mapping| mapping.1 - mapping.0).sum();
    child_must_succeed("a child's copy", || {
        done("mprotect", protect(place(), length, READ_WRITE | libc::PROT_EXEC));
        poke(place(), 1);
        must("it is the child's own", peek(place()) == 1);
    });
    check("a child that writes into it writes into a copy", bytes(place(), PAGE) == old);
}

fn moved_and_unmapped(functions: Functions) {
    let all = mappings();
    let (start, end) = (all.iter().map(|all| all.0).min().unwrap_or(0), all.iter().map(|all| all.1).max().unwrap_or(0));
    child_must_succeed("the object elsewhere", || {
        let target = linux_tests::memory::anonymous((end - start) / PAGE);
        for (at, end, ..) in &all {
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            done("mremap", call!(SYS_mremap, *at, end - at, end - at, flags, target + (at - start)));
        }
        let moved = Object::at(target + (place() - start)).functions();
        let before = done("the time", system_now(1));
        let own = done("the function", moved.now(1));
        must("it works there", before <= own && own <= done("the time", system_now(1)));
    });
    println!("it works where a program moves it");
    let fate = in_a_child(|| {
        done("munmap", unmap(start, end - start));
        must("nothing is left", mappings().is_empty());
        must("the system call works", system_now(1).is_ok());
        i32::from(functions.now(1).is_ok())
    });
    equal("it can be unmapped", fate, Ended::Killed(libc::SIGSEGV));
}
