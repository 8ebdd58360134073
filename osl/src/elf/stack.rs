//! The top of a new program's stack: argument count, pointers, auxiliary vector, strings.
//!
//! ```text
//! stack pointer -> argc | argv[0..argc] | 0 | envp[..] | 0 | (kind, value)… (0, 0) | padding | random, platform, strings, path <- top
//! ```
//!
//! Invariant: pure. The stack pointer is a multiple of 16, every pointer points into the image, every string ends with a zero.

use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::process::auxiliary;

/// Strings one after another, each with its ending zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    count: usize,
}

impl Strings {
    /// No strings.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), count: 0 }
    }

    /// Adds one, cut at its first zero; `None` when memory is short.
    pub fn push(&mut self, string: &[u8]) -> Option<()> {
        let length = string.iter().position(|byte| *byte == 0).unwrap_or(string.len());
        self.bytes.try_room(length + 1).ok()?;
        self.bytes.extend_from_slice(string.get(..length)?);
        self.bytes.push(0);
        self.count += 1;
        Some(())
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes with the ending zeros, and one pointer for each.
    pub fn cost(&self) -> usize {
        self.bytes.len() + self.count * WORD
    }

    /// Bytes with the ending zeros.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Each without its zero.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split_inclusive(|byte| *byte == 0).filter_map(|string| string.split_last()).map(|(_, string)| string)
    }

    /// Takes the first one off.
    pub fn remove_first(&mut self) {
        let Some(end) = self.bytes.iter().position(|byte| *byte == 0) else {
            return;
        };
        self.bytes.drain(..=end);
        self.count -= 1;
    }

    /// Puts one before the others; `None` when memory is short.
    pub fn push_first(&mut self, string: &[u8]) -> Option<()> {
        let mut longer = Strings::new();
        longer.push(string)?;
        longer.bytes.try_room(self.bytes.len()).ok()?;
        longer.bytes.extend_from_slice(&self.bytes);
        longer.count += self.count;
        *self = longer;
        Some(())
    }
}

/// Bytes of a pointer.
const WORD: usize = 8;
const ALIGN: u64 = 16;
/// What `AT_PLATFORM` points at.
const PLATFORM: &[u8] = b"x86_64\0";

/// What the stack is made from.
pub struct Contents<'a> {
    /// The arguments.
    pub arguments: &'a Strings,
    /// The environment.
    pub environment: &'a Strings,
    /// The path that the program was started by.
    pub path: &'a [u8],
    /// Sixteen random bytes.
    pub random: [u8; 16],
    /// The auxiliary vector, without the entries that point into the stack and without the end.
    pub auxiliary: &'a [(u64, u64)],
}

/// The bytes that go below the top of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackImage {
    /// Where they begin: the program's first stack pointer.
    pub pointer: u64,
    /// The bytes, up to the top.
    pub bytes: Vec<u8>,
    /// From the first argument's first byte to the last one's ending zero.
    pub arguments: (u64, u64),
    /// The same of the environment.
    pub environment: (u64, u64),
}

struct Words(Vec<u8>);

impl Words {
    fn push(&mut self, word: u64) {
        self.0.extend_from_slice(&word.to_le_bytes());
    }

    /// Pointers to each of the strings that begin at `at`, and a zero.
    fn push_pointers(&mut self, strings: &Strings, mut at: u64) {
        for string in strings.iter() {
            self.push(at);
            at += string.len() as u64 + 1;
        }
        self.push(0);
    }
}

/// Builds the image below `top`. `None` when memory or the space below `top` is short.
pub fn build(top: u64, contents: &Contents<'_>) -> Option<StackImage> {
    let path_at = (top & !7).checked_sub(8 + contents.path.len() as u64 + 1)?;
    let environment_at = path_at.checked_sub(contents.environment.length() as u64)?;
    let arguments_at = environment_at.checked_sub(contents.arguments.length() as u64)?;
    let platform_at = arguments_at.checked_sub(PLATFORM.len() as u64)?;
    let random_at = platform_at.checked_sub(contents.random.len() as u64)? & !(ALIGN - 1);
    let auxiliary_count = contents.auxiliary.len() + 4;
    let words = 1 + contents.arguments.count() + 1 + contents.environment.count() + 1 + 2 * auxiliary_count;
    let pointer = random_at.checked_sub((words * WORD) as u64)? & !(ALIGN - 1);
    let total = usize::try_from(top - pointer).ok()?;

    let mut out = Words(Vec::new());
    out.0.try_room_exact(total).ok()?;
    out.push(contents.arguments.count() as u64);
    out.push_pointers(contents.arguments, arguments_at);
    out.push_pointers(contents.environment, environment_at);
    let pointing = [(auxiliary::RANDOM, random_at), (auxiliary::EXECFN, path_at), (auxiliary::PLATFORM, platform_at)];
    for (kind, value) in contents.auxiliary.iter().copied().chain(pointing).chain([(auxiliary::NULL, 0)]) {
        out.push(kind);
        out.push(value);
    }
    let mut bytes = out.0;
    let place = |bytes: &mut Vec<u8>, at: u64, what: &[u8]| {
        bytes.resize(usize::try_from(at - pointer).unwrap_or(bytes.len()), 0);
        bytes.extend_from_slice(what);
    };
    place(&mut bytes, random_at, &contents.random);
    place(&mut bytes, platform_at, PLATFORM);
    place(&mut bytes, arguments_at, &contents.arguments.bytes);
    place(&mut bytes, environment_at, &contents.environment.bytes);
    place(&mut bytes, path_at, contents.path);
    bytes.resize(total, 0);
    let arguments = (arguments_at, environment_at);
    Some(StackImage { pointer, bytes, arguments, environment: (environment_at, path_at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: u64 = 0x7fff_ffff_e000;

    fn strings(of: &[&[u8]]) -> Strings {
        let mut strings = Strings::new();
        of.iter().for_each(|string| strings.push(string).unwrap());
        strings
    }

    fn word(image: &StackImage, index: usize) -> u64 {
        let at = index * WORD;
        u64::from_le_bytes(image.bytes[at..at + WORD].try_into().unwrap())
    }

    fn string(image: &StackImage, address: u64) -> &[u8] {
        let at = usize::try_from(address - image.pointer).unwrap();
        image.bytes[at..].split(|byte| *byte == 0).next().unwrap()
    }

    fn example() -> StackImage {
        let contents = Contents {
            arguments: &strings(&[b"sh", b"-c", b""]),
            environment: &strings(&[b"HOME=/"]),
            path: b"/bin/sh",
            random: [7; 16],
            auxiliary: &[(auxiliary::PAGESZ, 4096)],
        };
        build(TOP, &contents).unwrap()
    }

    #[test]
    fn the_stack_pointer_is_aligned_and_the_image_ends_at_the_top() {
        let image = example();
        assert_eq!(image.pointer % 16, 0);
        assert_eq!(image.pointer + image.bytes.len() as u64, TOP);
    }

    #[test]
    fn count_arguments_environment_and_vector_follow_each_other() {
        let image = example();
        assert_eq!(word(&image, 0), 3);
        assert_eq!(string(&image, word(&image, 1)), b"sh");
        assert_eq!(string(&image, word(&image, 2)), b"-c");
        assert_eq!(string(&image, word(&image, 3)), b"");
        assert_eq!(word(&image, 4), 0);
        assert_eq!(string(&image, word(&image, 5)), b"HOME=/");
        assert_eq!(word(&image, 6), 0);
        assert_eq!((word(&image, 7), word(&image, 8)), (auxiliary::PAGESZ, 4096));
    }

    #[test]
    fn the_vector_points_at_random_bytes_path_and_platform_and_ends() {
        let image = example();
        assert_eq!(word(&image, 9), auxiliary::RANDOM);
        assert_eq!(word(&image, 10) % 16, 0);
        assert_eq!(string(&image, word(&image, 10))[..16], [7; 16]);
        assert_eq!(string(&image, word(&image, 12)), b"/bin/sh");
        assert_eq!(string(&image, word(&image, 14)), b"x86_64");
        assert_eq!((word(&image, 15), word(&image, 16)), (0, 0));
    }

    #[test]
    fn the_areas_hold_exactly_the_strings() {
        let image = example();
        assert_eq!(image.arguments.1 - image.arguments.0, 7);
        assert_eq!(image.environment.1 - image.environment.0, 7);
    }

    #[test]
    fn too_little_room_is_refused() {
        let contents =
            Contents { arguments: &strings(&[b"x"]), environment: &Strings::new(), path: b"/x", random: [0; 16], auxiliary: &[] };
        assert_eq!(build(64, &contents), None);
    }

    #[test]
    fn the_first_string_can_be_replaced_by_several() {
        let mut list = strings(&[b"script", b"a"]);
        list.remove_first();
        list.push_first(b"/script").unwrap();
        list.push_first(b"/bin/sh").unwrap();
        let seen: Vec<&[u8]> = list.iter().collect();
        assert_eq!(seen, [&b"/bin/sh"[..], b"/script", b"a"]);
        assert_eq!(list.count(), 3);
    }
}
