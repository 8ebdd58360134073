//! Disks: many threads' requests with the device at once, each asleep until its own has come back.
//!
//! Invariant: a request is free, in flight, or finished; the handler only wakes. Every waiter looks for itself, puts aside what
//! came back for others, and is woken after whatever it could have missed. The device is read, never written.

use super::memory::{Access, DEPTH, Header, Request, Requests};
use super::transport::{COMMON_BYTES, MessageTransport};
use alloc::boxed::Box;
use alloc::sync::Arc;
use arrayvec::ArrayVec;
use bitflags::bitflags;
use libkernel::device::{self, BLOCK_BYTES, BlockDevice};
use libkernel::error::KernelError;
use libkernel::interrupt::DeviceInterrupt;
use libkernel::wait::WaitQueue;
use libkernel::{info, warn};
use machine::pci::{Bus, Function, MessageTable, Registers};
use sync::{CpuId, IrqContext, SpinLock, TaskContext, order};
use virtio_drivers::transport::pci::PciTransport;
use virtio_drivers::transport::pci::bus::{DeviceFunction, PciRoot};
use virtio_drivers::transport::{DeviceType, Transport};

/// What one request reads at most.
const PIECE: usize = 32 << 10;
const READ: u32 = 0;
const ANSWERED_WELL: u8 = 0;

const VENDOR: u16 = 0x1af4;
const DISK_TRANSITIONAL: u16 = 0x1001;
const DISK: u16 = 0x1042;
const VENDOR_CAPABILITY: u8 = 0x09;
const COMMON_CONFIGURATION: u32 = 1;

bitflags! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Features: u64 {
        const READ_ONLY = 1 << 5;
        const INDIRECT = 1 << 28;
        const VERSION_1 = 1 << 32;
    }
}

struct State {
    requests: Requests,
    free: ArrayVec<Box<Request>, DEPTH>,
    /// By the requests' own numbers: the device's may be given out again before the waiter has looked.
    finished: [Option<Box<Request>>; DEPTH],
}

struct Disk {
    state: SpinLock<State, order::DeviceQueue>,
    /// Somebody gave a request back.
    room: WaitQueue,
    answered: Arc<WaitQueue>,
    length: u64,
    _interrupt: DeviceInterrupt,
    _messages: MessageTable,
}

/// Finds the machine's disks and registers them. Not inlined: who calls it needs its stack for more.
#[inline(never)]
pub fn find_disks() {
    let Some(bus) = Bus::claim() else { return };
    for function in bus.functions() {
        if !matches!(bus.identity(function), (VENDOR, DISK | DISK_TRANSITIONAL)) {
            continue;
        }
        match Disk::start(&bus, function) {
            Ok(disk) => {
                info!("disk on PCI {:02x}:{:02x}.{}: {} KiB", function.bus, function.device, function.function, disk.length / 1024);
                if !device::register_block_device(Box::leak(disk)) {
                    warn!("one disk too many: it is left out");
                }
            }
            Err(why) => warn!("the disk on PCI {:02x}:{:02x}.{} cannot be used: {why}", function.bus, function.device, function.function),
        }
    }
}

impl Disk {
    fn start(bus: &Bus, function: Function) -> Result<Box<Self>, &'static str> {
        bus.enable(function);
        let messages = MessageTable::enable(bus, function).ok_or("it sends no messages (MSI-X)")?;
        let answered = Arc::new(WaitQueue::named("a disk's answer"));
        let waiting = Arc::clone(&answered);
        let wake = Arc::new(move |irq: &IrqContext| waiting.wake_all(irq));
        let (interrupt, message) =
            DeviceInterrupt::request_message("disk", CpuId::BOOT, wake).map_err(|_| "no interrupt vector is free for it")?;
        messages.set(0, message.address, message.data).then_some(()).ok_or("its table of messages is empty")?;
        let mut transport = transport(bus, function)?;
        let features = transport.begin_init(Features::all());
        if !features.contains(Features::VERSION_1) {
            return Err("it is older than VIRTIO 1.0");
        }
        let capacity = transport.read_consistent(|| Ok((transport.read_config_space::<u32>(0)?, transport.read_config_space::<u32>(4)?)));
        let (low, high) = capacity.map_err(|_| "it does not say how large it is")?;
        let sectors = u64::from(high) << 32 | u64::from(low);
        let length = sectors.checked_mul(BLOCK_BYTES).ok_or("it is impossibly large")?;
        let requests = Requests::new(transport, features.contains(Features::INDIRECT)).ok_or("it has no queue")?;
        let free: ArrayVec<_, DEPTH> = (0..DEPTH).map_while(|number| Request::new(number, PIECE)).collect();
        if free.is_empty() {
            return Err("there is no memory for requests");
        }
        let state = State { requests, free, finished: [const { None }; DEPTH] };
        let (state, room) = (SpinLock::new(state), WaitQueue::named("a free request of a disk"));
        Ok(Box::new(Disk { state, room, answered, length, _interrupt: interrupt, _messages: messages }))
    }

    /// Reads one piece and gives the request with the answer to `take`.
    fn read_piece(&self, cx: &mut TaskContext, at: u64, length: usize, take: &mut dyn FnMut(&[u8])) -> Result<(), KernelError> {
        let header = Header { kind: READ, reserved: 0, sector: at / BLOCK_BYTES };
        let number = self.room.wait_until(cx, |cx| self.state.lock(cx).submit(header, length))?;
        let request = self.answered.wait_until(cx, |cx| self.state.lock(cx).answer(number))?;
        let is_well = request.status() == ANSWERED_WELL;
        if is_well {
            take(request.answer());
        }
        // The free requests had room for it when it was taken.
        let _ = self.state.lock(cx).free.try_push(request);
        self.room.wake_one(cx);
        if is_well { Ok(()) } else { Err(KernelError::DeviceFailed) }
    }
}

/// The device behind a function, its queues still to be made.
fn transport(bus: &Bus, function: Function) -> Result<MessageTransport, &'static str> {
    let place = DeviceFunction { bus: function.bus, device: function.device, function: function.function };
    let common = common_configuration(bus, function).ok_or("it shows no registers (VIRTIO 1.0)")?;
    let inner = PciTransport::new::<super::memory::KernelMemory, _>(&mut PciRoot::new(Access(bus)), place)
        .map_err(|_| "its registers make no sense")?;
    if inner.device_type() != DeviceType::Block {
        return Err("it is no disk");
    }
    Ok(MessageTransport::new(inner, common))
}

fn common_configuration(bus: &Bus, function: Function) -> Option<Registers> {
    let found =
        bus.capabilities(function, VENDOR_CAPABILITY).into_iter().find(|at| bus.read(function, *at) >> 24 == COMMON_CONFIGURATION)?;
    let base = bus.memory(function, bus.read(function, found.checked_add(4)?) as u8)?;
    let offset = bus.read(function, found.checked_add(8)?);
    Registers::map(base + u64::from(offset), COMMON_BYTES)
}

impl State {
    /// Hands a request to the device, if one is free. `Err` when nothing can be hoped for.
    fn submit(&mut self, header: Header, length: usize) -> Option<Result<usize, KernelError>> {
        self.put_aside();
        if self.requests.is_broken() {
            return Some(Err(KernelError::DeviceFailed));
        }
        let mut request = self.free.pop()?;
        let number = request.number();
        request.prepare(header, length);
        match self.requests.submit(request) {
            Ok(()) => Some(Ok(number)),
            Err(request) => {
                self.free.push(request);
                None
            }
        }
    }

    /// The request of that number, once it has come back.
    fn answer(&mut self, number: usize) -> Option<Result<Box<Request>, KernelError>> {
        self.put_aside();
        if let Some(request) = self.finished.get_mut(number).and_then(Option::take) {
            return Some(Ok(request));
        }
        self.requests.is_broken().then_some(Err(KernelError::DeviceFailed))
    }

    fn put_aside(&mut self) {
        while let Some(request) = self.requests.take_finished() {
            if let Some(place) = self.finished.get_mut(request.number()) {
                *place = Some(request);
            }
        }
    }
}

impl BlockDevice for Disk {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, cx: &mut TaskContext, at: u64, length: usize, take: &mut dyn FnMut(&[u8])) -> Result<(), KernelError> {
        let end = at.checked_add(length as u64).filter(|end| *end <= self.length).ok_or(KernelError::Invalid)?;
        if !at.is_multiple_of(BLOCK_BYTES) || !end.is_multiple_of(BLOCK_BYTES) {
            return Err(KernelError::Invalid);
        }
        let mut done = 0;
        while done < length {
            let piece = (length - done).min(PIECE);
            self.read_piece(cx, at + done as u64, piece, take)?;
            done += piece;
        }
        Ok(())
    }
}
