//! The file below that a file in memory begins as.
//!
//! Invariant: attributes and length are taken from below once, before anything changes them; names once, all together. A node
//! that was not looked at yet knows its number and kind alone.

use alloc::sync::Arc;
use alloc::vec::Vec;
use libkernel::memory::Room;

use abi::Errno;
use libkernel::log::warn;
use sync::{Once, SpinLock, TaskContext, order};

use super::super::attributes::Attributes;
use super::super::node::{Kind, New};
use super::content::Below;
use super::directory::Names;
use super::lower::LowerNode;
use super::node::{Body, TmpNode};
use super::volume::Tmpfs;

/// What is known of it.
pub(super) struct Origin {
    number: u64,
    node: Once<Arc<dyn LowerNode>>,
}

impl TmpNode {
    /// The node for a file below that has none yet.
    pub(super) fn take_over(cx: &TaskContext, volume: &Arc<Tmpfs>, parent: Option<&Arc<Self>>, number: u64, kind: Kind) -> Arc<Self> {
        volume.add_name();
        let new = New { kind, mode: 0, user: 0, group: 0, device: 0, target: &[] };
        let node = Self::assemble(volume, parent, new, number, Some(Origin { number, node: Once::new() }));
        if let Some(below) = volume.below() {
            below.add_name();
            below.know(cx, number, &node);
        }
        node
    }

    /// Knows the file below from here on, if there is one; answers it.
    pub(super) fn load(&self, cx: &mut TaskContext) -> Result<Below<'_>, Errno> {
        let Some(origin) = &self.origin else { return Ok(None) };
        if let Some(node) = origin.node.get() {
            return Ok(Some(&**node));
        }
        let below = self.volume.below().ok_or(Errno::EIO)?;
        let node = below.lower.node(cx, origin.number)?;
        if node.as_node().kind() != self.kind {
            return Err(Errno::EUCLEAN);
        }
        let attributes = Attributes { identity: self.identity, ..node.as_node().attributes(cx)? };
        if let Body::Regular { content, .. } = &self.body {
            content.begin(cx, attributes.size);
        }
        let mut facts = self.facts.lock(cx);
        if !facts.is_known {
            facts.attributes = attributes;
            facts.is_known = true;
        }
        drop(facts);
        Ok(Some(&**origin.node.get_or_set(node)))
    }

    /// The names in a directory, those from below among them.
    pub(super) fn names(&self, cx: &mut TaskContext) -> Result<&SpinLock<Names, order::Directory>, Errno> {
        let names = self.own_names()?;
        if !names.lock(cx).is_filled() {
            self.fill(cx, names)?;
        }
        Ok(names)
    }

    fn fill(&self, cx: &mut TaskContext, names: &SpinLock<Names, order::Directory>) -> Result<(), Errno> {
        let Some(lower) = self.load(cx)? else { return Ok(()) };
        let below = self.volume.below().ok_or(Errno::EIO)?;
        let guard = below.filling.lock(cx);
        if names.lock(cx).is_filled() {
            return Ok(());
        }
        let mut found: Vec<(Vec<u8>, u64, Kind)> = Vec::new();
        let mut is_complete = true;
        let listed = lower.as_node().list(cx, 0, &mut |entry| {
            is_complete = found.try_room(1).is_ok();
            if is_complete && entry.name != b"." && entry.name != b".." {
                found.push((entry.name.to_vec(), entry.number, entry.kind));
            }
            is_complete
        });
        let result = listed.and(if is_complete { Ok(()) } else { Err(Errno::ENOMEM) });
        if result.is_ok() {
            let nodes = self.nodes_for(cx, found);
            names.lock(cx).fill(nodes);
        }
        drop(guard);
        result
    }

    /// A node for each name; without the names of directories that stand elsewhere already, which only a damaged disk has.
    fn nodes_for(&self, cx: &TaskContext, found: Vec<(Vec<u8>, u64, Kind)>) -> Vec<(Vec<u8>, Arc<Self>)> {
        let (Some(below), Some(me)) = (self.volume.below(), self.me.upgrade()) else { return Vec::new() };
        let mut nodes = Vec::with_capacity(found.len());
        for (name, number, kind) in found {
            let node = match below.known(cx, number) {
                Some(node) if kind == Kind::Directory || node.kind != kind => {
                    warn!("the disk is damaged: file {number} has a name that it cannot have, which is left out");
                    continue;
                }
                Some(node) => {
                    self.volume.add_name();
                    below.add_name();
                    node
                }
                None => Self::take_over(cx, &self.volume, Some(&me), number, kind),
            };
            nodes.push((name, node));
        }
        nodes
    }

    /// Blocks of the file below that still are this file's.
    pub(super) fn blocks_below(&self, cx: &TaskContext) -> u64 {
        match &self.body {
            Body::Regular { content, .. } if content.has_below(cx) => self.facts.lock(cx).attributes.blocks,
            _ => 0,
        }
    }

    /// A name was lost. Other names may stand below in directories that nobody has looked into yet: they must lead here.
    pub(super) fn keep_below(&self, cx: &TaskContext, has_others: bool) {
        if let (Some(origin), Some(below)) = (&self.origin, self.volume.below()) {
            below.keep(cx, origin.number, self.me.upgrade().filter(|_| has_others));
        }
    }

    /// The node is gone.
    pub(super) fn leave_below(&self) {
        if let (Some(origin), Some(below)) = (&self.origin, self.volume.below()) {
            below.forget(origin.number);
        }
    }
}
