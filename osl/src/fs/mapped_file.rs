//! A file as one mapping shows it: the file's own pages, under the name and with the rights that it was opened by.
//!
//! Invariant: pages and identity are the file's; a mapping made through a read-only opening never changes the file, whatever
//! becomes of the mapping's protection later.

use alloc::string::String;
use alloc::sync::Arc;

use libkernel::address_space::{PageSource, Viewers};
use libkernel::census::{Census, Counted};
use libkernel::error::KernelError;
use libkernel::memory::Page;
use sync::TaskContext;

use super::lookup::Found;
use super::mount::Location;
use super::names;
use super::seals::WritableMapping;

/// Files that programs have mapped, by opening.
pub static LIVING: Census = Census::new("mapped files");

/// The pages of an opened file.
pub struct MappedFile {
    _counted: Counted,
    pages: Arc<dyn PageSource>,
    name: String,
    may_write: bool,
    /// A shared mapping that may write keeps the file from being sealed.
    _writable: Option<WritableMapping>,
}

impl MappedFile {
    /// `name` stands in lists of mappings; `may_write`: the opening allows to change the file.
    pub fn wrap(pages: Arc<dyn PageSource>, name: String, may_write: bool, writable: Option<WritableMapping>) -> Arc<dyn PageSource> {
        Arc::new(Self { _counted: LIVING.count(), pages, name, may_write, _writable: writable })
    }
}

/// The name of a file in lists of mappings: its path below `root`.
pub fn name_of(cx: &mut TaskContext, root: &Location, found: &Found) -> String {
    String::from_utf8_lossy(&names::path_of(cx, root, found)).into_owned()
}

impl PageSource for MappedFile {
    fn page(&self, cx: &mut TaskContext, index: u64, for_write: bool) -> Result<Page, KernelError> {
        self.pages.page(cx, index, for_write)
    }

    fn is_in_memory(&self, cx: &mut TaskContext, index: u64) -> bool {
        self.pages.is_in_memory(cx, index)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn identity(&self) -> usize {
        self.pages.identity()
    }

    fn viewers(&self) -> Option<&Viewers> {
        self.pages.viewers()
    }

    fn may_write_shared(&self) -> bool {
        self.may_write && self.pages.may_write_shared()
    }
}
