//! The programs and scripts that run on Linux first: how they are built, listed, and what Linux says of them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::debian_system::System;
use crate::error::{Explain, Failure, Outcome};
use crate::{children, examples, host_tests, packages, places, root, third_party};

pub const HOST_TARGET: &str = "x86_64-unknown-linux-gnu";
const NATIVE_PATIENCE: Duration = Duration::from_secs(60);
pub const ENVIRONMENT: [(&str, &str); 3] = [("HOME", "/root"), ("USER", "root"), ("TERM", "linux")];

/// Something that both kernels can run.
pub struct Subject {
    /// As in `linux/NAME` or `script/NAME`.
    pub name: String,
    /// The file on this host, packed as `tests/FILE`.
    pub file: PathBuf,
    /// The command in the machine, beginning with a full path.
    pub command: Vec<String>,
    /// Packages of crates.io whose programs it uses.
    pub needs: Vec<String>,
    pub kind: Kind,
    /// Debian's programs that stand beside busybox in the machine.
    pub debian: Vec<String>,
    /// The system that it runs in; none: busybox's.
    pub system: Option<System>,
}

/// The folders with programs, the packages that they are, and what their subjects' names begin with.
const PROGRAMS: [(&str, &str, Kind); 2] = [("linux", "linux-tests", Kind::Program), ("native", "native-tests", Kind::OwnJudge)];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Program,
    /// A program for this kernel's own calls: no other can run it.
    OwnJudge,
    BusyboxScript,
    BashScript,
    /// A script in a system of Debian packages.
    DebianScript,
}

/// What a run left: standard output and the status as a shell says it.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub output: Vec<u8>,
    pub status: u8,
}

/// Every subject, whether built or not.
pub fn subjects() -> Outcome<Vec<Subject>> {
    let mut subjects = Vec::new();
    for (folder, _, kind) in PROGRAMS {
        subjects.extend(names_of_programs(folder)?.into_iter().map(|name| Subject {
            file: built(&name),
            command: vec![format!("/tests/{name}")],
            name: format!("{folder}/{name}"),
            needs: Vec::new(),
            debian: wanted_of_debian(folder, &name),
            system: None,
            kind,
        }));
    }
    subjects.extend(examples::subjects()?);
    for file in files(&places::workspace().join("tests/scripts"))? {
        let (Some(name), Some(stem)) = (text(file.file_name()), text(file.file_stem())) else { continue };
        let (kind, shell): (_, &[&str]) = match file.extension().and_then(|end| end.to_str()) {
            Some("sh") => (Kind::BusyboxScript, &["/bin/busybox", "sh"]),
            Some("bash") => (Kind::BashScript, &["/bin/bash"]),
            _ => continue,
        };
        let command = shell.iter().map(|word| (*word).to_owned()).chain([format!("/tests/{name}")]).collect();
        let debian = if kind == Kind::BashScript { vec!["bash".to_owned()] } else { Vec::new() };
        let needs = needs(&fs::read_to_string(&file).explain(format_args!("reading {}", file.display()))?);
        subjects.push(Subject { name: format!("script/{stem}"), file, command, needs, debian, system: None, kind });
    }
    for file in files(&places::workspace().join("tests/debian"))? {
        let (Some(name), Some(stem)) = (text(file.file_name()), text(file.file_stem())) else { continue };
        let script = fs::read_to_string(&file).explain(format_args!("reading {}", file.display()))?;
        let Some(system) = System::of(&script) else { continue };
        subjects.push(Subject {
            name: format!("debian/{stem}"),
            command: vec!["/bin/bash".into(), format!("/tests/{name}")],
            file,
            needs: Vec::new(),
            debian: Vec::new(),
            system: Some(system),
            kind: Kind::DebianScript,
        });
    }
    Ok(subjects)
}

/// Where a program of `tests/linux` is once it is built.
pub fn built(name: &str) -> PathBuf {
    places::programs_target().join(HOST_TARGET).join("release").join(name)
}

pub fn listed() -> Outcome<Vec<String>> {
    Ok(subjects()?.into_iter().map(|subject| subject.name).collect())
}

/// Builds `tests/linux`, `tests/native` and `examples` as static programs.
pub fn build() -> Outcome<()> {
    let mut cargo = host_tests::cargo();
    cargo.args(["build", "--release", "--target", HOST_TARGET]);
    for (_, package, _) in PROGRAMS {
        cargo.args(["--package", package]);
    }
    examples::add_to(&mut cargo);
    cargo.arg("--target-dir").arg(places::programs_target());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    // They travel in the root archive of every boot: small is fast.
    cargo.env("CARGO_PROFILE_RELEASE_DEBUG", "0").env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    // The kernel's way to end is not a program's: a thread that panics can be joined.
    cargo.env("CARGO_PROFILE_RELEASE_PANIC", "unwind");
    let built = cargo.stdin(Stdio::null()).stdout(std::io::stderr()).status().explain("starting cargo")?;
    if !built.success() {
        return Err(Failure::new("the programs of tests/linux, tests/native and examples do not build"));
    }
    examples::build_those_in_c()
}

/// Debian's static bash, for the scripts that want it.
pub fn bash() -> Outcome<PathBuf> {
    packages::need_program("bash-static", "bash-static", "the tests with bash")
}

impl Subject {
    /// Whether only the program itself can say what is right.
    pub fn is_its_own_judge(&self) -> bool {
        self.kind == Kind::OwnJudge
    }

    /// What Linux says: the oracle.
    pub fn on_linux(&self) -> Outcome<Answer> {
        let scratch = std::env::temp_dir().join(format!("braid-{}-{}", std::process::id(), self.name.replace('/', "-")));
        fs::create_dir_all(&scratch).explain("making a scratch folder")?;
        let answer = run_here(self.native_command()?, &scratch, self.system.as_ref().map_or(NATIVE_PATIENCE, |system| system.patience));
        let _leftovers_do_no_harm = fs::remove_dir_all(&scratch);
        answer.map_err(|failure| Failure::new(format!("{} on Linux: {}", self.name, failure.message)))
    }

    fn native_command(&self) -> Outcome<Command> {
        if let Some(system) = &self.system {
            let environment = [&ENVIRONMENT[..], &[("PATH", "/bin:/sbin:/usr/bin:/usr/sbin")]].concat();
            return system.chroot(&self.file, &self.command, &environment);
        }
        let mut words = match self.kind {
            Kind::Program | Kind::OwnJudge | Kind::DebianScript => Vec::new(),
            Kind::BusyboxScript => vec![root::busybox()?.into_os_string(), "sh".into()],
            Kind::BashScript => vec![bash()?.into_os_string()],
        };
        words.push(self.file.clone().into_os_string());
        let path = match self.kind {
            Kind::Program => "/bin:/sbin:/usr/bin:/usr/sbin".into(),
            // So that `sort` is busybox's on both sides.
            _ => std::env::join_paths([applets()?, third_party::folder()]).explain("making a PATH")?,
        };
        let environment = ENVIRONMENT.map(|(name, value)| (name.into(), value.into()));
        let environment = environment.into_iter().chain([(std::ffi::OsString::from("PATH"), path)]);
        if packages::is_root() || !can_become_root() {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).env_clear().envs(environment);
            return Ok(command);
        }
        let mut command = Command::new("sudo");
        command.args(["-n", "env", "-i"]);
        for (name, value) in environment {
            let mut word = name;
            word.push("=");
            word.push(value);
            command.arg(word);
        }
        command.args(words);
        Ok(command)
    }
}

/// A program says `// needs: PROGRAM...` for those of `debian`.
fn wanted_of_debian(folder: &str, name: &str) -> Vec<String> {
    let file = places::workspace().join(format!("tests/{folder}/src/bin/{name}.rs"));
    let source = fs::read_to_string(file).unwrap_or_default();
    let named = source.lines().find_map(|line| line.strip_prefix("// needs:")).unwrap_or_default();
    named.split_whitespace().map(str::to_owned).collect()
}

/// A script says `# needs: PACKAGE...` for programs that busybox does not have.
fn needs(script: &str) -> Vec<String> {
    let named = script.lines().find_map(|line| line.strip_prefix("# needs:")).unwrap_or_default();
    named.split_whitespace().map(str::to_owned).collect()
}

fn can_become_root() -> bool {
    let asked = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn run_here(mut command: Command, folder: &Path, patience: Duration) -> Outcome<Answer> {
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    children::dies_with_us(&mut command);
    let mut child = command.spawn().explain("starting it")?;
    drop(child.stdin.take());
    let Some(mut stream) = child.stdout.take() else { return Err(Failure::new("no output")) };
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        stream.read_to_end(&mut output).map(|_| output)
    });
    let Some(status) = children::wait_until(&mut child, Instant::now() + patience) else {
        return Err(Failure::new(format!("still running after {} s", patience.as_secs())));
    };
    let read = reader.join().map_err(|_| Failure::new("its output could not be read"))?;
    Ok(Answer { output: read.explain("reading its output")?, status: children::shell_status(status) })
}

/// A folder with nothing but busybox's applets in it.
fn applets() -> Outcome<PathBuf> {
    let folder = places::machine_files().join("applets");
    if !folder.exists() {
        fs::create_dir_all(&folder).explain("making a folder for the applets")?;
        let installed = Command::new(root::busybox()?).args(["--install", "-s"]).arg(&folder).status();
        installed.explain("asking busybox for its applets")?;
    }
    Ok(folder)
}

fn names_of_programs(folder: &str) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for file in files(&places::workspace().join(format!("tests/{folder}/src/bin")))? {
        let is_program = file.join("main.rs").exists() || file.extension().is_some_and(|end| end == "rs");
        names.extend(text(file.file_stem()).filter(|_| is_program));
    }
    Ok(names)
}

/// The entries of a folder by name; none when there is no such folder.
pub fn files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = folder.read_dir().explain(format_args!("reading {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

pub fn text(name: Option<&std::ffi::OsStr>) -> Option<String> {
    name?.to_str().map(str::to_owned)
}
