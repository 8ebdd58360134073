//! FPU, SSE and AVX registers: each thread's own, across preemption, calls, signals, fork and CPUs.

use linux_tests::process::{Ended, fork, in_a_child, wait};
use linux_tests::{allowed_cpus, call, check, done, equal, must, must_equal, pin_to, signal};
use std::arch::asm;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

fn main() {
    fresh();
    every_thread_its_own();
    processes();
    across_cpus();
    handlers();
    inherited();
    control_words();
}

/// Holds sixteen marked vector registers for a while (a loop that does nothing else, or a call in between)
/// and says whether they are the same after.
fn registers_hold(seed: u64, turns: u64, yields: bool) -> bool {
    let marks: [[u64; 2]; 16] = std::array::from_fn(|index| [seed.wrapping_mul(index as u64 + 3), !seed ^ index as u64]);
    let mut after = [[0_u64; 2]; 16];
    let number = if yields { libc::SYS_sched_yield } else { libc::SYS_getppid };
    // SAFETY: reads `marks`, writes `after`, and names every register that it changes.
    unsafe {
        asm!(
            "movups xmm0, [{m}]", "movups xmm1, [{m} + 16]", "movups xmm2, [{m} + 32]", "movups xmm3, [{m} + 48]",
            "movups xmm4, [{m} + 64]", "movups xmm5, [{m} + 80]", "movups xmm6, [{m} + 96]", "movups xmm7, [{m} + 112]",
            "movups xmm8, [{m} + 128]", "movups xmm9, [{m} + 144]", "movups xmm10, [{m} + 160]", "movups xmm11, [{m} + 176]",
            "movups xmm12, [{m} + 192]", "movups xmm13, [{m} + 208]", "movups xmm14, [{m} + 224]", "movups xmm15, [{m} + 240]",
            "2:", "dec {n}", "jnz 2b",
            "mov eax, {number:e}", "syscall",
            "movups [{a}], xmm0", "movups [{a} + 16], xmm1", "movups [{a} + 32], xmm2", "movups [{a} + 48], xmm3",
            "movups [{a} + 64], xmm4", "movups [{a} + 80], xmm5", "movups [{a} + 96], xmm6", "movups [{a} + 112], xmm7",
            "movups [{a} + 128], xmm8", "movups [{a} + 144], xmm9", "movups [{a} + 160], xmm10", "movups [{a} + 176], xmm11",
            "movups [{a} + 192], xmm12", "movups [{a} + 208], xmm13", "movups [{a} + 224], xmm14", "movups [{a} + 240], xmm15",
            m = in(reg) marks.as_ptr(), a = in(reg) after.as_mut_ptr(), n = inout(reg) turns.max(1) => _,
            number = in(reg) number, out("rax") _, out("rcx") _, out("r11") _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _,
            out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _,
            out("xmm14") _, out("xmm15") _,
        );
    }
    marks == after
}

/// The upper halves, where there are any.
fn wide_registers_hold(seed: u64, turns: u64) -> bool {
    if !std::arch::is_x86_feature_detected!("avx") {
        return true;
    }
    let mark = [seed, seed ^ 0xffff, !seed, seed.rotate_left(17)];
    let (mut first, mut last) = ([0_u64; 4], [0_u64; 4]);
    // SAFETY: the CPU and the kernel offer AVX (checked); the registers and memory are named.
    unsafe {
        asm!("vmovups ymm0, [{m}]", "vmovups ymm15, [{m}]", "2:", "dec {n}", "jnz 2b", "mov eax, 24", "syscall",
            "vmovups [{a}], ymm0", "vmovups [{b}], ymm15", "vzeroupper",
            m = in(reg) mark.as_ptr(), a = in(reg) first.as_mut_ptr(), b = in(reg) last.as_mut_ptr(), n = inout(reg) turns.max(1) => _,
            out("rax") _, out("rcx") _, out("r11") _, out("ymm0") _, out("ymm15") _);
    }
    mark == first && mark == last
}

/// The old stack of eight, held across a loop.
fn stack_registers_hold(seed: u32, turns: u64) -> bool {
    let (number, mut back) = (f64::from(seed), 0_f64);
    // SAFETY: pushes one value on the FPU's stack and takes it off; memory and registers are named.
    unsafe {
        asm!("fld qword ptr [{m}]", "2:", "dec {n}", "jnz 2b", "mov eax, 24", "syscall", "fstp qword ptr [{a}]",
            m = in(reg) &raw const number, a = in(reg) &raw mut back, n = inout(reg) turns.max(1) => _,
            out("rax") _, out("rcx") _, out("r11") _, out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _);
    }
    number == back
}

fn all_hold(seed: u64, turns: u64) -> bool {
    registers_hold(seed, turns, true)
        && registers_hold(seed ^ 0xaaaa, turns, false)
        && wide_registers_hold(seed, turns)
        && stack_registers_hold(seed as u32, turns)
}

fn control() -> (u32, u16) {
    let (mut sse, mut old) = (0_u32, 0_u16);
    // SAFETY: stores two control words into memory of ours.
    unsafe { asm!("stmxcsr [{s}]", "fnstcw [{o}]", s = in(reg) &raw mut sse, o = in(reg) &raw mut old) };
    (sse & !0x3f, old)
}

fn fresh() {
    equal("a program begins with the usual control words", control(), (0x1f80, 0x037f));
}

fn every_thread_its_own() {
    let count = allowed_cpus().len() * 3;
    let threads: Vec<_> = (1..=count as u64)
        .map(|number| std::thread::spawn(move || (0..60).all(|turn| all_hold(number * 0x0101_0101_0101 + turn, 20_000))))
        .collect();
    check("more threads than CPUs each keep their registers", threads.into_iter().all(|thread| thread.join().unwrap_or(false)));
}

fn processes() {
    let hold = |number: u64| i32::from(!(0..60).all(|turn| all_hold(number << 40 | turn, 20_000)));
    let children: Vec<_> = (1..=allowed_cpus().len() as u64 * 2).map(|number| fork(|| hold(number))).collect();
    check("and so do processes", children.into_iter().all(|child| wait(child) == Ended::Exited(0)));
}

fn across_cpus() {
    let cpus = allowed_cpus();
    let sum = |start: f64| (1..200).fold(start, |sum, step| sum + 1.0 / f64::from(step) * std::hint::black_box(start));
    let wanted = sum(1.25);
    let thread = std::thread::spawn(move || {
        (0..400).all(|turn| {
            done("pin", pin_to(cpus[turn % cpus.len()]));
            all_hold(turn as u64, 100) && sum(1.25) == wanted
        })
    });
    check("and a thread that changes CPUs", thread.join().unwrap_or(false));
}

static SPOILT: AtomicU64 = AtomicU64::new(0);

extern "C" fn spoil(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: overwrites registers that it names; the kernel puts the interrupted ones back.
    unsafe {
        asm!("pcmpeqd xmm0, xmm0", "pcmpeqd xmm7, xmm7", "pcmpeqd xmm15, xmm15", "fninit", out("xmm0") _, out("xmm7") _, out("xmm15") _);
    }
    if control() == (0x1f80, 0x037f) {
        SPOILT.fetch_add(1, SeqCst);
    }
}

fn handlers() {
    signal::handle(libc::SIGALRM, spoil, libc::SA_RESTART);
    signal::set_timer(1, 1);
    let until = linux_tests::monotonic() + 80_000_000;
    let mut turns = 0;
    while linux_tests::monotonic() < until {
        must("the same after a handler", all_hold(turns, 50_000));
        turns += 1;
    }
    signal::set_timer(0, 0);
    check("a handler that spoils them all changes none", SPOILT.load(SeqCst) >= 3);
}

fn inherited() {
    let number = std::hint::black_box(0.1_f64) + 0.2;
    let child = in_a_child(|| i32::from(number != 0.1 + 0.2));
    equal("a child goes on with its parent's", child, Ended::Exited(0));
}

fn set_rounding(word: u32) {
    // SAFETY: a valid control word; put back by the caller.
    unsafe { asm!("ldmxcsr [{w}]", w = in(reg) &raw const word) };
}

fn control_words() {
    let threads: Vec<_> = (0..4_u32)
        .map(|mode| {
            std::thread::spawn(move || {
                let word = 0x1f80 | mode << 13;
                set_rounding(word);
                for _ in 0..300 {
                    must_equal("my own mode", control().0, word);
                    must_equal("yield", call!(SYS_sched_yield), Ok(0));
                }
                must_equal("still", control().0, word);
                set_rounding(0x1f80);
            })
        })
        .collect();
    check("each thread rounds in its own way", threads.into_iter().all(|thread| thread.join().is_ok()));
    equal("and the first as before", control(), (0x1f80, 0x037f));
}
