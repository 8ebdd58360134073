//! Nobody asks for tasks.

use sync::Published;

pub struct Task {
    pub death_signal: Published<u32>,
}

impl Task {
    pub fn id(&self) -> i32 {
        0
    }
}
