//! What the line discipline must do, key by key.
//!
//! Invariant: each test types bytes and looks only at what can be read and what the screen shows.

use super::*;

fn typed(line: &mut Line, keys: &[u8]) -> Effects {
    let mut effects = Effects::default();
    for &key in keys {
        if line.has_place() {
            line.receive(key, &mut effects);
        }
    }
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
fn word_erase_takes_a_word_of_letters_digits_and_underscores_and_what_follows_it() {
    for (keys, left) in [("one two  \x17", "one \n"), ("a/b_c9.\x17", "a/\n"), (" ..\x17", "\n")] {
        let mut line = Line::new();
        typed(&mut line, keys.as_bytes());
        typed(&mut line, b"\n");
        assert_eq!(line.take(20), Some(left.as_bytes().to_vec()), "{keys:?}");
    }
}

#[test]
fn kill_takes_the_line() {
    let mut line = Line::new();
    typed(&mut line, b"wrong\x15right\n");
    assert_eq!(line.take(20), Some(b"right\n".to_vec()));
}

#[test]
fn interrupt_signals_flushes_both_ways_and_shows_itself() {
    let mut line = Line::new();
    let effects = typed(&mut line, b"half\x03");
    assert_eq!(effects.signals, [KeySignal::Interrupt]);
    assert_eq!(effects.screen, b"^C");
    assert!(effects.flushes_output);
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
fn what_was_stopped_by_request_no_key_resumes() {
    let mut line = raw(|settings| settings.input |= input::IXANY);
    assert_eq!(line.set_held(true), packet::STOP);
    typed(&mut line, b"\x11x");
    assert!(line.is_stopped());
    assert_eq!(line.set_held(false), packet::START);
    assert!(!line.is_stopped());
}

#[test]
fn any_key_resumes_output_with_ixany() {
    let mut line = raw(|settings| settings.input |= input::IXANY);
    typed(&mut line, b"\x13");
    let effects = typed(&mut line, b"x");
    assert_eq!((line.is_stopped(), effects.news), (false, packet::START));
}

#[test]
fn a_read_up_to_an_end_of_file_has_read_that_too() {
    let mut line = Line::new();
    typed(&mut line, b"ab\x04c\n");
    assert_eq!(line.take(2), Some(b"ab".to_vec()));
    assert_eq!(line.take(9), Some(b"c\n".to_vec()));
}

#[test]
fn a_byte_of_all_ones_is_doubled_with_parmrk() {
    let mut line = raw(|settings| {
        settings.input |= input::PARMRK;
        settings.local = 0;
    });
    typed(&mut line, b"a\xff");
    assert_eq!(line.take(9), Some(b"a\xff\xff".to_vec()));
}

#[test]
fn on_paper_erased_characters_stand_between_a_backslash_and_a_slash() {
    let mut line = raw(|settings| settings.local |= local::ECHOPRT);
    assert_eq!(typed(&mut line, b"abc\x7f\x7fd").screen, b"abc\\cb/d");
}

#[test]
fn erasing_a_tab_goes_back_to_where_the_cursor_was() {
    let mut line = Line::new();
    line.write(b'$', &mut Vec::new());
    assert_eq!(typed(&mut line, b"ab\t\x7f").screen, b"ab\t\x08\x08\x08\x08\x08");
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
    assert_eq!(line.waiting(), 3);
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
    assert_eq!(line.waiting(), LIMIT - 1);
}
