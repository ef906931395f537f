//! Completion in a real shell, manual pages, and kiln as kubectl's plugin.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::process::Command;

use support::{KILN, Server, kiln, kubectl, stderr, stdout};

/// What bash offers for the last word of a command line.
#[track_caller]
fn offered(server: &Server, line: &str) -> Vec<String> {
    let script = "source <(\"$KILN\" completion bash)
        read -ra COMP_WORDS <<<\"$LINE\"; case $LINE in *' ') COMP_WORDS+=('');; esac
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); last=${COMP_WORDS[$COMP_CWORD]}
        _clap_complete_kiln kiln \"$last\" \"${COMP_WORDS[$((COMP_CWORD - 1))]}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new("bash");
    command.args(["-c", script]).env("KILN", KILN).env("LINE", line).env("KILN_KUBECONFIG", server.kubeconfig());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).lines().filter(|line| !line.is_empty()).map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn bash_offers_verbs_kinds_and_the_names_that_there_are() {
    let (server, kubectl) = (Server::start(), kubectl());
    for name in ["pi-one", "pi-two", "other"] {
        server.ok(&kubectl, &["create", "configmap", name]);
    }
    server.ok(&kubectl, &["create", "namespace", "prod"]);
    server.ok(&kubectl, &["create", "configmap", "there", "-n", "prod"]);
    assert_eq!(offered(&server, "kiln descr"), ["describe"]);
    assert!(offered(&server, "kiln get cronj").contains(&"cronjobs".to_owned()));
    assert_eq!(offered(&server, "kiln get configmaps pi-"), ["pi-one", "pi-two"]);
    assert_eq!(offered(&server, "kiln delete cm/ot"), ["cm/other"]);
    assert_eq!(offered(&server, "kiln describe -n prod configmaps th"), ["there"]);
    assert_eq!(offered(&server, "kiln get -n pr"), ["prod"]);
    assert_eq!(offered(&server, "kiln get configmaps none"), Vec::<String>::new());
    assert!(offered(&server, "kiln get jobs --field-s").contains(&"--field-selector".to_owned()));
}

#[test]
fn every_shell_and_every_verb_has_its_text() {
    for (shell, word) in [
        ("bash", "complete"),
        ("zsh", "compdef"),
        ("fish", "complete"),
        ("elvish", "edit:"),
        ("powershell", "Register-"),
    ] {
        let output = kiln(&["completion", shell]).output().unwrap();
        assert!(output.status.success() && stdout(&output).contains(word), "{shell}: {}", stdout(&output));
    }
    let wrong = kiln(&["completion", "tcsh"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man/man1");
    let output = kiln(&["man", pages.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    for (page, text) in [("kiln.1", "kiln\\-run"), ("kiln-run.1", "Run one Job"), ("kiln-cron-next.1", "clock changes")]
    {
        let page = std::fs::read_to_string(pages.join(page)).unwrap();
        assert!(page.contains(text), "{page}");
    }
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let wrong = kiln(&["man", file.to_str().unwrap()]).output().unwrap();
    assert!(stderr(&wrong).contains("cannot write to"), "{}", stderr(&wrong));
}

#[test]
fn kubectl_takes_kiln_for_its_plugin() {
    let (server, kubectl) = (Server::start(), kubectl());
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(KILN, directory.path().join("kubectl-kiln")).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&kubectl.path);
        command.args(arguments).env("PATH", &path).env("KILN_KUBECONFIG", server.kubeconfig()).output().unwrap()
    };
    let output = run(&["kiln", "get", "namespaces", "-o", "name"]);
    assert!(stdout(&output).contains("namespace/default"), "{}{}", stdout(&output), stderr(&output));
    let help = run(&["kiln", "get", "--help"]);
    assert!(stdout(&help).contains("Usage: kubectl kiln get"), "{}", stdout(&help));
}
