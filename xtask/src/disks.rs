//! Tests of disks: images made from a tree on the host, which must look the same, change in the same way, or be refused.
//!
//! Invariant: the host's answer comes from the same script in the same busybox, in the folder that the image was made from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::comparison::{Boot, first_difference};
use crate::ending::Ending;
use crate::error::{Explain, Failure, Outcome};
use crate::test::{Case, Selection};
use crate::{packages, places, root};

const PATIENCE: Duration = Duration::from_secs(240);
/// A way to make an image, the words for mke2fs.
const FORMATS: [(&str, &[&str]); 4] = [
    ("ext4", &["-t", "ext4", "-b", "4096"]),
    ("ext4-inline", &["-t", "ext4", "-b", "1024", "-I", "256", "-O", "inline_data,^has_journal,meta_bg,^resize_inode"]),
    ("ext3", &["-t", "ext3", "-b", "2048"]),
    ("ext2", &["-t", "ext2", "-b", "1024", "-I", "128"]),
];
const SIZE: &str = "40M";
/// How many damaged images one machine gets.
const BROKEN: u32 = 12;

/// A script, and how it meets the disk.
struct Test {
    name: &'static str,
    script: &'static str,
    format: usize,
    /// The disk is the root; else it is mounted.
    is_root: bool,
}

const TESTS: [Test; 6] = [
    Test { name: "disk/walk-ext4", script: "walk", format: 0, is_root: false },
    Test { name: "disk/walk-ext4-inline", script: "walk", format: 1, is_root: true },
    Test { name: "disk/walk-ext3", script: "walk", format: 2, is_root: false },
    Test { name: "disk/walk-ext2", script: "walk", format: 3, is_root: false },
    Test { name: "disk/change", script: "change", format: 0, is_root: true },
    Test { name: "disk/readers", script: "readers", format: 2, is_root: false },
];
const BROKEN_NAME: &str = "disk/broken";

pub fn listed() -> Vec<String> {
    TESTS.iter().map(|test| test.name).chain([BROKEN_NAME]).map(str::to_owned).collect()
}

/// Folder and images, made once.
struct Workshop {
    folder: PathBuf,
    busybox: PathBuf,
    archive: PathBuf,
}

pub fn cases(kernel: &Path, selection: &Selection) -> Outcome<Vec<Case>> {
    let wanted: Vec<&'static Test> = TESTS.iter().filter(|test| selection.takes(test.name)).collect();
    let wants_broken = selection.takes(BROKEN_NAME);
    if wanted.is_empty() && !wants_broken {
        return Ok(Vec::new());
    }
    let workshop = Arc::new(Workshop::furnish()?);
    let mut cases = Vec::new();
    for test in wanted {
        let expected = Arc::new(workshop.on_host(test)?);
        let image = workshop.image(test.format)?;
        // One count is enough where only the format differs.
        let counts = if test.script == "walk" && test.format > 0 {
            selection.cpus.iter().rev().take(1).copied().collect()
        } else {
            selection.cpus.clone()
        };
        for cpus in counts {
            let (workshop, expected, image, kernel) = (workshop.clone(), expected.clone(), image.clone(), kernel.to_path_buf());
            let work = move || workshop.compare(test, &expected, &image, &kernel, cpus);
            cases.push(Case { name: format!("{} on {cpus} CPUs", test.name), alone: false, work: Box::new(work) });
        }
    }
    if wants_broken {
        let images = Arc::new(workshop.broken_images()?);
        for &cpus in &selection.cpus {
            let (workshop, images, kernel) = (workshop.clone(), images.clone(), kernel.to_path_buf());
            let work = move || workshop.survive(&images, &kernel, cpus);
            cases.push(Case { name: format!("{BROKEN_NAME} on {cpus} CPUs"), alone: false, work: Box::new(work) });
        }
    }
    Ok(cases)
}

fn script(name: &str) -> Outcome<String> {
    let file = places::workspace().join(format!("tests/disks/{name}.sh"));
    std::fs::read_to_string(&file).explain(format_args!("reading {}", file.display()))
}

impl Workshop {
    /// Makes the folder that images are made from: busybox's root, and the tree.
    fn furnish() -> Outcome<Self> {
        let folder = places::own_machine_files().join("disks");
        let _there_may_be_none = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("root")).explain("making a folder for disks")?;
        let archive = root::store("disks.cpio", &root::built_in(&[])?)?;
        let workshop = Self { busybox: root::busybox()?, folder, archive };
        let unpack = format!("busybox cpio -idm < '{}'", workshop.archive.display());
        workshop.shell(&unpack, &workshop.folder.join("root"))?;
        workshop.shell(&script("tree")?, &workshop.folder.join("root"))?;
        Ok(workshop)
    }

    /// Runs a script in the host's busybox; its output.
    fn shell(&self, script: &str, folder: &Path) -> Outcome<Vec<u8>> {
        let mut command = Command::new(&self.busybox);
        command.args(["sh", "-c", script]).current_dir(folder).stdin(Stdio::null()).env("TZ", "UTC");
        command.env("PATH", folder_of_links(&self.folder, &self.busybox)?);
        let output = command.output().explain("running busybox")?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Failure::new(format!("on the host the script fails: {}", String::from_utf8_lossy(&output.stderr))))
    }

    /// The host's answer: the script in the tree, or in a copy that it may change.
    fn on_host(&self, test: &Test) -> Outcome<Vec<u8>> {
        let copy = self.folder.join(test.name.replace('/', "-"));
        self.shell(&format!("rm -rf '{0}' && mkdir '{0}'", copy.display()), &self.folder)?;
        self.shell(&script("tree")?, &copy)?;
        self.shell(&format!("{}\ntrue", script(test.script)?), &copy.join("work"))
    }

    fn image(&self, format: usize) -> Outcome<PathBuf> {
        let (name, words) = FORMATS[format];
        let image = self.folder.join(format!("{name}.img"));
        if image.exists() {
            return Ok(image);
        }
        let mut command = Command::new(packages::need_program("mke2fs", "e2fsprogs", "making images of disks")?);
        command.args(["-q", "-F"]).args(words).args(["-U", "62726169-6400-4000-8000-000000000001"]);
        command.arg("-d").arg(self.folder.join("root")).arg(&image).arg(SIZE);
        let output = command.stdin(Stdio::null()).output().explain("running mke2fs")?;
        if output.status.success() { Ok(image) } else { Err(Failure::new(String::from_utf8_lossy(&output.stderr).into_owned())) }
    }

    fn boot(&self, kernel: &Path, disks: &[PathBuf], is_root: bool, script: String, cpus: u32) -> Result<Vec<u8>, String> {
        let boot = Boot {
            kernel,
            root: if is_root { None } else { Some(&self.archive) },
            disks,
            cpus,
            memory: "512M",
            command: &["/bin/sh".to_owned(), "-c".to_owned(), script],
            append: if is_root { "root=/dev/vda" } else { "" },
            input: &[],
            patience: PATIENCE,
        };
        let booted = boot.run().map_err(|failure| failure.message)?;
        if matches!(booted.remains.ending, Ending::Exited(0)) { Ok(booted.output) } else { Err(booted.story()) }
    }

    fn compare(&self, test: &Test, expected: &[u8], image: &Path, kernel: &Path, cpus: u32) -> Result<(), String> {
        let begin = if test.is_root { "cd /work" } else { "mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && cd /mnt/work" };
        let script = format!("{begin}\n{}\ntrue", script(test.script).map_err(|failure| failure.message)?);
        let output = self.boot(kernel, &[image.to_path_buf()], test.is_root, script, cpus)?;
        if output == expected { Ok(()) } else { Err(first_difference(expected, &output)) }
    }

    /// Images with random bytes changed, mostly where the disk describes itself; one cut off, one of nothing.
    fn broken_images(&self) -> Outcome<Vec<PathBuf>> {
        let mut images = Vec::new();
        let mut random = 0x2545_f491_4f6c_dd1d_u64;
        for number in 0..BROKEN {
            let whole = self.image(number as usize % FORMATS.len())?;
            let mut bytes = std::fs::read(&whole).explain("reading an image")?;
            match number {
                0 => bytes.truncate(3 << 20),
                1 => bytes.iter_mut().skip(1024).for_each(|byte| *byte = next(&mut random) as u8),
                _ => damage(&mut bytes, number, &mut random),
            }
            let image = self.folder.join(format!("broken-{number}.img"));
            std::fs::write(&image, &bytes).explain("writing an image")?;
            images.push(image);
        }
        Ok(images)
    }

    fn survive(&self, images: &[PathBuf], kernel: &Path, cpus: u32) -> Result<(), String> {
        let script = script("broken").map_err(|failure| failure.message)?;
        let output = self.boot(kernel, images, false, script, cpus)?;
        let done = String::from_utf8_lossy(&output).lines().filter(|line| line.ends_with("is done with")).count();
        if done == images.len() { Ok(()) } else { Err(format!("{done} of {} disks were done with", images.len())) }
    }
}

/// Changes single bits and whole numbers in blocks that are not empty; the superblock is spared mostly, so that there is a way in.
fn damage(bytes: &mut [u8], number: u32, random: &mut u64) {
    let from = if number % 4 == 3 { 1024 } else { 4096 };
    let mut left = 300 * number;
    for _ in 0..2_000_000 {
        if left == 0 {
            return;
        }
        // Half of the damage goes to the first megabytes, where groups and records are.
        let within = if next(random) & 1 == 0 { bytes.len().min(3 << 20) } else { bytes.len() };
        let at = from + next(random) as usize % (within - from);
        if bytes[at] == 0 && next(random) & 15 != 0 {
            continue;
        }
        match next(random) % 3 {
            0 => bytes[at] ^= 1 << (next(random) % 8),
            1 => bytes[at] = 0xff,
            _ => bytes[at] = next(random) as u8,
        }
        left -= 1;
    }
}

fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random >> 11
}

/// A folder with busybox under the name of each of its applets: the host's scripts use no other programs.
fn folder_of_links(folder: &Path, busybox: &Path) -> Outcome<PathBuf> {
    let links = folder.join("applets");
    if !links.exists() {
        std::fs::create_dir_all(&links).explain("making a folder")?;
        let status = Command::new(busybox).args(["--install", "-s"]).arg(&links).status().explain("running busybox")?;
        if !status.success() {
            return Err(Failure::new("busybox does not install its links"));
        }
    }
    Ok(links)
}
