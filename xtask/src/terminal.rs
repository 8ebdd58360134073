//! The terminal of the person at the keyboard: raw while a machine has it, and always given back as it was.
//!
//! Invariant: every way out of this tool, a panic and a signal included, passes through `restore`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// The settings as they were found, while the terminal is raw.
static FOUND: Mutex<Option<libc::termios>> = Mutex::new(None);
static IS_RAW: AtomicBool = AtomicBool::new(false);

/// Whether an ordinary program started here would be on a terminal: both its input and its output are.
pub fn is_interactive() -> bool {
    is_terminal(libc::STDIN_FILENO) && is_terminal(libc::STDOUT_FILENO)
}

/// Rows and columns; 24 by 80 where there is no terminal to ask.
pub fn window() -> (u16, u16) {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, and `size` is one.
    let answered = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &mut size) };
    if answered == 0 && size.ws_row > 0 && size.ws_col > 0 { (size.ws_row, size.ws_col) } else { (24, 80) }
}

/// Every key goes to the machine as it is, every byte of it to the screen as it is.
pub fn make_raw() {
    let Some(found) = settings() else { return };
    let mut raw = found;
    // SAFETY: cfmakeraw changes the plain struct that it is given.
    unsafe { libc::cfmakeraw(&mut raw) };
    if let Ok(mut place) = FOUND.lock() {
        place.get_or_insert(found);
        IS_RAW.store(true, Ordering::Release);
        set(&raw);
    }
}

/// Gives the terminal back. Harmless when it was never raw.
pub fn restore() {
    if IS_RAW.swap(false, Ordering::AcqRel)
        && let Ok(mut place) = FOUND.lock()
        && let Some(found) = place.take()
    {
        set(&found);
    }
}

pub fn is_raw() -> bool {
    IS_RAW.load(Ordering::Acquire)
}

/// The panic message should find a terminal that can show it.
pub fn restore_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        before(panic);
    }));
}

fn is_terminal(descriptor: i32) -> bool {
    // SAFETY: isatty takes any number and answers.
    unsafe { libc::isatty(descriptor) == 1 }
}

fn settings() -> Option<libc::termios> {
    // SAFETY: termios is plain integers, for which zero is a value; tcgetattr fills the one that it is given.
    unsafe {
        let mut found: libc::termios = std::mem::zeroed();
        (libc::tcgetattr(libc::STDIN_FILENO, &mut found) == 0).then_some(found)
    }
}

fn set(settings: &libc::termios) {
    // SAFETY: tcsetattr reads the struct that it is given.
    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSADRAIN, settings) };
}
