//! Properties of the algebra on patches, quantities and selectors, each against the simplest thing that could be right.
#![allow(missing_docs, reason = "a test binary")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "properties/patches.rs"]
mod patches;
#[path = "properties/quantities.rs"]
mod quantities;
#[path = "properties/selectors.rs"]
mod selectors;

use proptest::test_runner::Config;

/// Enough to find what is wrong, few enough that nobody waits.
fn cases() -> Config {
    Config { failure_persistence: None, ..Config::with_cases(256) }
}
