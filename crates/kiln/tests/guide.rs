//! docs/guide.md, command by command: by real kubectl, and again by kiln's own verbs where there is no kubectl. Images come from a
//! registry that stands in for Docker Hub.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

#[path = "guide/document.rs"]
mod document;
#[path = "guide/matching.rs"]
mod matching;
#[path = "guide/shell.rs"]
mod shell;
mod support;

use document::{Command, Step};
use shell::{By, Shell};
use support::registry::{Registry, gzip};
use support::{Server, repository, wait_for};

#[test]
fn every_command_of_the_guide_by_kubectl() {
    walk(&By::Kubectl(support::kubectl()));
}

#[test]
fn every_command_of_the_guide_by_kiln_alone() {
    walk(&By::Kiln);
}

#[track_caller]
fn walk(by: &By) {
    let guide = std::fs::read_to_string(repository().join("docs/guide.md")).unwrap();
    let steps = document::steps(&guide).unwrap();
    let registry = Registry::start();
    registry.push_built("busybox", "library/busybox:1.35", gzip);
    let server = Server::with_mirror(registry.address);
    let shell = Shell::new(&server, by);
    let mut mistakes = Vec::new();
    for step in &steps {
        match (step, by) {
            (Step::Save { name, text }, By::Kubectl(_)) => shell.save(name, text),
            (Step::Save { name, text }, By::Kiln) => shell.save(name, &document::with_kilns_verbs(text)),
            (Step::Run(command), by) => mistakes.extend(run(&shell, command, by)),
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    // The last thing that the guide does is tidying up.
    wait_for("nothing to be left", || server.traces().is_empty().then_some(()));
}

/// What is wrong with a command, if anything is.
fn run(shell: &Shell, command: &Command, by: &By) -> Option<String> {
    let text = match by {
        By::Kubectl(_) => command.text.clone(),
        By::Kiln => document::with_kilns_verbs(&command.text),
    };
    let shown = &command.shown;
    let begin = std::time::Instant::now();
    let ended = shell.run(&text, |printed| command.is_interrupted && matching::begins_as_shown(shown, printed));
    eprintln!("{:>6} ms  docs/guide.md:{}: {text}", begin.elapsed().as_millis(), command.line);
    let trouble = match &ended {
        Err(printed) => printed.clone(),
        Ok(ended) if command.is_interrupted && matching::begins_as_shown(shown, &ended.printed) => return None,
        Ok(ended) if !command.is_interrupted && !ended.status.success() => {
            format!("{}({})", ended.printed, ended.status)
        }
        Ok(ended) if !command.is_interrupted && matching::is_as_shown(shown, &ended.printed) => return None,
        Ok(ended) => ended.printed.clone(),
    };
    Some(format!("=== docs/guide.md:{}: {text}\n--- shown\n{}\n--- printed\n{trouble}", command.line, shown.join("\n")))
}
