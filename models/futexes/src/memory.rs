//! Room in lists, as in the kernel; nothing is refused by lot here.

#[path = "../../../libkernel/src/memory/room.rs"]
mod room;

pub use room::Room;

mod refusals {
    pub const fn is_drawn_for_list() -> bool {
        false
    }
}
