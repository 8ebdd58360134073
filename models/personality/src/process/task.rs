//! Nobody asks for tasks.

pub struct Task;

impl Task {
    pub fn id(&self) -> i32 {
        0
    }
}
