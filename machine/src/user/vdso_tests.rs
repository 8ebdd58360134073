//! The shared object on the host: the host's own loader reads it, its functions run beside a page that a test writes.

extern crate std;

use super::*;
use crate::clock::page::Reckoning;
use crate::clock::tsc;
use std::ffi::{CStr, CString, c_void};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::vec::Vec;
use sync::SequenceLock;

const NAMES: [&str; 5] = ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"];

/// The clock's page and the object's, as a program has them.
struct Mapped(usize);

impl Mapped {
    fn new() -> Self {
        // SAFETY: new memory of this test's own, filled before it is run.
        unsafe {
            let at = libc::mmap(core::ptr::null_mut(), 2 * PAGE_SIZE, 3, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            assert_ne!(at, libc::MAP_FAILED);
            let object = at.cast::<u8>().add(PAGE_SIZE);
            object.copy_from_nonoverlapping(image().as_ptr(), PAGE_SIZE);
            assert_eq!(libc::mprotect(object.cast(), PAGE_SIZE, libc::PROT_READ | libc::PROT_EXEC), 0);
            Mapped(at as usize)
        }
    }

    fn clock(&self) -> &SequenceLock<Reckoning> {
        // SAFETY: zeros or a lock; the memory lives as long as the test's process.
        unsafe { &*(self.0 as *const SequenceLock<Reckoning>) }
    }

    fn function(&self, name: &str) -> usize {
        let found = symbols().into_iter().find(|(found, _)| *found == name).expect("the function has its name");
        self.0 + PAGE_SIZE + found.1
    }

    fn gettime(&self, clock: i32) -> Result<u64, i32> {
        let mut time = [u64::MAX; 2];
        // SAFETY: the function's type, with room for its answer.
        let failed = unsafe {
            let call: extern "C" fn(i32, *mut u64) -> i32 = core::mem::transmute(self.function("__vdso_clock_gettime"));
            call(clock, time.as_mut_ptr())
        };
        if failed != 0 { Err(failed) } else { Ok(time[0] * 1_000_000_000 + time[1]) }
    }
}

fn number(at: usize, bytes: usize) -> usize {
    image()[at..at + bytes].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

fn string(at: usize) -> &'static str {
    CStr::from_bytes_until_nul(&image()[at..]).unwrap().to_str().unwrap()
}

/// A heading's place and length in the file, by its name.
fn section(name: &str) -> (usize, usize) {
    let (headings, count, names) = (number(40, 8), number(60, 2), number(62, 2));
    let row = |index: usize| headings + index * 64;
    let names = number(row(names) + 24, 8);
    let found = (0..count).map(row).find(|row| string(names + number(*row, 4)) == name).expect("there is such a section");
    (number(found + 24, 8), number(found + 32, 8))
}

fn symbols() -> Vec<(&'static str, usize)> {
    let ((symbols, bytes), (strings, _)) = (section(".dynsym"), section(".dynstr"));
    (symbols..symbols + bytes).step_by(24).skip(1).map(|row| (string(strings + number(row, 4)), number(row + 8, 8))).collect()
}

#[test]
fn the_hosts_loader_finds_every_function_by_name_and_version() {
    let path = std::env::temp_dir().join(std::format!("braid-vdso-{}.so", std::process::id()));
    std::fs::write(&path, image()).unwrap();
    let c_path = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: strings end with zeros; the object has nothing that runs when it is loaded.
    unsafe {
        let object = libc::dlopen(c_path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
        assert!(!object.is_null(), "{:?}", CStr::from_ptr(libc::dlerror()));
        let start = libc::dlsym(object, c"clock_gettime".as_ptr()) as usize & !(PAGE_SIZE - 1);
        for name in NAMES {
            let full = CString::new(std::format!("__vdso_{name}")).unwrap();
            let short = CString::new(name).unwrap();
            let found: *mut c_void = libc::dlvsym(object, full.as_ptr(), c"LINUX_2.6".as_ptr());
            assert!(!found.is_null(), "{name}");
            assert_eq!(found, libc::dlvsym(object, short.as_ptr(), c"LINUX_2.6".as_ptr()));
            assert!(libc::dlvsym(object, full.as_ptr(), c"LINUX_2.7".as_ptr()).is_null());
            assert_eq!(Some(found as usize - start), symbols().into_iter().find(|(found, _)| *found == name).map(|(_, at)| at));
        }
    }
    std::fs::remove_file(path).unwrap();
}

fn elf_hash(name: &str) -> usize {
    name.bytes().fold(0_u32, |hash, byte| {
        let hash = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    }) as usize
}

#[test]
fn versions_are_hashed_and_chained_as_the_format_says() {
    let ((versions, bytes), (strings, _)) = (section(".gnu.version_d"), section(".dynstr"));
    assert_eq!(bytes, 56);
    let rows = [versions, versions + 28];
    let names = rows.map(|row| string(strings + number(row + 20, 4)));
    assert_eq!(names, ["linux-vdso.so.1", "LINUX_2.6"]);
    assert_eq!(rows.map(|row| number(row + 8, 4)), names.map(elf_hash));
    assert_eq!(section(".gnu.version").1 / 2, symbols().len() + 1);
    assert_eq!((number(section(".hash").0 + 4, 4), section(".hash").1 / 4), (symbols().len() + 1, symbols().len() + 4));
}

#[test]
fn one_rule_of_unwinding_covers_all_code() {
    let ((text, length), (frames, _), (header, _)) = (section(".text"), section(".eh_frame"), section(".eh_frame_hdr"));
    let relative = |at: usize| at.wrapping_add_signed(number(at, 4) as u32 as i32 as isize);
    assert_eq!(number(header, 4), 0x3b_03_1b_01);
    assert_eq!((relative(header + 4), number(header + 8, 4)), (frames, 1));
    let frame = header.wrapping_add_signed(number(header + 16, 4) as u32 as i32 as isize);
    assert_eq!(header.wrapping_add_signed(number(header + 12, 4) as u32 as i32 as isize), text);
    assert_eq!(frame + 4 - number(frame + 4, 4), frames);
    assert_eq!((relative(frame + 8), number(frame + 12, 4)), (text, length));
    assert_eq!(number(frame + 4 + number(frame, 4), 4), 0, "the last frame is the last");
    assert_eq!(frames + 4 + number(frames, 4), frame);
}

#[test]
fn times_are_the_kernels_to_the_nanosecond() {
    let mapped = Mapped::new();
    for ticks_per_second in [999_999_937_u64, 2_999_998_123, 10_000_000_000] {
        let nanoseconds_per_tick = ((1_000_000_000_u128 << 32) / u128::from(ticks_per_second)) as u64;
        let boot_time = 1_700_000_000_123_456_789;
        let reckoning = Reckoning { is_usable: true, start: tsc::now() - 5_000_000, nanoseconds_per_tick, boot_time };
        mapped.clock().write(reckoning);
        let kernel = || ((u128::from(tsc::now() - reckoning.start) * u128::from(nanoseconds_per_tick)) >> 32) as u64;
        for (clock, offset) in [(0, boot_time), (1, 0), (4, 0), (5, boot_time), (6, 0), (7, 0), (11, boot_time)] {
            let before = kernel();
            let told = mapped.gettime(clock).unwrap() - offset;
            assert!(before <= told && told <= kernel(), "clock {clock}: {before} {told}");
        }
    }
}

#[test]
fn what_it_does_not_know_the_kernel_is_asked() {
    let mapped = Mapped::new();
    let host = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let before = host();
    let told = mapped.gettime(0).unwrap();
    assert!(before <= told && told <= host(), "a page that says nothing yet");
    mapped.clock().write(Reckoning { is_usable: true, start: 0, nanoseconds_per_tick: 1 << 32, boot_time: 0 });
    assert_eq!((mapped.gettime(10), mapped.gettime(32), mapped.gettime(99)), (Err(-22), Err(-22), Err(-22)));
    assert!(mapped.gettime(2).is_ok_and(|time| time < 100_000_000_000_000), "the time of this process");
}

#[test]
fn the_older_functions_tell_the_same_time() {
    let mapped = Mapped::new();
    let boot_time = 1_700_000_000_999_999_999;
    // A counter that stands still.
    mapped.clock().write(Reckoning { is_usable: true, start: 0, nanoseconds_per_tick: 0, boot_time });
    let (mut time, mut zone, mut seconds, mut cpu, mut node) = ([0_u64; 2], [7_u32; 2], 0_u64, u32::MAX, u32::MAX);
    // SAFETY: the functions' types, with room for their answers.
    unsafe {
        let gettimeofday: extern "C" fn(*mut u64, *mut u32) -> i32 = core::mem::transmute(mapped.function("gettimeofday"));
        let tell_time: extern "C" fn(*mut u64) -> u64 = core::mem::transmute(mapped.function("time"));
        let getcpu: extern "C" fn(*mut u32, *mut u32, usize) -> i32 = core::mem::transmute(mapped.function("getcpu"));
        let getres: extern "C" fn(i32, *mut u64) -> i32 = core::mem::transmute(mapped.function("clock_getres"));
        assert_eq!(gettimeofday(time.as_mut_ptr(), zone.as_mut_ptr()), 0);
        assert_eq!((time, zone), ([1_700_000_000, 999_999], [0, 0]));
        assert_eq!(gettimeofday(core::ptr::null_mut(), core::ptr::null_mut()), 0);
        assert_eq!((tell_time(core::ptr::null_mut()), tell_time(&raw mut seconds), seconds), (1_700_000_000, 1_700_000_000, 1_700_000_000));
        assert_eq!((getcpu(&raw mut cpu, &raw mut node, 0), getcpu(core::ptr::null_mut(), core::ptr::null_mut(), 0)), (0, 0));
        assert!(cpu < 4096 && node < 256, "{cpu} {node}");
        assert_eq!((getres(1, time.as_mut_ptr()), time), (0, [0, 1]));
        assert_eq!((getres(5, time.as_mut_ptr()), time), (0, [0, 1_000_000]));
        assert_eq!((getres(0, core::ptr::null_mut()), getres(10, time.as_mut_ptr())), (0, -22));
    }
}

/// Start and boot time change together so that their sum says the same: half a write would show at once.
#[test]
fn nobody_reckons_with_half_a_write() {
    let mapped = Mapped::new();
    let over = AtomicBool::new(false);
    let write = |start: u64| mapped.clock().write(Reckoning { is_usable: true, start, nanoseconds_per_tick: 1 << 32, boot_time: start });
    write(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut start = 0;
            while !over.load(SeqCst) {
                start = (start + 1_000_003) % 1_000_000_000;
                write(start);
            }
        });
        for _ in 0..30_000 {
            let before = tsc::now();
            let told = mapped.gettime(0).unwrap();
            let after = tsc::now();
            if !(before <= told && told <= after) {
                over.store(true, SeqCst);
                panic!("{before} {told} {after}");
            }
        }
        over.store(true, SeqCst);
    });
}
