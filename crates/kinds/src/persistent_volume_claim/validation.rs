//! Rules for claims (K:pkg/apis/core/validation/validation.go, ValidatePersistentVolumeClaim and …Update).

use super::kind::NAMES;
use crate::at::{At, IMMUTABLE, is_same};
use crate::kind::Part;
use crate::pod::validation::check_label_selector;
use crate::unsupported::{Unsupported, When, refuse};
use crate::volumes::{BETA_CLASS_ANNOTATION, check_access_modes, check_positive, check_volume_mode, quantity};
use crate::{diff, metadata, unsupported};
use meta::field::FieldError;
use meta::{names, object};
use serde_json::{Map, Value, json};

const UNSUPPORTED: &[Unsupported] = &[
    refuse("dataSource", When::Set, "leave it out; a new volume is empty"),
    refuse("dataSourceRef", When::Set, "leave it out; a new volume is empty"),
    refuse("volumeAttributesClassName", When::Set, "leave it out"),
];

const SEALED: &str =
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

/// Every mistake in a claim.
pub(super) fn validate(claim: &Value) -> Vec<FieldError> {
    let mut errors = metadata::validate(claim, NAMES.scope, names::dns_subdomain_errors);
    check_spec(&At::root(claim).field("spec"), &mut errors);
    errors
}

/// The spec of a claim, or of a template for claims.
pub(crate) fn check_spec(spec: &At<'_>, errors: &mut Vec<FieldError>) {
    check_access_modes(&spec.field("accessModes"), "at least 1 access mode is required", errors);
    if spec.field("selector").is_set() {
        check_label_selector(&spec.field("selector"), errors);
    }
    // Kubernetes leaves "requests" out of this path.
    let storage = At {
        value: &spec.value["resources"]["requests"]["storage"],
        path: format!("{}[storage]", spec.field("resources").path),
    };
    match storage.is_set() {
        true => check_positive(&storage, errors),
        false => errors.push(storage.required("")),
    }
    let class = spec.field("storageClassName");
    if !class.text().is_empty() {
        class.check_rule(names::dns_subdomain_errors, errors);
    }
    check_volume_mode(&spec.field("volumeMode"), errors);
    unsupported::check(spec, UNSUPPORTED, errors);
}

/// Every mistake in changing `old` into `claim`.
pub(super) fn validate_update(claim: &Value, old: &Value, part: Part) -> Vec<FieldError> {
    let mut errors = Vec::new();
    match part {
        Part::Spec => check_spec_update(claim, old, &mut errors),
        Part::Status => check_status(&At::root(claim).field("status"), &mut errors),
    }
    errors
}

fn check_spec_update(claim: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let (mut new_spec, mut old_spec) = (claim["spec"].clone(), old["spec"].clone());
    // The binder names the volume once.
    if old_spec["volumeName"].as_str().unwrap_or("").is_empty() {
        object::as_map(&mut old_spec).insert("volumeName".to_owned(), new_spec["volumeName"].clone());
    }
    check_class(claim, old, &mut new_spec, errors);
    let is_bound = old["status"]["phase"] == "Bound";
    if is_bound && new_spec["resources"]["requests"].is_object() {
        new_spec["resources"]["requests"]["storage"] = old_spec["resources"]["requests"]["storage"].clone();
    }
    if !is_same(&new_spec, &old_spec) {
        let changes = diff::unified(&as_go_has_it(&old_spec), &as_go_has_it(&new_spec));
        errors.push(FieldError::forbidden("spec", &format!("{SEALED}\n{changes}")));
    }
    let size = |object: &Value| quantity(&object["spec"]["resources"]["requests"]["storage"]);
    let has_shrunk = matches!((size(claim), size(old)), (Some(new), Some(old)) if new < old);
    if has_shrunk {
        // Back to what the volume has had before a growth that failed, but no further.
        let capacity = quantity(&old["status"]["capacity"]["storage"]);
        let is_too_small = capacity.is_none_or(|capacity| size(claim).is_none_or(|new| new <= capacity));
        if is_too_small {
            let path = "spec.resources.requests.storage";
            errors.push(FieldError::forbidden(path, "field can not be less than status.capacity"));
        }
    }
    // Kubernetes says it of the mode by itself, too.
    let mode = At { value: &claim["spec"]["volumeMode"], path: "volumeMode".to_owned() };
    mode.check_immutable(&At::root(&old["spec"]).field("volumeMode"), errors);
}

/// A class may be given to a claim that has none, or move from its annotation to its field; else it stays.
fn check_class(claim: &Value, old: &Value, new_spec: &mut Value, errors: &mut Vec<FieldError>) {
    let annotation = |object: &Value| {
        let found = object::annotations(object).find(|(key, _)| *key == BETA_CLASS_ANNOTATION);
        found.map(|(_, class)| class.to_owned())
    };
    let class = |object: &Value| object["spec"]["storageClassName"].as_str().map(str::to_owned);
    let (annotated, was_annotated) = (annotation(claim), annotation(old));
    let had_none = class(old).is_none() && class(claim).is_some();
    let moves = was_annotated.is_some() && had_none && class(claim) == was_annotated;
    if moves && (annotated.is_none() || annotated == was_annotated) {
        object::as_map(new_spec).shift_remove("storageClassName");
        return;
    }
    if annotated != was_annotated {
        let path = format!("metadata.annotations[{BETA_CLASS_ANNOTATION}]");
        errors.push(FieldError::invalid(path, annotated.unwrap_or_default(), IMMUTABLE));
    }
    let is_filled_in = had_none && (was_annotated.is_none() || was_annotated == class(claim));
    if is_filled_in {
        object::as_map(new_spec).shift_remove("storageClassName");
    }
}

fn check_status(status: &At<'_>, errors: &mut Vec<FieldError>) {
    for map in ["capacity", "allocatedResources"] {
        for (_, amount) in status.field(map).entries() {
            if quantity(amount.value).is_some_and(|amount| amount.is_negative()) {
                errors.push(amount.invalid("must be greater than or equal to 0"));
            }
        }
    }
}

/// The spec as Go's internal type is dumped: all its fields, in their order.
fn as_go_has_it(spec: &Value) -> Value {
    let optional = |value: &Value| -> Value {
        match value {
            Value::Object(fields) if fields.is_empty() => Value::Null,
            other => other.clone(),
        }
    };
    let sorted = |value: &Value| -> Value {
        let Some(fields) = value.as_object() else { return Value::Null };
        let mut fields: Vec<_> = fields.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        Value::Object(fields.into_iter().collect::<Map<String, Value>>())
    };
    json!({
        "AccessModes": spec["accessModes"],
        "Selector": optional(&spec["selector"]),
        "Resources": {"Limits": sorted(&spec["resources"]["limits"]), "Requests": sorted(&spec["resources"]["requests"])},
        "VolumeName": spec["volumeName"].as_str().unwrap_or(""),
        "StorageClassName": spec["storageClassName"],
        "VolumeMode": spec["volumeMode"],
        "DataSource": null,
        "DataSourceRef": null,
        "VolumeAttributesClassName": spec["volumeAttributesClassName"],
    })
}
