//! Statics that hold atomics: plain ones in the kernel, made anew for each execution under the model checkers.
//!
//! Invariant: under a model checker nothing is left of one execution when the next one begins.

#[cfg(loom)]
#[doc(hidden)]
pub use loom::lazy_static::Lazy;
#[cfg(shuttle)]
#[doc(hidden)]
pub use shuttle::lazy_static::Lazy;

/// `shared_static! { pub static NAME: Type = value; }`.
#[macro_export]
macro_rules! shared_static {
    ($($(#[$meta:meta])* $visibility:vis static $name:ident: $type:ty = $value:expr;)*) => { $(
        #[cfg(not(any(loom, shuttle)))]
        $(#[$meta])* $visibility static $name: $type = $value;
        #[cfg(any(loom, shuttle))]
        $crate::made_per_execution! { $(#[$meta])* $visibility $name: $type = $value }
    )* };
}

/// The same of so many values, of which one is given.
#[macro_export]
macro_rules! shared_array {
    ($($(#[$meta:meta])* $visibility:vis static $name:ident: [$type:ty; $count:expr] = $value:expr;)*) => { $(
        #[cfg(not(any(loom, shuttle)))]
        $(#[$meta])* $visibility static $name: [$type; $count] = [const { $value }; $count];
        #[cfg(any(loom, shuttle))]
        $crate::made_per_execution! { $(#[$meta])* $visibility $name: [$type; $count] = core::array::from_fn(|_| $value) }
    )* };
}

/// The same of a value per CPU, of which one is given.
#[macro_export]
macro_rules! shared_per_cpu {
    ($($(#[$meta:meta])* $visibility:vis static $name:ident: $kind:ident<$type:ty> = $value:expr;)*) => { $(
        #[cfg(not(any(loom, shuttle)))]
        $(#[$meta])* $visibility static $name: $kind<$type> = $kind::new([const { $value }; $crate::MAXIMUM_CPUS]);
        #[cfg(any(loom, shuttle))]
        $crate::made_per_execution! { $(#[$meta])* $visibility $name: $kind<$type> = $kind::new(core::array::from_fn(|_| $value)) }
    )* };
}

/// A word that is used as the static would be.
#[cfg(any(loom, shuttle))]
#[doc(hidden)]
#[macro_export]
macro_rules! made_per_execution {
    ($(#[$meta:meta])* $visibility:vis $name:ident: $type:ty = $value:expr) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "it is used as a static is")]
        $(#[$meta])* $visibility struct $name;

        impl core::ops::Deref for $name {
            type Target = $type;

            fn deref(&self) -> &$type {
                #[cfg(loom)]
                static VALUE: $crate::per_execution::Lazy<$type> =
                    $crate::per_execution::Lazy { init: || $value, _p: core::marker::PhantomData };
                #[cfg(shuttle)]
                static VALUE: $crate::per_execution::Lazy<$type> = $crate::per_execution::Lazy::new(|| $value);
                VALUE.get()
            }
        }
    };
}
