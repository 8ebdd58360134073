//! The one tree of processes, of each execution.

use super::shared::Process;
use super::tree::Tree;
use crate::wait::Mutex;
use std::sync::Arc;
use sync::{TaskContext, order};

sync::shared_static! {
    pub static TREE: Mutex<Tree, order::ProcessTree> = Mutex::new(Tree::new());
}

pub fn in_group(cx: &mut TaskContext, group: i32) -> Vec<Arc<Process>> {
    TREE.lock(cx).group(group)
}
