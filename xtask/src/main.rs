//! Chores of this repository: `cargo xtask schema` writes the schema table.
fn main() {}
