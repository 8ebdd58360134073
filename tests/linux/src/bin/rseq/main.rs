//! rseq: registered and given up, kept right, and no sequence that goes on in the middle.

mod aborts;
mod area;
mod wrong;

use area::{Area, LENGTH, SIGNATURE, give_up_library_area, library_area, register, unregister};
use linux_tests::{check, current_cpu, done, equal, must, must_equal, pin_to, process};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

fn main() {
    if std::env::args().nth(1).is_some() {
        // After an exec: the library could register, and nothing is left of what stood before.
        must_equal("the library's area", unregister(library_area(), LENGTH, SIGNATURE), Ok(0));
        return;
    }
    vector();
    registering();
    told();
    children();
    wrong::all();
    aborts::all();
}

fn vector() {
    // SAFETY: reads the auxiliary vector.
    let (size, alignment) = unsafe { (libc::getauxval(27), libc::getauxval(28)) };
    check("the vector says how much there is of an area", size >= 28);
    check("and how it is aligned", alignment >= 32 && alignment.is_power_of_two());
}

fn registering() {
    let library = library_area();
    equal("the library has registered", register(library, LENGTH, 0, SIGNATURE), Err(libc::EBUSY));
    equal("with its own signature", register(library, LENGTH, 0, 1), Err(libc::EPERM));
    equal("at its own place", register(library + 32, LENGTH, 0, SIGNATURE), Err(libc::EINVAL));
    equal("with its own length", register(library, 64, 0, SIGNATURE), Err(libc::EINVAL));
    equal("given up elsewhere", unregister(library + 32, LENGTH, SIGNATURE), Err(libc::EINVAL));
    equal("given up at another length", unregister(library, 64, SIGNATURE), Err(libc::EINVAL));
    equal("given up with another signature", unregister(library, LENGTH, 1), Err(libc::EPERM));
    equal("given up with an unknown flag", register(library, LENGTH, 3, SIGNATURE), Err(libc::EINVAL));
    give_up_library_area();
    equal("given up twice", unregister(library, LENGTH, SIGNATURE), Err(libc::EINVAL));
    let area: &Area = Box::leak(Box::default());
    let at = area.address();
    equal("too short", register(at, 31, 0, SIGNATURE), Err(libc::EINVAL));
    equal("no length", register(at, 0, 0, SIGNATURE), Err(libc::EINVAL));
    equal("not aligned", register(at + 16, LENGTH, 0, SIGNATURE), Err(libc::EINVAL));
    equal("longer, and not aligned", register(at + 4, 64, 0, SIGNATURE), Err(libc::EINVAL));
    equal("an unknown flag", register(at, LENGTH, 2, SIGNATURE), Err(libc::EINVAL));
    equal("nowhere", register(0, LENGTH, 0, SIGNATURE), Err(libc::EFAULT));
    equal("not mapped", register(4096, LENGTH, 0, SIGNATURE), Err(libc::EFAULT));
    equal("the kernel's", register(0xffff_8000_0000_0000, LENGTH, 0, SIGNATURE), Err(libc::EFAULT));
    area.section.store(0x1234, SeqCst);
    equal("an area with a section of long ago", register(at, LENGTH, 0, SIGNATURE), Ok(0));
    equal("which is forgotten", area.section.load(SeqCst), 0);
    area.give_up();
    equal("no CPU in an area that was given up", (area.cpu.load(SeqCst), area.cpu_at_start.load(SeqCst)), (u32::MAX, 0));
}

fn is_right(area: &Area) -> bool {
    let (cpu, at_start) = (area.cpu.load(SeqCst), area.cpu_at_start.load(SeqCst));
    cpu == at_start && cpu as usize == current_cpu()
}

/// On a CPU of its own the thread cannot move between two looks.
fn told() {
    let area = Area::registered();
    let cpus = linux_tests::allowed_cpus();
    for turn in 0..300 {
        done("sched_setaffinity", pin_to(cpus[turn % cpus.len()]));
        must("the area names the CPU", is_right(area));
    }
    check("the area names the CPU after every move", true);
    check("and node and a number that there is", area.node.load(SeqCst) == 0 && (area.concurrency.load(SeqCst) as usize) < 64);
    area.give_up();
    aborts::allow(0, &cpus);
}

fn children() {
    let cpus = linux_tests::allowed_cpus();
    done("sched_setaffinity", pin_to(cpus[cpus.len() - 1]));
    process::child_must_succeed("a child inherits the area", || {
        must_equal("registered", register(library_area(), LENGTH, 0, SIGNATURE), Err(libc::EBUSY));
        let cpu = (library_area() + 4) as *const u32;
        // SAFETY: the library's area is this thread's as long as it lives.
        must_equal("and knows its CPU", unsafe { cpu.read_volatile() } as usize, current_cpu());
    });
    aborts::allow(0, &cpus);
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let thread = std::thread::spawn(|| {
        SEEN.store(library_area() as u64, SeqCst);
        must_equal("a thread's own", register(library_area(), LENGTH, 0, SIGNATURE), Err(libc::EBUSY));
    });
    must("a thread", thread.join().is_ok());
    check("a thread has another area", SEEN.load(SeqCst) != library_area() as u64);
    let status = std::process::Command::new("/proc/self/exe").arg("after-exec").status();
    check("a new program begins without one", done("exec", status).success());
}
