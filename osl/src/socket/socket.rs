//! Socket: one end of a conversation.
//!
//! Invariant: a connected pair refer to each other until either is closed; after that nothing enters the closed one's queue.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use abi::Errno;
use abi::socket::{PeerCredentials, kind};
use libkernel::census::{Census, Counted};
use libkernel::wait::{Mutex, WaitQueue};
use sync::{Allows, Published, SpinLock, TaskContext, order};

use super::address::Address;
use super::message::Queued;
use super::parcel::Parcel;
use super::registry;
use super::settings::Settings;
use crate::file::file::{QueueOwner, Queues};
use crate::file::in_flight::InFlight;
use crate::process;

/// How a socket talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// Bytes between two.
    Stream,
    /// Messages from anyone.
    Datagram,
    /// Messages between two.
    Packet,
}

impl Sort {
    /// As the number that programs use for it.
    pub fn number(self) -> u32 {
        match self {
            Self::Stream => kind::STREAM,
            Self::Datagram => kind::DATAGRAM,
            Self::Packet => kind::PACKET,
        }
    }

    /// Whether it is connected before anything is sent.
    pub fn is_connected(self) -> bool {
        self != Self::Datagram
    }
}

/// What a socket is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet.
    Fresh,
    /// Others connect to it.
    Listening,
    /// It has a peer, or had one.
    Connected,
}

bitflags::bitflags! {
    /// The directions that are shut.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Shut: u32 {
        /// Nothing more is received.
        const RECEIVE = 1;
        /// Nothing more is sent.
        const SEND = 2;
    }
}

impl Shut {
    /// What that is to the other side.
    pub fn of_peer(self) -> Self {
        let mut theirs = Self::empty();
        theirs.set(Self::SEND, self.contains(Self::RECEIVE));
        theirs.set(Self::RECEIVE, self.contains(Self::SEND));
        theirs
    }
}

/// What the lock of a socket guards.
pub struct State {
    pub phase: Phase,
    pub is_closed: bool,
    pub shut: Shut,
    /// Told once, by the next call.
    pub error: Option<Errno>,
    pub peer: Option<Arc<Socket>>,
    /// What was sent to it.
    pub queue: VecDeque<Queued>,
    /// How many bytes of that are to be received yet.
    pub unread: usize,
    /// Connections that nobody has accepted.
    pub pending: VecDeque<Arc<Socket>>,
    /// One more than this may wait to be accepted.
    pub backlog: usize,
    pub address: Option<Arc<Address>>,
    /// Who connected or listened.
    pub peer_credentials: PeerCredentials,
    /// Senders that wait for its queue of datagrams to become shorter.
    pub wanting: Vec<Weak<Socket>>,
}

impl State {
    fn new() -> Self {
        Self {
            phase: Phase::Fresh,
            is_closed: false,
            shut: Shut::empty(),
            error: None,
            peer: None,
            queue: VecDeque::new(),
            unread: 0,
            pending: VecDeque::new(),
            backlog: 0,
            address: None,
            peer_credentials: NOBODY,
            wanting: Vec::new(),
        }
    }

    /// Shows each open file that waits in the queue.
    pub fn visit_files(&self, visit: &mut dyn FnMut(&InFlight)) {
        self.queue.iter().filter_map(|queued| queued.parcel.as_ref()).flat_map(|parcel| parcel.files()).for_each(visit);
    }

    /// Takes what comes with the messages in the queue away from them.
    pub fn take_parcels(&mut self) -> Vec<Box<Parcel>> {
        self.queue.iter_mut().filter_map(|queued| queued.parcel.take()).collect()
    }

    /// Whether `other` is the peer.
    pub fn is_peer(&self, other: &Arc<Socket>) -> bool {
        self.peer.as_ref().is_some_and(|peer| Arc::ptr_eq(peer, other))
    }
}

/// The credentials of a peer that does not exist.
pub const NOBODY: PeerCredentials = PeerCredentials { process: 0, user: u32::MAX, group: u32::MAX };

/// Sockets of this machine, those included that nobody has accepted.
pub static LIVING: Census = Census::new("sockets");

/// One end.
pub struct Socket {
    _counted: Counted,
    sort: Sort,
    number: u64,
    pub(super) settings: Settings,
    pub(super) state: SpinLock<State, order::Socket>,
    /// Held while bytes are copied out of the queue's front.
    pub(super) reading: Mutex<(), order::SocketReader>,
    /// Bytes that were sent and not received yet, with what their messages take.
    pub(super) outstanding: Published<u64>,
    events: Published<u64>,
    /// One wake for each arrival: who receives wakes the next when it leaves something, and a listener's connections are taken whole.
    pub(super) readable: WaitQueue,
    pub(super) writable: WaitQueue,
}

impl Socket {
    /// A socket that is nothing yet.
    pub fn new(sort: Sort) -> Arc<Self> {
        Self::with(sort, Settings::new(), State::new())
    }

    fn with(sort: Sort, settings: Settings, state: State) -> Arc<Self> {
        let socket = Arc::new(Self {
            _counted: LIVING.count(),
            sort,
            number: registry::new_number(),
            settings,
            state: SpinLock::new(state),
            reading: Mutex::new(()),
            outstanding: Published::<u64>::new(0),
            events: Published::<u64>::new(0),
            readable: WaitQueue::named("something to receive from a socket"),
            writable: WaitQueue::named("room to send through a socket"),
        });
        registry::add(&socket);
        socket
    }

    /// Two that are connected to each other, made by one program.
    pub fn pair(cx: &TaskContext, sort: Sort) -> (Arc<Self>, Arc<Self>) {
        let (one, other) = (Self::new(sort), Self::new(sort));
        let credentials = effective_credentials(cx);
        for (socket, peer) in [(&one, &other), (&other, &one)] {
            let mut state = socket.state.lock(cx);
            state.phase = Phase::Connected;
            state.peer = Some(peer.clone());
            state.peer_credentials = credentials;
        }
        (one, other)
    }

    /// The listener's end of a connection that `client` makes.
    pub fn accepted_from(cx: &TaskContext, listener: &Self, client: &Arc<Self>) -> Arc<Self> {
        let address = listener.state.lock(cx).address.clone();
        let peer_credentials = effective_credentials(cx);
        let state = State { phase: Phase::Connected, peer: Some(client.clone()), address, peer_credentials, ..State::new() };
        Self::with(listener.sort, listener.settings.inherited(), state)
    }

    /// How it talks.
    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// What it is told apart by.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What it is called.
    pub fn address(&self, cx: &TaskContext) -> Option<Arc<Address>> {
        self.state.lock(cx).address.clone()
    }

    /// What it is at the moment, and what it is called.
    pub fn facts(&self, cx: &TaskContext) -> (Phase, Option<Arc<Address>>) {
        let state = self.state.lock(cx);
        (state.phase, state.address.clone())
    }

    /// Whom it is connected to.
    pub fn peer(&self, cx: &TaskContext) -> Option<Arc<Self>> {
        self.state.lock(cx).peer.clone()
    }

    /// Whether its receiver wants to know who sends.
    pub fn passes_credentials(&self) -> bool {
        self.settings.passes_credentials.is_set()
    }

    /// How often it may have become ready for something.
    pub fn events(&self) -> u64 {
        self.events.load()
    }

    /// One more message or connection is there: one receiver is enough.
    pub(super) fn one_arrived(&self, cx: &mut TaskContext) {
        self.events.fetch_add(1);
        self.readable.wake_one_donating(cx);
    }

    /// It may have become ready for anything: everyone looks.
    pub(super) fn changed<X: Allows<sync::kind::Irq>>(&self, context: &X) {
        self.events.fetch_add(1);
        self.readable.wake_all(context);
        self.writable.wake_all(context);
    }

    /// Senders may look again.
    pub(super) fn has_room<X: Allows<sync::kind::Irq>>(&self, context: &X) {
        self.events.fetch_add(1);
        self.writable.wake_all(context);
    }

    /// Whether a poll says that there is room to send.
    pub(super) fn is_writable(&self) -> bool {
        self.outstanding.load().saturating_mul(4) <= self.settings.send_limit.load()
    }
}

impl QueueOwner for Socket {
    fn queues(&self) -> Queues<'_> {
        Queues::from_iter([&self.readable, &self.writable])
    }
}

/// The caller, as a peer is told of it.
pub fn effective_credentials(cx: &TaskContext) -> PeerCredentials {
    process::current(cx).map_or(NOBODY, |task| {
        let rights = task.credentials(cx);
        PeerCredentials { process: task.process().id(), user: rights.euid, group: rights.egid }
    })
}

/// The caller, as its messages tell.
pub fn real_credentials(cx: &TaskContext) -> PeerCredentials {
    process::current(cx).map_or(NOBODY, |task| {
        let rights = task.credentials(cx);
        PeerCredentials { process: task.process().id(), user: rights.uid, group: rights.gid }
    })
}
