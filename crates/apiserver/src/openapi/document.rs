//! The documents: operations and schemas in the form of Swagger 2.0 and of OpenAPI 3.0.

use super::operations::{Operation, operations};
use super::schemas::{Dialect, definitions};
use kinds::Kind;
use kinds::schema::{Descriptions, TypeRef};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const OBJECT_TYPES: &[&str] = &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
const PATCH_TYPES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// Everything in one Swagger 2.0 document.
pub fn v2(kinds: &[&'static dyn Kind], descriptions: &Descriptions) -> Value {
    let operations = operations(kinds);
    let mut paths = Map::new();
    for operation in &operations {
        let item = paths.entry(&operation.path).or_insert_with(|| json!({"parameters": path_parameters_v2(operation)}));
        item[operation.method] = operation_v2(operation);
    }
    json!({
        "swagger": "2.0",
        "info": info(),
        "paths": paths,
        "definitions": definitions(roots(&operations), Dialect::V2, descriptions),
    })
}

/// One OpenAPI 3.0 document for each group and version, by its path (`apis/batch/v1`).
pub fn v3(kinds: &[&'static dyn Kind], descriptions: &Descriptions) -> BTreeMap<String, Value> {
    let mut groups: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for kind in kinds {
        let names = kind.names();
        let path = match names.group {
            "" => format!("api/{}", names.version),
            group => format!("apis/{group}/{}", names.version),
        };
        groups.entry(path).or_default().extend(operations(&[*kind]));
    }
    groups.into_iter().map(|(path, operations)| (path, v3_group(&operations, descriptions))).collect()
}

fn v3_group(operations: &[Operation], descriptions: &Descriptions) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let item = paths.entry(&operation.path).or_insert_with(|| json!({"parameters": path_parameters_v3(operation)}));
        item[operation.method] = operation_v3(operation);
    }
    json!({
        "openapi": "3.0.0",
        "info": info(),
        "paths": paths,
        "components": {"schemas": definitions(roots(operations), Dialect::V3, descriptions)},
    })
}

fn info() -> Value {
    json!({"title": "Kubernetes", "version": concat!("v1.36.2+kiln.", env!("CARGO_PKG_VERSION"))})
}

fn roots(operations: &[Operation]) -> impl Iterator<Item = TypeRef> {
    operations.iter().flat_map(|operation| [operation.body, operation.answer]).flatten()
}

fn common(operation: &Operation) -> Value {
    let [group, version, kind] = operation.gvk;
    json!({
        "operationId": operation.id,
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": {"group": group, "kind": kind, "version": version},
    })
}

fn is_patch(operation: &Operation) -> bool {
    operation.method == "patch"
}

fn answer_code(operation: &Operation) -> &'static str {
    if operation.method == "post" { "201" } else { "200" }
}

/// The names in braces of a path.
fn path_names(operation: &Operation) -> impl Iterator<Item = &str> {
    operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameters_v2(operation: &Operation) -> Vec<Value> {
    let parameter = |name| json!({"name": name, "in": "path", "required": true, "type": "string", "uniqueItems": true});
    path_names(operation).map(parameter).collect()
}

fn path_parameters_v3(operation: &Operation) -> Vec<Value> {
    let parameter = |name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    path_names(operation).map(parameter).collect()
}

fn operation_v2(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    let body = match operation.body {
        Some(ty) => Some(Dialect::V2.reference(ty.ty().name)),
        None => is_patch(operation).then(|| json!({"type": "object"})),
    };
    if let Some(schema) = body {
        let is_required = operation.method != "delete";
        parameters.push(json!({"name": "body", "in": "body", "required": is_required, "schema": schema}));
    }
    parameters.extend(
        operation.query.iter().map(|(name, ty)| json!({"name": name, "in": "query", "type": ty, "uniqueItems": true})),
    );
    let schema = match operation.answer {
        Some(ty) => Dialect::V2.reference(ty.ty().name),
        None => json!({"type": "string"}),
    };
    let mut described = common(operation);
    described["consumes"] = if is_patch(operation) { PATCH_TYPES.into() } else { OBJECT_TYPES.into() };
    described["produces"] = if operation.answer.is_some() { OBJECT_TYPES.into() } else { json!(["text/plain"]) };
    described["parameters"] = parameters.into();
    described["responses"] = json!({answer_code(operation): {"description": "OK", "schema": schema}});
    described
}

fn operation_v3(operation: &Operation) -> Value {
    let content = |types: &[&str], schema: &Value| -> Value {
        let each = types.iter().map(|media_type| ((*media_type).to_owned(), json!({"schema": schema})));
        Value::Object(each.collect())
    };
    let mut described = common(operation);
    let query = operation.query.iter().map(|(name, ty)| json!({"name": name, "in": "query", "schema": {"type": ty}}));
    described["parameters"] = query.collect::<Vec<_>>().into();
    match operation.body {
        Some(ty) => {
            let schema = Dialect::V3.reference(ty.ty().name);
            described["requestBody"] = json!({"content": content(OBJECT_TYPES, &schema)});
        }
        None if is_patch(operation) => {
            described["requestBody"] = json!({"content": content(PATCH_TYPES, &json!({"type": "object"}))});
        }
        None => {}
    }
    let answer = match operation.answer {
        Some(ty) => content(OBJECT_TYPES, &Dialect::V3.reference(ty.ty().name)),
        None => content(&["text/plain"], &json!({"type": "string"})),
    };
    described["responses"] = json!({answer_code(operation): {"description": "OK", "content": answer}});
    described
}
