//! What POSIX says of threads, asked through glibc's own calls: keys, cancellation, locks of every kind, signals, fork, names.

mod locks;
mod signals;

use linux_tests::process::{Ended, fork, wait};
use linux_tests::{call, check, done, equal, must, must_equal};
use std::ffi::{CStr, c_int, c_void};
use std::mem::{MaybeUninit, zeroed};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

unsafe extern "C" {
    fn pthread_cancel(thread: libc::pthread_t) -> c_int;
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
    fn pthread_testcancel();
    fn pthread_getaffinity_np(thread: libc::pthread_t, size: usize, set: *mut libc::cpu_set_t) -> c_int;
}

const CANCEL_DISABLE: c_int = 1;
const CANCELED: usize = usize::MAX;

type Body = extern "C" fn(*mut c_void) -> *mut c_void;

fn main() {
    results();
    detached();
    keys();
    cancelled();
    locks::locks_that_know_their_owner();
    locks::robust_between_processes();
    locks::barrier_between_processes();
    locks::named_semaphore();
    names();
    stacks();
    affinity();
    signals::signals();
    signals::forks();
    two_thousand();
}

fn start_with(attributes: *const libc::pthread_attr_t, body: Body, argument: usize) -> libc::pthread_t {
    let mut thread = 0;
    // SAFETY: `thread` is ours; what `argument` names outlives the thread, which is joined or touches statics only.
    let result = unsafe { libc::pthread_create(&mut thread, attributes, body, argument as *mut c_void) };
    must_equal("pthread_create", result, 0);
    thread
}

fn start(body: Body, argument: usize) -> libc::pthread_t {
    start_with(null(), body, argument)
}

fn join(thread: libc::pthread_t) -> usize {
    let mut value = null_mut();
    // SAFETY: each thread is joined once.
    must_equal("pthread_join", unsafe { libc::pthread_join(thread, &mut value) }, 0);
    value as usize
}

extern "C" fn doubled(argument: *mut c_void) -> *mut c_void {
    (argument as usize * 2) as *mut c_void
}

extern "C" fn leaves(argument: *mut c_void) -> *mut c_void {
    // SAFETY: no frame above has anything to tidy up.
    unsafe { libc::syscall(libc::SYS_sched_yield) };
    argument
}

fn results() {
    let threads: Vec<_> = (0..32).map(|number| start(doubled, number)).collect();
    equal("thirty-two threads give their results", threads.into_iter().map(join).sum::<usize>(), 992);
    // SAFETY: a thread may ask for itself.
    let own = unsafe { libc::pthread_join(libc::pthread_self(), null_mut()) };
    equal("a thread cannot join itself", own, libc::EDEADLK);
}

static ENDED: AtomicU32 = AtomicU32::new(0);

extern "C" fn counts_itself(_: *mut c_void) -> *mut c_void {
    ENDED.fetch_add(1, SeqCst);
    null_mut()
}

fn detached() {
    for _ in 0..50 {
        // SAFETY: it is not used afterwards.
        must_equal("pthread_detach", unsafe { libc::pthread_detach(start(counts_itself, 0)) }, 0);
    }
    while ENDED.load(SeqCst) < 50 {
        std::thread::yield_now();
    }
    check("fifty threads that nobody joins", true);
}

static KEY: AtomicU32 = AtomicU32::new(0);
static ROUNDS: AtomicU32 = AtomicU32::new(0);

/// Sets its value again twice: it is called once more each time.
extern "C" fn destroyed(value: *mut c_void) {
    ROUNDS.fetch_add(1, SeqCst);
    if value as usize > 1 {
        // SAFETY: the key lives.
        unsafe { libc::pthread_setspecific(KEY.load(SeqCst), (value as usize - 1) as *const c_void) };
    }
}

extern "C" fn has_a_value(value: *mut c_void) -> *mut c_void {
    let key = KEY.load(SeqCst);
    // SAFETY: the key lives.
    unsafe {
        must("no value at first", libc::pthread_getspecific(key).is_null());
        libc::pthread_setspecific(key, value);
        libc::pthread_getspecific(key)
    }
}

fn keys() {
    let mut key = 0;
    // SAFETY: `key` is ours, the destructor a function of this program.
    must_equal("pthread_key_create", unsafe { libc::pthread_key_create(&mut key, Some(destroyed)) }, 0);
    KEY.store(key, SeqCst);
    let values: usize = (0..8).map(|_| start(has_a_value, 3)).collect::<Vec<_>>().into_iter().map(join).sum();
    equal("values of threads, and their destructors as often as values come back", (values, ROUNDS.load(SeqCst)), (24, 24));
}

extern "C" fn waits_for_good(ready: *mut c_void) -> *mut c_void {
    ready_now(ready);
    loop {
        // SAFETY: nothing here needs to be tidied up when the thread is cancelled.
        unsafe { libc::pause() };
    }
}

extern "C" fn cannot_be_cancelled(ready: *mut c_void) -> *mut c_void {
    let mut old = 0;
    // SAFETY: `old` is ours.
    unsafe { pthread_setcancelstate(CANCEL_DISABLE, &mut old) };
    ready_now(ready);
    for _ in 0..10 {
        // SAFETY: no memory is involved.
        unsafe { pthread_testcancel() };
        linux_tests::sleep_ms(1);
    }
    7 as *mut c_void
}

fn ready_now(ready: *mut c_void) {
    // SAFETY: an atomic of the thread that joins this one.
    unsafe { &*(ready as *const AtomicU32) }.fetch_add(1, SeqCst);
}

fn cancelled() {
    for (what, body, wanted) in [
        ("a thread is cancelled while it sleeps", waits_for_good as Body, CANCELED),
        ("a thread that forbids it is not", cannot_be_cancelled, 7),
    ] {
        let ready = AtomicU32::new(0);
        let threads: Vec<_> = (0..8).map(|_| start(body, &raw const ready as usize)).collect();
        while ready.load(SeqCst) < 8 {
            std::thread::yield_now();
        }
        // SAFETY: none of them is joined yet.
        threads.iter().for_each(|&thread| must_equal("pthread_cancel", unsafe { pthread_cancel(thread) }, 0));
        check(what, threads.into_iter().all(|thread| join(thread) == wanted));
    }
}

/// Whether the thread's name is in its own folder, and the process's thread list has it.
extern "C" fn is_named(_: *mut c_void) -> *mut c_void {
    let mut name = [0_u8; 16];
    // SAFETY: both names end with a zero, and the place has room for one.
    unsafe {
        let own = libc::pthread_self();
        must_equal("a name that is too long", libc::pthread_setname_np(own, c"a-name-of-sixteen".as_ptr()), libc::ERANGE);
        must_equal("a name", libc::pthread_setname_np(own, c"fifteen-letters".as_ptr()), 0);
        must_equal("asked", libc::pthread_getname_np(own, name.as_mut_ptr().cast(), 16), 0);
    }
    let told = done("a name", CStr::from_bytes_until_nul(&name)).to_string_lossy().into_owned();
    let number = done("gettid", call!(SYS_gettid));
    let file = std::fs::read_to_string(format!("/proc/self/task/{number}/comm")).unwrap_or_default();
    let process = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
    usize::from(told == "fifteen-letters" && file.trim_end() == told && process.trim_end() == "threads_posix") as *mut c_void
}

fn names() {
    equal("a thread has a name of its own", join(start(is_named, 0)), 1);
}

extern "C" fn fills_its_stack(size: *mut c_void) -> *mut c_void {
    let mut attributes = MaybeUninit::uninit();
    let (mut low, mut length) = (null_mut(), 0);
    // SAFETY: the places are ours.
    unsafe {
        libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr());
        libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut length);
    }
    let here = &raw const length as usize;
    usize::from(length == size as usize && here > low as usize && here < low as usize + length) as *mut c_void
}

extern "C" fn recurses(depth: *mut c_void) -> *mut c_void {
    let room = std::hint::black_box([depth as usize as u8; 4096]);
    if depth as usize > 1 << 40 {
        return depth;
    }
    let below = recurses((depth as usize + 1) as *mut c_void) as usize;
    (below + usize::from(room[5])) as *mut c_void
}

fn stacks() {
    for size in [16 << 10, 256 << 10, 16 << 20] {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: the place is ours.
        unsafe {
            libc::pthread_attr_init(attributes.as_mut_ptr());
            must_equal("a size", libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), size), 0);
        }
        let thread = start_with(attributes.as_ptr(), fills_its_stack, size);
        equal(&format!("a stack of {} KiB", size >> 10), join(thread), 1);
    }
    let child = fork(|| join(start(recurses, 0)) as i32);
    equal("a thread that leaves its stack ends all", wait(child), Ended::Killed(libc::SIGSEGV));
}

fn affinity() {
    // SAFETY: zeroes are a set, and the place is ours.
    let (result, set) = unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        (pthread_getaffinity_np(libc::pthread_self(), size_of_val(&set), &mut set), set)
    };
    // SAFETY: the set is ours.
    let count = unsafe { libc::CPU_COUNT(&set) } as usize;
    equal("a thread's CPUs are those that the kernel tells", (result, count), (0, linux_tests::allowed_cpus().len()));
}

fn two_thousand() {
    let mut sum = 0;
    for _ in 0..20 {
        let threads: Vec<_> = (0..100).map(|number| start(leaves, number)).collect();
        sum += threads.into_iter().map(join).sum::<usize>();
    }
    equal("two thousand threads, a hundred at a time", sum, 99_000);
}
