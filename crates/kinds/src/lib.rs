//! One folder per kind, all pure: names, defaults, validation, strategy, table columns, and the decisions.
//! Must not know about clocks, files, sockets, async.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod kind;

pub mod configmap;
pub mod cronjob;
pub mod event;
pub mod job;
pub mod lease;
pub mod limit_range;
pub mod namespace;
pub mod node;
pub mod persistent_volume;
pub mod persistent_volume_claim;
pub mod pod;
pub mod priority_class;
pub mod rbac;
pub mod resource_quota;
pub mod review;
pub mod runtime_class;
pub mod secret;
pub mod service;
pub mod service_account;
pub mod storage_class;

pub mod access;
pub mod admission;
pub mod bootstrap;
pub mod check;
pub mod correlate;
pub mod schema;
pub mod volumes;

mod at;
mod diff;
mod metadata;
mod strategy;
mod table;
#[cfg(test)]
mod testing;
mod unsupported;
mod verbs;

pub use kind::{Cell, Column, Deletion, Kind, Names, Part, Propagation, Row, Scope};

/// Every kind this server serves. Handlers, discovery, OpenAPI, tables, RBAC names and the CLI are read from it.
pub const KINDS: &[&dyn Kind] = &[
    &configmap::ConfigMap,
    &event::CoreEvent,
    &limit_range::LimitRange,
    &namespace::Namespace,
    &node::Node,
    &persistent_volume::PersistentVolume,
    &persistent_volume_claim::PersistentVolumeClaim,
    &pod::Pod,
    &resource_quota::ResourceQuota,
    &secret::Secret,
    &service::Service,
    &service_account::ServiceAccount,
    &job::Job,
    &cronjob::CronJob,
    &lease::Lease,
    &storage_class::StorageClass,
    &event::Event,
    &rbac::ClusterRole,
    &rbac::ClusterRoleBinding,
    &rbac::Role,
    &rbac::RoleBinding,
    &review::SelfSubjectReview,
    &review::TokenReview,
    &runtime_class::RuntimeClass,
    &priority_class::PriorityClass,
    &review::LocalSubjectAccessReview,
    &review::SelfSubjectAccessReview,
    &review::SelfSubjectRulesReview,
    &review::SubjectAccessReview,
];

/// Looks a kind up by group and plural name.
pub fn by_resource(group: &str, plural: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.names().group == group && kind.names().plural == plural)
}

/// Looks a kind up by what objects say of themselves: `batch/v1`, `Job`.
pub fn by_kind(api_version: &str, kind: &str) -> Option<&'static dyn Kind> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let says_so = |names: &Names| names.group == group && names.version == version && names.kind == kind;
    KINDS.iter().copied().find(|found| says_so(found.names()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_is_found_by_group_and_plural_and_stands_once() {
        let mut seen = BTreeSet::new();
        for kind in KINDS {
            let names = kind.names();
            assert!(seen.insert((names.group, names.plural)), "{names:?} stands twice");
            let found = by_resource(names.group, names.plural).unwrap();
            assert_eq!(found.names().kind, names.kind);
            let (group, plural) = kind.storage();
            assert!(by_resource(group, plural).is_some(), "{names:?} is stored under a kind that is not there");
        }
        assert!(by_resource("batch", "cronjob").is_none());
    }

    #[test]
    fn every_kinds_type_is_in_the_schema() {
        for kind in KINDS {
            assert!(schema::lookup(kind.type_name()).is_some(), "{}", kind.type_name());
        }
    }

    #[test]
    fn no_kind_panics_whatever_an_object_looks_like() {
        let odd = [
            json!(null),
            json!([1]),
            json!("text"),
            json!({}),
            json!({"metadata": [], "spec": [], "status": 1, "data": 7, "stringData": [], "type": {}}),
            json!({"metadata": {"labels": [], "name": 1, "ownerReferences": {}, "finalizers": "x"}, "spec": {"jobTemplate": 1,
                "template": "x", "containers": {}, "finalizers": {}}, "status": {"conditions": {}, "containerStatuses": [1]}}),
        ];
        for kind in KINDS {
            for object in &odd {
                let mut object: Value = object.clone();
                let old = object.clone();
                kind.default(&mut object);
                kind.validate(&object);
                kind.warnings(&object);
                kind.update_warnings(&object, &old);
                kind.row(&object, testing::now());
                kind.selectable_fields(&object);
                kind.deletion(&object, Some(1));
                kind.holds_deletion(&object);
                kind.last_written(&object);
                for part in [Part::Spec, Part::Status] {
                    kind.validate_changed(&object, &old, part);
                    kind.validate_changed(&object, &Value::Null, part);
                    kind.validate_update(&object, &old, part);
                    kind.validate_update(&object, &Value::Null, part);
                    kind.prepare_update(&mut object.clone(), &old, part);
                }
                kind.from_storage(&mut object.clone());
                kind.to_storage(&mut object.clone());
                kind.mark_deleted(&mut object.clone());
                kind.prepare_create(&mut object);
            }
        }
    }
}
