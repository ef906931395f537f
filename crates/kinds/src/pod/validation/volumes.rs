//! Rules for volumes.

use super::check_unique;
use crate::at::At;
use meta::field::FieldError;
use meta::names;
use meta::quantity::Quantity;
use std::collections::BTreeSet;

const WRONG_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// The volumes of a pod; returns their names for mounts to refer to.
pub(super) fn check<'a>(volumes: &At<'a>, errors: &mut Vec<FieldError>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for volume in volumes.items() {
        check_source(&volume, errors);
        let name = volume.field("name");
        name.check_required_rule(names::dns_label_errors, errors);
        check_unique(&name, &mut seen, errors);
    }
    seen
}

fn check_source(volume: &At<'_>, errors: &mut Vec<FieldError>) {
    let sources: Vec<&str> = volume
        .value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(field, value)| *field != "name" && !value.is_null())
        .map(|(field, _)| field.as_str())
        .collect();
    match sources.as_slice() {
        [] => errors.push(FieldError::required(&volume.path, "must specify a volume type")),
        [_] => {}
        [_, others @ ..] => {
            let others = others.iter().map(|other| volume.field(other));
            errors.extend(others.map(|other| other.forbidden("may not specify more than 1 volume type")));
        }
    }
    let size = volume.fields(&["emptyDir", "sizeLimit"]);
    if size.is_set() && size.text().parse::<Quantity>().is_ok_and(|size| size.is_negative()) {
        errors.push(size.forbidden("SizeLimit field must be a valid resource quantity"));
    }
    for (source, name) in [("configMap", "name"), ("secret", "secretName")] {
        let source = volume.field(source);
        if source.is_set() {
            check_files(&source, &source.field(name), errors);
        }
    }
}

fn check_files(source: &At<'_>, name: &At<'_>, errors: &mut Vec<FieldError>) {
    if name.text().is_empty() {
        errors.push(name.required(""));
    }
    check_mode(&source.field("defaultMode"), errors);
    for item in source.field("items").items() {
        if item.field("key").text().is_empty() {
            errors.push(item.field("key").required(""));
        }
        let path = item.field("path");
        match path.text() {
            "" => errors.push(path.required("")),
            _ => check_path(&path, errors),
        }
        check_mode(&item.field("mode"), errors);
    }
}

fn check_mode(mode: &At<'_>, errors: &mut Vec<FieldError>) {
    if mode.int().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        errors.push(mode.invalid(WRONG_MODE));
    }
}

/// A path that stays below where it starts, and away from the names that updates use.
fn check_path(path: &At<'_>, errors: &mut Vec<FieldError>) {
    if path.text().starts_with('/') {
        errors.push(path.invalid("must be a relative path"));
    }
    if path.text().split('/').any(|part| part == "..") {
        errors.push(path.invalid("must not contain '..'"));
    } else if path.text().starts_with("..") {
        errors.push(path.invalid("must not start with '..'"));
    }
}
