//! kiln's own verbs beside real kubectl, on one server: the same command lines, the same output, the same exit codes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "verbs/reading.rs"]
mod reading;
mod support;
#[path = "verbs/writing.rs"]
mod writing;

use std::process::{Command, Output};

use support::{Kubectl, Server, kiln, stderr, stdout, wait_for};

/// kiln against this server.
fn ours(server: &Server, arguments: &[&str]) -> Command {
    let mut command = kiln(arguments);
    command.env("KILN_KUBECONFIG", server.kubeconfig()).env("HOME", server.directory.path());
    command
}

/// Runs kiln, which must succeed, and gives its stdout.
#[track_caller]
fn ok(server: &Server, arguments: &[&str]) -> String {
    let output = ours(server, arguments).output().unwrap();
    assert!(output.status.success(), "kiln {}: {}{}", arguments.join(" "), stdout(&output), stderr(&output));
    stdout(&output)
}

/// Words of a command line; what stands between single quotes is one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for char in line.chars() {
        match char {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            char => words.last_mut().unwrap().push(char),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Runs lines that only read with both, and tells every difference.
#[track_caller]
fn all_same(server: &Server, kubectl: &Kubectl, lines: &[&str]) {
    let differences: Vec<String> = lines.iter().filter_map(|line| difference(server, kubectl, line)).collect();
    assert!(differences.is_empty(), "{} of {} differ\n{}", differences.len(), lines.len(), differences.join("\n"));
}

/// Ages go on meanwhile, so kiln runs between two kubectls that agree.
fn difference(server: &Server, kubectl: &Kubectl, line: &str) -> Option<String> {
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let theirs = || server.kubectl(kubectl, &words).output().unwrap();
    let (before, ours) = wait_for("two kubectls that agree", || {
        let before = theirs();
        let ours = ours(server, &words).output().unwrap();
        let is_agreed = settled(line, stdout(&before)) == settled(line, stdout(&theirs()));
        is_agreed.then_some((before, ours))
    });
    disagreement(line, &before, &ours)
}

/// What was said, but for the order in which kubectl visits the containers of a pod: that of a Go map, another each time.
/// Lines of one container keep theirs.
fn settled(line: &str, said: String) -> String {
    if !(line.contains("--all-containers") && line.contains("--prefix")) {
        return said;
    }
    let mut lines: Vec<&str> = said.split_inclusive('\n').collect();
    lines.sort_by_key(|line| line.split(' ').next());
    lines.concat()
}

/// kubectl's exit code is 1 for mistakes on the command line too, where kiln's is 2.
fn disagreement(line: &str, theirs: &Output, ours: &Output) -> Option<String> {
    let is_alike = match theirs.status.code() {
        Some(1) => matches!(ours.status.code(), Some(1 | 2)),
        code => ours.status.code() == code,
    };
    let (expect, seen) = (settled(line, stdout(theirs)), settled(line, stdout(ours)));
    (!is_alike || expect != seen).then(|| {
        format!(
            "=== {line}\n--- kubectl, {}\n{expect}{}--- kiln, {}\n{seen}{}",
            theirs.status,
            stderr(theirs),
            ours.status,
            stderr(ours)
        )
    })
}
