//! What is wrong with a run, and what is kept of it.

use std::path::Path;

use super::Run;
use super::shaken::{self, Story};
use crate::ending::{Ending, tail};
use crate::error::{Explain, Outcome};
use crate::places;

/// In the log of a run that went well there is nothing of this.
const ALARMS: [&str; 3] = ["error: ", "warning: ", "invariant"];

/// How the kernel begins its answer to an NMI from outside.
const ANSWER: &str = "an NMI from outside";

/// Nothing, when everything was as it should be.
pub fn complaint(story: &Story) -> Option<String> {
    if let Some(why) = &story.asked {
        return Some(why.clone());
    }
    if !shaken::is_good_end(story) {
        return Some(match &story.remains.ending {
            Ending::Panicked(report) => report.lines().next().unwrap_or_default().to_owned(),
            Ending::Exited(status) => format!("the program ended with status {status}: {}", tail(&story.errors, 3)),
            Ending::Vanished => format!("the machine ended without a word: {}", story.remains.qemu.trim()),
        });
    }
    let log = String::from_utf8_lossy(&story.remains.log);
    let alarm = log.lines().filter(|line| !line.contains("on purpose")).find(|line| ALARMS.iter().any(|alarm| line.contains(alarm)));
    alarm.map(|line| line.trim().to_owned())
}

/// Writes a folder with everything that is known; what is said of it in the summary.
pub fn keep(run: &Run, story: &Story, complaint: &str) -> Outcome<String> {
    let folder = places::failed_soaks().join(format!("{}-{}-{}", run.seed, run.cpus, run.program));
    std::fs::create_dir_all(&folder).explain(format_args!("making {}", folder.display()))?;
    let report = report(story);
    let summary = format!("seed {}\n{complaint}\nreplay: {}\n", run.seed, run.replay());
    store(&folder, "summary", summary.as_bytes())?;
    store(&folder, "report", report.as_bytes())?;
    store(&folder, "kernel.log", &story.remains.log)?;
    store(&folder, "output", &story.output)?;
    store(&folder, "errors", &story.errors)?;
    Ok(format!("{complaint}\nkept in {}\nreplay: {}", folder.display(), run.replay()))
}

/// A panic's, or the answer to the NMI; else what there is.
fn report(story: &Story) -> String {
    if let Ending::Panicked(report) = &story.remains.ending {
        return report.clone();
    }
    let log = String::from_utf8_lossy(&story.remains.log);
    match log.find(ANSWER) {
        Some(at) => log[at..].to_owned(),
        None => format!("the kernel made no report; the end of its log:\n{}\n{}", tail(&story.remains.log, 60), story.remains.qemu),
    }
}

fn store(folder: &Path, name: &str, bytes: &[u8]) -> Outcome<()> {
    std::fs::write(folder.join(name), bytes).explain(format_args!("writing {}", folder.join(name).display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_machine::Remains;

    fn story(ending: Ending, log: &str, asked: Option<&str>) -> Story {
        let remains = Remains { ending, log: log.into(), qemu: String::new(), timed_out: false, reader_gone: false };
        Story { remains, output: Vec::new(), errors: b"soak: 12 rounds\nsoak: 30 rounds\n".to_vec(), asked: asked.map(str::to_owned) }
    }

    #[test]
    fn only_a_quiet_success_is_no_failure() {
        let good = story(Ending::Exited(0), "[0.1] started\n", None);
        assert_eq!((complaint(&good), good.rounds().as_str()), (None, "30 rounds"));
        assert!(complaint(&story(Ending::Exited(99), "", None)).unwrap().contains("status 99"));
        assert!(complaint(&story(Ending::Exited(0), "[0.1] warning: a thread waits\n", None)).unwrap().contains("a thread waits"));
        assert_eq!(complaint(&story(Ending::Panicked("panic: x\ny".into()), "", None)).unwrap(), "panic: x");
        assert!(complaint(&story(Ending::Vanished, "", Some("silent"))).unwrap().contains("silent"));
    }
}
