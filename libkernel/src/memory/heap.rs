//! The heap: sixteen-byte steps to two kibibytes in size classes, runs of frames above.
//!
//! Invariant: a free object is in one CPU's cache or in the shared list of its class, never in both. Usable with
//! interrupts off; a handler may free but not allocate, since it must not fail for lack of memory.

use super::frames::{self, Owner};
use crate::cross_call;
use alloc::sync::Arc;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};
use machine::addr::{Frame, PAGE_SIZE, PhysAddr};
use machine::physical;
use sync::{Counter, CpuLocal, CpuSet, IrqOff, MAXIMUM_CPUS, SpinLock, TaskContext, order};

const CLASSES: [usize; 14] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];
const LARGEST: usize = CLASSES[CLASSES.len() - 1];
const STEP: usize = 16;

/// Which class serves a size: by sixteenths, rounded up.
const CLASS_OF: [u8; LARGEST / STEP + 1] = {
    let mut table = [0; LARGEST / STEP + 1];
    let (mut index, mut class) = (0, 0);
    while index < table.len() {
        if index * STEP > CLASSES[class] {
            class += 1;
        }
        table[index] = class as u8;
        index += 1;
    }
    table
};

/// How many objects move between a CPU's cache and the shared list at once.
const fn batch(class: usize) -> usize {
    if CLASSES[class] <= 256 { 32 } else { 8 }
}

/// The class for a layout; `None` for what frames serve directly.
fn class_for(layout: Layout) -> Option<usize> {
    let size = if layout.align() > STEP { layout.size().max(layout.align()).next_power_of_two() } else { layout.size() };
    (size <= LARGEST).then(|| usize::from(CLASS_OF[size.div_ceil(STEP)]))
}

/// Frames for a large layout: the alignment of a run is its size.
fn order_for(layout: Layout) -> usize {
    layout.size().max(layout.align()).div_ceil(PAGE_SIZE).next_power_of_two().ilog2() as usize
}

/// Free objects of one class, each holding the address of the next in its first word.
struct FreeList {
    first: *mut FreeObject,
    count: usize,
}

struct FreeObject {
    next: *mut FreeObject,
}

// SAFETY: the objects belong to the list alone, whichever CPU walks it.
#[allow(unsafe_code)]
unsafe impl Send for FreeList {}

impl FreeList {
    const EMPTY: FreeList = FreeList { first: null_mut(), count: 0 };

    /// # Safety
    /// `object` is unused memory of this list's class.
    #[allow(unsafe_code)]
    unsafe fn push(&mut self, object: NonNull<FreeObject>) {
        // SAFETY: the caller gives the object to the list; every class has room for a pointer and its alignment.
        unsafe { object.write(FreeObject { next: self.first }) };
        self.first = object.as_ptr();
        self.count += 1;
    }

    #[allow(unsafe_code)]
    fn pop(&mut self) -> Option<NonNull<FreeObject>> {
        let object = NonNull::new(self.first)?;
        // SAFETY: what is in the list was written by `push` and belongs to the list.
        self.first = unsafe { object.read() }.next;
        self.count -= 1;
        Some(object)
    }

    #[allow(unsafe_code)]
    fn move_to(&mut self, other: &mut FreeList, count: usize) {
        for _ in 0..count {
            let Some(object) = self.pop() else { return };
            // SAFETY: it left this list just now and both lists are of one class.
            unsafe { other.push(object) };
        }
    }
}

type Lists = [FreeList; CLASSES.len()];

static CACHES: CpuLocal<Lists> = CpuLocal::new([const { [const { FreeList::EMPTY }; CLASSES.len()] }; MAXIMUM_CPUS]);
static SHARED: SpinLock<Lists, order::Heap> = SpinLock::new([const { FreeList::EMPTY }; CLASSES.len()]);

/// Frames that were cut into objects of each class, and how many objects that made. They stay cut.
static CUT: [Cut; CLASSES.len()] = [const { Cut { frames: Counter::new(0), objects: Counter::new(0) } }; CLASSES.len()];

struct Cut {
    frames: Counter,
    objects: Counter,
}

/// What one class has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    pub object_bytes: usize,
    pub frames: u64,
    pub objects: u64,
    /// Those that somebody has; the rest are free, in the shared list or with a CPU.
    pub in_use: u64,
}

/// What each class has: exact when nobody takes or frees anything meanwhile. Each CPU is asked for what it keeps, so that
/// nothing is counted at each object that is taken.
pub fn classes(cx: &mut TaskContext) -> [Class; CLASSES.len()] {
    let kept = Arc::new([const { Counter::new(0) }; CLASSES.len()]);
    let sums = Arc::clone(&kept);
    cross_call::on(CpuSet::all_below(MAXIMUM_CPUS), Arc::new(move || add_kept_here(&sums)), cx);
    let irq = IrqOff::new();
    let shared = SHARED.lock(&irq).each_ref().map(|list| list.count as u64);
    core::array::from_fn(|class| {
        let Cut { frames, objects } = &CUT[class];
        let (frames, objects) = (frames.get(), objects.get());
        let in_use = objects.saturating_sub(shared[class] + kept[class].get());
        Class { object_bytes: CLASSES[class], frames, objects, in_use }
    })
}

fn add_kept_here(sums: &[Counter; CLASSES.len()]) {
    let mut irq = IrqOff::new();
    CACHES.with_mut(&mut irq, |caches| {
        sums.iter().zip(caches.iter()).for_each(|(sum, list)| _ = sum.add(list.count as u64));
    });
}

fn allocate_small(class: usize) -> Option<NonNull<u8>> {
    let mut irq = IrqOff::new();
    if let Some(object) = CACHES.with_mut(&mut irq, |caches| caches[class].pop()) {
        return Some(object.cast());
    }
    let mut fetched = FreeList::EMPTY;
    SHARED.lock(&irq)[class].move_to(&mut fetched, batch(class));
    if fetched.count == 0 {
        fetched = grow(class)?;
    }
    let object = fetched.pop();
    let surplus = fetched.count.saturating_sub(batch(class));
    if surplus != 0 {
        fetched.move_to(&mut SHARED.lock(&irq)[class], surplus);
    }
    CACHES.with_mut(&mut irq, |caches| fetched.move_to(&mut caches[class], usize::MAX));
    object.map(NonNull::cast)
}

/// Cuts new frames into objects of one class.
#[allow(unsafe_code)]
fn grow(class: usize) -> Option<FreeList> {
    let size = CLASSES[class];
    let order = if size <= 512 { 0 } else { 2 };
    let (first, bytes) = match frames::take_run(order, Owner::Heap) {
        Some(first) if order != 0 => (first, PAGE_SIZE << order),
        Some(first) => (first, PAGE_SIZE),
        None => (frames::take(Owner::Heap)?, PAGE_SIZE),
    };
    let base = physical::pointer(first.start());
    let mut list = FreeList::EMPTY;
    for index in (0..bytes / size).rev() {
        // SAFETY: inside the frames just taken; objects of one class do not overlap.
        unsafe {
            let object = NonNull::new_unchecked(base.add(index * size).cast());
            list.push(object);
        }
    }
    CUT[class].frames.add((bytes / PAGE_SIZE) as u64);
    CUT[class].objects.add((bytes / size) as u64);
    Some(list)
}

#[allow(unsafe_code)]
fn free_small(class: usize, object: NonNull<u8>) {
    let mut irq = IrqOff::new();
    let mut surplus = CACHES.with_mut(&mut irq, |caches| {
        let list = &mut caches[class];
        // SAFETY: the caller of `dealloc` gives the object up, and its layout names the class.
        unsafe { list.push(object.cast()) };
        let mut surplus = FreeList::EMPTY;
        if list.count > 2 * batch(class) {
            list.move_to(&mut surplus, batch(class));
        }
        surplus
    });
    if surplus.count != 0 {
        surplus.move_to(&mut SHARED.lock(&irq)[class], usize::MAX);
    }
}

/// The frame behind an address in the window.
fn frame_of(pointer: NonNull<u8>) -> Frame {
    let offset = pointer.as_ptr() as u64 - physical::pointer(PhysAddr::new(0)) as u64;
    Frame::new(offset / PAGE_SIZE as u64)
}

/// The kernel's global allocator.
pub struct KernelHeap;

// SAFETY: every object is cut from frames that the heap owns, given out once until it is freed, and as large and
// aligned as `class_for` and `order_for` make it for the layout; both depend on nothing but the layout.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if cfg!(debug_assertions) {
            assert!(!sync::cpu::in_handler(), "an interrupt handler asked the heap for memory");
        }
        match class_for(layout) {
            Some(class) => allocate_small(class).map_or(null_mut(), NonNull::as_ptr),
            None => frames::take_run(order_for(layout), Owner::Heap).map_or(null_mut(), |first| physical::pointer(first.start())),
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(pointer) = NonNull::new(pointer) else { return };
        match class_for(layout) {
            Some(class) => free_small(class, pointer),
            None => frames::give_run(frame_of(pointer), order_for(layout), Owner::Heap),
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `new_size` is a valid size for this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let fits = match (class_for(layout), class_for(new)) {
            (Some(old), Some(new)) => old == new,
            (None, None) => order_for(layout) == order_for(new),
            _ => false,
        };
        if fits {
            return pointer;
        }
        // SAFETY: as the caller's promises to `realloc` go; the copy stays inside both objects.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                core::ptr::copy_nonoverlapping(pointer, moved, layout.size().min(new_size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}

#[cfg(target_os = "none")]
#[global_allocator]
static HEAP: KernelHeap = KernelHeap;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_gets_an_object_that_is_large_and_aligned_enough() {
        for size in 1..=4 * LARGEST {
            for align in (0..13).map(|shift| 1usize << shift) {
                let Ok(layout) = Layout::from_size_align(size, align) else { continue };
                match class_for(layout) {
                    Some(class) => {
                        assert!(CLASSES[class] >= size, "{layout:?}");
                        assert_eq!(CLASSES[class] % align, 0, "{layout:?}");
                    }
                    None => assert!(PAGE_SIZE << order_for(layout) >= size.max(align), "{layout:?}"),
                }
            }
        }
    }
}
