//! The beacond binary.

fn main() {}
