//! File systems that look at the kernel: `/dev`, `/dev/pts`, `/proc`, `/sys`.
//!
//! They stand above files, processes and terminals because they show all of these. `tree` makes a file out of closures,
//! `fixed` a directory out of a constant list; the rest say what is shown.

pub mod dev;
pub mod devpts;
pub mod disk_device;
pub mod fixed;
pub mod host_stream;
mod large_pages;
pub mod log_device;
pub mod memory_devices;
pub mod proc;
pub mod sys;
pub mod tree;
