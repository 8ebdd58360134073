//! The numbers of pseudo-terminals.
//!
//! Invariant: a number is taken until nobody holds its terminal any more, so no two that can be told apart by it exist at once.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use sync::{SpinLock, TaskContext, order};

use super::terminal::Terminal;

/// How many there may be at once.
pub const MOST: u32 = 4096;

static TABLE: SpinLock<BTreeMap<u32, Weak<Terminal>>, order::PseudoTerminals> = SpinLock::new(BTreeMap::new());

/// A number that is taken.
#[derive(Debug)]
pub struct Number(u32);

impl Number {
    /// The smallest that is free.
    pub fn take(cx: &TaskContext) -> Option<Self> {
        let mut table = TABLE.lock(cx);
        let mut number = 0;
        for taken in table.keys() {
            if *taken != number {
                break;
            }
            number += 1;
        }
        if number >= MOST {
            return None;
        }
        table.insert(number, Weak::new());
        Some(Self(number))
    }

    /// The number.
    pub fn get(&self) -> u32 {
        self.0
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        TABLE.lock_without_context().remove(&self.0);
    }
}

/// Lets a terminal be found by its number.
pub fn enter(cx: &TaskContext, terminal: &Arc<Terminal>) {
    let Some(number) = terminal.number() else { return };
    if let Some(place) = TABLE.lock(cx).get_mut(&number) {
        *place = Arc::downgrade(terminal);
    }
}

/// The terminal with this number.
pub fn find(cx: &TaskContext, number: u32) -> Option<Arc<Terminal>> {
    TABLE.lock(cx).get(&number)?.upgrade()
}

/// All of them, by number.
pub fn all(cx: &TaskContext) -> Vec<Arc<Terminal>> {
    TABLE.lock(cx).values().filter_map(Weak::upgrade).collect()
}
