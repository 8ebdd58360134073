//! A folder with packages of Debian's unpacked as they are, in which a script runs on both kernels: on Linux as its root by chroot.
//!
//! Invariant: a folder holds exactly what its name says: it is made aside and put in place whole. Nothing of this host is in it.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::error::{Explain, Failure, Outcome};
use crate::{packages, places, root};

/// What a script says of the machine that it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Packages; what they depend on comes along.
    pub packages: Vec<String>,
    pub memory: String,
    /// How long it may take, on either kernel.
    pub patience: Duration,
}

/// Not for programs: what takes room and is never read here.
const LEFT_OUT: [&str; 5] = ["usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/lintian", "usr/share/locale"];
const FOLDERS: [&str; 8] = ["dev", "proc", "sys", "tmp", "run", "root", "tests", "var/tmp"];
/// What the packages' own installation scripts would link or write, if nothing of that name came with a package.
const LINKS: [(&str, &str); 4] = [("bin/sh", "bash"), ("usr/bin/awk", "mawk"), ("usr/bin/cc", "gcc"), ("usr/bin/c++", "g++")];
const FILES: [(&str, &str); 4] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),
    ("etc/group", "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];
const USUAL_SECONDS: u64 = 180;
/// Raised when what is made of the same packages changes.
const EDITION: u32 = 1;

impl System {
    /// A script says `# packages: NAME...` and, if the usual is not enough, `# memory: SIZE` and `# seconds: N`.
    pub fn of(script: &str) -> Option<System> {
        let said = |word: &str| script.lines().find_map(|line| line.strip_prefix(word)).map(str::trim);
        let packages = said("# packages:")?.split_whitespace().map(str::to_owned).collect();
        let seconds = said("# seconds:").and_then(|seconds| seconds.parse().ok()).unwrap_or(USUAL_SECONDS);
        let memory = said("# memory:").unwrap_or("1G").to_owned();
        Some(System { packages, memory, patience: Duration::from_secs(seconds) })
    }

    /// The folder with everything in it, made if it is not there.
    pub fn folder(&self) -> Outcome<PathBuf> {
        let folder = self.place();
        if folder.exists() {
            return Ok(folder);
        }
        let fresh = folder.with_extension(format!("new-{}", std::process::id()));
        let _left_by_a_process_with_this_number = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh).explain(format_args!("making {}", fresh.display()))?;
        for archive in self.archives()? {
            let unpacked = Command::new("dpkg").arg("-x").arg(&archive).arg(&fresh).status().explain("starting dpkg")?;
            if !unpacked.success() {
                return Err(Failure::new(format!("dpkg cannot unpack {}", archive.display())));
            }
        }
        settle(&fresh)?;
        match fs::rename(&fresh, &folder) {
            Err(_) if folder.exists() => fs::remove_dir_all(&fresh).explain("removing what another made as well")?,
            moved => moved.explain(format_args!("placing {}", folder.display()))?,
        }
        Ok(folder)
    }

    /// The folder as an archive with `extra` behind it.
    pub fn packed(&self, extra: &[u8]) -> Outcome<Vec<u8>> {
        let mut packed = root::folder(&self.folder()?)?;
        packed.resize(packed.len().next_multiple_of(512), 0);
        packed.extend_from_slice(extra);
        Ok(packed)
    }

    /// `command` on Linux, with the folder for its root, a `/tmp` of its own, and the folder of `script` as `/tests`.
    pub fn chroot(&self, script: &Path, command: &[String], environment: &[(&str, &str)]) -> Outcome<Command> {
        const SETTLED: &str = "set -e; mount -t proc proc \"$1/proc\"; mount -t tmpfs -o mode=1777 tmpfs \"$1/tmp\"; \
                               mount --rbind /dev \"$1/dev\"; mount --bind \"$2\" \"$1/tests\"; root=$1; shift 2; \
                               cd \"$root\"; exec chroot . /usr/bin/env -i -C /tmp \"$@\"";
        let mut entered = Command::new("unshare");
        if !packages::is_root() {
            entered.arg("--map-root-user");
        }
        entered.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", SETTLED, "sh"]);
        entered.arg(self.folder()?).arg(script.parent().unwrap_or(script));
        entered.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
        entered.args(command);
        Ok(entered)
    }

    fn place(&self) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        (EDITION, &self.packages).hash(&mut hasher);
        cache().join(format!("{}-{:08x}", self.packages.first().map_or("none", String::as_str), hasher.finish() as u32))
    }

    /// The packages and all that they depend on, fetched by apt as if nothing were installed here.
    fn archives(&self) -> Outcome<Vec<PathBuf>> {
        let names = self.fetch().or_else(|_| {
            packages::refresh()?;
            self.fetch()
        })?;
        Ok(names.into_iter().map(|name| cache().join("archives").join(name)).collect())
    }

    fn fetch(&self) -> Outcome<Vec<String>> {
        let archives = cache().join("archives");
        fs::create_dir_all(archives.join("partial")).explain("making a folder for packages")?;
        let nothing_installed = cache().join("nothing-installed");
        fs::write(&nothing_installed, "").explain("writing an empty list")?;
        let apt = |words: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.arg("-o").arg(format!("Dir::State::status={}", nothing_installed.display()));
            apt.arg("-o").arg(format!("Dir::Cache::archives={}", archives.display()));
            apt.args(["-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root", "--no-install-recommends", "--yes"]);
            apt.args(words).arg("install").args(&self.packages).stdin(Stdio::null()).output().explain("starting apt-get")
        };
        let fetched = apt(&["--download-only"])?;
        if !fetched.status.success() {
            let said = String::from_utf8_lossy(&fetched.stderr).into_owned();
            return Err(Failure::new(format!("apt-get cannot fetch {}: {said}", self.packages.join(" "))));
        }
        closure(&String::from_utf8_lossy(&apt(&["--simulate"])?.stdout), &archives)
    }
}

/// The archives of what `apt-get --simulate` says it would install: `Inst NAME (VERSION ...`.
fn closure(simulated: &str, archives: &Path) -> Outcome<Vec<String>> {
    let there: Vec<String> = files(archives)?;
    let wanted = simulated.lines().filter_map(|line| line.strip_prefix("Inst ")).filter_map(|rest| {
        let (name, rest) = rest.split_once(' ')?;
        let version = rest.trim_start_matches('(').split_whitespace().next()?;
        Some(format!("{name}_{}_", version.replace(':', "%3a")))
    });
    wanted
        .map(|beginning| {
            let found = there.iter().find(|file| file.starts_with(&beginning) && file.ends_with(".deb"));
            found.cloned().ok_or_else(|| Failure::new(format!("apt-get fetched no archive {beginning}*.deb")))
        })
        .collect()
}

/// What an installation would have done, as far as programs need it.
fn settle(folder: &Path) -> Outcome<()> {
    for left_out in LEFT_OUT {
        let _not_every_package_has_it = fs::remove_dir_all(folder.join(left_out));
    }
    for name in FOLDERS {
        fs::create_dir_all(folder.join(name)).explain(format_args!("making {name}"))?;
    }
    for (name, to) in LINKS {
        let place = folder.join(name);
        if place.symlink_metadata().is_err() && place.with_file_name(to).exists() {
            symlink(to, &place).explain(format_args!("linking {name}"))?;
        }
    }
    fs::create_dir_all(folder.join("etc")).explain("making etc")?;
    for (name, text) in FILES {
        if !folder.join(name).exists() {
            fs::write(folder.join(name), text).explain(format_args!("writing {name}"))?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> Outcome<Vec<String>> {
    let entries = folder.read_dir().explain(format_args!("reading {}", folder.display()))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn cache() -> PathBuf {
    places::target().join("debian")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_it_wants_and_one_that_says_nothing_wants_no_system() {
        let script = "#!/bin/bash\n# packages: perl gawk\n# memory: 2G\n# seconds: 20\n";
        let system = System { packages: vec!["perl".into(), "gawk".into()], memory: "2G".into(), patience: Duration::from_secs(20) };
        assert_eq!(System::of(script), Some(system));
        assert_eq!(System::of("# packages: tar\n").unwrap().memory, "1G");
        assert_eq!(System::of("#!/bin/sh\n"), None);
    }

    #[test]
    fn what_would_be_installed_is_found_among_the_archives() {
        let folder = std::env::temp_dir().join(format!("braid-archives-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["git_1%3a2.39.5-0_amd64.deb", "libc6_2.36-9_amd64.deb"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let simulated = "Inst libc6 (2.36-9 Debian:12 [amd64])\nConf libc6 (2.36-9)\nInst git (1:2.39.5-0 Debian:12 [amd64]) []\n";
        let found = closure(simulated, &folder);
        let missing = closure("Inst perl (5 Debian)\n", &folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found.unwrap(), ["libc6_2.36-9_amd64.deb", "git_1%3a2.39.5-0_amd64.deb"]);
        assert!(missing.is_err());
    }
}
