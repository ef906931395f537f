//! `kiln doctor` on this machine, which runs containers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::{kiln, stderr, stdout, traces};

fn interfaces() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/sys/class/net").unwrap().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn it_tries_everything_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("not/there/yet");
    let output = kiln(&["doctor", "-o", "json", "--data-dir", data_dir.to_str().unwrap()]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told:#}{}", stderr(&output));
    let grade = |topic: &str| {
        let finding = told.as_array().unwrap().iter().find(|finding| finding["topic"] == topic);
        finding.unwrap()["grade"].as_str().unwrap().to_owned()
    };
    for topic in ["kernel", "root", "namespaces", "overlay", "seccomp", "network", "a Job"] {
        assert_eq!(grade(topic), "ok", "{topic}: {told:#}");
    }
    assert!(!interfaces().iter().any(|name| name.starts_with("kiln-doctor")), "{:?}", interfaces());
    assert_eq!(traces(directory.path().to_str().unwrap()), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    // Where nothing can be written no container can have a root.
    let text = stdout(&kiln(&["doctor", "--data-dir", "/proc/kiln"]).output().unwrap());
    assert!(text.contains("\nfails  overlay"), "{text}");
    assert!(text.ends_with(" fail\n"), "{text}");
    assert!(!Path::new("/proc/kiln").exists());
}
