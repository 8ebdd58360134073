//! Who may do what: a user's rights are its own, given up for good, and gained by set-user-id only.
//!
//! What needs root is tried when root runs this; the lines are the same for anybody.

use linux_tests::process::{Ended, close_all, fork, in_a_child, kill, pipe, wait, wait_for_byte, write};
use linux_tests::scratch::Scratch;
use linux_tests::{Errno, call, done, equal, is_root, must, must_equal};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

const NOBODY: u32 = 65534;
const OTHER: u32 = 1234;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("who") {
        show_identity();
        return;
    }
    let scratch = Scratch::new("credentials");
    must("chmod", fs::set_permissions(scratch.path(""), fs::Permissions::from_mode(0o755)).is_ok());
    dropping();
    saved_identity();
    groups();
    file_modes(&scratch);
    folders(&scratch);
    sticky(&scratch);
    owners(&scratch);
    signals();
    set_user_id(&scratch);
    privileged_calls();
}

/// Runs `body` as a user with nothing but its own rights (as whoever we are, if that is not root).
#[track_caller]
fn as_user(what: &str, user: u32, body: impl FnOnce()) {
    let child = in_a_child(|| {
        if is_root() {
            become_user(user);
        }
        body();
        0
    });
    equal(what, child, Ended::Exited(0));
}

fn become_user(user: u32) {
    must_equal("setgroups", call!(SYS_setgroups, 0, 0), Ok(0));
    must_equal("setresgid", call!(SYS_setresgid, user, user, user), Ok(0));
    must_equal("setresuid", call!(SYS_setresuid, user, user, user), Ok(0));
}

/// Runs `body` in a child if root runs this, and prints the line in any case.
#[track_caller]
fn as_root(what: &str, body: impl FnOnce()) {
    let child = in_a_child(|| {
        if is_root() {
            body();
        }
        0
    });
    equal(what, child, Ended::Exited(0));
}

fn users() -> [u32; 3] {
    let mut three = [0_u32; 3];
    let [real, effective, saved] = &mut three;
    done("getresuid", call!(SYS_getresuid, &raw mut *real, &raw mut *effective, &raw mut *saved));
    three
}

fn dropping() {
    as_root("root that sets its user has no way back", || {
        must_equal("setuid", call!(SYS_setuid, OTHER), Ok(0));
        must_equal("all three", users(), [OTHER; 3]);
        must_equal("setuid", call!(SYS_setuid, 0), Err(libc::EPERM));
        must_equal("setresuid", call!(SYS_setresuid, -1_i32, 0, -1_i32), Err(libc::EPERM));
        must_equal("setreuid", call!(SYS_setreuid, 0, 0), Err(libc::EPERM));
    });
    as_user("a user may set what it is already", NOBODY, || {
        let me = call!(SYS_getuid).unwrap_or(0);
        must_equal("setuid", call!(SYS_setuid, me), Ok(0));
        must_equal("setresuid", call!(SYS_setresuid, -1_i32, -1_i32, -1_i32), Ok(0));
        must_equal("setgid", call!(SYS_setgid, call!(SYS_getgid).unwrap_or(0)), Ok(0));
    });
}

fn saved_identity() {
    as_root("a program that keeps root in reserve takes it back", || {
        must_equal("seteuid", call!(SYS_setresuid, -1_i32, OTHER, -1_i32), Ok(0));
        must_equal("three", users(), [0, OTHER, 0]);
        must_equal("a privileged call", call!(SYS_setgroups, 0, 0), Err(libc::EPERM));
        must_equal("back", call!(SYS_setresuid, -1_i32, 0, -1_i32), Ok(0));
        must_equal("a privileged call", call!(SYS_setgroups, 0, 0), Ok(0));
    });
}

fn groups() {
    as_root("groups are set, told, and inherited", || {
        must_equal("setgroups", call!(SYS_setgroups, 3, [5_u32, 6, 7].as_ptr()), Ok(0));
        let mut seen = [0_u32; 8];
        must_equal("how many", call!(SYS_getgroups, 0, 0), Ok(3));
        must_equal("too small", call!(SYS_getgroups, 2, seen.as_mut_ptr()), Err(libc::EINVAL));
        must_equal("which", (call!(SYS_getgroups, 8, seen.as_mut_ptr()), &seen[..3]), (Ok(3), [5, 6, 7].as_slice()));
        must_equal("child", in_a_child(|| call!(SYS_getgroups, 0, 0).unwrap_or(9) as i32), Ended::Exited(3));
    });
}

fn can_open(scratch: &Scratch, name: &str, flags: i32) -> Result<(), Errno> {
    let file = call!(SYS_open, scratch.c(name).as_ptr(), flags, 0)?;
    close_all(&[file as i32]);
    Ok(())
}

fn file_modes(scratch: &Scratch) {
    for mode in [0o600, 0o640, 0o644, 0o666, 0o066, 0o222] {
        scratch.file(&format!("mode-{mode:03o}"), b"x", mode);
    }
    let denied = Err(libc::EACCES);
    as_root("a stranger's rights are those of the others", || {
        become_user(OTHER);
        let (reading, writing) = (libc::O_RDONLY, libc::O_WRONLY);
        must_equal("600", [can_open(scratch, "mode-600", reading), can_open(scratch, "mode-600", writing)], [denied, denied]);
        must_equal("644", [can_open(scratch, "mode-644", reading), can_open(scratch, "mode-644", writing)], [Ok(()), denied]);
        must_equal("666", can_open(scratch, "mode-666", libc::O_RDWR), Ok(()));
        must_equal("222", [can_open(scratch, "mode-222", reading), can_open(scratch, "mode-222", writing)], [denied, Ok(())]);
        must_equal("O_TRUNC is writing", can_open(scratch, "mode-644", libc::O_RDONLY | libc::O_TRUNC), denied);
        must_equal("truncate is writing", call!(SYS_truncate, scratch.c("mode-644").as_ptr(), 0), Err(libc::EACCES));
    });
    as_root("a group's rights are those of the group", || {
        must("chown", chown(scratch.path("mode-640"), None, Some(77)).is_ok());
        must("chown", chown(scratch.path("mode-066"), Some(OTHER), Some(77)).is_ok());
        must_equal("setgroups", call!(SYS_setgroups, 1, [77_u32].as_ptr()), Ok(0));
        must_equal("setresgid", call!(SYS_setresgid, OTHER, OTHER, OTHER), Ok(0));
        must_equal("setresuid", call!(SYS_setresuid, OTHER, OTHER, OTHER), Ok(0));
        must_equal("640", [can_open(scratch, "mode-640", libc::O_RDONLY), can_open(scratch, "mode-640", libc::O_WRONLY)], [Ok(()), denied]);
        must_equal("the owner's own come first", can_open(scratch, "mode-066", libc::O_RDONLY), denied);
    });
    as_root("root reads and writes all, and runs what somebody may run", || {
        must_equal("066", can_open(scratch, "mode-066", libc::O_RDWR), Ok(()));
        must_equal("access", call!(SYS_access, scratch.c("mode-666").as_ptr(), libc::X_OK), Err(libc::EACCES));
    });
}

fn folders(scratch: &Scratch) {
    for (name, mode) in [("no-search", 0o744), ("search-only", 0o711), ("closed", 0o700)] {
        must("mkdir", fs::create_dir(scratch.path(name)).is_ok());
        scratch.file(&format!("{name}/file"), b"x", 0o666);
        must("chmod", fs::set_permissions(scratch.path(name), fs::Permissions::from_mode(mode)).is_ok());
    }
    as_root("the way to a file needs the right to search", || {
        become_user(OTHER);
        must_equal("no search", can_open(scratch, "no-search/file", libc::O_RDONLY), Err(libc::EACCES));
        must("but a list", fs::read_dir(scratch.path("no-search")).is_ok());
        must_equal("search only", can_open(scratch, "search-only/file", libc::O_RDONLY), Ok(()));
        must("and no list", fs::read_dir(scratch.path("search-only")).is_err());
        must_equal("closed", can_open(scratch, "closed/missing", libc::O_RDONLY), Err(libc::EACCES));
        must_equal("making", call!(SYS_mkdir, scratch.c("search-only/new").as_ptr(), 0o700), Err(libc::EACCES));
        must_equal("removing", call!(SYS_unlink, scratch.c("search-only/file").as_ptr()), Err(libc::EACCES));
        must_equal("renaming", call!(SYS_rename, scratch.c("search-only/file").as_ptr(), scratch.c("x").as_ptr()), Err(libc::EACCES));
        must_equal("chdir", call!(SYS_chdir, scratch.c("closed").as_ptr()), Err(libc::EACCES));
    });
}

fn sticky(scratch: &Scratch) {
    must("mkdir", fs::create_dir(scratch.path("sticky")).is_ok());
    must("chmod", fs::set_permissions(scratch.path("sticky"), fs::Permissions::from_mode(0o1777)).is_ok());
    scratch.file("sticky/theirs", b"x", 0o666);
    as_root("in a sticky folder each removes only its own", || {
        become_user(OTHER);
        scratch.file("sticky/mine", b"x", 0o600);
        must_equal("theirs", call!(SYS_unlink, scratch.c("sticky/theirs").as_ptr()), Err(libc::EPERM));
        must_equal("mine", call!(SYS_unlink, scratch.c("sticky/mine").as_ptr()), Ok(0));
    });
}

fn owners(scratch: &Scratch) {
    scratch.file("owned", b"x", 0o6755);
    as_root("a new owner takes the set-user-id bits away", || {
        must("chown", chown(scratch.path("owned"), Some(OTHER), Some(OTHER)).is_ok());
        let file = done("stat", fs::metadata(scratch.path("owned")));
        must_equal("after", (file.uid(), file.gid(), file.mode() & 0o7777), (OTHER, OTHER, 0o755));
    });
    as_root("only root gives files away; an owner changes modes", || {
        must("chown", chown(scratch.path("owned"), Some(OTHER), Some(OTHER)).is_ok());
        become_user(OTHER);
        must_equal("chown", call!(SYS_chown, scratch.c("owned").as_ptr(), NOBODY, -1_i32), Err(libc::EPERM));
        must_equal("chmod of mine", call!(SYS_chmod, scratch.c("owned").as_ptr(), 0o700), Ok(0));
        must_equal("chmod of theirs", call!(SYS_chmod, scratch.c("mode-666").as_ptr(), 0o777), Err(libc::EPERM));
        scratch.path("made");
        let folder = done("stat", fs::metadata(scratch.path("sticky")));
        scratch.file("sticky/by-me", b"x", 0o600);
        let file = done("stat", fs::metadata(scratch.path("sticky/by-me")));
        must_equal("a new file is its maker's", (file.uid(), file.gid(), folder.uid()), (OTHER, OTHER, 0));
    });
}

fn signals() {
    as_root("a user signals its own processes and no others", || {
        let (gate, ready) = (pipe(), pipe());
        let victim = fork(|| {
            done("write", write(ready.1, b"x"));
            i32::from(wait_for_byte(gate.0))
        });
        must("started", wait_for_byte(ready.0));
        let stranger = in_a_child(|| {
            become_user(OTHER);
            must_equal("kill", kill(victim, libc::SIGTERM), Err(libc::EPERM));
            must_equal("asking", kill(victim, 0), Err(libc::EPERM));
            must_equal("the first process", kill(1, libc::SIGTERM), Err(libc::EPERM));
            let mine = fork(|| {
                loop {
                    linux_tests::sleep_ms(1_000);
                }
            });
            must_equal("my own", kill(mine, libc::SIGTERM), Ok(0));
            must_equal("dies", wait(mine), Ended::Killed(libc::SIGTERM));
            0
        });
        must_equal("stranger", stranger, Ended::Exited(0));
        done("write", write(gate.1, b"x"));
        must_equal("the victim lives", wait(victim), Ended::Exited(1));
    });
}

/// For the set-user-id program: prints nothing, tells by its status who it is.
fn show_identity() {
    let [real, effective, saved] = users();
    let secure = done("getauxval", secure_mode().ok_or(0));
    let right = (real, effective, saved, secure) == (OTHER, NOBODY, NOBODY, true);
    let plain = real == effective && effective == saved && !secure;
    linux_tests::process::exit_now(if right {
        50
    } else if plain {
        51
    } else {
        52
    })
}

/// AT_SECURE, as the kernel gave it to this program.
fn secure_mode() -> Option<bool> {
    // SAFETY: reads the auxiliary vector.
    Some(unsafe { libc::getauxval(libc::AT_SECURE) } != 0)
}

fn set_user_id(scratch: &Scratch) {
    let me = done("reading this program", fs::read("/proc/self/exe"));
    scratch.file("program", &me, 0o755);
    let run = || {
        let program = scratch.path("program");
        std::process::Command::new(program).arg("who").status().ok().and_then(|status| status.code())
    };
    equal("a program runs as who starts it", run(), Some(51));
    as_root("a set-user-id program runs as its owner, and is told so", || {
        must("chown", chown(scratch.path("program"), Some(NOBODY), None).is_ok());
        must("chmod", fs::set_permissions(scratch.path("program"), fs::Permissions::from_mode(0o4755)).is_ok());
        become_user(OTHER);
        must_equal("identity", run(), Some(50));
    });
}

fn privileged_calls() {
    as_user("what is for root is refused: EPERM", NOBODY, || {
        let refused = Err(libc::EPERM);
        must_equal("sethostname", call!(SYS_sethostname, c"x".as_ptr(), 1), refused);
        must_equal("chroot", call!(SYS_chroot, c"/".as_ptr()), refused);
        must_equal("setgroups", call!(SYS_setgroups, 0, 0), refused);
        must_equal("reboot", call!(SYS_reboot, 0xfee1_dead_u32, 672_274_793, 0, 0), refused);
        must_equal("mount", call!(SYS_mount, c"x".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr(), 0, 0), refused);
        must("a higher hard limit", call!(SYS_setrlimit, libc::RLIMIT_NOFILE, [u64::MAX >> 20, u64::MAX >> 20].as_ptr()) == refused);
    });
}
