//! Many processes at once, each with memory of its own: fork copies nothing and shares nothing.

use linux_tests::memory::{PAGE, anonymous, peek_word, poke_word, unmap};
use linux_tests::process::{Ended, close_all, fork, in_a_child, pipe, wait, wait_for_any_of, wait_for_byte, write};
use linux_tests::{check, done, equal, must, must_equal};

const PAGES: usize = 32;
const IN_ALL: usize = 2_100;
const AT_ONCE: usize = 100;

fn main() {
    copies_are_private();
    copies_of_copies();
    children_alive_together();
    storm();
    forks_on_every_cpu();
}

fn mark(at: usize, pages: usize, value: u64) {
    (0..pages).for_each(|page| poke_word(at + page * PAGE + page * 8, value + page as u64));
}

fn is_marked(at: usize, pages: usize, value: u64) -> bool {
    (0..pages).all(|page| peek_word(at + page * PAGE + page * 8) == value + page as u64)
}

fn copies_are_private() {
    let at = anonymous(PAGES);
    mark(at, PAGES, 1_000);
    let child = in_a_child(|| {
        must("the child sees what was written before", is_marked(at, PAGES, 1_000));
        mark(at, PAGES, 2_000);
        must("and its own", is_marked(at, PAGES, 2_000));
        0
    });
    equal("a child sees its parent's memory and writes its own", child, Ended::Exited(0));
    check("the parent sees nothing of it", is_marked(at, PAGES, 1_000));
    let (from, to) = pipe();
    let child = fork(|| {
        must("a byte", wait_for_byte(from));
        must("the child does not see what the parent wrote after", is_marked(at, PAGES, 1_000));
        0
    });
    mark(at, PAGES, 3_000);
    done("write", write(to, b"x"));
    equal("a child keeps what it had when its parent writes", wait(child), Ended::Exited(0));
    close_all(&[from, to]);
    done("munmap", unmap(at, PAGES * PAGE));
}

fn copies_of_copies() {
    let at = anonymous(PAGES);
    mark(at, PAGES, 0);
    fn descend(at: usize, depth: u64) -> i32 {
        must("each sees its parent's", is_marked(at, PAGES, depth));
        if depth < 12 {
            mark(at, PAGES, depth + 1);
            must_equal("child", in_a_child(|| descend(at, depth + 1)), Ended::Exited(0));
            must("and finds its own again", is_marked(at, PAGES, depth + 1));
        }
        0
    }
    equal("twelve generations each have their own copy", in_a_child(|| descend(at, 0)), Ended::Exited(0));
    check("and the first is unchanged", is_marked(at, PAGES, 0));
}

fn children_alive_together() {
    let at = anonymous(PAGES);
    mark(at, PAGES, 77);
    let (from, to) = pipe();
    let children: Vec<_> = (0..AT_ONCE as u64)
        .map(|number| {
            fork(|| {
                mark(at, PAGES, number * 100);
                done("close", linux_tests::process::close(to));
                must("the gate closes", !wait_for_byte(from));
                i32::from(!is_marked(at, PAGES, number * 100))
            })
        })
        .collect();
    close_all(&[to]);
    let ends: Vec<_> = children.into_iter().map(wait).collect();
    check("a hundred at once each keep their own pages", ends.iter().all(|ended| *ended == Ended::Exited(0)));
    check("and the parent its own", is_marked(at, PAGES, 77));
    close_all(&[from]);
}

fn storm() {
    let at = anonymous(1);
    let (mut alive, mut begun, mut ended) = (0, 0, 0);
    while ended < IN_ALL {
        while alive < AT_ONCE && begun < IN_ALL {
            poke_word(at, begun as u64);
            let number = begun as u64;
            fork(move || i32::from(peek_word(at) != number));
            (alive, begun) = (alive + 1, begun + 1);
        }
        let seen = done("wait", wait_for_any_of(-1, 0));
        must("a child that saw its own number", matches!(seen, Some((_, Ended::Exited(0)))));
        (alive, ended) = (alive - 1, ended + 1);
    }
    check("2,100 children, a hundred at a time, each saw the value at its fork", true);
}

fn forks_on_every_cpu() {
    let cpus = linux_tests::allowed_cpus();
    let parents: Vec<_> = cpus
        .into_iter()
        .map(|cpu| {
            fork(move || {
                done("pinning", linux_tests::pin_to(cpu));
                (0..40).for_each(|turn| must_equal("child", in_a_child(|| turn), Ended::Exited(turn)));
                0
            })
        })
        .collect();
    check("forking on every CPU at once", parents.into_iter().all(|parent| wait(parent) == Ended::Exited(0)));
}
