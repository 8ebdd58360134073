//! Physical frames: one lock, per-CPU magazines before it, one record per frame.
//!
//! Invariant: a frame is in the zone, in one CPU's magazine, or owned; a record's owner changes only in the hands
//! of whoever takes the frame or gives it back, and the lock is never held while anything is mapped.

pub use super::page::Page;
use super::poison::LastOwner;
use super::refusals::is_drawn;
use super::spare::Stock;
use super::zone::{Link, Zone};
use arrayvec::ArrayVec;
use core::ops::Range;
use machine::addr::{Frame, PAGE_SIZE, PhysAddr};
use machine::paging::FrameSource;
use machine::physical;
use sync::{Counter, CpuLocal, IrqOff, MAXIMUM_CPUS, Once, PerCpu, Published, ReferenceCount, SpinLock, order};

/// What a frame is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Owner {
    /// Not given to the allocator: firmware, devices, the kernel image.
    Nobody = 0,
    Free = 1,
    /// A `Page`: program memory, file contents.
    Page = 2,
    Heap = 3,
    Stack = 4,
    PageTable = 5,
}

const OWNERS: usize = 6;

impl Owner {
    pub(super) fn name(number: u8) -> &'static str {
        ["nobody", "Free", "Page", "Heap", "Stack", "PageTable"].get(usize::from(number)).copied().unwrap_or("unknown")
    }
}

/// One per frame of RAM.
struct Record {
    references: ReferenceCount,
    owner: Published<u8>,
    last: LastOwner,
}

/// On a line of its own: its CPU counts at every page.
#[repr(align(64))]
struct Owned([Counter; OWNERS]);

const MAGAZINE: usize = 64;
/// Programs and stacks are refused when fewer frames are free, page tables at half of that: the rest is the heap's,
/// which can hardly say no. Who makes things in the heap for programs asks `shortage` first.
const RESERVE_FRACTION: usize = 32;
const RESERVE_MINIMUM: usize = 256;

static STOCK: SpinLock<Stock, order::FrameZone> = SpinLock::new(Stock::new(Zone::empty()));
static MAGAZINES: CpuLocal<ArrayVec<Frame, MAGAZINE>> = CpuLocal::new([const { ArrayVec::new_const() }; MAXIMUM_CPUS]);
static RECORDS: Once<&'static [Record]> = Once::new();
static TOTAL: Counter = Counter::new(0);
/// How many frames came to each owner on a CPU, less those that left it there; only the sum over CPUs means something.
static OWNED: PerCpu<Owned> = PerCpu::new([const { Owned([const { Counter::new(0) }; OWNERS]) }; MAXIMUM_CPUS]);
/// What the zone said last about its free frames.
static FREE_IN_ZONE: Counter = Counter::new(0);

/// How much memory of the boot memory the records of `frames` frames take.
pub(super) fn bookkeeping_bytes(frames: usize) -> usize {
    frames * (size_of::<Record>() + size_of::<Link>()) + align_of::<Record>() + align_of::<Link>()
}

/// Starts with records for `frames` frames, all of them nobody's. The records stand at `place`.
///
/// # Safety
/// `bookkeeping_bytes(frames)` bytes from `place` on are RAM inside the window, used by nobody else, for ever.
#[allow(unsafe_code)]
pub(super) unsafe fn start(frames: usize, place: PhysAddr) {
    let records = place.as_u64().next_multiple_of(align_of::<Record>() as u64);
    let links = (records + (frames * size_of::<Record>()) as u64).next_multiple_of(align_of::<Link>() as u64);
    // SAFETY: the caller gives the memory; the two parts are aligned, disjoint, and together no longer than it.
    let (records, links) =
        unsafe { (table(PhysAddr::new(records), frames, new_record), table(PhysAddr::new(links), frames, || Link::TAKEN)) };
    assert!(RECORDS.set(records).is_ok(), "the frame allocator was started twice");
    *STOCK.lock_without_context() = Stock::new(Zone::new(links));
}

const fn new_record() -> Record {
    Record { references: ReferenceCount::new(0), owner: Published::<u8>::new(Owner::Nobody as u8), last: LastOwner::nobody() }
}

/// # Safety
/// Room for `count` aligned `T` at `place`, inside the window, belongs to the caller for ever.
#[allow(unsafe_code)]
unsafe fn table<T>(place: PhysAddr, count: usize, entry: impl Fn() -> T) -> &'static mut [T] {
    let first = physical::pointer(place).cast::<T>();
    for index in 0..count {
        // SAFETY: inside the caller's room; nothing is there yet that would need dropping.
        unsafe { first.add(index).write(entry()) };
    }
    // SAFETY: all entries were just written, and nobody else has the memory.
    unsafe { core::slice::from_raw_parts_mut(first, count) }
}

/// Gives whole frames of `range` to the allocator: at boot, and what boot no longer needs.
pub(super) fn add(range: Range<u64>) {
    let (from, to) = (range.start.div_ceil(PAGE_SIZE as u64) as usize, (range.end / PAGE_SIZE as u64) as usize);
    let Some(records) = RECORDS.get() else { return };
    let to = to.min(records.len());
    if from >= to {
        return;
    }
    for record in &records[from..to] {
        assert!(record.owner.load() == Owner::Nobody as u8, "memory was given to the frame allocator twice");
        record.owner.store(Owner::Free as u8);
    }
    TOTAL.add((to - from) as u64);
    count_owner(Owner::Nobody, Owner::Free, (to - from) as u64, &IrqOff::new());
    with_stock(|stock| {
        stock.zone.add(from, to);
        restock(stock);
    });
}

fn record(frame: Frame) -> &'static Record {
    let Some(record) = RECORDS.get().and_then(|records| records.get(frame.number() as usize)) else {
        panic!("frame {:#x} is not RAM", frame.number());
    };
    record
}

fn change_owner(frame: Frame, from: Owner, to: Owner) {
    let record = record(frame);
    let before = record.owner.swap(to as u8);
    assert!(before == from as u8, "frame {:#x} belongs to {}, not to {from:?}", frame.number(), Owner::name(before));
    match (from, to) {
        (Owner::Free, _) => record.last.check(frame),
        (_, Owner::Free) => record.last.leaves(frame, from),
        _ => {}
    }
}

fn count_owner(from: Owner, to: Owner, frames: u64, irq: &IrqOff) {
    let Owned(owned) = OWNED.mine(irq);
    owned[from as usize].sub(frames);
    owned[to as usize].add(frames);
}

fn owned(owner: Owner) -> u64 {
    OWNED.iter_all().fold(0, |sum: u64, (_, owned)| sum.wrapping_add(owned.0[owner as usize].get()))
}

fn with_stock<R>(work: impl FnOnce(&mut Stock) -> R) -> R {
    let mut stock = STOCK.lock_without_context();
    let result = work(&mut stock);
    FREE_IN_ZONE.set(stock.zone.free_frames() as u64);
    result
}

/// Some came back: the spare blocks may be filled up.
fn restock(stock: &mut Stock) {
    stock.restock(TOTAL.get() as usize, 2 * reserve());
}

/// The count of those who share a frame; only `Page` uses it.
pub(super) fn references(frame: Frame) -> &'static ReferenceCount {
    &record(frame).references
}

fn reserve() -> usize {
    (TOTAL.get() as usize / RESERVE_FRACTION).max(RESERVE_MINIMUM)
}

fn is_refused(owner: Owner) -> bool {
    let free = FREE_IN_ZONE.get() as usize;
    match owner {
        Owner::Page | Owner::Stack => free < reserve(),
        Owner::PageTable => free < reserve() / 2,
        Owner::Heap | Owner::Free | Owner::Nobody => false,
    }
}

/// How little memory there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Shortage {
    /// Enough for everybody.
    None,
    /// No new programs: those that run may need the rest.
    Near,
    /// Programs get no more pages and no more stacks.
    Short,
    /// The heap lives on what was kept for it: nothing is made for programs until there is more.
    Desperate,
}

pub fn shortage() -> Shortage {
    let (free, reserve) = (FREE_IN_ZONE.get() as usize, reserve());
    match free {
        free if free < reserve * 3 / 4 => Shortage::Desperate,
        free if free < reserve => Shortage::Short,
        free if free < 2 * reserve => Shortage::Near,
        _ => Shortage::None,
    }
}

/// One frame; its contents are whatever was there.
pub fn take(owner: Owner) -> Option<Frame> {
    if is_refused(owner) || is_drawn(owner) {
        return None;
    }
    let mut irq = IrqOff::new();
    let frame = match MAGAZINES.with_mut(&mut irq, |magazine| magazine.pop()) {
        Some(frame) => frame,
        None => refill(owner, &mut irq)?,
    };
    count_owner(Owner::Free, owner, 1, &irq);
    drop(irq);
    change_owner(frame, Owner::Free, owner);
    Some(frame)
}

/// Fetches half a magazine from the zone, one frame of which is the answer.
fn refill(owner: Owner, irq: &mut IrqOff) -> Option<Frame> {
    let mut fetched = ArrayVec::<Frame, { MAGAZINE / 2 }>::new();
    with_stock(|stock| {
        while !fetched.is_full() {
            let Some(frame) = stock.zone.take(0) else { break };
            fetched.push(Frame::new(frame as u64));
        }
        if fetched.is_empty() && owner == Owner::Heap {
            fetched.extend(stock.take_for_heap(0).map(|frame| Frame::new(frame as u64)));
        }
    });
    let answer = fetched.pop();
    MAGAZINES.with_mut(irq, |magazine| magazine.extend(fetched));
    answer
}

/// Takes a frame back.
pub fn give(frame: Frame, owner: Owner) {
    change_owner(frame, owner, Owner::Free);
    let mut irq = IrqOff::new();
    count_owner(owner, Owner::Free, 1, &irq);
    let surplus = MAGAZINES.with_mut(&mut irq, |magazine| {
        let mut surplus = ArrayVec::<Frame, { MAGAZINE / 2 }>::new();
        if magazine.is_full() {
            surplus.extend(magazine.drain(..MAGAZINE / 2));
        }
        magazine.push(frame);
        surplus
    });
    if !surplus.is_empty() {
        with_stock(|stock| {
            surplus.iter().for_each(|frame| stock.zone.give(frame.number() as usize, 0));
            restock(stock);
        });
    }
}

/// `2^order` frames in a row.
pub fn take_run(order: usize, owner: Owner) -> Option<Frame> {
    if order >= super::zone::ORDERS || is_refused(owner) {
        return None;
    }
    let block = with_stock(|stock| if owner == Owner::Heap { stock.take_for_heap(order) } else { stock.zone.take(order) });
    let first = Frame::new(block? as u64);
    for offset in 0..1 << order {
        change_owner(Frame::new(first.number() + offset), Owner::Free, owner);
    }
    count_owner(Owner::Free, owner, 1 << order, &IrqOff::new());
    Some(first)
}

/// The same for programs, which can do without: only while nobody is short of memory.
pub(super) fn take_large(order: usize) -> Option<Frame> {
    let is_plenty = shortage() == Shortage::None && FREE_IN_ZONE.get() as usize >= 2 * reserve() + (1 << order);
    if is_plenty && !is_drawn(Owner::Page) { take_run(order, Owner::Page) } else { None }
}

pub fn give_run(first: Frame, order: usize, owner: Owner) {
    for offset in 0..1 << order {
        change_owner(Frame::new(first.number() + offset), owner, Owner::Free);
    }
    count_owner(owner, Owner::Free, 1 << order, &IrqOff::new());
    with_stock(|stock| {
        stock.zone.give(first.number() as usize, order);
        restock(stock);
    });
}

/// Where page tables get their frames, zeroed.
pub struct TableFrames;

impl FrameSource for TableFrames {
    fn take(&mut self) -> Option<PhysAddr> {
        let frame = take(Owner::PageTable)?;
        physical::zero_frame(frame);
        Some(frame.start())
    }

    fn give(&mut self, at: PhysAddr) {
        give(Frame::new(at.as_u64() / PAGE_SIZE as u64), Owner::PageTable);
    }
}

/// The same, and how many are out is counted.
pub struct CountedTableFrames<'a>(pub &'a Counter);

impl FrameSource for CountedTableFrames<'_> {
    fn take(&mut self) -> Option<PhysAddr> {
        let table = TableFrames.take()?;
        self.0.increment();
        Some(table)
    }

    fn give(&mut self, at: PhysAddr) {
        self.0.sub(1);
        TableFrames.give(at);
    }
}

/// All in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    pub total: u64,
    pub free: u64,
    pub pages: u64,
    pub heap: u64,
    pub stacks: u64,
    pub page_tables: u64,
}

pub fn statistics() -> Statistics {
    Statistics {
        total: TOTAL.get(),
        free: owned(Owner::Free),
        pages: owned(Owner::Page),
        heap: owned(Owner::Heap),
        stacks: owned(Owner::Stack),
        page_tables: owned(Owner::PageTable),
    }
}
