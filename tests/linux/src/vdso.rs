//! The shared object that the kernel puts into every program, found and read as libraries do.
//!
//! Invariant: what is read lies in the object's own mapping, as `/proc/self/maps` shows it.

use crate::memory::peek;
use crate::{done, fail};

type Time = extern "C" fn(i32, *mut [u64; 2]) -> i32;

/// Its functions, by the names with `__vdso_`.
#[derive(Clone, Copy)]
pub struct Functions {
    pub clock_gettime: Time,
    pub clock_getres: Time,
    pub gettimeofday: extern "C" fn(*mut [u64; 2], *mut [u32; 2]) -> i32,
    pub time: extern "C" fn(*mut u64) -> u64,
    pub getcpu: extern "C" fn(*mut u32, *mut u32, usize) -> i32,
}

/// A loaded object: where it is, and its tables, which lie where its dynamic section says.
pub struct Object {
    start: usize,
    tables: [usize; 5],
}

const HASH: usize = 0;
const STRINGS: usize = 1;
const SYMBOLS: usize = 2;
const VERSIONS: usize = 3;
const VERSION_NAMES: usize = 4;

/// Where the object begins, as the kernel tells every program.
pub fn place() -> usize {
    // SAFETY: reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) as usize }
}

fn number(at: usize, bytes: usize) -> usize {
    (0..bytes).rev().fold(0, |number, index| number << 8 | usize::from(peek(at + index)))
}

fn string(at: usize) -> String {
    (at..).map(peek).take_while(|byte| *byte != 0).map(char::from).collect()
}

impl Object {
    /// Reads headers and dynamic section of the object at `start`.
    pub fn at(start: usize) -> Object {
        if number(start, 4) != 0x464c_457f {
            fail("no ELF file where AT_SYSINFO_EHDR points");
        }
        let headers = start + number(start + 32, 8);
        let find = |kind| (0..number(start + 56, 2)).map(|index| headers + index * 56).find(|header| number(*header, 4) == kind);
        let (Some(loaded), Some(dynamic)) = (find(1), find(2)) else { fail("PT_LOAD and PT_DYNAMIC") };
        let base = start + number(loaded + 8, 8) - number(loaded + 16, 8);
        let mut tables = [0; 5];
        let mut entry = base + number(dynamic + 16, 8);
        while number(entry, 8) != 0 {
            let place = [4, 5, 6, 0x6fff_fff0, 0x6fff_fffc].iter().position(|kind| *kind == number(entry, 8));
            if let Some(place) = place {
                tables[place] = base + number(entry + 8, 8);
            }
            entry += 16;
        }
        Object { start: base, tables }
    }

    /// Every symbol with its version, and where it is.
    pub fn symbols(&self) -> Vec<(String, String, usize)> {
        let count = number(self.tables[HASH] + 4, 4);
        let symbol = |index: usize| {
            let row = self.tables[SYMBOLS] + index * 24;
            let version = number(self.tables[VERSIONS] + index * 2, 2) & 0x7fff;
            (string(self.tables[STRINGS] + number(row, 4)), self.version(version), self.start + number(row + 8, 8))
        };
        (1..count).map(symbol).collect()
    }

    fn version(&self, wanted: usize) -> String {
        let mut row = self.tables[VERSION_NAMES];
        loop {
            if number(row + 4, 2) == wanted {
                return string(self.tables[STRINGS] + number(row + number(row + 12, 4), 4));
            }
            match number(row + 16, 4) {
                0 => return String::new(),
                next => row += next,
            }
        }
    }

    /// All functions, each found by name and version.
    pub fn functions(&self) -> Functions {
        let symbols = self.symbols();
        let find = |name: &str| {
            let found = symbols.iter().find(|(found, version, _)| found == name && version == "LINUX_2.6");
            done(name, found.ok_or("is not there").map(|found| found.2))
        };
        // SAFETY: functions of these types, by their names.
        unsafe {
            Functions {
                clock_gettime: std::mem::transmute::<usize, Time>(find("__vdso_clock_gettime")),
                clock_getres: std::mem::transmute::<usize, Time>(find("__vdso_clock_getres")),
                gettimeofday: std::mem::transmute::<usize, extern "C" fn(*mut [u64; 2], *mut [u32; 2]) -> i32>(find("__vdso_gettimeofday")),
                time: std::mem::transmute::<usize, extern "C" fn(*mut u64) -> u64>(find("__vdso_time")),
                getcpu: std::mem::transmute::<usize, extern "C" fn(*mut u32, *mut u32, usize) -> i32>(find("__vdso_getcpu")),
            }
        }
    }
}

impl Functions {
    /// Nanoseconds of a clock, or the error.
    pub fn now(&self, clock: i32) -> Result<u64, i32> {
        let mut time = [0; 2];
        match (self.clock_gettime)(clock, &raw mut time) {
            0 => Ok(time[0] * 1_000_000_000 + time[1]),
            error => Err(-error),
        }
    }
}
