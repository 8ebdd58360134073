//! The root file system that the kernel starts with: busybox and its links, a folder of the user's, or a ready archive.

use std::collections::{BTreeSet, HashMap};
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::archive::{Archive, Attributes, DIRECTORY, REGULAR, SYMBOLIC_LINK};
use crate::error::{Explain, Failure, Outcome};
use crate::{elf, own_files, packages, places};

const PROFILE: &str = "\
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
export PS1='\\u@\\h:\\w\\$ '
# The shell is process 1: there is no init that these could ask.
alias poweroff='poweroff -f' reboot='reboot -f' halt='halt -f'
";
const USERS: &str = "\
root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/home/user:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh
";
const GROUPS: &str = "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n";

/// A file that a test adds to the built-in root.
pub struct Extra {
    pub name: String,
    pub permissions: u32,
    pub bytes: Vec<u8>,
}

/// The archive for `--root`: a folder is packed, a file passes through as it is, nothing means the built-in root.
pub fn choose(choice: Option<&Path>) -> Outcome<PathBuf> {
    let Some(choice) = choice else {
        return own_files::store("root.cpio", &built_in(&[])?);
    };
    let found = choice.metadata().explain(format_args!("--root {}", choice.display()))?;
    if found.is_dir() {
        return own_files::store("root.cpio", &folder(choice)?);
    }
    Ok(choice.to_path_buf())
}

/// Debian's busybox with a link for every applet, and the few files that a shell expects.
pub fn built_in(extras: &[Extra]) -> Outcome<Vec<u8>> {
    let busybox = busybox()?;
    let bytes = std::fs::read(&busybox).explain(format_args!("reading {}", busybox.display()))?;
    let mut archive = Archive::default();
    let folders = [
        ("bin", 0o755),
        ("sbin", 0o755),
        ("usr", 0o755),
        ("usr/bin", 0o755),
        ("usr/sbin", 0o755),
        ("etc", 0o755),
        ("dev", 0o755),
        ("proc", 0o555),
        ("sys", 0o555),
        ("run", 0o755),
        ("var", 0o755),
        ("root", 0o700),
        ("home", 0o755),
        ("tmp", 0o1777),
    ];
    for (name, permissions) in folders {
        archive.directory(name, permissions);
    }
    for name in parents(extras).iter().filter(|name| folders.iter().all(|(there, _)| there != *name)) {
        archive.directory(name, 0o755);
    }
    let home = Attributes { mode: DIRECTORY | 0o755, user: 1000, group: 1000, links: 2, ..Attributes::default() };
    archive.entry(b"home/user", &home, &[])?;
    archive.file("bin/busybox", 0o755, &bytes);
    let is_free = |name: &&String| *name != "bin/busybox" && extras.iter().all(|extra| extra.name != **name);
    for applet in applets(&busybox)?.iter().filter(is_free) {
        archive.link(applet, "/bin/busybox");
    }
    for (name, text) in
        [("etc/passwd", USERS), ("etc/group", GROUPS), ("etc/profile", PROFILE), ("etc/hostname", "braid\n"), ("etc/shells", "/bin/sh\n")]
    {
        archive.file(name, 0o644, text.as_bytes());
    }
    for extra in extras {
        archive.file(&extra.name, extra.permissions, &extra.bytes);
    }
    Ok(archive.finish())
}

/// The folders that files lie in, those further out first.
fn parents(extras: &[Extra]) -> BTreeSet<&str> {
    extras.iter().flat_map(|extra| extra.name.match_indices('/').map(|(at, _)| extra.name.split_at(at).0)).collect()
}

/// Debian's static busybox, installed if need be. A busybox that needs a dynamic loader will not do.
pub fn busybox() -> Outcome<PathBuf> {
    let usable = |file: &PathBuf| std::fs::read(file).is_ok_and(|bytes| elf::needs_interpreter(&bytes).is_ok_and(|needs| !needs));
    if let Some(found) = packages::find_program("busybox").filter(usable) {
        return Ok(found);
    }
    packages::install(&["busybox-static"], "the root file system")?;
    packages::find_program("busybox")
        .filter(usable)
        .ok_or_else(|| Failure::usage("busybox-static is installed, and yet there is no static busybox in PATH"))
}

fn applets(busybox: &Path) -> Outcome<Vec<String>> {
    let listed = Command::new(busybox).arg("--list-full").output().explain("asking busybox for its applets")?;
    let mut names: Vec<String> = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .map(|line| line.trim_start_matches('/').to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    // Debian installs most applets below usr; scripts ask for these two by their old names.
    names.extend(["bin/sh", "bin/env"].map(str::to_owned));
    names.sort();
    names.dedup();
    if names.len() < 20 {
        return Err(Failure::new("busybox --list-full names hardly any applet"));
    }
    Ok(names)
}

/// Packs a folder. Files of the person who packs become root's; other owners stay.
pub fn folder(folder: &Path) -> Outcome<Vec<u8>> {
    let mut packer = Packer { archive: Archive::default(), names_left: HashMap::new(), owner: owner() };
    packer.count(folder)?;
    packer.folder(folder, b"")?;
    Ok(packer.archive.finish())
}

struct Packer {
    archive: Archive,
    /// For each file with several names in this folder: its number here, and the names still to come.
    names_left: HashMap<(u64, u64), (u32, u32)>,
    owner: (u32, u32),
}

impl Packer {
    /// First pass: which files have several names inside of the folder.
    fn count(&mut self, folder: &Path) -> Outcome<()> {
        for (path, found) in sorted(folder)? {
            if found.is_dir() {
                self.count(&path)?;
            } else if found.nlink() > 1 {
                let number = self.names_left.len() as u32 + 1;
                self.names_left.entry((found.dev(), found.ino())).or_insert((number, 0)).1 += 1;
            }
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path, prefix: &[u8]) -> Outcome<()> {
        for (path, found) in sorted(folder)? {
            let name = [prefix, path.file_name().unwrap_or_default().as_bytes()].concat();
            self.entry(&path, &found, &name)?;
            if found.is_dir() {
                self.folder(&path, &[&name[..], b"/"].concat())?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, found: &Metadata, name: &[u8]) -> Outcome<()> {
        let mut attributes = Attributes {
            mode: found.mode(),
            user: if found.uid() == self.owner.0 { 0 } else { found.uid() },
            group: if found.gid() == self.owner.1 { 0 } else { found.gid() },
            modified: u32::try_from(found.mtime()).unwrap_or(0),
            number: 0,
            links: if found.is_dir() { 2 } else { 1 },
            device: (libc::major(found.rdev()), libc::minor(found.rdev())),
        };
        let mut is_last_name = true;
        if let Some((number, left)) = self.names_left.get_mut(&(found.dev(), found.ino())) {
            *left = left.saturating_sub(1);
            is_last_name = *left == 0;
            attributes.number = *number;
            attributes.links = found.nlink() as u32;
        }
        let bytes = match found.mode() & 0o170_000 {
            REGULAR if is_last_name => std::fs::read(path).explain(format_args!("reading {}", path.display()))?,
            SYMBOLIC_LINK => {
                let to = path.read_link().explain(format_args!("reading {}", path.display()))?;
                to.as_os_str().as_bytes().to_vec()
            }
            _ => Vec::new(),
        };
        self.archive.entry(name, &attributes, &bytes)
    }
}

fn sorted(folder: &Path) -> Outcome<Vec<(PathBuf, Metadata)>> {
    let read = |error| Failure::new(format!("reading {}: {error}", folder.display()));
    let mut entries = Vec::new();
    for entry in folder.read_dir().map_err(read)? {
        let path = entry.map_err(read)?.path();
        let found = path.symlink_metadata().explain(format_args!("reading {}", path.display()))?;
        entries.push((path, found));
    }
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(entries)
}

/// Writes an archive below `target/vm`, whole or not at all.
pub fn store(name: &str, bytes: &[u8]) -> Outcome<PathBuf> {
    let folder = places::machine_files();
    std::fs::create_dir_all(&folder).explain(format_args!("making {}", folder.display()))?;
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new-{}", std::process::id())));
    std::fs::write(&fresh, bytes).explain(format_args!("writing {}", fresh.display()))?;
    std::fs::rename(&fresh, &path).explain(format_args!("placing {}", path.display()))?;
    Ok(path)
}

fn owner() -> (u32, u32) {
    // SAFETY: neither call has preconditions, and neither can fail.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive;

    #[test]
    fn a_packed_folder_has_its_links_directories_and_both_names_of_a_file() {
        let top = std::env::temp_dir().join(format!("braid-root-{}", std::process::id()));
        std::fs::create_dir_all(top.join("deep/er")).unwrap();
        std::fs::write(top.join("deep/er/one"), b"the bytes").unwrap();
        std::fs::hard_link(top.join("deep/er/one"), top.join("two")).unwrap();
        std::os::unix::fs::symlink("deep/er", top.join("short")).unwrap();
        let packed = folder(&top).unwrap();
        std::fs::remove_dir_all(&top).unwrap();
        assert_eq!(archive::names(&packed), ["deep", "deep/er", "deep/er/one", "short", "two"]);
        let bytes = packed.windows(9).filter(|part| part == b"the bytes").count();
        assert_eq!(bytes, 1, "the bytes belong to the last name only");
    }

    #[test]
    fn the_built_in_root_has_a_shell_a_profile_and_the_extra_files() {
        if packages::find_program("busybox").is_none() {
            return;
        }
        let extra = Extra { name: "tests/deep/hello".into(), permissions: 0o755, bytes: b"x".to_vec() };
        let names = archive::names(&built_in(&[extra]).unwrap());
        for name in ["bin/sh", "bin/busybox", "etc/profile", "tmp", "proc", "tests", "tests/deep", "tests/deep/hello"] {
            assert_eq!(names.iter().filter(|found| *found == name).count(), 1, "{name}");
        }
    }
}
