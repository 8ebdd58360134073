//! getsockopt and setsockopt: what can be asked of a socket, and set.
//!
//! Invariant: a value that is set is checked first; an option that nobody knows is `ENOPROTOOPT`.

use alloc::vec::Vec;

use abi::Errno;
use abi::socket::{AF_UNIX, option};
use abi::time::Timeval;
use sync::TaskContext;
use zerocopy::{FromBytes, IntoBytes};

use super::settings::{timeout_of, told};
use super::socket::{Phase, Socket};

/// Switches that are kept, so that programs find what they set, and change nothing here.
const SWITCHES: [i32; 7] = [
    option::DEBUG,
    option::REUSE_ADDRESS,
    option::DONT_ROUTE,
    option::BROADCAST,
    option::KEEP_ALIVE,
    option::OUT_OF_BAND_INLINE,
    option::REUSE_PORT,
];
const MICROSECOND: u64 = 1000;
const SECOND: u64 = 1_000_000_000;

/// The value of an option.
pub fn get(cx: &TaskContext, socket: &Socket, name: i32) -> Result<Vec<u8>, Errno> {
    let settings = &socket.settings;
    let number = match name {
        option::TYPE => u64::from(socket.sort().number()),
        option::DOMAIN => u64::from(AF_UNIX),
        option::PROTOCOL | option::PRIORITY => 0,
        option::ERROR => socket.state.lock(cx).error.take().map_or(0, |error| error.as_result().unsigned_abs()),
        option::ACCEPTS_CONNECTIONS => u64::from(socket.state.lock(cx).phase == Phase::Listening),
        option::SEND_BUFFER => settings.send_limit.load(),
        option::RECEIVE_BUFFER => settings.receive_limit.load(),
        option::RECEIVE_LOW_WATER => settings.low_water.load(),
        option::SEND_LOW_WATER => 1,
        option::PASS_CREDENTIALS => u64::from(settings.passes_credentials.is_set()),
        option::PEER_CREDENTIALS => return Ok(socket.state.lock(cx).peer_credentials.as_bytes().to_vec()),
        option::RECEIVE_TIMEOUT => return Ok(time(told(settings.receive_timeout.load()))),
        option::SEND_TIMEOUT => return Ok(time(told(settings.send_timeout.load()))),
        option::LINGER => return Ok([0; 8].to_vec()),
        name if SWITCHES.contains(&name) => u64::from(settings.switches.load() & switch(name) != 0),
        _ => return Err(Errno::ENOPROTOOPT),
    };
    Ok(i32::try_from(number).unwrap_or(i32::MAX).to_ne_bytes().to_vec())
}

fn time(nanoseconds: u64) -> Vec<u8> {
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let time = Timeval { seconds: part(nanoseconds / SECOND), microseconds: part(nanoseconds % SECOND / MICROSECOND) };
    time.as_bytes().to_vec()
}

fn switch(name: i32) -> u64 {
    1_u64.checked_shl(name.unsigned_abs()).unwrap_or(0)
}

/// Sets an option.
pub fn set(cx: &TaskContext, socket: &Socket, name: i32, value: &[u8], is_privileged: bool) -> Result<(), Errno> {
    let (number, _) = i32::read_from_prefix(value).map_err(|_| Errno::EINVAL)?;
    let settings = &socket.settings;
    // Lengths come as an `int`, but count as an unsigned one.
    let bytes = u64::from(number.cast_unsigned());
    match name {
        option::SEND_BUFFER => settings.set_send_limit(bytes),
        option::RECEIVE_BUFFER => settings.set_receive_limit(bytes),
        option::SEND_BUFFER_FORCE if is_privileged => settings.set_send_limit(bytes),
        option::RECEIVE_BUFFER_FORCE if is_privileged => settings.set_receive_limit(bytes),
        option::SEND_BUFFER_FORCE | option::RECEIVE_BUFFER_FORCE => return Err(Errno::EPERM),
        option::RECEIVE_LOW_WATER => {
            let bytes = if number < 0 { i32::MAX.unsigned_abs() } else { number.unsigned_abs() };
            settings.low_water.store(u64::from(bytes.max(1)));
        }
        option::PASS_CREDENTIALS if number != 0 => settings.passes_credentials.set(),
        option::PASS_CREDENTIALS => settings.passes_credentials.clear(),
        option::RECEIVE_TIMEOUT => settings.receive_timeout.store(timeout(value)?),
        option::SEND_TIMEOUT => settings.send_timeout.store(timeout(value)?),
        option::LINGER if value.len() < 8 => return Err(Errno::EINVAL),
        option::LINGER | option::PRIORITY => {}
        name if SWITCHES.contains(&name) => {
            let bit = switch(name);
            let _before = if number != 0 { settings.switches.fetch_or(bit) } else { settings.switches.fetch_and(!bit) };
        }
        _ => return Err(Errno::ENOPROTOOPT),
    }
    socket.has_room(cx);
    Ok(())
}

fn timeout(value: &[u8]) -> Result<u64, Errno> {
    let (time, _) = Timeval::read_from_prefix(value).map_err(|_| Errno::EINVAL)?;
    let microseconds = u64::try_from(time.microseconds).ok().filter(|&part| part < 1_000_000).ok_or(Errno::EDOM)?;
    // A time before now is no time: the call does not wait.
    let Ok(seconds) = u64::try_from(time.seconds) else { return Ok(1) };
    Ok(timeout_of(seconds.saturating_mul(SECOND).saturating_add(microseconds * MICROSECOND)))
}
