//! Fields, types, list types and keys, from the OpenAPI definitions. Descriptions are left behind.

use super::{Field, Kind, Shape, Type};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;

/// Definitions that are single values on the wire, with the table's names for them.
const SPECIAL: &[(&str, &str)] = &[
    ("io.k8s.apimachinery.pkg.api.resource.Quantity", "Quantity"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", "FieldsV1"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "MicroTime"),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", "Time"),
    ("io.k8s.apimachinery.pkg.runtime.RawExtension", "Raw"),
    ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "IntOrString"),
];

/// The roots, their lists, and every type they reach, sorted by name.
pub fn closure(document: &Value, roots: &[&str]) -> Result<Vec<Type>> {
    let definitions = document["$defs"].as_object().context("the document has no $defs")?;
    let mut todo: Vec<String> = Vec::new();
    for root in roots {
        todo.push((*root).to_owned());
        let list = format!("{root}List");
        if definitions.contains_key(&list) {
            todo.push(list);
        }
    }
    let mut seen = BTreeSet::new();
    let mut types = Vec::new();
    while let Some(name) = todo.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let definition = definitions.get(&name).with_context(|| format!("definition {name} is missing"))?;
        let ty = read_type(name, definition)?;
        for field in &ty.fields {
            if let Kind::Message(target) = &field.kind {
                todo.push(target.clone());
            }
        }
        types.push(ty);
    }
    types.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(types)
}

fn read_type(name: String, definition: &Value) -> Result<Type> {
    let required: Vec<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut fields = Vec::new();
    for (field, schema) in definition["properties"].as_object().into_iter().flatten() {
        let read = read_field(field, schema, required.contains(&field.as_str()));
        fields.push(read.with_context(|| format!("{name}.{field}"))?);
    }
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Type { gvk: read_gvk(definition), atomic: is_atomic_map(definition), name, fields })
}

/// A type served in several groups (DeleteOptions, WatchEvent) counts as core/v1.
fn read_gvk(definition: &Value) -> Option<[String; 3]> {
    let all = definition["x-kubernetes-group-version-kind"].as_array()?;
    let core = all.iter().find(|gvk| gvk["group"] == "" && gvk["version"] == "v1");
    let gvk = core.or(all.first())?;
    let part = |key: &str| gvk[key].as_str().unwrap_or_default().to_owned();
    Some([part("group"), part("version"), part("kind")])
}

fn is_atomic_map(schema: &Value) -> bool {
    schema["x-kubernetes-map-type"] == "atomic"
}

fn read_field(name: &str, schema: &Value, required: bool) -> Result<Field> {
    let (kind, shape) = read_kind(schema)?;
    let text = |key: &str| schema[key].as_str().map(str::to_owned);
    Ok(Field {
        name: name.to_owned(),
        kind,
        shape,
        required,
        keeps_zero: false,
        list_type: text("x-kubernetes-list-type"),
        list_keys: schema["x-kubernetes-list-map-keys"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|key| key.as_str().map(str::to_owned))
            .collect(),
        patch_strategy: text("x-kubernetes-patch-strategy"),
        merge_key: text("x-kubernetes-patch-merge-key"),
        atomic: is_atomic_map(schema),
        tag: 0,
        via: 0,
    })
}

fn read_kind(schema: &Value) -> Result<(Kind, Shape)> {
    if json_type(schema) == "array" {
        return Ok((read_item(&schema["items"])?, Shape::List));
    }
    let values = &schema["additionalProperties"];
    if values.is_object() && json_type(values) == "array" {
        // Maps of string lists (`extra` of a user) are wrapped in a message of their own on the wire.
        return Ok((Kind::Scalar("Strings"), Shape::Map));
    }
    if values.is_object() {
        return Ok((read_item(values)?, Shape::Map));
    }
    Ok((read_item(schema)?, Shape::One))
}

fn read_item(schema: &Value) -> Result<Kind> {
    if let Some(target) = schema["$ref"].as_str() {
        let target = target.rsplit('/').next().unwrap_or(target);
        return Ok(match SPECIAL.iter().find(|(name, _)| *name == target) {
            Some((_, scalar)) => Kind::Scalar(scalar),
            None => Kind::Message(target.to_owned()),
        });
    }
    Ok(Kind::Scalar(match (json_type(schema), schema["format"].as_str()) {
        ("string", None) => "String",
        ("string", Some("byte")) => "Bytes",
        ("integer", Some("int32")) => "Int32",
        ("integer", Some("int64") | None) => "Int64",
        ("boolean", None) => "Bool",
        ("number", _) => "Double",
        (ty, format) => bail!("neither type {ty:?} nor format {format:?} is known"),
    }))
}

/// `string` of `"string"` and of `["string", "null"]`.
fn json_type(schema: &Value) -> &str {
    let ty = &schema["type"];
    ty.as_str().or_else(|| ty[0].as_str()).unwrap_or_default()
}
