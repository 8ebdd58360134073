//! The one tree of processes, of each execution.

use super::tree::Tree;
use crate::wait::Mutex;
use sync::order;

sync::shared_static! {
    pub static TREE: Mutex<Tree, order::ProcessTree> = Mutex::new(Tree::new());
}
