//! Memory that a device reads and writes by itself, and the queue that hands it over.
//!
//! Invariant: a request's memory stands still in its box, and the box stays in `in_flight` from `submit` until the device has
//! given it back. All such memory is the heap's or whole frames: what follows there in the window follows in RAM.
#![allow(unsafe_code)]

use super::transport::MessageTransport;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ptr::NonNull;
use libkernel::memory::frames::{self, Owner};
use machine::addr::{Frame, PAGE_SIZE, PhysAddr};
use machine::pci::{Bus, Function, Registers};
use machine::physical;
use sync::fence_full;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::transport::pci::bus::{ConfigurationAccess, DeviceFunction};
use virtio_drivers::{BufferDirection, Hal};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many requests a device may have at once.
pub const DEPTH: usize = 16;
const QUEUE: u16 = 0;

/// Where the crate gets its memory.
pub enum KernelMemory {}

fn order_of(pages: usize) -> usize {
    pages.next_power_of_two().trailing_zeros() as usize
}

// SAFETY: memory comes in whole, zeroed runs that nobody else has until they are given back; registers are mapped for ever;
// an address is translated by the window's offset, which is the same for all RAM.
unsafe impl Hal for KernelMemory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (u64, NonNull<u8>) {
        let none = (0, NonNull::dangling());
        let Some(first) = frames::take_run(order_of(pages), Owner::Heap) else { return none };
        for number in 0..1 << order_of(pages) {
            physical::zero_frame(Frame::new(first.number() + number));
        }
        NonNull::new(physical::pointer(first.start())).map_or(none, |pointer| (first.start().as_u64(), pointer))
    }

    unsafe fn dma_dealloc(at: u64, _: NonNull<u8>, pages: usize) -> i32 {
        frames::give_run(Frame::new(at / PAGE_SIZE as u64), order_of(pages), Owner::Heap);
        0
    }

    unsafe fn mmio_phys_to_virt(at: u64, length: usize) -> NonNull<u8> {
        let mapped = Registers::map(PhysAddr::new(at), length).and_then(|registers| NonNull::new(registers.address() as *mut u8));
        let Some(pointer) = mapped else { panic!("registers of {length:#x} bytes at {at:#x} are no device's of ours") };
        pointer
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> u64 {
        let offset = (buffer.as_ptr().cast::<u8>() as u64).checked_sub(physical::pointer(PhysAddr::new(0)) as u64);
        let Some(at) = offset.filter(|at| *at < physical::DIRECT_MAP_BYTES) else {
            panic!("a device was given memory outside of the window");
        };
        at
    }

    unsafe fn unshare(_: u64, _: NonNull<[u8]>, _: BufferDirection) {}
}

/// The crate's way to the configuration ports.
pub struct Access<'a>(pub &'a Bus);

fn function_of(function: DeviceFunction) -> Function {
    Function { bus: function.bus, device: function.device, function: function.function }
}

impl ConfigurationAccess for Access<'_> {
    fn read_word(&self, function: DeviceFunction, offset: u8) -> u32 {
        self.0.read(function_of(function), offset)
    }

    fn write_word(&mut self, function: DeviceFunction, offset: u8, value: u32) {
        self.0.write(function_of(function), offset, value);
    }

    /// The bus stays with the thread that borrowed it, and each access is whole.
    unsafe fn unsafe_clone(&self) -> Self {
        Access(self.0)
    }
}

/// The head of a request to a disk (VIRTIO 1.2, 5.2.6).
#[repr(C)]
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Header {
    pub kind: u32,
    pub reserved: u32,
    pub sector: u64,
}

/// A request, with room for its answer.
pub struct Request {
    number: usize,
    header: Header,
    data: Vec<u8>,
    length: usize,
    status: [u8; 1],
}

impl Request {
    /// With room for `capacity` bytes, and a number of its own.
    pub fn new(number: usize, capacity: usize) -> Option<Box<Self>> {
        let mut data = Vec::new();
        data.try_reserve_exact(capacity).ok()?;
        data.resize(capacity, 0);
        Some(Box::new(Request { number, header: Header::default(), data, length: 0, status: [0] }))
    }

    /// Asks for `length` bytes, and expects no answer yet.
    pub fn prepare(&mut self, header: Header, length: usize) {
        self.header = header;
        self.length = length.min(self.data.len());
        self.status = [u8::MAX];
    }

    pub fn number(&self) -> usize {
        self.number
    }

    pub fn status(&self) -> u8 {
        self.status[0]
    }

    /// What the device has written.
    pub fn answer(&self) -> &[u8] {
        self.data.get(..self.length).unwrap_or_default()
    }
}

/// A device's queue.
pub struct Requests {
    queue: VirtQueue<KernelMemory, DEPTH>,
    transport: MessageTransport,
    in_flight: [Option<Box<Request>>; DEPTH],
    is_broken: bool,
}

impl Requests {
    /// `indirect`: the device follows lists beside the queue, so that a request takes one place in it.
    pub fn new(mut transport: MessageTransport, indirect: bool) -> Option<Self> {
        let queue = VirtQueue::new(&mut transport, QUEUE, indirect, false).ok()?;
        if !transport.has_message(QUEUE) {
            return None;
        }
        transport.finish_init();
        Some(Requests { queue, transport, in_flight: [const { None }; DEPTH], is_broken: false })
    }

    /// The device has answered what it was not asked.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Hands a request over. It is given back when the queue is full.
    pub fn submit(&mut self, mut request: Box<Request>) -> Result<(), Box<Request>> {
        let Request { header, data, length, status, .. } = &mut *request;
        let data = data.get_mut(..*length).unwrap_or_default();
        // SAFETY: the box goes into `in_flight` below, and nobody touches what is in it before `take_finished`.
        let added = unsafe { self.queue.add(&[header.as_bytes()], &mut [data, status]) };
        let Ok(token) = added else { return Err(request) };
        if let Some(place) = self.in_flight.get_mut(usize::from(token)) {
            *place = Some(request);
        }
        // The device must see the request before we see that it still looks: else both would wait.
        fence_full();
        if self.queue.should_notify() {
            self.transport.notify(QUEUE);
        }
        Ok(())
    }

    /// One that the device has given back.
    pub fn take_finished(&mut self) -> Option<Box<Request>> {
        let token = self.queue.peek_used()?;
        let Some(mut request) = self.in_flight.get_mut(usize::from(token)).and_then(Option::take) else {
            self.is_broken = true;
            return None;
        };
        let Request { header, data, length, status, .. } = &mut *request;
        let data = data.get_mut(..*length).unwrap_or_default();
        // SAFETY: the same memory as was handed over under this number.
        let popped = unsafe { self.queue.pop_used(token, &[header.as_bytes()], &mut [data, status]) };
        self.is_broken |= popped.is_err();
        Some(request)
    }
}
