//! Real containers: the built-in runtime with its supervisors, on this kernel, as root, with a root file system of busybox.

#![allow(clippy::unwrap_used)]

mod cleanup;
mod harness;
mod isolation;
mod life;
mod others;
mod sessions;
mod survival;
