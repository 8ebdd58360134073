//! The battery's clock: the date, read once at boot.
//!
//! Invariant: read while it is not changing: two readings in a row must agree.

use crate::port;

const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const CHANGING: u8 = 0x80;
const BINARY: u8 = 0x04;
const HOURS_24: u8 = 0x02;
const AFTERNOON: u8 = 0x80;
const PATIENCE: usize = 20_000;

/// The chip's registers as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Reading {
    second: u8,
    minute: u8,
    hour: u8,
    day: u8,
    month: u8,
    year: u8,
}

fn register(index: u8) -> u8 {
    // SAFETY: the two ports of the clock, which are this file's; bit 7 clear leaves NMIs on.
    unsafe {
        port::write_byte(INDEX, index);
        port::read_byte(DATA)
    }
}

fn reading() -> Reading {
    for _ in 0..PATIENCE {
        if register(STATUS_A) & CHANGING == 0 {
            break;
        }
    }
    Reading { second: register(0), minute: register(2), hour: register(4), day: register(7), month: register(8), year: register(9) }
}

/// Seconds since 1970 (UTC, as the clock is taken to run). Nonsense in the chip gives some time, never a panic.
pub fn read() -> u64 {
    if cfg!(not(target_os = "none")) {
        return 0;
    }
    let mut first = reading();
    for _ in 0..4 {
        let second = reading();
        if first == second {
            break;
        }
        first = second;
    }
    seconds(first, register(STATUS_B))
}

fn number(value: u8, status: u8) -> u64 {
    if status & BINARY != 0 { u64::from(value) } else { u64::from(value >> 4) * 10 + u64::from(value & 0xf) }
}

fn seconds(reading: Reading, status: u8) -> u64 {
    let mut hour = number(reading.hour & !AFTERNOON, status);
    if status & HOURS_24 == 0 {
        hour = hour % 12 + if reading.hour & AFTERNOON != 0 { 12 } else { 0 };
    }
    let year = 2000 + number(reading.year, status);
    let days = days_since_1970(year, number(reading.month, status), number(reading.day, status));
    ((days * 24 + hour) * 60 + number(reading.minute, status)) * 60 + number(reading.second, status)
}

/// Civil date to days; years counted from March, so that the leap day comes last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let month = month.clamp(1, 12);
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day.saturating_sub(1);
    const DAYS_FROM_MARCH_0_TO_1970: u64 = 719_468;
    days - DAYS_FROM_MARCH_0_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAP_DAY: Reading = Reading { second: 0x59, minute: 0x58, hour: 0x23, day: 0x29, month: 0x02, year: 0x24 };

    #[test]
    fn a_leap_day_in_decimal_digits_is_read() {
        assert_eq!(seconds(LEAP_DAY, HOURS_24), 1_709_251_139);
    }

    #[test]
    fn twelve_hour_clocks_know_midnight_and_afternoon() {
        let at = |hour| seconds(Reading { hour, ..LEAP_DAY }, 0) / 3600 % 24;
        assert_eq!((at(0x12), at(0x01), at(0x92), at(0x91)), (0, 1, 12, 23));
    }

    #[test]
    fn dates_are_counted_right_around_leap_years() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 3, 1) - days_since_1970(2000, 2, 28), 2);
        assert_eq!(days_since_1970(2026, 11, 22), 20_779);
    }

    #[test]
    fn nonsense_gives_some_time() {
        let nonsense = Reading { second: 255, minute: 255, hour: 255, day: 255, month: 255, year: 255 };
        assert!(seconds(nonsense, BINARY) > 0 && seconds(Reading { month: 0, day: 0, ..nonsense }, 0) > 0);
    }
}
