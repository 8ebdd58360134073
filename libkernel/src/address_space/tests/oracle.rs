//! What a program must see: one byte per page.

use crate::address_space::Protection;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Contents that many may show; a page beyond `length` is not there.
pub struct Shared {
    pub bytes: RefCell<BTreeMap<u64, u8>>,
    pub length: Cell<u64>,
}

#[derive(Clone)]
pub struct Page {
    pub protection: Protection,
    /// Its own byte, once written (private) or always (anonymous).
    pub own: Option<u8>,
    pub source: Option<(Rc<Shared>, u64)>,
    pub shared: bool,
}

impl Page {
    /// `None`: no contents.
    pub fn read(&self) -> Option<u8> {
        match (&self.own, &self.source) {
            (Some(byte), _) => Some(*byte),
            (None, Some((source, index))) => (*index < source.length.get()).then(|| source.bytes.borrow().get(index).copied().unwrap_or(0)),
            (None, None) => Some(0),
        }
    }

    pub fn write(&mut self, byte: u8) {
        match &self.source {
            Some((source, index)) if self.shared => {
                source.bytes.borrow_mut().insert(*index, byte);
            }
            _ => self.own = Some(byte),
        }
    }

    /// As it was when it was mapped.
    pub fn discard(&mut self) {
        self.own = None;
    }

    /// Shows a page of that source from `first` on.
    pub fn shows(&self, contents: &Rc<Shared>, first: u64) -> bool {
        self.source.as_ref().is_some_and(|(source, index)| Rc::ptr_eq(source, contents) && *index >= first)
    }

    /// What stands so many pages further on, never touched.
    pub fn fresh_after(&self, pages: u64) -> Page {
        Page {
            protection: self.protection,
            own: None,
            source: self.source.as_ref().map(|(source, index)| (Rc::clone(source), index + pages)),
            shared: self.shared,
        }
    }
}

pub type Space = BTreeMap<u64, Page>;
