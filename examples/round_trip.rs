//! A message to another thread and back, through two rendezvous channels; each send hands the CPU to its receiver.

use std::io;
use std::time::Instant;

use braid::Message;

const ROUNDS: u64 = 10_000;

fn main() -> io::Result<()> {
    let (ask, questions) = braid::channel(0)?;
    let (reply, answers) = braid::channel(0)?;
    let answering = std::thread::spawn(move || -> io::Result<()> {
        // Ends with EPIPE when nobody can ask any more.
        while let Ok(question) = questions.receive() {
            reply.send(&Message::new(question.tag, question.data.map(|word| word * 2)))?;
        }
        Ok(())
    });
    let began = Instant::now();
    for round in 0..ROUNDS {
        ask.send(&Message::new(round, [round, 1, 2]))?;
        let answer = answers.receive()?;
        assert_eq!((answer.tag, answer.data), (round, [2 * round, 2, 4]));
    }
    let each = began.elapsed() / u32::try_from(ROUNDS).unwrap_or(1);
    drop(ask);
    answering.join().map_err(|_| io::Error::other("the other thread panicked"))??;
    println!("{ROUNDS} round trips");
    eprintln!("{each:?} each");
    Ok(())
}
