//! Rules for containers and what they mount.

use super::{check_unique, env, resources, security};
use crate::at::At;
use meta::field::FieldError;
use meta::names;
use std::collections::BTreeSet;

const PULL_POLICIES: &[&str] = &["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES: &[&str] = &["FallbackToLogsOnError", "File"];
const PROTOCOLS: &[&str] = &["SCTP", "TCP", "UDP"];

/// Both lists of containers; names are unique over both.
pub(super) fn check<'a>(spec: &At<'a>, volumes: &BTreeSet<&'a str>, errors: &mut Vec<FieldError>) {
    let containers = spec.field("containers");
    if containers.len() == 0 {
        errors.push(FieldError::required(&containers.path, ""));
    }
    let mut seen = BTreeSet::new();
    for list in ["containers", "initContainers"] {
        for container in spec.field(list).items() {
            check_container(&container, volumes, errors);
            check_unique(&container.field("name"), &mut seen, errors);
        }
    }
}

fn check_container<'a>(container: &At<'a>, volumes: &BTreeSet<&'a str>, errors: &mut Vec<FieldError>) {
    container.field("name").check_required_rule(names::dns_label_errors, errors);
    let image = container.field("image");
    if image.text().is_empty() {
        errors.push(image.required(""));
    } else if image.text() != image.text().trim() {
        errors.push(image.invalid("must not have leading or trailing whitespace"));
    }
    check_choice(&container.field("terminationMessagePolicy"), MESSAGE_POLICIES, errors);
    check_ports(&container.field("ports"), errors);
    env::check(container, errors);
    check_mounts(&container.field("volumeMounts"), volumes, errors);
    check_choice(&container.field("imagePullPolicy"), PULL_POLICIES, errors);
    resources::check(&container.field("resources"), errors);
    security::check_container(&container.field("securityContext"), errors);
}

fn check_choice(choice: &At<'_>, supported: &[&str], errors: &mut Vec<FieldError>) {
    match choice.text() {
        "" => errors.push(choice.required("")),
        _ => choice.check_among(supported, errors),
    }
}

fn check_ports<'a>(ports: &At<'a>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for port in ports.items() {
        let name = port.field("name");
        if !name.text().is_empty() {
            let wrong = names::port_name_errors(name.text());
            match wrong.is_empty() {
                true => check_unique(&name, &mut seen, errors),
                false => errors.extend(wrong.iter().map(|detail| name.invalid(detail))),
            }
        }
        let number = port.field("containerPort");
        match number.int().unwrap_or(0) {
            0 => errors.push(number.required("")),
            _ => check_port(&number, errors),
        }
        if port.field("hostPort").int().unwrap_or(0) != 0 {
            check_port(&port.field("hostPort"), errors);
        }
        check_choice(&port.field("protocol"), PROTOCOLS, errors);
    }
}

fn check_port(port: &At<'_>, errors: &mut Vec<FieldError>) {
    if port.int().is_none_or(|number| !(1..=65535).contains(&number)) {
        errors.push(port.invalid("must be between 1 and 65535, inclusive"));
    }
}

fn check_mounts<'a>(mounts: &At<'a>, volumes: &BTreeSet<&'a str>, errors: &mut Vec<FieldError>) {
    let mut seen = BTreeSet::new();
    for mount in mounts.items() {
        let (name, path) = (mount.field("name"), mount.field("mountPath"));
        if name.text().is_empty() {
            errors.push(name.required(""));
        }
        if !volumes.contains(name.text()) {
            errors.push(FieldError::not_found(&name.path, name.text()));
        }
        if path.text().is_empty() {
            errors.push(path.required(""));
        }
        if !seen.insert(path.text()) {
            errors.push(FieldError::invalid(&path.path, path.text(), "must be unique"));
        }
    }
}
