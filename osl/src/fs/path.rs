//! Paths, taken apart.
//!
//! Invariant: nothing here looks at a file; a component is never empty and holds no slash.

use abi::Errno;

/// The longest name of one file.
pub const NAME_LIMIT: usize = 255;
/// The longest path that a program may pass, its closing zero included.
pub const PATH_LIMIT: usize = 4096;

/// The first component of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Component<'a> {
    /// The name; may be `.` or `..`.
    pub name: &'a [u8],
    /// What follows it, slashes included.
    pub rest: &'a [u8],
    /// Whether only slashes follow.
    pub is_last: bool,
    /// Whether at least one slash follows: the name must then be a directory.
    pub slash_follows: bool,
}

/// Whether the path starts at the root.
pub fn is_absolute(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
}

/// The first component of `path`; `None` when there is nothing but slashes.
pub fn first_component(path: &[u8]) -> Option<Component<'_>> {
    let begin = path.iter().position(|&byte| byte != b'/')?;
    let (_, path) = path.split_at_checked(begin)?;
    let end = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
    let (name, rest) = path.split_at_checked(end)?;
    Some(Component { name, rest, is_last: rest.iter().all(|&byte| byte == b'/'), slash_follows: !rest.is_empty() })
}

/// Refuses a name that is too long.
pub fn check_name(name: &[u8]) -> Result<(), Errno> {
    if name.len() > NAME_LIMIT { Err(Errno::ENAMETOOLONG) } else { Ok(()) }
}

/// Whether the name is `.` or `..`.
pub fn is_dots(name: &[u8]) -> bool {
    name == b"." || name == b".."
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(mut path: &[u8]) -> alloc::vec::Vec<&[u8]> {
        let mut all = alloc::vec::Vec::new();
        while let Some(component) = first_component(path) {
            all.push(component.name);
            path = component.rest;
        }
        all
    }

    #[test]
    fn repeated_slashes_make_no_empty_components() {
        assert_eq!(names(b"//usr///bin/"), [b"usr".as_slice(), b"bin"]);
        assert!(names(b"///").is_empty());
        assert!(names(b"").is_empty());
    }

    #[test]
    fn a_trailing_slash_is_seen_at_the_last_component_only() {
        let first = first_component(b"a/b//").expect("a component");
        assert!(!first.is_last && first.slash_follows);
        let second = first_component(first.rest).expect("a component");
        assert!(second.is_last && second.slash_follows);
        assert!(!first_component(b"b").expect("a component").slash_follows);
    }

    #[test]
    fn a_name_of_255_bytes_is_allowed_and_one_more_is_not() {
        assert_eq!(check_name(&[b'a'; 255]), Ok(()));
        assert_eq!(check_name(&[b'a'; 256]), Err(Errno::ENAMETOOLONG));
    }
}
