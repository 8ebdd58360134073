//! No program is played.

use crate::memory::Translation;
use std::sync::Arc;
use sync::TaskContext;

pub trait UserMemory: Send + Sync {
    fn translation(&self) -> &Translation;
}

pub struct OwnMemory(Arc<dyn UserMemory>);

impl OwnMemory {
    pub(crate) fn of(memory: Arc<dyn UserMemory>) -> Arc<OwnMemory> {
        Arc::new(OwnMemory(memory))
    }
}

impl std::ops::Deref for OwnMemory {
    type Target = dyn UserMemory;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

pub fn set_memory(_: &mut TaskContext, _: Option<Arc<dyn UserMemory>>) {}
