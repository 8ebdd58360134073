//! An IO-APIC's registers behind its select and window, and the bits of a redirection entry.
//!
//! Invariant: select and window are one step: `Registers` is only reachable through the lock that owns it (`io`), so
//! nobody else's select comes between.

/// The two words that an IO-APIC shows to the CPU.
pub(super) trait RegisterPair {
    fn select(&mut self, register: u8);
    fn read_window(&mut self) -> u32;
    fn write_window(&mut self, value: u32);
}

const VERSION: u8 = 1;
const REDIRECTION: u8 = 0x10;
const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const ACTIVE_LOW: u32 = 1 << 13;

/// How a line signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    Edge,
    Level,
}

/// Which voltage means "now".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polarity {
    ActiveHigh,
    ActiveLow,
}

pub(super) struct Registers<P>(P);

impl<P: RegisterPair> Registers<P> {
    pub(super) const fn new(pair: P) -> Self {
        Registers(pair)
    }

    fn read(&mut self, register: u8) -> u32 {
        self.0.select(register);
        self.0.read_window()
    }

    fn write(&mut self, register: u8, value: u32) {
        self.0.select(register);
        self.0.write_window(value);
    }

    /// How many pins it has: at most 240, whatever it claims.
    pub(super) fn pins(&mut self) -> u32 {
        ((self.read(VERSION) >> 16 & 0xff) + 1).min(240)
    }

    /// Sends `pin` as `vector` to one local APIC, unmasked.
    pub(super) fn route(&mut self, pin: u8, vector: u8, to: u8, polarity: Polarity, trigger: Trigger) {
        self.set(pin, vector, to, polarity, trigger, false);
    }

    /// The same, masked or not. Masked while its two halves disagree.
    pub(super) fn set(&mut self, pin: u8, vector: u8, to: u8, polarity: Polarity, trigger: Trigger, masked: bool) {
        let low = REDIRECTION + 2 * pin;
        self.write(low, MASKED);
        self.write(low + 1, u32::from(to) << 24);
        let polarity = if polarity == Polarity::ActiveLow { ACTIVE_LOW } else { 0 };
        let trigger = if trigger == Trigger::Level { LEVEL } else { 0 };
        let mask = if masked { MASKED } else { 0 };
        self.write(low, u32::from(vector) | polarity | trigger | mask);
    }

    pub(super) fn mask(&mut self, pin: u8) {
        let low = REDIRECTION + 2 * pin;
        let value = self.read(low);
        self.write(low, value | MASKED);
    }

    pub(super) fn unmask(&mut self, pin: u8) {
        let low = REDIRECTION + 2 * pin;
        let value = self.read(low);
        self.write(low, value & !MASKED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::vec::Vec;
    use sync::{IrqOff, SpinLock, order};

    /// What the chip holds: which register is selected, by whom, and all registers.
    struct Chip {
        selected: u8,
        by: Option<thread::ThreadId>,
        words: [u32; 256],
    }

    /// A chip that complains when the window is used by another than the one who selected.
    struct Fake(Arc<Mutex<Chip>>);

    impl Fake {
        fn new() -> Self {
            let mut words = [0; 256];
            words[VERSION as usize] = 23 << 16;
            Fake(Arc::new(Mutex::new(Chip { selected: 0, by: None, words })))
        }
    }

    impl RegisterPair for Fake {
        fn select(&mut self, register: u8) {
            let mut chip = self.0.lock().unwrap();
            (chip.selected, chip.by) = (register, Some(thread::current().id()));
            drop(chip);
            thread::yield_now();
        }

        fn read_window(&mut self) -> u32 {
            let chip = self.0.lock().unwrap();
            assert_eq!(chip.by, Some(thread::current().id()), "somebody selected another register in between");
            chip.words[usize::from(chip.selected)]
        }

        fn write_window(&mut self, value: u32) {
            let mut chip = self.0.lock().unwrap();
            assert_eq!(chip.by, Some(thread::current().id()), "somebody selected another register in between");
            let at = usize::from(chip.selected);
            chip.words[at] = value;
        }
    }

    #[test]
    fn an_entry_holds_vector_destination_polarity_and_trigger() {
        let fake = Fake::new();
        let chip = fake.0.clone();
        let mut registers = Registers::new(fake);
        registers.route(4, 0x31, 7, Polarity::ActiveLow, Trigger::Level);
        assert_eq!(chip.lock().unwrap().words[0x18..0x1a], [0x31 | ACTIVE_LOW | LEVEL, 7 << 24]);
        registers.mask(4);
        assert_eq!(chip.lock().unwrap().words[0x18], 0x31 | ACTIVE_LOW | LEVEL | MASKED);
        registers.unmask(4);
        assert_eq!(chip.lock().unwrap().words[0x18], 0x31 | ACTIVE_LOW | LEVEL);
        assert_eq!(registers.pins(), 24);
    }

    #[test]
    fn under_its_lock_select_and_window_are_one_step() {
        let lock: Arc<SpinLock<_, order::IoApic>> = Arc::new(SpinLock::new(Registers::new(Fake::new())));
        let threads: Vec<_> = (0u8..4)
            .map(|pin| {
                let lock = lock.clone();
                thread::spawn(move || {
                    for round in 0..50 {
                        lock.lock(&IrqOff::new()).route(pin, 0x30 + round, pin, Polarity::ActiveHigh, Trigger::Edge);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    /// The broken twin: proves that the fake can tell.
    #[test]
    fn without_the_lock_another_select_comes_between() {
        let chip = Fake::new().0;
        let mut mine = Fake(chip.clone());
        mine.select(0x10);
        thread::spawn(move || Fake(chip).select(0x12)).join().unwrap();
        assert!(std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| mine.write_window(1))).is_err());
    }
}
