//! Lease: who holds something, and since when (K:pkg/apis/coordination/validation).

use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::names;
use serde_json::Value;

/// Leases of coordination.k8s.io.
#[derive(Debug)]
pub struct Lease;

const NAMES: Names = Names {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    plural: "leases",
    singular: "lease",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &[],
};

const COLUMNS: &[Column] = &[table::NAME, table::column("Holder", "Who holds the lease."), table::AGE];

impl Kind for Lease {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.coordination.v1.Lease"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Part) {}
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_subdomain_errors);
        let spec = At::root(object).field("spec");
        let duration = spec.field("leaseDurationSeconds");
        if duration.int().is_some_and(|seconds| seconds <= 0) {
            errors.push(duration.invalid("must be greater than 0"));
        }
        spec.field("leaseTransitions").check_not_negative(&mut errors);
        let has_strategy = !spec.field("strategy").text().is_empty();
        if !spec.field("preferredHolder").text().is_empty() && !has_strategy {
            errors.push(spec.field("preferredHolder").forbidden("may only be specified when `strategy` is defined"));
        }
        errors
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Part) -> Vec<FieldError> {
        Vec::new()
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let holder = At::root(object).fields(&["spec", "holderIdentity"]).text();
        Row { cells: vec![table::name(object), holder.into(), table::age(object, now)], ..Row::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors};
    use serde_json::json;

    #[test]
    fn durations_are_positive_and_the_holder_is_shown() {
        let lease = |spec: Value| json!({"metadata": {"name": "l", "namespace": "n"}, "spec": spec});
        check_errors(&Lease, &lease(json!({"leaseDurationSeconds": 1, "leaseTransitions": 0})), &[]);
        check_errors(
            &Lease,
            &lease(json!({"leaseDurationSeconds": 0, "leaseTransitions": -1, "preferredHolder": "x"})),
            &[
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0",
                "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0",
                "spec.preferredHolder: Forbidden: may only be specified when `strategy` is defined",
            ],
        );
        assert_eq!(cells(&Lease, &lease(json!({"holderIdentity": "me"})))[1], "me");
    }
}
