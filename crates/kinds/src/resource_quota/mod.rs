//! ResourceQuota: how much a namespace may use (K:pkg/apis/core/validation ValidateResourceQuota). `usage` counts,
//! `admission::resource_quota` charges, a controller counts anew when something goes.

pub mod usage;

mod names;
mod validation;

use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::limit_range::{quantities, quantity};
use crate::{strategy, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::object;
use meta::quantity::Quantity;
pub(crate) use names::is_standard;
use serde_json::{Value, json};

/// ResourceQuotas of the core group.
#[derive(Debug)]
pub struct ResourceQuota;

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "ResourceQuota",
    plural: "resourcequotas",
    singular: "resourcequota",
    short: &["quota"],
    categories: &[],
    scope: Scope::Namespaced,
    verbs: verbs::ALL,
    subresources: &["status"],
};

const COLUMNS: &[Column] = &[
    table::NAME,
    table::column("Request", "Used and most: what is asked for, and how many objects."),
    table::column("Limit", "Used and most: limits of containers."),
    table::AGE,
];

impl Kind for ResourceQuota {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.ResourceQuota"
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, object: &mut Value) {
        object::as_map(object).insert("status".to_owned(), json!({}));
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        match part {
            Part::Spec => strategy::restore(object, old, &["status"]),
            Part::Status => strategy::keep_only(object, old, &["metadata", "status"]),
        }
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        validation::validate(object)
    }
    fn validate_update(&self, object: &Value, old: &Value, part: Part) -> Vec<FieldError> {
        match part {
            Part::Spec => validation::validate_update(object, old),
            Part::Status => Vec::new(),
        }
    }
    fn returns_deleted(&self) -> bool {
        true
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let status = &object["status"];
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in quantities(&status["hard"]) {
            let used = quantity(&status["used"], resource).unwrap_or(Quantity::ZERO);
            let column = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
            column.push(format!("{resource}: {used}/{hard}"));
        }
        let cells =
            vec![table::name(object), requests.join(", ").into(), limits.join(", ").into(), table::age(object, now)];
        Row { cells, ..Row::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cells;

    #[test]
    fn the_row_shows_used_and_hard_sorted_with_limits_apart() {
        let quota = json!({"metadata": {"name": "q"}, "status": {
            "hard": {"pods": "10", "limits.cpu": "2", "requests.memory": "1Gi"},
            "used": {"pods": "3", "limits.cpu": "500m"}}});
        let cells = cells(&ResourceQuota, &quota);
        assert_eq!(cells[..3], [json!("q"), json!("pods: 3/10, requests.memory: 0/1Gi"), json!("limits.cpu: 500m/2")]);
    }
}
