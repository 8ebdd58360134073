//! A program's memory, made complete before anything of the old one is touched.
//!
//! Invariant: a failure here leaves nothing behind but an address space that nobody uses, which goes with its last reference.

use alloc::sync::Arc;

use abi::Errno;
use abi::process::{UNLIMITED, auxiliary, limit};
use abi::sequence;
use libkernel::address_space::{AddressSpace, Protection, UserAddress, current_space, kernel_pages};
use libkernel::random;
use sync::TaskContext;

use super::program::{self, ProgramFile, Wish};
use super::shared::Program;
use super::task::Task;
use crate::credentials::Credentials;
use crate::elf::parse::{PAGE, USER_END};
use crate::elf::stack::{self, Contents, StackImage};
use crate::elf::{self, Image, Loaded};
use crate::error::errno;
use crate::fs::mapped_file::MappedFile;

/// A program ready to run.
pub struct NewProgram {
    /// Its memory.
    pub space: Arc<AddressSpace>,
    /// Its first instruction: its own, or that of the program that starts it.
    pub entry: u64,
    /// Its first stack pointer.
    pub stack: u64,
    /// Its name and where its arguments stand.
    pub program: Program,
}

/// One page below the end of the user half stays free; below it the kernel's pages have room beside the highest stack.
const HIGHEST: u64 = USER_END - PAGE;
const STACK_TOP: u64 = HIGHEST - kernel_pages::BYTES;
/// The kernel's pages share a table of the page table with the top of the stack.
const TABLE_BYTES: u64 = 512 * PAGE;
const LARGEST_STACK: u64 = 256 << 20;
const SMALLEST_STACK: u64 = 128 << 10;
/// Where movable programs go, before chance moves them.
const MOVABLE_BASE: u64 = 0x5555_5555_4000;
/// Where the program goes that starts others.
const INTERPRETER_BASE: u64 = 0x7f00_0000_0000;
/// Pages that chance may move a program by.
const RANDOM_PAGES: u64 = 1 << 22;
const RANDOM_STACK_PAGES: u64 = 1 << 14;
const TICKS_PER_SECOND: u64 = 100;
/// What every x86-64 processor has (CPUID 1, EDX): FPU, TSC, CX8, CMOV, CLFSH, MMX, FXSR, SSE, SSE2. More is not promised here.
const BASELINE_FEATURES: u64 = 1 | 1 << 4 | 1 << 8 | 1 << 15 | 1 << 19 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26;
/// What `AT_MINSIGSTKSZ` promises: frame, vector state, alignment.
const SIGNAL_STACK_BYTES: u64 = 4096;

/// Builds the memory of the program in `file`, to be run with `credentials`.
pub fn build(
    cx: &mut TaskContext,
    task: &Task,
    file: &ProgramFile,
    wish: &Wish,
    credentials: &Credentials,
    secure: bool,
) -> Result<NewProgram, Errno> {
    let image = read_image(cx, file)?;
    let starter = starter(cx, task, file, &image)?;
    let space = AddressSpace::new().map_err(errno)?;
    space.set_limits(cx, task.process().memory_limits(cx));
    if current_space(cx).is_some_and(|before| before.refuses_large(cx)) {
        space.refuse_large(cx, true);
    }
    let base = if image.is_movable { MOVABLE_BASE + chance(RANDOM_PAGES) * PAGE } else { 0 };
    let loaded = load(cx, &space, file, &image, base)?;
    let started = match &starter {
        Some((file, image)) if image.is_movable => Some(load(cx, &space, file, image, INTERPRETER_BASE)?),
        Some((file, image)) => Some(load(cx, &space, file, image, 0)?),
        None => None,
    };
    space.set_break_base(cx, UserAddress::new(loaded.end));
    let stack_top = STACK_TOP - chance(RANDOM_STACK_PAGES) * PAGE;
    let kernel_code = kernel_pages::map(cx, &space, place_above(stack_top)).map_err(errno)?;
    let vector = auxiliary_vector(&image, &loaded, started.as_ref(), credentials, secure, kernel_code);
    let stack = build_stack(cx, task, &space, wish, &vector, stack_top, image.runs_stack)?;
    let program = Program { file: Some(file.found.clone()), arguments: stack.arguments, environment: stack.environment };
    let entry = started.map_or(loaded.entry, |started| started.entry);
    Ok(NewProgram { space, entry, stack: stack.pointer, program })
}

fn chance(below: u64) -> u64 {
    random::number() % below
}

/// A place by chance for the kernel's pages, right above the stack or a little higher.
fn place_above(stack_top: u64) -> UserAddress {
    let end = (stack_top + 1).next_multiple_of(TABLE_BYTES).min(HIGHEST);
    let room = end.saturating_sub(stack_top).saturating_sub(kernel_pages::BYTES);
    UserAddress::new(stack_top + chance(room / PAGE + 1) * PAGE)
}

fn read_image(cx: &mut TaskContext, file: &ProgramFile) -> Result<Image, Errno> {
    let size = file.attributes.size;
    let table = elf::parse::table(&file.head, size).map_err(|_| Errno::ENOEXEC)?;
    let bytes = program::read(cx, &file.node, table.offset, table.bytes)?;
    elf::parse::image(&table, &bytes, size).map_err(|_| Errno::ENOEXEC)
}

/// The program that is to start this one, if it names one.
fn starter(cx: &mut TaskContext, task: &Task, file: &ProgramFile, image: &Image) -> Result<Option<(ProgramFile, Image)>, Errno> {
    let Some((offset, length)) = image.interpreter else {
        return Ok(None);
    };
    let path = program::read(cx, &file.node, offset, length)?;
    let Some((0, path)) = path.split_last() else {
        return Err(Errno::ENOEXEC);
    };
    let starter = program::open_path(cx, task, path)?;
    let image = read_image(cx, &starter).map_err(|error| if error == Errno::ENOEXEC { Errno::ELIBBAD } else { error })?;
    Ok(Some((starter, image)))
}

fn load(cx: &mut TaskContext, space: &AddressSpace, file: &ProgramFile, image: &Image, base: u64) -> Result<Loaded, Errno> {
    let pages = file.node.clone().pages().ok_or(Errno::ENOEXEC)?;
    let pages = MappedFile::wrap(pages, file.name.clone(), false, None);
    elf::load(cx, space, image, &pages, base).map_err(errno)
}

fn auxiliary_vector(
    image: &Image,
    loaded: &Loaded,
    started: Option<&Loaded>,
    credentials: &Credentials,
    secure: bool,
    kernel_code: Option<UserAddress>,
) -> [(u64, u64); 19] {
    let code = kernel_code.map_or((auxiliary::IGNORE, 0), |code| (auxiliary::SYSINFO_EHDR, code.as_u64()));
    [
        code,
        (auxiliary::HWCAP, BASELINE_FEATURES),
        (auxiliary::PAGESZ, PAGE),
        (auxiliary::CLKTCK, TICKS_PER_SECOND),
        (auxiliary::PHDR, loaded.headers),
        (auxiliary::PHENT, elf::header::SEGMENT_BYTES as u64),
        (auxiliary::PHNUM, image.header_count),
        (auxiliary::BASE, started.map_or(0, |started| started.base)),
        (auxiliary::FLAGS, 0),
        (auxiliary::ENTRY, loaded.entry),
        (auxiliary::UID, u64::from(credentials.uid)),
        (auxiliary::EUID, u64::from(credentials.euid)),
        (auxiliary::GID, u64::from(credentials.gid)),
        (auxiliary::EGID, u64::from(credentials.egid)),
        (auxiliary::SECURE, u64::from(secure)),
        (auxiliary::HWCAP2, 0),
        (auxiliary::RSEQ_FEATURE_SIZE, u64::from(sequence::FEATURE_BYTES)),
        (auxiliary::RSEQ_ALIGN, u64::from(sequence::ALIGNMENT)),
        (auxiliary::MINSIGSTKSZ, SIGNAL_STACK_BYTES),
    ]
}

fn build_stack(
    cx: &mut TaskContext,
    task: &Task,
    space: &AddressSpace,
    wish: &Wish,
    vector: &[(u64, u64)],
    top: u64,
    runs_stack: bool,
) -> Result<StackImage, Errno> {
    let mut random = [0; 16];
    random::fill(&mut random);
    let contents = Contents { arguments: &wish.arguments, environment: &wish.environment, path: &wish.path, random, auxiliary: vector };
    let image = stack::build(top, &contents).ok_or(Errno::ENOMEM)?;
    let limit = task.process().soft_limit(cx, limit::STACK);
    let wanted = if limit == UNLIMITED { LARGEST_STACK } else { limit.clamp(SMALLEST_STACK, LARGEST_STACK) };
    let used = image.bytes.len() as u64;
    let now = used.saturating_add(SMALLEST_STACK).next_multiple_of(PAGE);
    let most = wanted.next_multiple_of(PAGE).max(now);
    let protection = if runs_stack { Protection { execute: true, ..Protection::READ_WRITE } } else { Protection::READ_WRITE };
    space.map_stack(cx, UserAddress::new(top), now, most, protection).map_err(errno)?;
    space.write(cx, UserAddress::new(image.pointer), &image.bytes).map_err(errno)?;
    Ok(image)
}
