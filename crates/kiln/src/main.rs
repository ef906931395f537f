//! kiln: Kubernetes' batch system for one machine.
fn main() {}
