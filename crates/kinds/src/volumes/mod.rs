//! Claims, volumes and classes together: what they have in common, and the decisions that bind them.
//!
//! ```text
//! claim ── claims ──▶ bound to a volume that fits (matching), or asks its class's provisioner for one (local)
//! volume ─ reclaim ─▶ available, bound, released; kept or removed when its claim is gone
//! pod ──── readiness ▶ waits for its claims
//! ```

pub mod claims;
pub mod local;
pub mod matching;
pub mod readiness;
pub mod reclaim;
pub mod steps;

use crate::at::At;
use meta::field::FieldError;
use meta::object;
use meta::quantity::Quantity;
use serde_json::Value;

/// The class, before there was a field for it. It still wins over the field.
pub const BETA_CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
/// `"true"` on the class that claims without a class get.
pub const DEFAULT_CLASS_ANNOTATION: &str = "storageclass.kubernetes.io/is-default-class";
/// The same, before it was stable.
pub const BETA_DEFAULT_CLASS_ANNOTATION: &str = "storageclass.beta.kubernetes.io/is-default-class";

/// Keeps a claim while pods use it.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
/// Keeps a volume while it is bound.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";

/// Sorted, as they stand in refusals.
const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
/// In the order that tables have, with what they show.
const SHORT_MODES: [(&str, &str); 4] =
    [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];

/// `spec.accessModes` of a claim or a volume; there must be one.
pub(crate) fn check_access_modes(modes: &At<'_>, detail: &str, errors: &mut Vec<FieldError>) {
    if modes.len() == 0 {
        errors.push(modes.required(detail));
    }
    // Kubernetes names the list, not the place in it.
    for mode in modes.items().filter(|mode| !ACCESS_MODES.contains(&mode.text())) {
        errors.push(FieldError::not_supported(&modes.path, mode.text(), &ACCESS_MODES));
    }
    let has = |wanted: fn(&str) -> bool| modes.items().any(|mode| wanted(mode.text()));
    let is_other = |mode: &str| mode != "ReadWriteOncePod" && ACCESS_MODES.contains(&mode);
    if has(|mode| mode == "ReadWriteOncePod") && has(is_other) {
        errors.push(modes.forbidden("may not use ReadWriteOncePod with other access modes"));
    }
}

/// `spec.volumeMode` of a claim or a volume.
pub(crate) fn check_volume_mode(mode: &At<'_>, errors: &mut Vec<FieldError>) {
    mode.check_among(&["Block", "Filesystem"], errors);
}

/// More than nothing.
pub(crate) fn check_positive(amount: &At<'_>, errors: &mut Vec<FieldError>) {
    if quantity(amount.value).is_some_and(|amount| amount.is_negative() || amount.is_zero()) {
        errors.push(amount.invalid("must be greater than zero"));
    }
}

/// A quantity, if it is one.
pub(crate) fn quantity(value: &Value) -> Option<Quantity> {
    value.as_str()?.parse().ok()
}

/// `RWO,RWX`, each once.
pub(crate) fn short_modes(modes: &Value) -> String {
    let has = |mode: &str| modes.as_array().into_iter().flatten().any(|found| found == mode);
    let shown: Vec<&str> = SHORT_MODES.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short).collect();
    shown.join(",")
}

/// The class's name: of the annotation, else of the field; empty when there is none.
pub fn class_name(object: &Value) -> &str {
    let annotated = object::annotations(object).find(|(key, _)| *key == BETA_CLASS_ANNOTATION);
    match annotated {
        Some((_, class)) => class,
        None => object["spec"]["storageClassName"].as_str().unwrap_or(""),
    }
}

/// How much a claim asks for.
pub fn requested(claim: &Value) -> Option<Quantity> {
    quantity(&claim["spec"]["resources"]["requests"]["storage"])
}

/// The class that claims without one get: of several that are marked the newest, then the first by name.
pub fn default_class(classes: &[Value]) -> Option<&Value> {
    let made = |class: &Value| crate::table::instant(&class["metadata"]["creationTimestamp"]);
    let defaults = classes.iter().filter(|class| crate::storage_class::is_default(class));
    defaults.min_by(|a, b| made(b).cmp(&made(a)).then_with(|| object::name(a).cmp(object::name(b))))
}

/// The Warning for a class that is named by annotation.
pub(crate) fn class_annotation_warning(object: &Value) -> Option<String> {
    object::annotations(object).find(|(key, _)| *key == BETA_CLASS_ANNOTATION)?;
    Some(format!(
        "metadata.annotations[{BETA_CLASS_ANNOTATION}]: deprecated since v1.8; use \"storageClassName\" attribute instead"
    ))
}

/// A volume attributes class's name in a table; there are none.
pub(crate) fn attributes_class(object: &Value) -> &str {
    crate::table::text_or(&object["spec"]["volumeAttributesClassName"], "<unset>")
}

#[cfg(test)]
mod claims_tests;
#[cfg(test)]
mod reclaim_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn modes_are_shown_short_and_in_order() {
        for (modes, expect) in [
            (json!(["ReadWriteMany", "ReadWriteOnce", "ReadWriteOnce"]), "RWO,RWX"),
            (json!(["ReadWriteOncePod"]), "RWOP"),
            (json!(null), ""),
        ] {
            assert_eq!(short_modes(&modes), expect);
        }
    }

    #[test]
    fn of_several_default_classes_the_newest_counts() {
        let class = |name: &str, made: &str, is_default: &str| {
            json!({"metadata": {"name": name, "creationTimestamp": made,
            "annotations": {DEFAULT_CLASS_ANNOTATION: is_default}}})
        };
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        for (classes, expect) in [
            (vec![class("a", old, "true"), class("b", new, "true"), class("c", new, "true")], Some("b")),
            (vec![class("a", old, "true"), class("b", new, "false")], Some("a")),
            (vec![class("a", old, "false")], None),
        ] {
            assert_eq!(default_class(&classes).map(object::name), expect);
        }
    }

    #[test]
    fn the_annotation_wins_over_the_field() {
        let claim = |annotations: Value, class: Value| json!({"metadata": {"annotations": annotations}, "spec": {"storageClassName": class}});
        assert_eq!(class_name(&claim(json!({BETA_CLASS_ANNOTATION: "old"}), json!("new"))), "old");
        assert_eq!(class_name(&claim(json!(null), json!("new"))), "new");
        assert_eq!(class_name(&claim(json!(null), json!(null))), "");
    }
}
