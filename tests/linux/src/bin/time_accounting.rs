//! Who ran for how long: it moves with the work, in the right column, and is handed to the parent.

use linux_tests::process::{fork, in_a_child, wait};
use linux_tests::{call, check, done, equal, monotonic, must, sleep_ms};

/// User and system time, in microseconds.
type Times = (u64, u64);

fn usage(of: i32) -> Times {
    let mut usage = [0_u64; 18];
    done("getrusage", call!(SYS_getrusage, of, usage.as_mut_ptr()));
    (usage[0] * 1_000_000 + usage[1], usage[2] * 1_000_000 + usage[3])
}

/// times: own user and system, the children's user and system, in hundredths of a second.
fn ticks() -> [u64; 4] {
    let mut ticks = [0_u64; 4];
    done("times", call!(SYS_times, ticks.as_mut_ptr()));
    ticks
}

fn work_in_user_mode(milliseconds: u64) {
    let (until, mut number) = (monotonic() + milliseconds * 1_000_000, 1_u64);
    while monotonic() < until {
        for _ in 0..20_000 {
            number = std::hint::black_box(number).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
    }
}

fn work_in_the_kernel(milliseconds: u64) {
    let until = monotonic() + milliseconds * 1_000_000;
    let file = done("open", call!(SYS_open, c"/dev/zero".as_ptr(), 0, 0));
    let mut buffer = vec![0_u8; 1 << 16];
    while monotonic() < until {
        for _ in 0..50 {
            must("read", call!(SYS_read, file, buffer.as_mut_ptr(), buffer.len()) == Ok(buffer.len()));
        }
    }
}

fn main() {
    let before = usage(libc::RUSAGE_SELF);
    work_in_user_mode(150);
    let after = usage(libc::RUSAGE_SELF);
    check("work in user mode is user time", after.0 - before.0 >= 10_000 && after.0 - before.0 > 2 * (after.1 - before.1));
    let before = usage(libc::RUSAGE_SELF);
    work_in_the_kernel(150);
    let after = usage(libc::RUSAGE_SELF);
    check("work in calls is system time", after.1 - before.1 >= 10_000 && after.1 - before.1 > 2 * (after.0 - before.0));
    // A virtual CPU that its host stops on the way to sleep is charged for that: the least of five sleeps counts.
    let asleep = (0..5).map(|_| {
        let before = usage(libc::RUSAGE_SELF);
        sleep_ms(100);
        let after = usage(libc::RUSAGE_SELF);
        after.0 + after.1 - before.0 - before.1
    });
    check("sleep is neither", asleep.min().is_some_and(|charged| charged < 50_000));
    children();
    threads();
    no_double_count();
    switches();
    kernel_statistics();
    equal("of whom: EINVAL", call!(SYS_getrusage, 77, 0), Err(libc::EINVAL));
    equal("to nowhere: EFAULT", call!(SYS_getrusage, 0, 0x10), Err(libc::EFAULT));
}

fn children() {
    let before = (usage(libc::RUSAGE_CHILDREN), ticks());
    let child = fork(|| {
        work_in_user_mode(100);
        in_a_child(|| {
            work_in_user_mode(100);
            0
        });
        0
    });
    sleep_ms(1);
    equal("a child that runs counts for nobody else yet", usage(libc::RUSAGE_CHILDREN), before.0);
    wait(child);
    let after = (usage(libc::RUSAGE_CHILDREN), ticks());
    check("one waited for counts for its parent, with its own children", after.0.0 - before.0.0 >= 20_000);
    check("and times says so too", after.1[2] > before.1[2]);
}

fn threads() {
    let before = usage(libc::RUSAGE_SELF);
    let worker = std::thread::spawn(|| {
        work_in_user_mode(80);
        usage(libc::RUSAGE_THREAD)
    });
    let theirs = worker.join().unwrap_or_default();
    let (after, mine) = (usage(libc::RUSAGE_SELF), usage(libc::RUSAGE_THREAD));
    check("a thread's time is its own", theirs.0 >= 5_000 && mine.0 + mine.1 < after.0 + after.1);
    check("and its process's, after its end too", after.0 + after.1 - before.0 - before.1 + 2_000 >= theirs.0 + theirs.1);
}

/// Time on the clock is at least time on the CPU, for one thread.
fn no_double_count() {
    let (clock, before) = (monotonic(), usage(libc::RUSAGE_THREAD));
    work_in_user_mode(50);
    work_in_the_kernel(50);
    let (after, clock) = (usage(libc::RUSAGE_THREAD), (monotonic() - clock) / 1_000);
    check("nobody runs longer than there is time", after.0 + after.1 - before.0 - before.1 <= clock + 20_000);
}

fn switches() {
    let count = || {
        let mut usage = [0_u64; 18];
        done("getrusage", call!(SYS_getrusage, libc::RUSAGE_THREAD, usage.as_mut_ptr()));
        usage[16]
    };
    let before = count();
    // Long enough that no host is so busy that the time is over before the thread has gone to sleep.
    (0..10).for_each(|_| sleep_ms(20));
    check("ten sleeps are ten switches", count() - before >= 10);
}

/// The columns of the first line of /proc/stat: user, nice, system, idle, ...
fn statistics() -> Option<Vec<u64>> {
    let all = std::fs::read_to_string("/proc/stat").ok()?;
    let line = all.lines().next()?.strip_prefix("cpu ")?;
    Some(line.split_whitespace().filter_map(|number| number.parse().ok()).collect())
}

fn kernel_statistics() {
    let (before, ticks_before) = (statistics(), ticks());
    work_in_user_mode(200);
    let (after, ticks_after) = (statistics(), ticks());
    let grew = match (before, after) {
        (Some(before), Some(after)) => {
            after.len() >= 4 && after[0] > before[0] && after.iter().zip(&before).all(|(now, then)| now + 1 >= *then)
        }
        _ => true,
    };
    check("/proc/stat counts user time", grew);
    check("and so does times", ticks_after[0] > ticks_before[0]);
}
