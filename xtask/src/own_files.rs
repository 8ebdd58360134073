//! The files of one `run`: its root and its log, in a folder of its own below `target/vm`.
//!
//! Invariant: nobody but this process writes into the folder, and nobody removes it before this process has ended. What the last runs
//! left is removed at the next one's start, so that it can be read until then, and a run that was killed leaves nothing for ever.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Explain, Outcome};
use crate::places;

/// Writes a file into the folder of this run.
pub fn store(name: &str, bytes: &[u8]) -> Outcome<PathBuf> {
    let path = folder()?.join(name);
    std::fs::write(&path, bytes).explain(format_args!("writing {}", path.display()))?;
    Ok(path)
}

/// The log of this run, empty; `target/vm/kernel.log` leads to it.
pub fn log() -> Outcome<File> {
    let folder = folder()?;
    let path = folder.join("kernel.log");
    let file = File::create(&path).explain(format_args!("writing {}", path.display()))?;
    let (link, fresh) = (places::machine_files().join("kernel.log"), folder.join("latest"));
    let target = Path::new(folder.file_name().unwrap_or_default()).join("kernel.log");
    let _left_by_a_process_with_this_number = std::fs::remove_file(&fresh);
    std::os::unix::fs::symlink(target, &fresh).explain("making a link")?;
    std::fs::rename(&fresh, &link).explain(format_args!("placing {}", link.display()))?;
    sweep(&places::machine_files());
    Ok(file)
}

fn folder() -> Outcome<PathBuf> {
    let folder = places::own_machine_files();
    std::fs::create_dir_all(&folder).explain(format_args!("making {}", folder.display()))?;
    Ok(folder)
}

/// Removes what runs left that have ended. Another run may be doing the same: what is gone already is no error.
fn sweep(all: &Path) {
    let Ok(entries) = all.read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(places::RUN)?.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{process}")).exists() {
            let _gone_already = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_runs_that_have_ended_are_swept_away() {
        let all = std::env::temp_dir().join(format!("braid-sweep-{}", std::process::id()));
        let own = format!("{}{}", places::RUN, std::process::id());
        let ended = format!("{}{}", places::RUN, u32::MAX);
        for name in [own.as_str(), ended.as_str(), "run-x", "applets"] {
            std::fs::create_dir_all(all.join(name)).unwrap();
            std::fs::write(all.join(name).join("file"), b"x").unwrap();
        }
        sweep(&all);
        let mut left: Vec<_> = all.read_dir().unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
        left.sort();
        std::fs::remove_dir_all(&all).unwrap();
        assert_eq!(left, ["applets", own.as_str(), "run-x"]);
    }
}
