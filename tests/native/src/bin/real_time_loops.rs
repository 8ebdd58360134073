//! Real-time loops on every CPU leave the others a twentieth of each. For this kernel only: on a Linux that others use it would
//! be a nuisance.

use linux_tests::{allowed_cpus, call, check, done, pin_to, sleep_ms};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

static STOP: AtomicBool = AtomicBool::new(false);
static RUNNING: AtomicUsize = AtomicUsize::new(0);
/// By itself a loop ends only when the test has failed.
const LONGEST: Duration = Duration::from_secs(20);

fn main() {
    let cpus = allowed_cpus();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for &cpu in &cpus {
            scope.spawn(move || {
                done("pin", pin_to(cpu));
                let priority = 50_i32;
                done("sched_setscheduler", call!(SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &raw const priority));
                RUNNING.fetch_add(1, SeqCst);
                while !STOP.load(SeqCst) && began.elapsed() < LONGEST {
                    std::hint::spin_loop();
                }
            });
        }
        while RUNNING.load(SeqCst) < cpus.len() {
            std::thread::yield_now();
        }
        // Without its share this thread goes on only when the loops have given up.
        (0..3).for_each(|_| sleep_ms(1));
        STOP.store(true, SeqCst);
    });
    check("an ordinary thread goes on beside real-time loops on every CPU", began.elapsed() < LONGEST);
}
