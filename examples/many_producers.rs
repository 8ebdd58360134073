//! One thread waits for everything in one place: timers, pipes, messages and notifications.

use std::io::{self, Write};
use std::time::Duration;

use braid::{Done, Message, Notification, Operation, Outcome, Port};

const MESSAGES: u64 = 100;

fn main() -> io::Result<()> {
    let port = Port::new()?;
    let (sender, receiver) = braid::channel(4)?;
    let (pipe, mut writer) = io::pipe()?;
    let bell = Notification::new()?;
    let ring = Notification::from(std::os::fd::AsFd::as_fd(&bell).try_clone_to_owned()?);

    port.submit(Operation::Timeout(Duration::from_millis(5)))?;
    port.submit(Operation::Read { file: pipe.into(), buffer: vec![0; 64], offset: 0 })?;
    port.submit(Operation::Receive(receiver))?;
    port.submit(Operation::WaitForNotification(bell))?;

    let others = [
        std::thread::spawn(move || (0..MESSAGES).try_for_each(|number| sender.send(&Message::new(number, [number; 3])))),
        std::thread::spawn(move || writer.write_all(b"through a pipe")),
        std::thread::spawn(move || ring.notify()),
    ];
    let mut seen = Seen::default();
    while !seen.all() {
        for done in port.wait(1, None)? {
            seen.take(&port, done)?;
        }
    }
    for other in others {
        other.join().map_err(|_| io::Error::other("a producer panicked"))??;
    }
    println!("a timer, a pipe, a notification and {} messages in one port", seen.messages);
    Ok(())
}

#[derive(Default)]
struct Seen {
    timer: bool,
    pipe: bool,
    bell: bool,
    messages: u64,
}

impl Seen {
    fn all(&self) -> bool {
        self.timer && self.pipe && self.bell && self.messages == MESSAGES
    }

    fn take(&mut self, port: &Port, done: Done) -> io::Result<()> {
        match (done.operation, done.outcome?) {
            (Operation::Timeout(_), _) => self.timer = true,
            (Operation::WaitForNotification(_), _) => self.bell = true,
            (Operation::Read { buffer, .. }, Outcome::Bytes(count)) => {
                assert_eq!(&buffer[..count], b"through a pipe");
                self.pipe = true;
            }
            (Operation::Receive(receiver), Outcome::Message(message)) => {
                assert_eq!(message.tag, self.messages, "messages arrive in order");
                self.messages += 1;
                if self.messages < MESSAGES {
                    port.submit(Operation::Receive(receiver))?;
                }
            }
            (operation, outcome) => return Err(io::Error::other(format!("{operation:?} gave {outcome:?}"))),
        }
        Ok(())
    }
}
