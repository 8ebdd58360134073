//! Two pages of the kernel's that every program gets: the clock's, and behind it the code that reads it.
//!
//! Invariant: made once at boot and never given back; a program cannot change the clock's page, and changes only a copy of the code.

use super::address::{PAGE, UserAddress};
use super::backing::{Backing, PageSource, SourceNumber};
use super::request::{MapRequest, Placement, Protection};
use super::space::AddressSpace;
use crate::clock;
use crate::error::KernelError;
use crate::memory::Page;
use alloc::string::String;
use alloc::sync::Arc;
use machine::addr::Frame;
use machine::user::vdso;
use sync::{Once, TaskContext};

/// What both take together.
pub const BYTES: u64 = 2 * PAGE;

struct KernelPage {
    number: SourceNumber,
    page: Page,
    name: &'static str,
    is_code: bool,
}

static PAGES: Once<[Arc<dyn PageSource>; 2]> = Once::new();

/// Makes them, and shows the clock in them. Without memory for it programs go without and ask the kernel.
pub fn initialise() -> Result<(), KernelError> {
    let (clock_page, code) = (Page::zeroed()?, Page::uninitialised()?);
    code.write(0, vdso::image());
    let frame = Frame::containing(clock_page.physical());
    let pages = [("[vvar]", clock_page, false), ("[vdso]", code, true)];
    let sources = pages
        .map(|(name, page, is_code)| -> Arc<dyn PageSource> { Arc::new(KernelPage { number: SourceNumber::new(), page, name, is_code }) });
    if PAGES.set(sources).is_ok() {
        clock::show_in(frame);
    }
    Ok(())
}

/// Maps both at `at`, where nothing is; returns where the code begins. `None`: there are none.
pub fn map(cx: &mut TaskContext, space: &AddressSpace, at: UserAddress) -> Result<Option<UserAddress>, KernelError> {
    let Some(pages) = PAGES.get() else { return Ok(None) };
    let places = [(at.as_u64(), Protection::READ), (at.as_u64().saturating_add(PAGE), Protection::READ_EXECUTE)];
    for (source, (start, protection)) in pages.iter().zip(places) {
        let backing = Backing::Source { source: Arc::clone(source), first_page: 0, shared: false };
        let placement = Placement::FixedNoReplace(UserAddress::new(start));
        space.map(cx, MapRequest { placement, length: PAGE, protection, backing })?;
    }
    Ok(Some(UserAddress::new(places[1].0)))
}

impl PageSource for KernelPage {
    fn page(&self, _: &mut TaskContext, index: u64, _: bool) -> Result<Page, KernelError> {
        if index == 0 { Ok(self.page.clone()) } else { Err(KernelError::BadAddress) }
    }

    fn name(&self) -> String {
        String::from(self.name)
    }

    fn identity(&self) -> usize {
        self.number.get()
    }

    fn may_write_shared(&self) -> bool {
        false
    }

    fn may_write_private(&self) -> bool {
        self.is_code
    }

    fn may_grow(&self) -> bool {
        false
    }
}
