//! What clients look for in the documents is there, for every kind that is served.

use super::*;
use crate::protobuf::wire::{Payload, Reader};
use serde_json::Value;
use std::collections::BTreeSet;

fn v3_document(path: &str) -> Value {
    serde_json::from_slice(&v3_json(path).unwrap()).unwrap()
}

/// Every `$ref` anywhere in a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[track_caller]
fn every_reference_leads_somewhere(document: &Value) {
    let mut found = BTreeSet::new();
    references(document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn references_lead_somewhere() {
    every_reference_leads_somewhere(&serde_json::from_slice(&v2_json()).unwrap());
    for (path, _) in v3_index() {
        every_reference_leads_somewhere(&v3_document(&path));
    }
}

#[test]
fn index_names_every_group_version_and_a_stable_hash() {
    let index = v3_index();
    for kind in KINDS {
        let names = kind.names();
        let path = match names.group {
            "" => format!("api/{}", names.version),
            group => format!("apis/{group}/{}", names.version),
        };
        assert!(index.iter().any(|(found, hash)| *found == path && hash.len() == 64), "{path}");
    }
    assert_eq!(index, v3_index());
    assert!(v3_json("apis/nonsense/v1").is_none());
}

/// The way kubectl finds out whether the server validates fields: the PATCH operation of the kind.
fn patch_of<'d>(document: &'d Value, group: &str, kind: &str) -> &'d Value {
    let paths = document["paths"].as_object().unwrap();
    let is_wanted = |operation: &&Value| {
        let gvk = &operation["x-kubernetes-group-version-kind"];
        gvk["group"] == group && gvk["kind"] == kind
    };
    paths.values().map(|item| &item["patch"]).find(is_wanted).unwrap_or(&Value::Null)
}

#[test]
fn kubectl_finds_field_validation_on_patch_operations() {
    let v2: Value = serde_json::from_slice(&v2_json()).unwrap();
    for kind in KINDS.iter().filter(|kind| kind.names().verbs.contains(&"patch")) {
        let names = kind.names();
        let path = match names.group {
            "" => format!("api/{}", names.version),
            group => format!("apis/{group}/{}", names.version),
        };
        for document in [&v2, &v3_document(&path)] {
            let parameters = patch_of(document, names.group, names.kind)["parameters"].as_array();
            let mut query = parameters.into_iter().flatten();
            assert!(query.any(|found| found["name"] == "fieldValidation" && found["in"] == "query"), "{}", names.kind);
        }
    }
}

#[test]
fn patches_say_that_they_can_be_applied() {
    const APPLY: &str = "application/apply-patch+yaml";
    let v2: Value = serde_json::from_slice(&v2_json()).unwrap();
    let patch = patch_of(&v2, "batch", "Job");
    assert!(patch["consumes"].as_array().unwrap().iter().any(|found| found == APPLY), "{patch}");
    let v3 = v3_document("apis/batch/v1");
    let content = &patch_of(&v3, "batch", "Job")["requestBody"]["content"];
    assert!(content.get(APPLY).is_some(), "{content}");
}

#[test]
fn operation_ids_are_unique() {
    let mut seen = BTreeSet::new();
    for operation in operations::operations(KINDS) {
        assert!(seen.insert(operation.id.clone()), "{operation:?}");
    }
}

#[test]
fn schemas_tell_how_lists_merge() {
    let document = v3_document("apis/batch/v1");
    let schemas = &document["components"]["schemas"];
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    let text = "List of containers belonging to the pod. Containers cannot currently be added or removed. There must be at least one container in a Pod. Cannot be updated.";
    assert_eq!(
        *containers,
        serde_json::json!({
            "description": text,
            "type": "array",
            "items": {"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "name",
        })
    );
    let job = &schemas["io.k8s.api.batch.v1.Job"];
    assert_eq!(job["x-kubernetes-group-version-kind"][0]["kind"], "Job");
    assert_eq!(schemas["io.k8s.api.batch.v1.JobSpec"]["required"], serde_json::json!(["template"]));
}

#[test]
fn fields_say_what_they_are_for() {
    let v2: Value = serde_json::from_slice(&v2_json()).unwrap();
    let v3 = v3_document("apis/batch/v1");
    let policy =
        |definitions: &Value| definitions["io.k8s.api.batch.v1.JobSpec"]["properties"]["podFailurePolicy"].clone();
    let reference = "io.k8s.api.batch.v1.PodFailurePolicy";
    let (v2, v3) = (policy(&v2["definitions"]), policy(&v3["components"]["schemas"]));
    assert!(v2["description"].as_str().unwrap().starts_with("Specifies the policy of handling failed pods."));
    assert_eq!(v2["$ref"], format!("#/definitions/{reference}"));
    assert_eq!(v3["description"], v2["description"]);
    assert_eq!(v3["allOf"][0]["$ref"], format!("#/components/schemas/{reference}"));
}

/// The fields of a message with this tag.
fn fields(message: &[u8], wanted: u32) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(message);
    let mut found = Vec::new();
    while let Some((tag, payload)) = reader.next().unwrap() {
        if let (true, Payload::Bytes(bytes)) = (tag == wanted, payload) {
            found.push(bytes.to_vec());
        }
    }
    found
}

fn field(message: &[u8], wanted: u32) -> Vec<u8> {
    fields(message, wanted).into_iter().next().unwrap_or_default()
}

#[test]
fn protobuf_form_says_what_the_json_form_says() {
    let json: Value = serde_json::from_slice(&v2_json()).unwrap();
    let document = v2_protobuf();
    assert_eq!(field(&document, 1), b"2.0");
    let paths = fields(&field(&document, 8), 2);
    assert_eq!(paths.len(), json["paths"].as_object().unwrap().len());
    let definitions = fields(&field(&document, 9), 1);
    assert_eq!(definitions.len(), json["definitions"].as_object().unwrap().len());

    let job = b"/apis/batch/v1/namespaces/{namespace}/jobs/{name}";
    let item = paths.iter().find(|path| field(path, 1) == job).unwrap();
    let patch = field(&field(item, 2), 8);
    assert_eq!(field(&patch, 5), b"patchBatchV1NamespacedJob");
    // ParametersItem.parameter . Parameter.non_body . NonBodyParameter.query . name
    let query = fields(&patch, 8).into_iter().map(|item| field(&field(&field(&field(&item, 1), 2), 3), 4));
    assert!(query.collect::<Vec<_>>().contains(&b"fieldValidation".to_vec()));
    let spec = definitions.iter().find(|named| field(named, 1) == b"io.k8s.api.batch.v1.JobSpec").unwrap();
    // NamedSchema.value . Schema.description
    let text = json["definitions"]["io.k8s.api.batch.v1.JobSpec"]["description"].as_str().unwrap();
    assert_eq!(field(&field(spec, 2), 4), text.as_bytes());
    let gvk = fields(&patch, 13).into_iter().find(|any| field(any, 1) == b"x-kubernetes-group-version-kind").unwrap();
    let yaml: Value = serde_json::from_slice(&field(&field(&gvk, 2), 2)).unwrap();
    assert_eq!(yaml["kind"], "Job");
}
