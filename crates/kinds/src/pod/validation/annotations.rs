//! Rules for annotations that mean something: profiles from before there were fields for them, and a few more.

use crate::at::At;
use meta::field::FieldError;
use std::collections::BTreeSet;

const MIRROR: &str = "kubernetes.io/config.mirror";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// ValidatePodSpecificAnnotations.
pub(super) fn check(annotations: &At<'_>, spec: &At<'_>, errors: &mut Vec<FieldError>) {
    if annotations.len() == 0 {
        return;
    }
    for (key, value) in annotations.entries() {
        match key {
            MIRROR if spec.field("nodeName").text().is_empty() => {
                errors.push(value.invalid("must set spec.nodeName if mirror pod annotation is set"));
            }
            DELETION_COST if !is_cost(value.text()) => errors.push(value.invalid("must be a 32bit integer")),
            SECCOMP_POD => check_seccomp(annotations, key, value.text(), errors),
            _ if key.starts_with(SECCOMP_CONTAINER) => check_seccomp(annotations, key, value.text(), errors),
            _ => {}
        }
        if let Some(container) = key.strip_prefix(APP_ARMOR) {
            check_app_armor(&value, container, spec, errors);
        }
    }
}

/// Neither `+1` nor `01`.
fn is_cost(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = text == "0" || digits.starts_with(|c: char| ('1'..='9').contains(&c));
    is_plain && text.parse::<i32>().is_ok()
}

fn check_seccomp(annotations: &At<'_>, key: &str, profile: &str, errors: &mut Vec<FieldError>) {
    let path = format!("{}.{key}", annotations.path);
    if let Some(local) = profile.strip_prefix("localhost/") {
        if local.starts_with('/') {
            errors.push(FieldError::invalid(&path, local, "must be a relative path"));
        }
        if super::files::has_backsteps(local) {
            errors.push(FieldError::invalid(&path, local, "must not contain '..'"));
        }
    } else if !matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        errors.push(FieldError::invalid(path, profile, "must be a valid seccomp profile"));
    }
}

fn check_app_armor(profile: &At<'_>, container: &str, spec: &At<'_>, errors: &mut Vec<FieldError>) {
    if !all_containers(spec).any(|other| other.field("name").text() == container) {
        errors.push(FieldError::invalid(&profile.path, container, "container not found"));
    }
    let text = profile.text();
    if !matches!(text, "" | "runtime/default" | "unconfined") && !text.starts_with("localhost/") {
        errors.push(profile.invalid(&format!("invalid AppArmor profile name: {}", meta::field::quote(text))));
    }
}

fn all_containers<'a>(spec: &At<'a>) -> impl Iterator<Item = At<'a>> + use<'a> {
    let spec = spec.clone();
    LISTS.into_iter().flat_map(move |list| spec.field(list).items())
}

/// Where a profile is given both ways, both must say the same: asked of new pods.
pub(super) fn check_match(annotations: &At<'_>, spec: &At<'_>, errors: &mut Vec<FieldError>) {
    check_seccomp_match(annotations, spec, errors);
    if annotations.len() == 0 || spec.fields(&["os", "name"]).text() == "windows" {
        return;
    }
    let of_pod = spec.fields(&["securityContext", "appArmorProfile"]);
    for container in all_containers(spec) {
        let own = container.fields(&["securityContext", "appArmorProfile"]);
        let profile = At { path: own.path.clone(), ..if own.is_set() { own } else { of_pod.clone() } };
        let key = format!("{APP_ARMOR}{}", container.field("name").text());
        check_same(annotations, &key, &profile, "apparmor", errors);
    }
}

/// The same for seccomp profiles alone: asked of templates too.
pub(super) fn check_seccomp_match(annotations: &At<'_>, spec: &At<'_>, errors: &mut Vec<FieldError>) {
    if annotations.len() == 0 {
        return;
    }
    let of_pod = spec.fields(&["securityContext", "seccompProfile"]);
    check_same(annotations, SECCOMP_POD, &of_pod, "seccomp", errors);
    for container in all_containers(spec) {
        let key = format!("{SECCOMP_CONTAINER}{}", container.field("name").text());
        check_same(annotations, &key, &container.fields(&["securityContext", "seccompProfile"]), "seccomp", errors);
    }
}

fn check_same(annotations: &At<'_>, key: &str, profile: &At<'_>, what: &str, errors: &mut Vec<FieldError>) {
    let Some(annotation) = annotations.value.get(key).and_then(serde_json::Value::as_str) else { return };
    let kind = profile.field("type");
    let is_same_type = match kind.text() {
        "Unconfined" => annotation == "unconfined",
        "RuntimeDefault" => annotation == "runtime/default" || what == "seccomp" && annotation == "docker/default",
        "Localhost" => annotation.starts_with("localhost/"),
        _ => return,
    };
    let local = profile.field("localhostProfile");
    if !is_same_type {
        errors.push(kind.forbidden(&format!("{what} type in annotation and field must match")));
    } else if kind.text() == "Localhost" && annotation.strip_prefix("localhost/") != local.value.as_str() {
        errors.push(local.forbidden(&format!("{what} profile in annotation and field must match")));
    }
}

/// Some annotations stay what they were when the pod was made.
pub(in crate::pod) fn check_changed(new: &At<'_>, old: &At<'_>, spec: &At<'_>, errors: &mut Vec<FieldError>) {
    let keys: BTreeSet<&str> = old.entries().chain(new.entries()).map(|(key, _)| key).collect();
    for key in keys {
        let (is, was) = (new.value.get(key), old.value.get(key));
        if is == was {
            continue;
        }
        let verb = if was.is_some() { "remove or update" } else { "add" };
        let path = format!("{}[{key}]", new.path);
        if key.starts_with(APP_ARMOR) {
            errors.push(FieldError::forbidden(&path, &format!("may not {verb} AppArmor annotations")));
        }
        if key == MIRROR {
            errors.push(FieldError::forbidden(&path, &format!("may not {verb} mirror pod annotation")));
        }
    }
    check(new, spec, errors);
}
