//! Documents, command by command: docs/guide.md, and the commands of the guide *Jobs and CronJobs* with the programs in examples/. By real
//! kubectl, and again by kiln's own verbs where there is no kubectl. Images come from a registry that stands in for Docker Hub.

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
use support::postgres::Postgres;
use support::registry::{Registry, gzip};
use support::{Server, repository, wait_for};

const GUIDE: &str = "docs/guide.md";
const COMMANDS: &str = "crates/kiln/tests/guide/commands.md";

#[test]
fn every_command_of_the_guide_by_kubectl() {
    walk(GUIDE, &By::Kubectl(support::kubectl()));
}

#[test]
fn every_command_of_the_guide_by_kiln_alone() {
    walk(GUIDE, &By::Kiln);
}

#[test]
fn the_programs_of_jobs_and_cronjobs_by_kubectl() {
    walk(COMMANDS, &By::Kubectl(support::kubectl()));
}

#[test]
fn the_programs_of_jobs_and_cronjobs_by_kiln_alone() {
    walk(COMMANDS, &By::Kiln);
}

/// Does everything that a document says, and tells every difference.
#[track_caller]
fn walk(document: &str, by: &By) {
    let text = std::fs::read_to_string(repository().join(document)).unwrap();
    let steps = document::steps(&text).unwrap();
    let registry = registry(&text);
    let server = Server::with_mirror(registry.address);
    let mut shell = Shell::new(&server, by);
    // Pods reach it as a program of this machine.
    let postgres = text.contains("psql").then(|| Postgres::start(server.address_for_pods()));
    for (name, value) in postgres.iter().flat_map(Postgres::environment) {
        shell.set(name, value);
    }
    save_examples(&shell, by);
    let mut mistakes = Vec::new();
    for step in &steps {
        match step {
            Step::Save { name, text } => shell.save(name, &by.said(text)),
            Step::Run(command) => mistakes.extend(run(&shell, document, command, by)),
        }
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    // The last thing that a document does is tidying up.
    let volumes = || std::fs::read_dir(server.data_dir().join("volumes")).map_or(0, Iterator::count);
    wait_for("nothing to be left", || (server.traces().is_empty() && volumes() == 0).then_some(()));
}

/// With the images that are named in the document, or in the examples.
fn registry(document: &str) -> Registry {
    let registry = Registry::start();
    registry.push_built("busybox", "library/busybox:1.35", gzip);
    if document.contains("perl:5.34") {
        registry.push_built("busybox", "library/busybox:latest", gzip);
        registry.push_built("perl", "library/perl:5.34", gzip);
    }
    if document.contains("psql") {
        registry.push_built("postgres", "library/postgres:15-alpine", gzip);
    }
    registry
}

fn save_examples(shell: &Shell, by: &By) {
    for entry in std::fs::read_dir(repository().join("examples")).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        shell.save(entry.file_name().to_str().unwrap(), &by.said(&text));
    }
}

/// What is wrong with a command, if anything is.
fn run(shell: &Shell, document: &str, command: &Command, by: &By) -> Option<String> {
    let (text, shown) = (by.said(&command.text), &command.shown);
    let place = format!("{document}:{}", command.line);
    let begin = std::time::Instant::now();
    let is_enough = |printed: &str| command.is_interrupted && matching::begins_as_shown(shown, printed);
    let ended = shell.run(&text, is_enough);
    eprintln!("{:>6} ms  {place}: {text}", begin.elapsed().as_millis());
    let printed = match ended {
        Ok(ended) if is_enough(&ended.printed) => return None,
        Ok(ended) if command.is_interrupted => format!("{}(it ended by itself)", ended.printed),
        Ok(ended) if !ended.status.success() => format!("{}({})", ended.printed, ended.status),
        Ok(ended) if matching::is_as_shown(shown, &ended.printed) => return None,
        Ok(ended) => ended.printed,
        Err(trouble) => trouble,
    };
    Some(format!("=== {place}: {text}\n--- shown\n{}\n--- printed\n{printed}", shown.join("\n")))
}
