//! The table as ownership sees it: where a leaf ends, how items of lists are told apart.

use super::suggest;
use super::{Field, Kind, ListType, Shape, Type, TypeRef};
use meta::fields::{FieldSchema, Form, ListForm, Scalar, ScalarForm};

/// The type of one value: an object, a field of one, an item.
#[derive(Debug, Clone, Copy)]
pub struct ValueType {
    kind: Kind,
    shape: Shape,
    /// The object it is a field of, and which.
    place: Option<(&'static Type, &'static Field)>,
}

impl From<TypeRef> for ValueType {
    fn from(root: TypeRef) -> Self {
        Self { kind: Kind::Message(root), shape: Shape::One, place: None }
    }
}

impl ValueType {
    /// One item of it.
    fn item(self) -> Self {
        Self { shape: Shape::One, place: None, ..self }
    }

    fn list_form(self) -> ListForm {
        match self.place.map(|(_, field)| field.list_type) {
            Some(ListType::Set) => ListForm::Set,
            Some(ListType::Keyed(keys)) => ListForm::Keyed(keys),
            Some(ListType::Unset | ListType::Atomic) | None => ListForm::Atomic,
        }
    }
}

impl FieldSchema for ValueType {
    fn form(self) -> Form<Self> {
        let is_atomic = self.place.is_some_and(|(_, field)| field.atomic);
        match (self.shape, self.kind) {
            (Shape::List, _) => Form::List { item: self.item(), list: self.list_form() },
            (Shape::Map, _) => Form::Map { item: self.item(), is_atomic },
            (Shape::One, Kind::Message(ty)) => Form::Struct { is_atomic: is_atomic || ty.ty().atomic },
            (Shape::One, Kind::Raw | Kind::FieldsV1) => Form::Free,
            (Shape::One, Kind::Strings) => {
                Form::List { item: Self { kind: Kind::String, ..self.item() }, list: ListForm::Atomic }
            }
            (Shape::One, Kind::String | Kind::Bytes) => Form::Scalar(ScalarForm::Text),
            (Shape::One, Kind::Int32 | Kind::Int64 | Kind::Double) => Form::Scalar(ScalarForm::Number),
            (Shape::One, Kind::Bool) => Form::Scalar(ScalarForm::Bool),
            (Shape::One, Kind::Time | Kind::MicroTime | Kind::Quantity | Kind::IntOrString) => {
                Form::Scalar(ScalarForm::Any)
            }
        }
    }

    fn field(self, name: &str) -> Option<Self> {
        let Kind::Message(ty) = self.kind else { return None };
        let field = ty.field_named(name)?;
        Some(Self { kind: field.kind, shape: field.shape, place: Some((ty.ty(), field)) })
    }

    fn nearest(self, name: &str) -> Option<&'static str> {
        let Kind::Message(ty) = self.kind else { return None };
        suggest::nearest(ty.ty(), name)
    }

    /// Required scalars are zero in Go when nothing is said; validation has its own word on that.
    fn key_default(self, key: &str) -> Option<Scalar> {
        let Kind::Message(ty) = self.kind else { return None };
        let field = ty.field_named(key)?;
        match (ty.ty().short_name(), key, field.kind) {
            ("ContainerPort" | "ServicePort", "protocol", _) => Some(Scalar::Text("TCP".into())),
            ("LocalObjectReference" | "ObjectReference", "name", _) => Some(Scalar::Text("".into())),
            (_, _, Kind::String) if field.required => Some(Scalar::Text("".into())),
            (_, _, Kind::Int32 | Kind::Int64) if field.required => Some(Scalar::Int(0)),
            _ => None,
        }
    }

    /// Structs that Go holds by value are written even when empty, and so are lists without `omitempty`.
    fn is_always_there(self) -> bool {
        let Some((owner, field)) = self.place else { return false };
        matches!(
            (owner.short_name(), field.name),
            (_, "metadata" | "spec" | "status" | "template" | "jobTemplate")
                | ("PodSpec", "containers")
                | ("Container" | "EphemeralContainer" | "PersistentVolumeClaimSpec", "resources")
                | ("ContainerStatus", "state" | "lastState")
                | ("Event", "involvedObject" | "source" | "regarding" | "deprecatedSource")
                | ("NodeStatus", "daemonEndpoints" | "nodeInfo")
                | ("NodeDaemonEndpoints", "kubeletEndpoint")
                | ("ServiceStatus", "loadBalancer")
        ) && matches!((field.kind, field.shape), (Kind::Message(_), Shape::One | Shape::List))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::lookup;
    use meta::fields;
    use serde_json::{Value, json};

    fn job_type() -> ValueType {
        lookup("io.k8s.api.batch.v1.Job").unwrap().into()
    }

    #[track_caller]
    fn fields_of_new(object: &Value, ty: ValueType) -> String {
        fields::print(&fields::compare(&json!({}), object, ty).set).to_string()
    }

    /// As `kubectl create job` and the API server of Kubernetes 1.33 wrote it.
    #[test]
    fn a_new_jobs_fields_are_named_as_kubernetes_names_them() {
        let job = json!({
            "metadata": {"labels": {"a": "b"}},
            "spec": {"backoffLimit": 6, "template": {"metadata": {}, "spec": {
                "containers": [{
                    "name": "pi", "image": "perl", "command": ["perl"], "resources": {},
                    "env": [{"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "livenessProbe": {"exec": {"command": ["x"]}, "periodSeconds": 10},
                }],
                "volumes": [{"name": "v", "emptyDir": {}}],
                "nodeSelector": {"a": "b"},
                "securityContext": {},
            }}},
            "status": {},
        });
        assert_eq!(
            fields_of_new(&job, job_type()),
            concat!(
                r#"{"f:metadata":{"f:labels":{".":{},"f:a":{}}},"f:spec":{"f:backoffLimit":{},"f:template":{"f:spec":{"#,
                r#""f:containers":{"k:{\"name\":\"pi\"}":{".":{},"f:command":{},"f:env":{".":{},"k:{\"name\":\"A\"}":{".":{},"#,
                r#""f:name":{},"f:valueFrom":{".":{},"f:fieldRef":{}}}},"f:image":{},"f:livenessProbe":{".":{},"#,
                r#""f:exec":{".":{},"f:command":{}},"f:periodSeconds":{}},"f:name":{},"f:ports":{".":{},"#,
                r#""k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:protocol":{}}},"f:resources":{}}},"#,
                r#""f:nodeSelector":{},"f:securityContext":{},"f:volumes":{".":{},"k:{\"name\":\"v\"}":{".":{},"f:emptyDir":{},"f:name":{}}}"#,
                r#"}}}}"#,
            )
        );
    }

    #[test]
    fn owners_finalizers_and_conditions_are_owned_one_by_one() {
        let job = json!({
            "metadata": {
                "finalizers": ["a/b"],
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "c", "uid": "1", "controller": true}],
            },
            "status": {"conditions": [{"type": "Complete", "status": "True"}], "uncountedTerminatedPods": {"succeeded": ["1"]}},
        });
        assert_eq!(
            fields_of_new(&job, job_type()),
            concat!(
                r#"{"f:metadata":{"f:finalizers":{".":{},"v:\"a/b\"":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"1\"}":{}}},"#,
                r#""f:status":{"f:conditions":{},"f:uncountedTerminatedPods":{".":{},"f:succeeded":{".":{},"v:\"1\"":{}}}}}"#,
            )
        );
    }

    #[test]
    fn a_port_is_told_apart_by_its_default_protocol_too() {
        let ty: ValueType = lookup("io.k8s.api.core.v1.PodSpec").unwrap().into();
        let spec = json!({"containers": [{"name": "a", "ports": [{"containerPort": 80}]}, {"image": "b"}]});
        assert_eq!(
            fields::print(&fields::of(&spec, ty)).to_string(),
            concat!(
                r#"{"f:containers":{"k:{\"name\":\"\"}":{".":{},"f:image":{}},"k:{\"name\":\"a\"}":{".":{},"f:name":{},"#,
                r#""f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{}}}}}}"#,
            )
        );
    }

    #[test]
    fn every_key_of_every_list_is_a_field_with_a_default() {
        for found in crate::schema::all() {
            let ty = ValueType::from(found);
            for field in found.ty().fields {
                let Some(Form::List { item, list: ListForm::Keyed(keys) }) =
                    ty.field(field.name).map(FieldSchema::form)
                else {
                    continue;
                };
                for key in keys {
                    assert!(item.field(key).is_some(), "{}.{} has no {key}", found.ty().name, field.name);
                    assert!(item.key_default(key).is_some(), "{}.{}: {key}", found.ty().name, field.name);
                }
            }
        }
    }
}
