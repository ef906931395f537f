//! Independent client libraries, from PyPI, against a real server: `tests/clients/` says which and what they do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{Server, repository, stderr, stdout};

/// A virtual environment with the pinned libraries, made once a checkout and requirements.
fn python() -> PathBuf {
    let requirements = repository().join("tests/clients/requirements.txt");
    let directory = repository().join("target/test-clients");
    std::fs::create_dir_all(&directory).unwrap();
    // Tests are processes of their own: the first makes it, the others wait.
    let lock = std::fs::File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let (venv, made) = (directory.join("venv"), directory.join("venv/requirements.txt"));
    let wanted = std::fs::read(&requirements).unwrap();
    if std::fs::read(&made).is_ok_and(|found| found == wanted) {
        return venv.join("bin/python");
    }
    let _ = std::fs::remove_dir_all(&venv);
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let mut pip = Command::new(venv.join("bin/python"));
    succeed(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements));
    std::fs::write(made, wanted).unwrap();
    venv.join("bin/python")
}

#[track_caller]
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// Runs one of the programs and gives the names of the checks that passed.
#[track_caller]
fn drive(program: &str) {
    let python = python();
    let server = Server::start();
    let home = server.directory.path();
    let program = repository().join("tests/clients").join(program);
    let told = succeed(
        Command::new(python).arg(program).env("KUBECONFIG", server.kubeconfig()).env("HOME", home).current_dir(home),
    );
    let n_passed = told.lines().filter(|line| line.starts_with("ok ")).count();
    assert!(told.ends_with(&format!("{n_passed} passed, 0 failed\n")) && 0 < n_passed, "{told}");
}

#[test]
fn the_official_python_client_takes_it_for_the_real_one() {
    drive("with_kubernetes.py");
}

#[test]
fn kr8s_takes_it_for_the_real_one() {
    drive("with_kr8s.py");
}

#[test]
fn lightkube_takes_it_for_the_real_one() {
    drive("with_lightkube.py");
}
