//! One line of an interrupt chip, played: it lets interrupts through while it is open.

use crate::explore::{Condvar, Mutex};

sync::shared_static! {
    static OPEN: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
}

pub mod io {
    use super::OPEN;

    pub fn unmask(_: u32) -> Result<(), ()> {
        *OPEN.0.lock().unwrap() = true;
        OPEN.1.notify_all();
        Ok(())
    }

    pub fn mask(_: u32) -> Result<(), ()> {
        *OPEN.0.lock().unwrap() = false;
        Ok(())
    }
}

/// The device asks for attention, and gets through when the line is open. Its handler runs some time later.
pub fn wait_until_open() {
    let mut open = OPEN.0.lock().unwrap();
    while !*open {
        open = OPEN.1.wait(open).unwrap();
    }
}

pub fn is_open() -> bool {
    *OPEN.0.lock().unwrap()
}
