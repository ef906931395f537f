//! Namespace: holds other objects, and goes only when they are gone (K:pkg/registry/core/namespace).
//!
//! `[ Active ] --delete--> [ Terminating: spec.finalizers holds it ] --finalize, once empty--> gone`

use crate::at::At;
use crate::kind::{Column, Kind, Names, Part, Row, Scope};
use crate::{metadata, strategy, table, verbs};
use jiff::Timestamp;
use meta::field::FieldError;
use meta::{names, object};
use serde_json::{Value, json};

/// The finalizer in `spec.finalizers` that the namespace controller takes away once the namespace is empty.
pub const FINALIZER: &str = "kubernetes";
/// The namespaces that cannot be deleted (K:plugin/pkg/admission/namespace/lifecycle).
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// The label that repeats the name, for selectors.
pub const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The ConfigMap in every namespace that holds what clients in pods check the API server by.
pub const ROOT_CA: &str = "kube-root-ca.crt";
/// Its key.
pub const ROOT_CA_KEY: &str = "ca.crt";
/// K:pkg/controller/certificates/rootcacertpublisher.
const ROOT_CA_DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// What every namespace has: its `default` ServiceAccount and, where there is a CA, the ConfigMap that holds it.
pub fn furniture(namespace: &str, root_ca: Option<&str>) -> Vec<(&'static str, Value)> {
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}});
    let map = root_ca.map(|root_ca| ("configmaps", root_ca_map(namespace, root_ca)));
    [("serviceaccounts", account)].into_iter().chain(map).collect()
}

fn root_ca_map(namespace: &str, root_ca: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ROOT_CA,
            "namespace": namespace,
            "annotations": {"kubernetes.io/description": ROOT_CA_DESCRIPTION},
        },
        "data": {ROOT_CA_KEY: root_ca},
    })
}

/// Whether a ConfigMap says what `furniture` would.
pub fn is_root_ca_map(map: &Value, root_ca: &str) -> bool {
    let wanted = root_ca_map("", root_ca);
    let has_bytes = map["binaryData"].as_object().is_some_and(|bytes| !bytes.is_empty());
    let description = "kubernetes.io/description";
    map["data"] == wanted["data"]
        && !has_bytes
        && map["metadata"]["annotations"][description] == wanted["metadata"]["annotations"][description]
}

/// Namespaces of the core group.
#[derive(Debug)]
pub struct Namespace;

const NAMES: Names = Names {
    group: "",
    version: "v1",
    kind: "Namespace",
    plural: "namespaces",
    singular: "namespace",
    short: &["ns"],
    categories: &[],
    scope: Scope::Cluster,
    verbs: verbs::ALL_BUT_DELETE_COLLECTION,
    subresources: &["status", "finalize"],
};

const COLUMNS: &[Column] =
    &[table::NAME, table::column("Status", "Active, or Terminating while its objects are being deleted."), table::AGE];

impl Kind for Namespace {
    fn names(&self) -> &'static Names {
        &NAMES
    }
    fn type_name(&self) -> &'static str {
        "io.k8s.api.core.v1.Namespace"
    }
    fn default(&self, object: &mut Value) {
        let name = object::name(object).to_owned();
        if !name.is_empty() {
            object::set_label(object, NAME_LABEL, &name);
        }
    }
    fn prepare_create(&self, object: &mut Value) {
        object::map(object, "status").clear();
        object::map(object, "status").insert("phase".to_owned(), "Active".into());
        let spec = object::map(object, "spec");
        let finalizers = spec.entry("finalizers").or_insert(Value::Null);
        if !finalizers.is_array() {
            *finalizers = json!([]);
        }
        if let Value::Array(finalizers) = finalizers
            && !finalizers.iter().any(|finalizer| finalizer == FINALIZER)
        {
            finalizers.push(FINALIZER.into());
        }
    }
    fn prepare_update(&self, object: &mut Value, old: &Value, part: Part) {
        match part {
            Part::Spec => strategy::restore(object, old, &["spec", "status"]),
            Part::Status => strategy::keep_only(object, old, &["metadata", "status"]),
        }
    }
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = metadata::validate(object, NAMES.scope, names::dns_label_errors);
        // Kubernetes names the list, not the place in it.
        let finalizers = At::root(object).fields(&["spec", "finalizers"]);
        for finalizer in finalizers.items().map(|finalizer| At { path: finalizers.path.clone(), ..finalizer }) {
            finalizer.check_rule(names::qualified_name_errors, &mut errors);
            let is_known = finalizer.text() == FINALIZER || finalizer.text().contains('/');
            if !is_known {
                let detail = "name is neither a standard finalizer name nor is it fully qualified";
                errors.push(finalizer.invalid(detail));
            }
        }
        errors
    }
    fn validate_update(&self, object: &Value, _: &Value, part: Part) -> Vec<FieldError> {
        if part != Part::Status {
            return Vec::new();
        }
        let phase = At::root(object).fields(&["status", "phase"]);
        let (expected, detail) = match object::is_being_deleted(object) {
            true => ("Terminating", "may only be 'Terminating' if `deletionTimestamp` is not empty"),
            false => ("Active", "may only be 'Active' if `deletionTimestamp` is empty"),
        };
        if phase.text() == expected {
            return Vec::new();
        }
        // The path is Kubernetes' own.
        vec![FieldError::invalid("status.Phase", phase.text(), detail)]
    }
    fn selectable_fields(&self, object: &Value) -> Vec<(&'static str, String)> {
        let phase = At::root(object).fields(&["status", "phase"]);
        vec![("status.phase", phase.text().to_owned())]
    }
    fn columns(&self) -> &'static [Column] {
        COLUMNS
    }
    fn row(&self, object: &Value, now: Timestamp) -> Row {
        let phase = At::root(object).fields(&["status", "phase"]).text();
        Row { cells: vec![table::name(object), phase.into(), table::age(object, now)], ..Row::default() }
    }
    fn deletion_refusal(&self, object: &Value) -> Option<&'static str> {
        IMMORTAL.contains(&object::name(object)).then_some("this namespace may not be deleted")
    }
    fn holds_deletion(&self, object: &Value) -> bool {
        At::root(object).fields(&["spec", "finalizers"]).len() > 0
    }
    fn mark_deleted(&self, object: &mut Value) {
        object::map(object, "status").insert("phase".to_owned(), "Terminating".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{cells, check_errors, created, texts};

    fn namespace() -> Value {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "blue"}})
    }

    #[test]
    fn a_new_namespace_is_active_labelled_and_held_by_its_finalizer() {
        let mut object = namespace();
        object["status"] = json!({"phase": "Terminating"});
        let object = created(&Namespace, &object);
        assert_eq!(object["metadata"]["labels"], json!({"kubernetes.io/metadata.name": "blue"}));
        assert_eq!(object["spec"], json!({"finalizers": ["kubernetes"]}));
        assert_eq!(object["status"], json!({"phase": "Active"}));
        assert!(Namespace.holds_deletion(&object));
    }

    #[test]
    fn deleting_one_marks_it_terminating_and_its_last_finalizer_lets_it_go() {
        let mut object = created(&Namespace, &namespace());
        Namespace.mark_deleted(&mut object);
        assert_eq!(cells(&Namespace, &object)[1], "Terminating");
        object["spec"]["finalizers"] = json!([]);
        assert!(!Namespace.holds_deletion(&object));
    }

    #[test]
    fn an_ordinary_write_leaves_finalizers_and_status() {
        let old = created(&Namespace, &namespace());
        for part in [Part::Spec, Part::Status] {
            let mut new = old.clone();
            new["spec"]["finalizers"] = json!([]);
            new["status"]["phase"] = "Terminating".into();
            Namespace.prepare_update(&mut new, &old, part);
            assert_eq!(new["spec"], old["spec"], "{part:?}");
            assert_eq!(new["status"] == old["status"], part == Part::Spec);
        }
    }

    #[test]
    fn names_are_labels_and_finalizers_are_qualified() {
        check_errors(&Namespace, &namespace(), &[]);
        let mut dotted = namespace();
        dotted["metadata"]["name"] = "a.b".into();
        check_errors(&Namespace, &dotted, &["metadata.name: Invalid value: \"a.b\": must not contain dots"]);
        let mut odd = namespace();
        odd["spec"] = json!({"finalizers": ["odd"]});
        check_errors(
            &Namespace,
            &odd,
            &[
                "spec.finalizers: Invalid value: \"odd\": name is neither a standard finalizer name nor is it fully qualified",
            ],
        );
    }

    #[test]
    fn the_phase_follows_the_deletion_timestamp() {
        let old = created(&Namespace, &namespace());
        let mut new = old.clone();
        new["status"]["phase"] = "Terminating".into();
        assert_eq!(
            texts(&Namespace.validate_update(&new, &old, Part::Status)),
            ["status.Phase: Invalid value: \"Terminating\": may only be 'Active' if `deletionTimestamp` is empty"]
        );
    }
}
