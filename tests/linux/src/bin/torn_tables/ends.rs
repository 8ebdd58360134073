//! The ways in which a program ends while its memory is in use.

use linux_tests::memory::poke;
use linux_tests::process::{Ended, exit_now, in_a_child};
use linux_tests::{call, fail, must_equal};

use crate::AFTER;
use crate::users::{self, PAGES};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its first thread runs another program, or another thread does.
    ExecOfFirst,
    ExecOfOther,
    ExecOfTwo,
    ExitOfFirst,
    ExitOfOther,
    /// Its first thread leaves, and later the whole program ends.
    FirstLeaves,
    /// From outside.
    Killed,
    /// Of a fault that nobody handles.
    Fault,
    /// It forks first, and its children look at what they got.
    Forks,
}

pub const ALL: [(&str, End, Ended); 9] = [
    ("exec of the first thread", End::ExecOfFirst, Ended::Exited(AFTER)),
    ("exec of another thread", End::ExecOfOther, Ended::Exited(AFTER)),
    ("exec of two threads", End::ExecOfTwo, Ended::Exited(AFTER)),
    ("exit of the first thread", End::ExitOfFirst, Ended::Exited(3)),
    ("exit of another thread", End::ExitOfOther, Ended::Exited(3)),
    ("the first thread leaves, then all", End::FirstLeaves, Ended::Exited(3)),
    ("a kill", End::Killed, Ended::Killed(libc::SIGKILL)),
    ("a fault", End::Fault, Ended::Killed(libc::SIGSEGV)),
    ("children, then an exit", End::Forks, Ended::Exited(3)),
];

/// Called by the first thread when all are busy.
pub fn bring_about(end: End) -> ! {
    match end {
        End::ExecOfFirst => exec(),
        End::ExecOfOther => elsewhere(|| exec()),
        End::ExecOfTwo => {
            std::thread::spawn(|| exec());
            exec()
        }
        End::ExitOfFirst => exit_now(3),
        End::ExitOfOther => elsewhere(|| exit_now(3)),
        End::FirstLeaves => {
            std::thread::spawn(|| {
                while call!(SYS_tgkill, std::process::id(), std::process::id(), 0) == Ok(0) && !is_zombie() {
                    linux_tests::sleep_ms(1);
                }
                exit_now(3)
            });
            leave()
        }
        End::Killed => loop {
            std::thread::park();
        },
        End::Fault => elsewhere(|| {
            poke(users::NOBODYS, 1);
            fail("a store to where nothing is was done")
        }),
        End::Forks => {
            for _ in 0..6 {
                must_equal("a child's view", in_a_child(look), Ended::Exited(0));
            }
            exit_now(3)
        }
    }
}

fn elsewhere(act: impl FnOnce() + Send + 'static) -> ! {
    std::thread::spawn(act);
    loop {
        std::thread::park();
    }
}

/// This thread alone.
fn leave() -> ! {
    let _never = call!(SYS_exit, 0);
    fail("a thread left and is there")
}

/// Has the first thread left?
fn is_zombie() -> bool {
    let status = format!("/proc/self/task/{}/status", std::process::id());
    std::fs::read_to_string(status).map_or(true, |text| text.contains("State:\tZ"))
}

fn exec() -> ! {
    let words = [c"torn".as_ptr(), c"after".as_ptr(), std::ptr::null()];
    // Of two at once one may be told to leave instead: it does not come back.
    let refused = call!(SYS_execve, c"/proc/self/exe".as_ptr(), words.as_ptr(), [0_usize].as_ptr());
    fail(&format!("exec: {refused:?}"))
}

/// In a child: every page is one that was there at some time.
fn look() -> i32 {
    let is_right = |area: usize| {
        (0..PAGES).all(|page| users::is_of(page, users::word(area, page, 0)) && users::is_of(page, users::word(area, page, 500)))
    };
    i32::from(!is_right(users::PRIVATE) || !is_right(users::SHARED))
}
