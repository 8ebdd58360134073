//! Sockets of this machine (`unix(7)`): streams, datagrams and sequenced packets between its programs.
//!
//! A `Socket` is one end; what is sent to it waits in its own queue as `Message`s, each charged to its sender until it was received.
//! `names` finds a socket by its file or its abstract name; `connect`, `listen`, `bind`, `close` change what a socket is; `send` and
//! `receive` move bytes, and openings with them; `SocketFile` is the socket as an open file.
//!
//! Invariant: a program's memory is copied under no spin lock; bytes leave a queue only after they were copied.

pub mod address;
pub mod bind;
pub mod close;
pub mod connect;
pub mod control;
pub mod listen;
pub mod message;
pub mod names;
pub mod node;
pub mod options;
pub mod parcel;
pub mod receive;
pub mod registry;
pub mod send;
pub mod send_packet;
pub mod settings;
#[allow(clippy::module_inception, reason = "the socket itself is the main subject of the folder")]
pub mod socket;
pub mod socket_file;

pub use address::Address;
pub use socket::{Socket, Sort};
pub use socket_file::SocketFile;
