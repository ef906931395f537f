//! One compact table of the served types: fields, types, list kinds, merge keys, protobuf tags.
//! Strict decoding, strategic merge, protobuf and OpenAPI are walks of it. `table.rs` is written by
//! `cargo run -p xtask -- schema`.

mod decode;
mod descriptions;
mod duplicates;
mod owned;
#[cfg(test)]
mod patch_tests;
mod scalar;
mod suggest;
mod syntax;
#[rustfmt::skip]
mod table;
mod time;
mod types;

pub use decode::{Decoded, Strictness, check, convert, decode};
pub use descriptions::Descriptions;
pub use duplicates::duplicates;
pub use owned::ValueType;
pub(crate) use suggest::nearest;
pub use syntax::describe as syntax_error;
pub use types::{Field, Kind, ListType, Patch, Shape, Type};

use meta::patch::strategic::{ListStrategy, PatchSchema};

/// A type of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeRef(pub(crate) u16);

impl TypeRef {
    /// What the table says of it.
    pub fn ty(self) -> &'static Type {
        &table::TYPES[usize::from(self.0)]
    }

    /// The field with this JSON name.
    pub fn field_named(self, name: &str) -> Option<&'static Field> {
        self.ty().field(name)
    }
}

/// Finds a type by its definition name, e.g. `io.k8s.api.batch.v1.Job`.
pub fn lookup(definition: &str) -> Option<TypeRef> {
    let index = table::TYPES.binary_search_by(|ty| ty.name.cmp(definition)).ok()?;
    Some(TypeRef(u16::try_from(index).expect("the table has fewer than 65,536 types")))
}

/// Finds a type that stands alone (a kind, a list, Status, DeleteOptions) by what it calls itself. The types of meta/v1
/// are known in every group: `batch/v1` DeleteOptions are DeleteOptions.
pub fn by_kind(api_version: &str, kind: &str) -> Option<TypeRef> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let is_exact = |ty: &TypeRef| ty.ty().gvk == Some([group, version, kind]);
    let is_meta = |ty: &TypeRef| {
        ty.ty().name.starts_with("io.k8s.apimachinery.") && ty.ty().gvk.is_some_and(|gvk| gvk[2] == kind)
    };
    all().find(is_exact).or_else(|| all().find(is_meta))
}

/// Every type, sorted by name.
pub fn all() -> impl Iterator<Item = TypeRef> {
    (0..u16::try_from(table::TYPES.len()).expect("the table has fewer than 65,536 types")).map(TypeRef)
}

impl PatchSchema for TypeRef {
    fn field(&self, field: &str) -> Option<Self> {
        match self.field_named(field)? {
            Field { kind: Kind::Message(target), shape: Shape::One | Shape::List, .. } => Some(*target),
            _ => None,
        }
    }

    fn list_strategy(&self, field: &str) -> ListStrategy<'_> {
        let Some(field) = self.field_named(field) else {
            return ListStrategy::Atomic;
        };
        let merges = matches!(field.patch, Patch::Merge | Patch::MergeRetainKeys);
        match (merges, field.merge_key) {
            (false, _) => ListStrategy::Atomic,
            (true, "") => ListStrategy::MergeSet,
            (true, key) => ListStrategy::MergeByKey(key),
        }
    }

    fn replaces(&self, field: &str) -> bool {
        self.field_named(field).is_some_and(|field| field.patch == Patch::Replace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(definition: &str) -> TypeRef {
        lookup(definition).unwrap()
    }

    #[test]
    fn table_is_sorted_so_that_lookups_find_everything() {
        for found in all() {
            assert_eq!(lookup(found.ty().name), Some(found));
            for field in found.ty().fields {
                assert!(found.field_named(field.name).is_some(), "{}.{}", found.ty().name, field.name);
            }
        }
        assert_eq!(lookup("io.k8s.api.batch.v1.Nonsense"), None);
    }

    #[test]
    fn kinds_are_found_by_what_they_call_themselves() {
        for (api_version, kind, definition) in [
            ("batch/v1", "Job", "io.k8s.api.batch.v1.Job"),
            ("v1", "Pod", "io.k8s.api.core.v1.Pod"),
            ("v1", "PodList", "io.k8s.api.core.v1.PodList"),
            ("v1", "Event", "io.k8s.api.core.v1.Event"),
            ("events.k8s.io/v1", "Event", "io.k8s.api.events.v1.Event"),
            ("v1", "DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"),
            ("batch/v1", "DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"),
            ("v1", "Status", "io.k8s.apimachinery.pkg.apis.meta.v1.Status"),
        ] {
            assert_eq!(by_kind(api_version, kind), lookup(definition), "{api_version} {kind}");
            assert!(by_kind(api_version, kind).is_some(), "{api_version} {kind}");
        }
        assert_eq!(by_kind("batch/v1beta1", "Job"), None);
    }

    #[test]
    fn tags_are_unique_within_a_message() {
        for found in all() {
            let mut seen = std::collections::HashSet::new();
            for field in found.ty().fields.iter().filter(|field| field.tag != 0) {
                assert!(seen.insert((field.via, field.tag)), "{}.{}", found.ty().name, field.name);
            }
        }
    }

    #[test]
    fn lists_of_a_pod_merge_by_the_keys_kubernetes_uses() {
        let pod_spec = ty("io.k8s.api.core.v1.PodSpec");
        let container = ty("io.k8s.api.core.v1.Container");
        let meta = ty("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
        for (owner, field, strategy) in [
            (pod_spec, "containers", ListStrategy::MergeByKey("name")),
            (pod_spec, "initContainers", ListStrategy::MergeByKey("name")),
            (pod_spec, "volumes", ListStrategy::MergeByKey("name")),
            (pod_spec, "imagePullSecrets", ListStrategy::MergeByKey("name")),
            (pod_spec, "tolerations", ListStrategy::Atomic),
            (container, "env", ListStrategy::MergeByKey("name")),
            (container, "volumeMounts", ListStrategy::MergeByKey("mountPath")),
            (container, "ports", ListStrategy::MergeByKey("containerPort")),
            (container, "command", ListStrategy::Atomic),
            (meta, "finalizers", ListStrategy::MergeSet),
            (meta, "ownerReferences", ListStrategy::MergeByKey("uid")),
            (meta, "nonsense", ListStrategy::Atomic),
        ] {
            assert_eq!(owner.list_strategy(field), strategy, "{field}");
        }
        assert_eq!(PatchSchema::field(&pod_spec, "containers"), Some(container));
        assert_eq!(PatchSchema::field(&meta, "labels"), None);
    }
}
