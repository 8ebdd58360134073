//! What the line discipline must do, key by key.
//!
//! Invariant: each test types bytes and looks only at what can be read and what the screen shows.

use super::*;

fn typed(line: &mut Line, keys: &[u8]) -> Effects {
    let mut effects = Effects::default();
    keys.iter().for_each(|&key| line.receive(key, &mut effects));
    effects
}

fn raw(changes: impl FnOnce(&mut Termios)) -> Line {
    let mut line = Line::new();
    let mut settings = INITIAL;
    changes(&mut settings);
    line.set_settings(settings);
    line
}

#[test]
fn nothing_can_be_read_before_the_line_is_finished() {
    let mut line = Line::new();
    typed(&mut line, b"abc");
    assert_eq!(line.take(10), None);
    let effects = typed(&mut line, b"\r");
    assert!(effects.wake);
    assert_eq!(effects.screen, b"\r\n");
    assert_eq!(line.take(10), Some(b"abc\n".to_vec()));
}

#[test]
fn a_short_read_leaves_the_rest_of_the_line_and_lines_stay_apart() {
    let mut line = Line::new();
    typed(&mut line, b"abc\nde\n");
    assert_eq!(line.take(2), Some(b"ab".to_vec()));
    assert_eq!(line.take(100), Some(b"c\n".to_vec()));
    assert_eq!(line.take(100), Some(b"de\n".to_vec()));
}

#[test]
fn end_of_file_on_an_empty_line_reads_as_nothing_and_elsewhere_sends_the_line() {
    let mut line = Line::new();
    typed(&mut line, b"ab\x04\x04");
    assert_eq!(line.take(10), Some(b"ab".to_vec()));
    assert_eq!(line.take(10), Some(Vec::new()));
    assert_eq!(line.take(10), None);
}

#[test]
fn erase_takes_the_last_character_off_line_and_screen() {
    let mut line = Line::new();
    let effects = typed(&mut line, b"ab\x7f\n");
    assert_eq!(effects.screen, b"ab\x08 \x08\r\n");
    assert_eq!(line.take(10), Some(b"a\n".to_vec()));
}

#[test]
fn erase_on_an_empty_line_shows_nothing() {
    assert_eq!(typed(&mut Line::new(), b"\x7f\x15\x17").screen, b"");
}

#[test]
fn erase_takes_a_whole_utf8_character_when_told_that_input_is_utf8() {
    let mut line = raw(|settings| settings.input |= input::IUTF8);
    let effects = typed(&mut line, "a\u{20ac}\x7f\n".as_bytes());
    assert_eq!(line.take(10), Some(b"a\n".to_vec()));
    assert!(effects.screen.ends_with(b"\x08 \x08\r\n"));
}

#[test]
fn erasing_a_control_character_rubs_out_both_of_its_columns() {
    let effects = typed(&mut Line::new(), b"\x01\x7f");
    assert_eq!(effects.screen, b"^A\x08 \x08\x08 \x08");
}

#[test]
fn word_erase_takes_blanks_and_the_word_before_them() {
    let mut line = Line::new();
    typed(&mut line, b"one two  \x17\n");
    assert_eq!(line.take(20), Some(b"one \n".to_vec()));
}

#[test]
fn kill_takes_the_line() {
    let mut line = Line::new();
    typed(&mut line, b"wrong\x15right\n");
    assert_eq!(line.take(20), Some(b"right\n".to_vec()));
}

#[test]
fn interrupt_signals_flushes_and_shows_itself() {
    let mut line = Line::new();
    let effects = typed(&mut line, b"half\x03");
    assert_eq!(effects.signals, [KeySignal::Interrupt]);
    assert_eq!(effects.screen, b"half^C");
    typed(&mut line, b"\n");
    assert_eq!(line.take(10), Some(b"\n".to_vec()));
}

#[test]
fn without_isig_the_interrupt_key_is_a_byte() {
    let mut line = raw(|settings| settings.local &= !(local::ISIG | local::ICANON | local::ECHO));
    assert!(typed(&mut line, b"\x03\x1a").signals.is_empty());
    assert_eq!(line.take(10), Some(b"\x03\x1a".to_vec()));
}

#[test]
fn a_key_that_is_switched_off_is_an_ordinary_byte() {
    let mut line = raw(|settings| settings.characters[character::VINTR] = 0);
    assert!(typed(&mut line, b"\0\x03\n").signals.is_empty());
    assert_eq!(line.take(10), Some(b"\0\x03\n".to_vec()));
}

#[test]
fn the_key_after_literal_next_is_an_ordinary_byte() {
    let mut line = Line::new();
    assert!(typed(&mut line, b"\x16\x03\n").signals.is_empty());
    assert_eq!(line.take(10), Some(b"\x03\n".to_vec()));
}

#[test]
fn stop_and_start_hold_output_and_are_not_read() {
    let mut line = Line::new();
    typed(&mut line, b"\x13");
    assert!(line.is_stopped());
    assert!(typed(&mut line, b"\x11").wake && !line.is_stopped());
    assert_eq!(line.waiting(), 0);
}

#[test]
fn without_echo_only_the_new_line_shows_and_only_with_echonl() {
    let mut line = raw(|settings| settings.local &= !local::ECHO);
    assert_eq!(typed(&mut line, b"secret\n").screen, b"");
    let mut line = raw(|settings| settings.local = settings.local & !local::ECHO | local::ECHONL);
    assert_eq!(typed(&mut line, b"secret\n").screen, b"\r\n");
}

#[test]
fn what_was_typed_survives_a_change_to_raw_mode_and_back() {
    let mut line = Line::new();
    typed(&mut line, b"one\ntwo");
    line.set_settings(Termios { local: 0, ..INITIAL });
    assert_eq!(line.take(4), Some(b"one\n".to_vec()));
    line.set_settings(INITIAL);
    assert_eq!(line.take(10), Some(b"two".to_vec()));
}

#[test]
fn a_flood_without_a_new_line_stays_within_the_limit() {
    let mut line = Line::new();
    typed(&mut line, &[b'a'; 3 * LIMIT]);
    typed(&mut line, b"\n");
    assert_eq!(line.take(usize::MAX).map(|taken| taken.len()), Some(LIMIT));
    let mut line = raw(|settings| settings.local = 0);
    typed(&mut line, &[b'a'; 3 * LIMIT]);
    assert_eq!(line.waiting(), LIMIT);
}
