//! Independent client libraries, from PyPI, against a real server: `tests/clients/` says which and what they do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod support;

use support::python::drive;

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
