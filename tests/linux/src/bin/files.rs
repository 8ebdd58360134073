//! Files and folders: what is written is read, what is named is found, and what may not be is refused.

use linux_tests::process::{Ended, close, close_all, in_a_child, read, write};
use linux_tests::scratch::{Scratch, c};
use linux_tests::{Errno, call, check, done, equal, is_root, must, must_equal};
use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn main() {
    let scratch = Scratch::new("files");
    opening(&scratch);
    reading_and_writing(&scratch);
    sparse(&scratch);
    appending(&scratch);
    descriptors(&scratch);
    names(&scratch);
    links(&scratch);
    renaming(&scratch);
    folders(&scratch);
    listing(&scratch);
    modes(&scratch);
    times(&scratch);
    working_folder(&scratch);
    devices();
    many(&scratch);
    at_once(&scratch);
}

fn open(path: &CStr, flags: i32, mode: u32) -> Result<i32, Errno> {
    call!(SYS_open, path.as_ptr(), flags, mode).map(|descriptor| descriptor as i32)
}

fn opening(scratch: &Scratch) {
    let path = scratch.c("opening");
    equal("a file that is not there: ENOENT", open(&path, libc::O_RDONLY, 0), Err(libc::ENOENT));
    let file = done("creat", open(&path, libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY, 0o600));
    equal("a file that is there, and may not be: EEXIST", open(&path, libc::O_CREAT | libc::O_EXCL, 0o600), Err(libc::EEXIST));
    equal("a descriptor for writing is not read: EBADF", read(file, &mut [0]), Err(libc::EBADF));
    must_equal("write", write(file, b"content"), Ok(7));
    close_all(&[file]);
    equal("closing twice: EBADF", close(file), Err(libc::EBADF));
    let file = done("open", open(&path, libc::O_RDONLY, 0));
    equal("a descriptor for reading is not written: EBADF", write(file, b"x"), Err(libc::EBADF));
    close_all(&[file, done("open", open(&path, libc::O_WRONLY | libc::O_TRUNC, 0))]);
    equal("O_TRUNC empties", fs::metadata(scratch.path("opening")).map(|file| file.len()).ok(), Some(0));
    let under = c(&scratch.path("opening/below"));
    equal("a file is no folder: ENOTDIR", open(&under, libc::O_RDONLY, 0), Err(libc::ENOTDIR));
    equal("O_DIRECTORY too: ENOTDIR", open(&path, libc::O_DIRECTORY, 0), Err(libc::ENOTDIR));
    equal("a folder is not written: EISDIR", open(&scratch.c(""), libc::O_WRONLY, 0), Err(libc::EISDIR));
    equal("a name too long: ENAMETOOLONG", open(&scratch.c(&"n".repeat(256)), libc::O_RDONLY, 0), Err(libc::ENAMETOOLONG));
    equal("a path too long: ENAMETOOLONG", open(&scratch.c(&"n/".repeat(2100)), libc::O_RDONLY, 0), Err(libc::ENAMETOOLONG));
    equal("no name: ENOENT", open(c"", libc::O_RDONLY, 0), Err(libc::ENOENT));
    let folder = done("open", open(&scratch.c(""), libc::O_RDONLY | libc::O_DIRECTORY, 0));
    let file = call!(SYS_openat, folder, c"opening".as_ptr(), libc::O_RDONLY, 0);
    check("openat starts at a folder", file.is_ok());
    close_all(&[folder, file.unwrap_or(0) as i32]);
}

fn reading_and_writing(scratch: &Scratch) {
    let file = done("open", open(&scratch.c("data"), libc::O_CREAT | libc::O_RDWR, 0o600));
    let bytes: Vec<u8> = (0..100_000_u32).map(|index| (index * 7 / 8) as u8).collect();
    equal("a hundred thousand bytes at once", write(file, &bytes), Ok(bytes.len()));
    let seek = |offset: i64, whence: i32| call!(SYS_lseek, file, offset, whence);
    equal("back to the start", seek(0, libc::SEEK_SET), Ok(0));
    let mut all = vec![0; 200_000];
    equal("are read again", (read(file, &mut all), all[..bytes.len()] == bytes), (Ok(bytes.len()), true));
    equal("then comes the end", read(file, &mut all), Ok(0));
    equal("from the end", seek(-10, libc::SEEK_END), Ok(99_990));
    equal("from here", seek(5, libc::SEEK_CUR), Ok(99_995));
    equal("five are left", read(file, &mut all), Ok(5));
    equal("before the start: EINVAL", seek(-1, libc::SEEK_SET), Err(libc::EINVAL));
    equal("from nowhere: EINVAL", seek(0, 99), Err(libc::EINVAL));
    equal("pread leaves the place", call!(SYS_pread64, file, all.as_mut_ptr(), 10, 50_000), Ok(10));
    equal("of those bytes", (&all[..10], seek(0, libc::SEEK_CUR)), (&bytes[50_000..50_010], Ok(100_000)));
    equal("pwrite too", call!(SYS_pwrite64, file, b"abc".as_ptr(), 3, 4_095), Ok(3));
    must_equal("pread", call!(SYS_pread64, file, all.as_mut_ptr(), 5, 4_094), Ok(5));
    equal("across a page", &all[1..4], b"abc".as_slice());
    equal("pread before the start: EINVAL", call!(SYS_pread64, file, all.as_mut_ptr(), 1, -1_i64), Err(libc::EINVAL));
    close_all(&[file]);
}

fn sparse(scratch: &Scratch) {
    let file = done("open", open(&scratch.c("sparse"), libc::O_CREAT | libc::O_RDWR, 0o600));
    let far = 1_usize << 30;
    equal("a byte a gigabyte on", call!(SYS_pwrite64, file, b"x".as_ptr(), 1, far), Ok(1));
    let file_is = || fs::metadata(scratch.path("sparse")).map(|file| (file.len() as usize, file.blocks() < 1_000)).ok();
    equal("makes a long file of few blocks", file_is(), Some((far + 1, true)));
    let mut hole = [1_u8; 100];
    equal("with zeroes before it", (call!(SYS_pread64, file, hole.as_mut_ptr(), 100, far / 2), hole), (Ok(100), [0; 100]));
    must_equal("write", write(file, b"0123456789"), Ok(10));
    must_equal("ftruncate", call!(SYS_ftruncate, file, 5), Ok(0));
    must_equal("ftruncate", call!(SYS_ftruncate, file, 10), Ok(0));
    let mut ten = [1_u8; 10];
    equal("cut and made longer: zeroes", (call!(SYS_pread64, file, ten.as_mut_ptr(), 10, 0), &ten), (Ok(10), b"01234\0\0\0\0\0"));
    equal("a length below none: EINVAL", call!(SYS_ftruncate, file, -1_i64), Err(libc::EINVAL));
    equal("truncate by name", call!(SYS_truncate, scratch.c("sparse").as_ptr(), 3), Ok(0));
    equal("is three bytes", file_is().map(|file| file.0), Some(3));
    close_all(&[file]);
}

fn appending(scratch: &Scratch) {
    let path = scratch.c("append");
    let first = done("open", open(&path, libc::O_CREAT | libc::O_WRONLY | libc::O_APPEND, 0o600));
    let second = done("open", open(&path, libc::O_WRONLY | libc::O_APPEND, 0));
    for descriptor in [first, second, first] {
        must_equal("write", write(descriptor, b"ab"), Ok(2));
    }
    equal("O_APPEND writes at the end, whoever wrote last", fs::read(scratch.path("append")).ok(), Some(b"ababab".to_vec()));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            linux_tests::process::fork(|| {
                let mine = done("open", open(&path, libc::O_WRONLY | libc::O_APPEND, 0));
                (0..100).for_each(|_| must_equal("write", write(mine, b"123456"), Ok(6)));
                0
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| must_equal("writer", linux_tests::process::wait(writer), Ended::Exited(0)));
    let whole = fs::read(scratch.path("append")).map(|all| all.len() == 6 + 2_400 && all[6..].chunks(6).all(|piece| piece == b"123456"));
    equal("four processes append four hundred whole pieces", whole.ok(), Some(true));
    close_all(&[first, second]);
}

fn descriptors(scratch: &Scratch) {
    let file = done("open", open(&scratch.c("append"), libc::O_RDONLY, 0));
    let twin = done("dup", call!(SYS_dup, file)) as i32;
    must_equal("read", read(file, &mut [0; 3]), Ok(3));
    equal("a duplicate shares the place", call!(SYS_lseek, twin, 0, libc::SEEK_CUR), Ok(3));
    equal("dup2 to a number", call!(SYS_dup2, file, 77), Ok(77));
    equal("dup2 to itself", call!(SYS_dup2, file, file), Ok(file as usize));
    equal("dup3 to itself: EINVAL", call!(SYS_dup3, file, file, 0), Err(libc::EINVAL));
    equal("dup3 with O_CLOEXEC", call!(SYS_dup3, file, 78, libc::O_CLOEXEC), Ok(78));
    equal("sets the flag there only", [78, file].map(|which| call!(SYS_fcntl, which, libc::F_GETFD)), [Ok(1), Ok(0)]);
    equal("F_DUPFD takes the next free from a number on", call!(SYS_fcntl, file, libc::F_DUPFD, 77), Ok(79));
    equal(
        "F_GETFL tells how it was opened",
        call!(SYS_fcntl, file, libc::F_GETFL).map(|flags| flags as i32 & libc::O_ACCMODE),
        Ok(libc::O_RDONLY),
    );
    equal("F_SETFL", call!(SYS_fcntl, file, libc::F_SETFL, libc::O_NONBLOCK), Ok(0));
    equal(
        "is seen by the duplicate",
        call!(SYS_fcntl, twin, libc::F_GETFL).map(|flags| flags as i32 & libc::O_NONBLOCK),
        Ok(libc::O_NONBLOCK),
    );
    equal("of no descriptor: EBADF", call!(SYS_dup, 999), Err(libc::EBADF));
    equal("to an absurd number: EBADF", call!(SYS_dup2, file, -1_i32), Err(libc::EBADF));
    close_all(&[file, twin, 77, 78, 79]);
    let child = in_a_child(|| {
        must_equal("setrlimit", call!(SYS_setrlimit, libc::RLIMIT_NOFILE, [20_u64, 20].as_ptr()), Ok(0));
        let opened = std::iter::from_fn(|| call!(SYS_dup, 1).ok()).count();
        must_equal("the limit", call!(SYS_dup, 1), Err(libc::EMFILE));
        i32::from(!(10..=17).contains(&opened))
    });
    equal("beyond the limit of descriptors: EMFILE", child, Ended::Exited(0));
}

fn names(scratch: &Scratch) {
    scratch.file("name", b"x", 0o600);
    let removed = |path: &str| call!(SYS_unlink, scratch.c(path).as_ptr());
    let file = done("open", open(&scratch.c("name"), libc::O_RDONLY, 0));
    equal("a file open and removed", removed("name"), Ok(0));
    equal("is read on", read(file, &mut [0]), Ok(1));
    equal("and is not found", open(&scratch.c("name"), libc::O_RDONLY, 0), Err(libc::ENOENT));
    close_all(&[file]);
    equal("removing what is not there: ENOENT", removed("name"), Err(libc::ENOENT));
    must("mkdir", fs::create_dir(scratch.path("folder")).is_ok());
    equal("removing a folder as a file: EISDIR", removed("folder"), Err(libc::EISDIR));
    equal("dots and slashes", Path::new(&scratch.path("./folder/../folder//.")).exists(), true);
    must("rmdir", fs::remove_dir(scratch.path("folder")).is_ok());
}

fn links(scratch: &Scratch) {
    let original = scratch.file("original", b"linked", 0o600);
    must("link", fs::hard_link(&original, scratch.path("second")).is_ok());
    let same = |name: &str| fs::metadata(scratch.path(name)).map(|file| (file.ino(), file.nlink())).ok();
    check("two names of one file", same("original") == same("second") && same("second").is_some_and(|file| file.1 == 2));
    must("unlink", fs::remove_file(&original).is_ok());
    equal("one name gone, the other reads", fs::read(scratch.path("second")).ok(), Some(b"linked".to_vec()));
    let refused = call!(SYS_link, scratch.c("").as_ptr(), scratch.c("third").as_ptr());
    equal("a second name for a folder: EPERM", refused, Err(libc::EPERM));
    must("symlink", symlink("second", scratch.path("symbolic")).is_ok());
    equal("a symbolic link leads on", fs::read(scratch.path("symbolic")).ok(), Some(b"linked".to_vec()));
    let mut target = [0_u8; 3];
    let length = call!(SYS_readlink, scratch.c("symbolic").as_ptr(), target.as_mut_ptr(), 3);
    equal("readlink tells where, as much as fits", (length, &target), (Ok(3), b"sec"));
    equal("O_NOFOLLOW: ELOOP", open(&scratch.c("symbolic"), libc::O_NOFOLLOW, 0), Err(libc::ELOOP));
    must("symlink", symlink("circle", scratch.path("circle")).is_ok());
    equal("a circle: ELOOP", open(&scratch.c("circle"), libc::O_RDONLY, 0), Err(libc::ELOOP));
    must("symlink", symlink("missing", scratch.path("dangling")).is_ok());
    equal("to nothing: ENOENT", open(&scratch.c("dangling"), libc::O_RDONLY, 0), Err(libc::ENOENT));
    let made = open(&scratch.c("dangling"), libc::O_CREAT | libc::O_WRONLY, 0o600);
    equal("O_CREAT makes what it leads to", (made.is_ok(), scratch.path("missing").exists()), (true, true));
    close_all(&[made.unwrap_or(0)]);
    equal("readlink of no link: EINVAL", call!(SYS_readlink, scratch.c("second").as_ptr(), target.as_mut_ptr(), 3), Err(libc::EINVAL));
    let kind = fs::symlink_metadata(scratch.path("symbolic")).map(|link| (link.file_type().is_symlink(), link.len())).ok();
    equal("lstat sees the link itself", kind, Some((true, 6)));
}

fn renaming(scratch: &Scratch) {
    let rename = |from: &str, to: &str| call!(SYS_rename, scratch.c(from).as_ptr(), scratch.c(to).as_ptr());
    scratch.file("old", b"old", 0o600);
    scratch.file("new", b"new", 0o600);
    equal("rename over another file", (rename("old", "new"), fs::read(scratch.path("new")).ok()), (Ok(0), Some(b"old".to_vec())));
    equal("what is not there: ENOENT", rename("old", "new"), Err(libc::ENOENT));
    must("mkdir", fs::create_dir_all(scratch.path("a/b/c")).is_ok());
    equal("a folder into itself: EINVAL", rename("a", "a/b/c/d"), Err(libc::EINVAL));
    equal("a folder over a file: ENOTDIR", rename("a", "new"), Err(libc::ENOTDIR));
    equal("a file over a folder: EISDIR", rename("new", "a"), Err(libc::EISDIR));
    must("mkdir", fs::create_dir(scratch.path("empty")).is_ok());
    equal("a folder over a full one: ENOTEMPTY", rename("empty", "a"), Err(libc::ENOTEMPTY));
    equal("a folder over an empty one", rename("a", "empty"), Ok(0));
    check("with all that is in it", scratch.path("empty/b/c").is_dir() && !scratch.path("a").exists());
    equal("to its own name", rename("new", "new"), Ok(0));
    must("rename", fs::rename(scratch.path("empty/b/c"), scratch.path("c")).is_ok());
    equal("moved up, its parent is the new one", same_file(&scratch.path("c/.."), &scratch.path("")), true);
}

fn same_file(one: &Path, other: &Path) -> bool {
    let number = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    number(one).is_some() && number(one) == number(other)
}

fn folders(scratch: &Scratch) {
    let make = |name: &str| call!(SYS_mkdir, scratch.c(name).as_ptr(), 0o700);
    let remove = |name: &str| call!(SYS_rmdir, scratch.c(name).as_ptr());
    equal("a folder is made", make("made"), Ok(0));
    equal("not twice: EEXIST", make("made"), Err(libc::EEXIST));
    equal("not in nothing: ENOENT", make("missing-folder/made"), Err(libc::ENOENT));
    scratch.file("made/file", b"", 0o600);
    equal("a folder with something in it: ENOTEMPTY", remove("made"), Err(libc::ENOTEMPTY));
    equal("a file is no folder: ENOTDIR", remove("made/file"), Err(libc::ENOTDIR));
    must("unlink", fs::remove_file(scratch.path("made/file")).is_ok());
    let links = |name: &str| fs::metadata(scratch.path(name)).map(|folder| folder.nlink()).ok();
    must("mkdir", fs::create_dir(scratch.path("made/below")).is_ok());
    must("a folder counts its folders, or does not count", matches!(links("made"), Some(3 | 1)));
    equal("rmdir of dot: EINVAL", remove("made/below/."), Err(libc::EINVAL));
    equal("removed from below", (remove("made/below"), remove("made")), (Ok(0), Ok(0)));
    equal("the root is there: EEXIST", call!(SYS_mkdir, c"/".as_ptr(), 0o700), Err(libc::EEXIST));
}

fn listing(scratch: &Scratch) {
    must("mkdir", fs::create_dir(scratch.path("list")).is_ok());
    (0..300).for_each(|number| drop(scratch.file(&format!("list/file-{number:03}"), b"", 0o600)));
    let list = || done("readdir", fs::read_dir(scratch.path("list"))).flatten().map(|entry| entry.file_name()).collect::<Vec<_>>();
    let mut all = list();
    all.sort();
    let right = all.iter().enumerate().all(|(number, name)| *name == *format!("file-{number:03}"));
    equal("three hundred files are listed once each", (all.len(), right), (300, true));
    for name in list() {
        must("removed while listing", fs::remove_file(scratch.path("list").join(name)).is_ok());
    }
    equal("removed as they are listed, all are gone", list().len(), 0);
    let folder = done("open", open(&scratch.c("list"), libc::O_RDONLY | libc::O_DIRECTORY, 0));
    let mut buffer = [0_u64; 128];
    equal("a buffer too small: EINVAL", call!(SYS_getdents64, folder, buffer.as_mut_ptr(), 10), Err(libc::EINVAL));
    check("dot and dot-dot are listed", call!(SYS_getdents64, folder, buffer.as_mut_ptr(), 1024).is_ok_and(|length| length == 48));
    equal("then nothing", call!(SYS_getdents64, folder, buffer.as_mut_ptr(), 1024), Ok(0));
    check("a folder is not read as a file", matches!(read(folder, &mut [0; 10]), Err(libc::EISDIR | libc::EINVAL)));
    close_all(&[folder]);
    let file = done("open", open(&scratch.c("new"), libc::O_RDONLY, 0));
    equal("a file is not listed: ENOTDIR", call!(SYS_getdents64, file, buffer.as_mut_ptr(), 1024), Err(libc::ENOTDIR));
    close_all(&[file]);
}

fn modes(scratch: &Scratch) {
    let mode = |name: &str| fs::metadata(scratch.path(name)).map(|file| file.permissions().mode() & 0o7777).ok();
    let before = done("umask", call!(SYS_umask, 0o027));
    close_all(&[done("open", open(&scratch.c("masked"), libc::O_CREAT, 0o777))]);
    equal("umask takes rights away", (mode("masked"), call!(SYS_umask, before)), (Some(0o750), Ok(0o027)));
    must_equal("chmod", call!(SYS_chmod, scratch.c("masked").as_ptr(), 0o4711), Ok(0));
    equal("chmod sets all twelve bits", mode("masked"), Some(0o4711));
    equal("access to what is not there: ENOENT", call!(SYS_access, scratch.c("no").as_ptr(), 0), Err(libc::ENOENT));
    scratch.file("locked", b"x", 0o000);
    let child = in_a_child(|| {
        if is_root() {
            must("the folder is for all", fs::set_permissions(scratch.path(""), fs::Permissions::from_mode(0o755)).is_ok());
            must(
                "another user",
                call!(SYS_setgroups, 0, 0).is_ok() && call!(SYS_setgid, 65534).is_ok() && call!(SYS_setuid, 65534).is_ok(),
            );
            must_equal("chmod", call!(SYS_chmod, scratch.c("masked").as_ptr(), 0o777), Err(libc::EPERM));
            must_equal("unlink", call!(SYS_unlink, scratch.c("masked").as_ptr()), Err(libc::EACCES));
        }
        must_equal("open", open(&scratch.c("locked"), libc::O_RDONLY, 0), Err(libc::EACCES));
        must_equal("access", call!(SYS_access, scratch.c("locked").as_ptr(), libc::R_OK), Err(libc::EACCES));
        0
    });
    equal("what a user may not is refused", child, Ended::Exited(0));
}

fn times(scratch: &Scratch) {
    scratch.file("timed", b"x", 0o600);
    let set = [[1_000_000_000_u64, 5], [1_100_000_000, 999_999_999]];
    equal("times are set", call!(SYS_utimensat, libc::AT_FDCWD, scratch.c("timed").as_ptr(), set.as_ptr(), 0), Ok(0));
    let file = done("stat", fs::metadata(scratch.path("timed")));
    let seen = (file.atime(), file.atime_nsec(), file.mtime(), file.mtime_nsec());
    equal("and seen, to the nanosecond", seen, (1_000_000_000, 5, 1_100_000_000, 999_999_999));
    scratch.file("timed", b"y", 0o600);
    let later = done("stat", fs::metadata(scratch.path("timed"))).mtime();
    check("a write sets them to now", later > 1_577_836_800);
    let wrong = [[0_u64, 5_000_000_000], [0, 0]];
    equal(
        "five seconds of nanoseconds: EINVAL",
        call!(SYS_utimensat, libc::AT_FDCWD, scratch.c("timed").as_ptr(), wrong.as_ptr(), 0),
        Err(libc::EINVAL),
    );
}

fn working_folder(scratch: &Scratch) {
    must("mkdir", fs::create_dir(scratch.path("work")).is_ok());
    let child = in_a_child(|| {
        must_equal("chdir", call!(SYS_chdir, scratch.c("work").as_ptr()), Ok(0));
        must("a file here", fs::write("here", b"x").is_ok());
        must_equal("getcwd", std::env::current_dir().ok(), Some(scratch.path("work")));
        must_equal("too small", call!(SYS_getcwd, [0_u8; 4].as_mut_ptr(), 4), Err(libc::ERANGE));
        must_equal("no folder", call!(SYS_chdir, c"here".as_ptr()), Err(libc::ENOTDIR));
        must_equal("up", call!(SYS_chdir, c"..".as_ptr()), Ok(0));
        must("seen from above", Path::new("work/here").exists());
        let root = done("open", open(c"/", libc::O_RDONLY | libc::O_DIRECTORY, 0));
        must_equal("fchdir", call!(SYS_fchdir, root), Ok(0));
        must_equal("root", std::env::current_dir().ok(), Some("/".into()));
        must("above the root is the root", same_file(Path::new(".."), Path::new("/")));
        0
    });
    equal("a process works in a folder, and its parent does not", child, Ended::Exited(0));
    check("what it wrote is there", scratch.path("work/here").exists());
}

fn devices() {
    let zero = done("open", open(c"/dev/zero", libc::O_RDONLY, 0));
    let mut bytes = [1; 100];
    equal("/dev/zero gives zeroes", (read(zero, &mut bytes), bytes), (Ok(100), [0; 100]));
    let null = done("open", open(c"/dev/null", libc::O_RDWR, 0));
    equal("/dev/null takes all and gives nothing", (write(null, &bytes), read(null, &mut bytes)), (Ok(100), Ok(0)));
    let full = done("open", open(c"/dev/full", libc::O_WRONLY, 0));
    equal("/dev/full is full: ENOSPC", write(full, &bytes), Err(libc::ENOSPC));
    let random = done("open", open(c"/dev/urandom", libc::O_RDONLY, 0));
    let mut others = [0; 100];
    must_equal("read", (read(random, &mut bytes), read(random, &mut others)), (Ok(100), Ok(100)));
    check("/dev/urandom never gives the same", bytes != others && bytes != [0; 100]);
    close_all(&[zero, null, full, random]);
}

fn many(scratch: &Scratch) {
    must("mkdir", fs::create_dir(scratch.path("many")).is_ok());
    for number in 0..500_u32 {
        scratch.file(&format!("many/{number}"), &number.to_le_bytes(), 0o600);
    }
    let right = |number: u32| fs::read(scratch.path(&format!("many/{number}"))).is_ok_and(|content| content == number.to_le_bytes());
    check("five hundred small files", (0..500).all(right));
    must("remove", fs::remove_dir_all(scratch.path("many")).is_ok());
}

/// Threads make, rename, read and remove in one folder.
fn at_once(scratch: &Scratch) {
    must("mkdir", fs::create_dir(scratch.path("busy")).is_ok());
    std::thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                for turn in 0..100 {
                    let (one, two) = (scratch.path(&format!("busy/{worker}-a")), scratch.path(&format!("busy/{worker}-b")));
                    must("write", fs::write(&one, [turn; 100]).is_ok());
                    must("rename", fs::rename(&one, &two).is_ok());
                    must("read", fs::read(&two).is_ok_and(|content| content == [turn; 100]));
                    must("list", fs::read_dir(scratch.path("busy")).is_ok_and(|entries| entries.count() >= 1));
                    must("remove", fs::remove_file(&two).is_ok());
                }
            });
        }
    });
    equal("four threads work in one folder", fs::read_dir(scratch.path("busy")).map(Iterator::count).ok(), Some(0));
}
