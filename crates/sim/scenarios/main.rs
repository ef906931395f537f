//! Scenarios in a simulated world. Each has a recording beside it, `NAME.txt`; `UPDATE_RECORDINGS=1` writes them anew.
#![allow(clippy::unwrap_used)]

mod cron_crashes;
mod cronjobs;
mod indexed;
mod jobs;
mod machine;
mod ownership;
mod scheduling;
mod storms;
mod volumes;

use std::path::Path;

/// Compares what happened with what was recorded.
#[track_caller]
pub fn check(name: &str, happened: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_RECORDINGS").is_some() {
        std::fs::write(&path, happened).unwrap();
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(recorded == happened, "{name} went differently.\n--- recorded\n{recorded}\n--- happened\n{happened}");
}
