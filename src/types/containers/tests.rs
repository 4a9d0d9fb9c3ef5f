//! The containers against the specification's own vectors, and against bytes of strangers.

mod inclusion;
mod registry;
mod rejects;
mod sizes;
mod survives;
mod vectors;
