//! What donation is worth: how many times as long a round trip takes through a queue.
//!
//! Invariant: both times of a quotient are from one boot, and the middle batches where others are busy.

use super::{Table, time};

/// The ways that donate. The others' wakes go through a queue always.
const DONATING: [&str; 3] = ["channel", "pipe", "notification"];

/// Columns: what goes through a queue, and what it is compared with.
const QUOTIENTS: [(&str, &str, &str); 4] = [
    ("free", "free-queued", "free"),
    ("other CPU", "cross", "donated"),
    ("own, empty", "queued", "donated"),
    ("own, busy", "queued-busy", "donated-busy"),
];

pub fn print(runs: &[(String, Table)]) {
    println!("\nhow many times as long a round trip takes through a queue as by donation on one CPU:");
    println!("free: the same two threads, which may run anywhere, through the queue that the kernel chooses for each wake;");
    println!("other CPU: through the queue of another CPU, nobody else there; own, empty: through that CPU's own queue;");
    println!("own, busy: the same, and by donation too, beside a third thread that wants the CPU all the time");
    for (name, table) in runs {
        print!("{name:<14}");
        QUOTIENTS.iter().for_each(|(column, ..)| print!(" {column:>13}"));
        println!();
        for way in DONATING {
            print!("{way:<14}");
            for (_, queued, donated) in QUOTIENTS {
                let cell = quotient(table, way, queued, donated);
                print!(" {:>13}", cell.map_or_else(|| "not there".to_owned(), |times| format!("{times:.2}")));
            }
            println!();
        }
    }
}

fn quotient(table: &Table, way: &str, queued: &str, donated: &str) -> Option<f64> {
    let find = |wanted: &str| {
        let row = table.iter().find(|((_, of, at), _)| of == way && at == wanted);
        row.and_then(|(_, numbers)| *numbers).map(|numbers| time(wanted.ends_with("busy"), numbers) as f64)
    };
    Some(find(queued)? / find(donated)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotient_is_of_best_batches_alone_and_of_middle_ones_beside_others() {
        let row = |number, way: &str, placement: &str, numbers| ((number, way.to_owned(), placement.to_owned()), numbers);
        let table = Table::from([
            row(0, "channel", "donated", Some([10, 99, 0])),
            row(1, "channel", "queued", Some([15, 99, 0])),
            row(2, "channel", "donated-busy", Some([1, 20, 0])),
            row(3, "channel", "queued-busy", Some([1, 6000, 0])),
            row(4, "channel", "cross", None),
        ]);
        assert_eq!(quotient(&table, "channel", "queued", "donated"), Some(1.5));
        assert_eq!(quotient(&table, "channel", "queued-busy", "donated-busy"), Some(300.0));
        assert_eq!(quotient(&table, "channel", "cross", "donated"), None);
        assert_eq!(quotient(&table, "pipe", "queued", "donated"), None);
    }
}
