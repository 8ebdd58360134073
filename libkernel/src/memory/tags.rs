//! Which spaces a CPU still remembers something of, by the tags (PCIDs) that keep their translations apart.
//!
//! Invariant: a tag's generation is not above the one that the CPU's memory of the space is right for; so a space whose
//! own generation is the same may be used again with all that is remembered, and any other is forgotten first.

use sync::twin::{self, Twin};

/// So many spaces a CPU remembers, beside the kernel's own root, which has tag 0.
const TAGS: usize = 6;

#[derive(Clone, Copy)]
struct Tag {
    /// Of the space; 0: nothing is remembered under this tag.
    space: u64,
    generation: u64,
}

/// One CPU's tags.
pub struct Tags {
    tags: [Tag; TAGS],
    /// Where the space is that the CPU uses; `TAGS` for the kernel's root.
    current: usize,
    /// Who makes room next.
    oldest: usize,
}

/// How a CPU begins to use a space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beginning {
    pub tag: u16,
    /// What is remembered under the tag is right.
    pub keeps: bool,
    /// It was remembered, and is not right any more.
    pub caught_up: bool,
}

impl Tags {
    pub const fn new() -> Self {
        Tags { tags: [Tag { space: 0, generation: 0 }; TAGS], current: TAGS, oldest: 0 }
    }

    /// The CPU is about to use `space`, whose tables have that generation at least.
    pub fn begin(&mut self, space: u64, generation: u64) -> Beginning {
        let known = self.tags.iter().position(|tag| tag.space == space);
        let place = known.unwrap_or(self.oldest);
        if known.is_none() {
            self.oldest = (self.oldest + 1) % TAGS;
        }
        let keeps = known.is_some() && self.tags[place].generation == generation;
        self.tags[place] = Tag { space, generation };
        self.current = place;
        Beginning { tag: place as u16 + 1, keeps, caught_up: known.is_some() && !keeps }
    }

    /// For which generation all is right that the CPU remembers of `space`, if it uses that.
    pub fn known(&self, space: u64) -> Option<u64> {
        self.tags.get(self.current).filter(|tag| tag.space == space).map(|tag| tag.generation)
    }

    /// The CPU has forgotten all of `space`, if it uses that, after it had that generation.
    pub fn forgot_all(&mut self, space: u64, generation: u64) {
        if let Some(tag) = self.tags.get_mut(self.current).filter(|tag| tag.space == space) {
            tag.generation = generation;
        }
    }

    /// The CPU uses the kernel's own root.
    pub const fn begin_none(&mut self) {
        self.current = TAGS;
    }

    /// The CPU has forgotten what made `generation` of the one before, of `space`, if it uses that.
    pub fn forgot(&mut self, space: u64, generation: u64) {
        let Some(tag) = self.tags.get_mut(self.current).filter(|tag| tag.space == space) else { return };
        // If one before is still to be forgotten, the tag stays where it is: that is only forgotten twice.
        if tag.generation + 1 == generation || twin::is(Twin::ForgotTooMuch) {
            tag.generation = generation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_that_has_not_changed_is_kept_and_one_that_has_is_forgotten() {
        let mut tags = Tags::new();
        let first = tags.begin(10, 3);
        assert_eq!(first, Beginning { tag: first.tag, keeps: false, caught_up: false });
        tags.begin(11, 1);
        assert_eq!(tags.begin(10, 3), Beginning { keeps: true, ..first });
        tags.begin_none();
        assert_eq!(tags.begin(10, 4), Beginning { caught_up: true, ..first });
        assert_eq!(tags.begin(10, 4), Beginning { keeps: true, ..first });
    }

    #[test]
    fn what_was_forgotten_meanwhile_need_not_be_forgotten_again() {
        let mut tags = Tags::new();
        let first = tags.begin(10, 3);
        tags.forgot(10, 4);
        assert!(tags.begin(10, 4).keeps);
        // The one before is still on its way.
        tags.forgot(10, 6);
        assert!(!tags.begin(10, 6).keeps);
        tags.begin_none();
        tags.forgot(10, 7);
        tags.begin(11, 1);
        tags.forgot(10, 7);
        assert_eq!(tags.begin(10, 7), Beginning { caught_up: true, ..first });
    }

    #[test]
    fn a_tag_that_another_space_got_remembers_nothing() {
        let mut tags = Tags::new();
        for space in 1..=TAGS as u64 + 1 {
            let began = tags.begin(space, 1);
            assert!(!began.keeps && (1..=TAGS as u16).contains(&began.tag));
        }
        assert!(tags.begin(2, 1).keeps);
        let again = tags.begin(1, 1);
        assert!(!again.keeps && !again.caught_up);
    }
}
