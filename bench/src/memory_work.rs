//! What programs ask of memory all the time: pages at their first touch, mappings that come and go, threads.

use crate::system::fail;
use crate::team::Work;

const PAGE: usize = 4096;

/// Nothing of memory: what the machine itself gives to several at once.
pub struct Compute;

impl Work for Compute {
    type Place = u64;
    const NAME: &'static str = "compute";
    const OPERATIONS: u64 = 20_000_000;

    fn prepare() -> u64 {
        1
    }

    fn run(place: &mut u64) {
        for _ in 0..Self::OPERATIONS {
            *place = std::hint::black_box(place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }

    fn tidy(_: u64) {}
}

/// Writes to pages that are there: what the machine's memory gives to several at once.
pub struct Sweep;

impl Work for Sweep {
    type Place = *mut u8;
    const NAME: &'static str = "sweep";
    const OPERATIONS: u64 = 6 * PAGES as u64;

    fn prepare() -> *mut u8 {
        touched()
    }

    fn run(place: &mut *mut u8) {
        for page in 0..Self::OPERATIONS as usize {
            // SAFETY: a page inside the region, which nobody else uses.
            unsafe { std::ptr::write_bytes(place.add(page % PAGES * PAGE), page as u8, PAGE) };
        }
    }

    fn tidy(place: *mut u8) {
        unmap(place, PAGES * PAGE);
    }
}

/// First writes to pages, one after the other, of a region that is made for it and taken away again: one operation is a page, as
/// will-it-scale counts them.
pub struct Fault;

/// Of one region. Few enough for the caches of a host.
const PAGES: usize = 3072;

impl Work for Fault {
    type Place = ();
    const NAME: &'static str = "fault";
    const OPERATIONS: u64 = 8 * PAGES as u64;

    fn prepare() {}

    fn run((): &mut ()) {
        for _ in 0..Self::OPERATIONS as usize / PAGES {
            unmap(touched(), PAGES * PAGE);
        }
    }

    fn tidy((): ()) {}
}

/// The same from the last page to the first: no kernel foresees that, each page costs a fault of its own.
pub struct SingleFault;

impl Work for SingleFault {
    type Place = ();
    const NAME: &'static str = "single-fault";
    const OPERATIONS: u64 = 8 * PAGES as u64;

    fn prepare() {}

    fn run((): &mut ()) {
        for _ in 0..Self::OPERATIONS as usize / PAGES {
            unmap(touched_in((0..PAGES).rev()), PAGES * PAGE);
        }
    }

    fn tidy((): ()) {}
}

fn touched() -> *mut u8 {
    touched_in(0..PAGES)
}

fn touched_in(pages: impl Iterator<Item = usize>) -> *mut u8 {
    let place = map(PAGES * PAGE);
    // SAFETY: the region that was just made. Small pages are what is measured.
    unsafe { libc::madvise(place.cast(), PAGES * PAGE, libc::MADV_NOHUGEPAGE) };
    for page in pages {
        // SAFETY: inside the region, which nobody else uses.
        unsafe { place.add(page * PAGE).write_volatile(1) };
    }
    place
}

/// A mapping made and taken away, never touched.
pub struct Map;

impl Work for Map {
    type Place = ();
    const NAME: &'static str = "map";
    const OPERATIONS: u64 = 20_000;

    fn prepare() {}

    fn run((): &mut ()) {
        for _ in 0..Self::OPERATIONS {
            unmap(map(16 * PAGE), 16 * PAGE);
        }
    }

    fn tidy((): ()) {}
}

/// The same with a write in between: what is taken away, other CPUs may have to forget.
pub struct MapTouched;

impl Work for MapTouched {
    type Place = ();
    const NAME: &'static str = "map-touched";
    const OPERATIONS: u64 = 5000;

    fn prepare() {}

    fn run((): &mut ()) {
        for _ in 0..Self::OPERATIONS {
            let place = map(16 * PAGE);
            // SAFETY: the first byte of the mapping that was just made.
            unsafe { place.write_volatile(1) };
            unmap(place, 16 * PAGE);
        }
    }

    fn tidy((): ()) {}
}

/// A thread made and waited for.
pub struct Thread;

impl Work for Thread {
    type Place = ();
    const NAME: &'static str = "thread";
    const OPERATIONS: u64 = 500;

    fn prepare() {}

    fn run((): &mut ()) {
        for _ in 0..Self::OPERATIONS {
            if std::thread::spawn(|| ()).join().is_err() {
                fail("a thread failed");
            }
        }
    }

    fn tidy((): ()) {}
}

fn map(bytes: usize) -> *mut u8 {
    // SAFETY: new memory, where the kernel wants it.
    let at = unsafe {
        libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
    };
    if at == libc::MAP_FAILED { fail("mmap") } else { at.cast() }
}

fn unmap(at: *mut u8, bytes: usize) {
    // SAFETY: a mapping of `map`, that nobody uses any more.
    if unsafe { libc::munmap(at.cast(), bytes) } != 0 {
        fail("munmap");
    }
}
