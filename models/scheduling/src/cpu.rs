//! What a CPU is told and asked, played.

use std::cell::Cell;
use sync::{MAXIMUM_CPUS, cpu};

// One model's threads all run on one OS thread; a word is its CPU's own.
std::thread_local! {
    static THREADS: [Cell<*const ()>; MAXIMUM_CPUS] = const { [const { Cell::new(core::ptr::null()) }; MAXIMUM_CPUS] };
}

pub fn set_thread(thread: *const ()) {
    THREADS.with(|threads| threads[cpu::current().index()].set(thread));
}

pub fn thread() -> *const () {
    THREADS.with(|threads| threads[cpu::current().index()].get())
}

pub fn set_kernel_stack(_: u64) {}

pub fn set_fs_base(_: u64) {}

pub fn set_user_gs_base(_: u64) {}

pub fn halt_until_interrupt() {
    crate::apic::wait_for_interrupt();
}

pub mod fpu {
    #[derive(Clone)]
    pub struct ExtendedState;

    impl ExtendedState {
        pub fn new() -> Option<Self> {
            Some(ExtendedState)
        }

        pub fn save(&mut self) {}

        pub fn restore(&mut self) {}
    }
}
