//! /proc: processes and the machine, as texts for `ps`, `top`, `free` and their like.
//!
//! `root` puts the tree together: fixed texts about the machine (`system`, `cpu_times`, `memory_info`, `processors`,
//! `interrupts`, `settings`) and a directory for each process (`task_directory`, `descriptors`). What is shown of a task is
//! gathered in one step (`gather`) into plain figures (`snapshot`) that pure functions print (`task_text`, `maps`, `limits`).
//! `access` decides who may see what is not for everybody.

pub mod access;
pub mod cpu_list;
pub mod cpu_times;
pub mod descriptors;
mod drop_caches;
pub mod gather;
pub mod hung;
pub mod interrupts;
pub mod limits;
pub mod maps;
pub mod memory_info;
pub mod mounts;
mod network;
pub mod objects;
pub mod processors;
pub mod root;
pub mod settings;
mod slabs;
pub mod snapshot;
pub mod system;
mod system_v;
pub mod task_directory;
pub mod task_files;
pub mod task_text;
pub mod tlb;
pub mod trigger;

pub use root::root;

use super::tree::Volume;

/// The file system itself.
pub(super) const VOLUME: Volume = Volume { device: 4, magic: 0x9fa0 };
