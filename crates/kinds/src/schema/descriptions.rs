//! What types and fields are for, in the words of Kubernetes' API: `kubectl explain` shows them.
//!
//! The table holds facts only; the prose is k8s-openapi's, asked for when a document is made and not kept.

use k8s_openapi::api::batch::v1 as batch;
use k8s_openapi::api::coordination::v1 as coordination;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::{authentication, authorization, events, node, policy, rbac, scheduling, storage};
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::schemars::SchemaGenerator;
use serde_json::{Map, Value};

/// Descriptions by the table's type names.
#[derive(Debug)]
pub struct Descriptions(Map<String, Value>);

/// Asks the generator for each type, which brings in all that it refers to.
macro_rules! collect {
    ($($ty:ty),* $(,)?) => {{
        let mut generator = SchemaGenerator::default();
        $(generator.subschema_for::<$ty>();)*
        Descriptions(generator.take_definitions(true))
    }};
}

impl Descriptions {
    /// Of every type that is served. Takes some milliseconds.
    pub fn collect() -> Self {
        collect![
            batch::CronJob,
            batch::Job,
            coordination::Lease,
            core::Binding,
            core::ConfigMap,
            core::Event,
            core::LimitRange,
            core::Namespace,
            core::Node,
            core::PersistentVolume,
            core::PersistentVolumeClaim,
            core::Pod,
            core::ResourceQuota,
            core::Secret,
            core::Service,
            core::ServiceAccount,
            events::v1::Event,
            node::v1::RuntimeClass,
            policy::v1::Eviction,
            rbac::v1::ClusterRole,
            rbac::v1::ClusterRoleBinding,
            rbac::v1::Role,
            rbac::v1::RoleBinding,
            scheduling::v1::PriorityClass,
            storage::v1::StorageClass,
            authentication::v1::SelfSubjectReview,
            authentication::v1::TokenRequest,
            authentication::v1::TokenReview,
            authorization::v1::LocalSubjectAccessReview,
            authorization::v1::SelfSubjectAccessReview,
            authorization::v1::SelfSubjectRulesReview,
            authorization::v1::SubjectAccessReview,
            meta::DeleteOptions,
            meta::ListMeta,
            meta::Status,
        ]
    }

    /// What a type is for.
    pub fn of_type(&self, name: &str) -> Option<&str> {
        self.0.get(name)?["description"].as_str()
    }

    /// What a field of a type is for. Lists say nothing of themselves but are called what everything is called.
    pub fn of_field(&self, name: &str, field: &str) -> Option<&str> {
        let own = self.0.get(name).and_then(|ty| ty["properties"][field]["description"].as_str());
        let of_any = || self.0.get("io.k8s.api.core.v1.Pod")?["properties"][field]["description"].as_str();
        match field {
            "apiVersion" | "kind" => own.or_else(of_any),
            _ => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Kind, TypeRef, lookup};
    use std::collections::BTreeSet;

    /// The types that the kinds are made of.
    fn reachable() -> BTreeSet<&'static str> {
        let mut todo: Vec<TypeRef> = crate::KINDS.iter().filter_map(|kind| lookup(kind.type_name())).collect();
        let mut seen = BTreeSet::new();
        while let Some(ty) = todo.pop() {
            if seen.insert(ty.ty().name) {
                todo.extend(ty.ty().fields.iter().filter_map(|field| match field.kind {
                    Kind::Message(target) => Some(target),
                    _ => None,
                }));
            }
        }
        seen
    }

    #[test]
    fn every_type_and_field_of_every_kind_is_described() {
        let descriptions = Descriptions::collect();
        let mut undescribed = Vec::new();
        for name in reachable() {
            if descriptions.of_type(name).is_none() {
                undescribed.push(name.to_owned());
                continue;
            }
            let fields = lookup(name).map(|ty| ty.ty().fields).unwrap_or_default();
            let silent = fields.iter().filter(|field| descriptions.of_field(name, field.name).is_none());
            undescribed.extend(silent.map(|field| format!("{name}.{}", field.name)));
        }
        assert!(undescribed.is_empty(), "{undescribed:?}");
    }

    #[test]
    fn descriptions_are_kubernetes_words() {
        let descriptions = Descriptions::collect();
        let of_completions = descriptions.of_field("io.k8s.api.batch.v1.JobSpec", "completions").unwrap();
        assert!(
            of_completions.starts_with("Specifies the desired number of successfully finished pods"),
            "{of_completions}"
        );
        assert_eq!(descriptions.of_field("io.k8s.api.batch.v1.JobSpec", "nonsense"), None);
        assert_eq!(descriptions.of_type("nonsense"), None);
    }
}
