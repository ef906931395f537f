//! Swagger 2.0 as protobuf: gnostic's `openapi.v2.Document`, which kubectl 1.27 and 1.28 ask for.
//!
//! Tags are those of `OpenAPIv2.proto`; only what `document` writes is translated.

use crate::protobuf::wire::Writer;
use serde_json::{Map, Value};

/// The whole document.
pub fn document(swagger: &Value) -> Vec<u8> {
    let mut info = Writer::default();
    text(&mut info, 1, &swagger["info"]["title"]);
    text(&mut info, 2, &swagger["info"]["version"]);
    let mut paths = Writer::default();
    for (path, item) in entries(&swagger["paths"]) {
        paths.bytes(2, &named(path, &path_item(item)));
    }
    let mut definitions = Writer::default();
    for (name, definition) in entries(&swagger["definitions"]) {
        definitions.bytes(1, &named(name, &schema(definition)));
    }
    let mut document = Writer::default();
    text(&mut document, 1, &swagger["swagger"]);
    document.bytes(2, &info.finish());
    document.bytes(8, &paths.finish());
    document.bytes(9, &definitions.finish());
    document.finish()
}

fn path_item(item: &Value) -> Vec<u8> {
    let mut writer = Writer::default();
    for (method, tag) in [("get", 2), ("put", 3), ("post", 4), ("delete", 5), ("patch", 8)] {
        if let Some(described) = item.get(method) {
            writer.bytes(tag, &operation(described));
        }
    }
    for described in items(&item["parameters"]) {
        writer.bytes(9, &parameter(described));
    }
    writer.finish()
}

fn operation(described: &Value) -> Vec<u8> {
    let mut writer = Writer::default();
    text(&mut writer, 5, &described["operationId"]);
    texts(&mut writer, 6, &described["produces"]);
    texts(&mut writer, 7, &described["consumes"]);
    for each in items(&described["parameters"]) {
        writer.bytes(8, &parameter(each));
    }
    let mut responses = Writer::default();
    for (code, response) in entries(&described["responses"]) {
        let mut content = Writer::default();
        text(&mut content, 1, &response["description"]);
        content.bytes(2, &wrapped(1, &schema(&response["schema"])));
        responses.bytes(1, &named(code, &wrapped(1, &content.finish())));
    }
    writer.bytes(9, &responses.finish());
    extensions(&mut writer, 13, described);
    writer.finish()
}

/// ParametersItem { parameter = 1 } of Parameter { body = 1, non-body = 2 { query = 3, path = 4 } }.
fn parameter(described: &Value) -> Vec<u8> {
    let is_required = described["required"] == true;
    let mut writer = Writer::default();
    let parameter = match described["in"].as_str() {
        Some("body") => {
            text(&mut writer, 2, &described["name"]);
            text(&mut writer, 3, &described["in"]);
            writer.varint(4, u64::from(is_required));
            writer.bytes(5, &schema(&described["schema"]));
            wrapped(1, &writer.finish())
        }
        place => {
            let is_path = place == Some("path");
            let (place_tag, type_tag, unique_tag) = if is_path { (4, 5, 19) } else { (3, 6, 20) };
            writer.varint(1, u64::from(is_required));
            text(&mut writer, 2, &described["in"]);
            text(&mut writer, 4, &described["name"]);
            text(&mut writer, type_tag, &described["type"]);
            writer.varint(unique_tag, u64::from(described["uniqueItems"] == true));
            wrapped(2, &wrapped(place_tag, &writer.finish()))
        }
    };
    wrapped(1, &parameter)
}

fn schema(described: &Value) -> Vec<u8> {
    let mut writer = Writer::default();
    text(&mut writer, 1, &described["$ref"]);
    text(&mut writer, 2, &described["format"]);
    text(&mut writer, 4, &described["description"]);
    texts(&mut writer, 19, &described["required"]);
    if let Some(values) = described.get("additionalProperties") {
        writer.bytes(21, &wrapped(1, &schema(values)));
    }
    if let Some(ty) = described["type"].as_str() {
        writer.bytes(22, &wrapped(1, ty.as_bytes()));
    }
    if let Some(item) = described.get("items") {
        writer.bytes(23, &wrapped(1, &schema(item)));
    }
    if let Some(Value::Object(properties)) = described.get("properties") {
        let mut all = Writer::default();
        for (name, property) in properties {
            all.bytes(1, &named(name, &schema(property)));
        }
        writer.bytes(25, &all.finish());
    }
    extensions(&mut writer, 31, described);
    writer.finish()
}

/// `x-…` fields: NamedAny { name = 1, value = 2 { yaml = 2 } }. JSON is YAML.
fn extensions(writer: &mut Writer, tag: u16, described: &Value) {
    for (name, value) in entries(described).filter(|(name, _)| name.starts_with("x-")) {
        writer.bytes(tag, &named(name, &wrapped(2, format!("{value}\n").as_bytes())));
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(writer: &mut Writer, tag: u16, value: &Value) {
    if let Some(text) = value.as_str() {
        writer.bytes(tag, text.as_bytes());
    }
}

fn texts(writer: &mut Writer, tag: u16, value: &Value) {
    items(value).for_each(|item| text(writer, tag, item));
}

/// A message with one field.
fn wrapped(tag: u16, content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(tag, content);
    writer.finish()
}

/// { name = 1, value = 2 }
fn named(name: &str, value: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(1, name.as_bytes());
    writer.bytes(2, value);
    writer.finish()
}
