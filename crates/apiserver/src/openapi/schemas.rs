//! The table's types as JSON schemas, with what they are for.

use kinds::schema::{self, Descriptions, Field, Kind, ListType, Patch, Shape, Type, TypeRef};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The two versions differ in where definitions lie and in how a value of two types is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// A reference to a definition.
    pub fn reference(self, definition: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{definition}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{definition}")}),
        }
    }
}

const TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
const MICRO_TIME: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
const FIELDS_V1: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";
const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const RAW: &str = "io.k8s.apimachinery.pkg.runtime.RawExtension";
const INT_OR_STRING: &str = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";

/// Definitions of these types and of all that they refer to, sorted by name.
pub fn definitions(
    roots: impl Iterator<Item = TypeRef>,
    dialect: Dialect,
    descriptions: &Descriptions,
) -> Map<String, Value> {
    let mut todo: Vec<TypeRef> = roots.collect();
    let mut seen = BTreeSet::new();
    while let Some(ty) = todo.pop() {
        if seen.insert(ty.ty().name) {
            todo.extend(ty.ty().fields.iter().filter_map(|field| match field.kind {
                Kind::Message(target) => Some(target),
                _ => None,
            }));
        }
    }
    let types = seen.into_iter().filter_map(schema::lookup);
    let objects = types.map(|ty| (ty.ty().name, object(ty.ty(), dialect, descriptions)));
    let mut all: Vec<(&str, Value)> = objects.chain(scalars(dialect)).collect();
    all.sort_by_key(|(name, _)| *name);
    all.into_iter().map(|(name, schema)| (name.to_owned(), described(schema, descriptions.of_type(name)))).collect()
}

/// The schema, with its description first.
fn described(schema: Value, text: Option<&str>) -> Value {
    let (Some(text), Value::Object(fields)) = (text, &schema) else { return schema };
    let description = std::iter::once(("description".to_owned(), Value::from(text)));
    Value::Object(description.chain(fields.clone()).collect())
}

/// Single values that have a definition of their own.
fn scalars(dialect: Dialect) -> [(&'static str, Value); 6] {
    let (quantity, int_or_string) = match dialect {
        Dialect::V2 => (json!({"type": "string"}), json!({"type": "string", "format": "int-or-string"})),
        Dialect::V3 => (
            json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
    };
    [
        (TIME, json!({"type": "string", "format": "date-time"})),
        (MICRO_TIME, json!({"type": "string", "format": "date-time"})),
        (FIELDS_V1, json!({"type": "object"})),
        (RAW, json!({"type": "object"})),
        (QUANTITY, quantity),
        (INT_OR_STRING, int_or_string),
    ]
}

fn object(ty: &'static Type, dialect: Dialect, descriptions: &Descriptions) -> Value {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    let required: Vec<&str> = ty.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    if !ty.fields.is_empty() {
        let properties = ty.fields.iter().map(|field| {
            let text = descriptions.of_field(ty.name, field.name);
            (field.name.to_owned(), described(beside_text(property(field, dialect), dialect), text))
        });
        schema.insert("properties".to_owned(), Value::Object(properties.collect()));
    }
    if let Some([group, version, kind]) = ty.gvk {
        let gvk = json!([{"group": group, "kind": kind, "version": version}]);
        schema.insert("x-kubernetes-group-version-kind".to_owned(), gvk);
    }
    if ty.atomic {
        schema.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
    }
    Value::Object(schema)
}

/// OpenAPI 3.0 does not look at what stands beside a reference.
fn beside_text(schema: Value, dialect: Dialect) -> Value {
    match dialect {
        Dialect::V3 if schema.get("$ref").is_some() => json!({"allOf": [schema]}),
        Dialect::V2 | Dialect::V3 => schema,
    }
}

fn property(field: &Field, dialect: Dialect) -> Value {
    let item = item(field.kind, dialect);
    let mut schema = match field.shape {
        Shape::One => return item,
        Shape::List => json!({"type": "array", "items": item}),
        Shape::Map => json!({"type": "object", "additionalProperties": item}),
    };
    match field.list_type {
        ListType::Unset => {}
        ListType::Atomic => schema["x-kubernetes-list-type"] = "atomic".into(),
        ListType::Set => schema["x-kubernetes-list-type"] = "set".into(),
        ListType::Keyed(keys) => {
            schema["x-kubernetes-list-type"] = "map".into();
            schema["x-kubernetes-list-map-keys"] = keys.into();
        }
    }
    if field.atomic {
        schema["x-kubernetes-map-type"] = "atomic".into();
    }
    let strategy = match field.patch {
        Patch::Default => None,
        Patch::Merge => Some("merge"),
        Patch::MergeRetainKeys => Some("merge,retainKeys"),
        Patch::RetainKeys => Some("retainKeys"),
        Patch::Replace => Some("replace"),
    };
    if let Some(strategy) = strategy {
        schema["x-kubernetes-patch-strategy"] = strategy.into();
    }
    if !field.merge_key.is_empty() {
        schema["x-kubernetes-patch-merge-key"] = field.merge_key.into();
    }
    schema
}

fn item(kind: Kind, dialect: Dialect) -> Value {
    match kind {
        Kind::String => json!({"type": "string"}),
        Kind::Int32 => json!({"type": "integer", "format": "int32"}),
        Kind::Int64 => json!({"type": "integer", "format": "int64"}),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Double => json!({"type": "number", "format": "double"}),
        Kind::Bytes => json!({"type": "string", "format": "byte"}),
        Kind::Strings => json!({"type": "array", "items": {"type": "string"}}),
        Kind::Time => dialect.reference(TIME),
        Kind::MicroTime => dialect.reference(MICRO_TIME),
        Kind::Quantity => dialect.reference(QUANTITY),
        Kind::IntOrString => dialect.reference(INT_OR_STRING),
        Kind::Raw => dialect.reference(RAW),
        Kind::FieldsV1 => dialect.reference(FIELDS_V1),
        Kind::Message(target) => dialect.reference(target.ty().name),
    }
}
