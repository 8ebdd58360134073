//! Lines of interrupts are only numbers.

pub mod io {
    #[derive(Clone, Copy)]
    pub struct Line;

    pub fn line_of_isa(_: u8) -> Line {
        Line
    }
}
