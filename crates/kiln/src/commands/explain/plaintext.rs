//! What `explain` prints of an OpenAPI v3 document, letter for letter as kubectl's form `plaintext`. Pure.

use serde_json::{Map, Value};

use crate::output::wrap::{indent, wrap};

/// Which schema of the document.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// `batch`, or nothing.
    pub group: &'a str,
    /// `v1`.
    pub version: &'a str,
    /// `Job`.
    pub kind: &'a str,
    /// `spec`, `template`.
    pub path: &'a [String],
}

/// Why there is nothing to say.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    /// The document has no such kind.
    Kind,
    /// There is no field of this name; these there are in its place.
    Field { name: String, known: Vec<String> },
}

/// The page about a kind or a field of it. What was asked for by name is said even when it is not there.
pub fn page(document: &Value, subject: Subject<'_>, is_recursive: bool) -> (String, Option<Missing>) {
    let Subject { group, version, kind, path } = subject;
    let group_line = if group.is_empty() { String::new() } else { format!("GROUP:      {group}\n") };
    let head = format!("{group_line}KIND:       {kind}\nVERSION:    {version}\n\n");
    let Some(schema) = schema_of(document, group, version, kind) else { return (head, Some(Missing::Kind)) };
    match find(document, schema, path) {
        Ok(found) => (head + &found.text(document, is_recursive) + "\n", None),
        Err(missing) => (head, Some(missing)),
    }
}

fn schema_of<'a>(document: &'a Value, group: &str, version: &str, kind: &str) -> Option<&'a Value> {
    let is_it = |gvk: &Value| gvk["group"] == group && gvk["version"] == version && gvk["kind"] == kind;
    let schemas = document["components"]["schemas"].as_object()?;
    schemas
        .values()
        .find(|schema| schema["x-kubernetes-group-version-kind"].as_array().is_some_and(|gvks| gvks.iter().any(is_it)))
}

/// A schema, and the name by which a field's path came to it.
struct Found<'a> {
    name: Option<&'a str>,
    schema: &'a Value,
}

/// The fields of a kind or of a field of it, for who is about to name one.
pub fn fields(document: &Value, subject: Subject<'_>) -> Vec<String> {
    let schema = schema_of(document, subject.group, subject.version, subject.kind);
    let found = schema.and_then(|schema| find(document, schema, subject.path).ok());
    let fields = found.map(|found| properties(document, found.schema)).unwrap_or_default();
    fields.into_iter().map(|(name, _)| name.to_owned()).collect()
}

/// Follows the path through lists and maps, which have no names of their own.
fn find<'a>(document: &'a Value, schema: &'a Value, path: &'a [String]) -> Result<Found<'a>, Missing> {
    let mut found = Found { name: None, schema };
    for name in path {
        let known = properties(document, found.schema);
        let Some((_, schema)) = known.iter().find(|(known, _)| known == name) else {
            let known = known.into_iter().map(|(name, _)| name.to_owned()).collect();
            return Err(Missing::Field { name: name.clone(), known });
        };
        found = Found { name: Some(name), schema };
    }
    Ok(found)
}

/// The fields of an object, of a list's items or of a map's values; sorted.
fn properties<'a>(document: &'a Value, schema: &'a Value) -> Vec<(&'a str, &'a Value)> {
    let resolved = resolve(document, schema);
    if let Some(properties) = resolved["properties"].as_object() {
        return sorted(properties);
    }
    inner(resolved).into_iter().flat_map(|schema| properties(document, schema)).collect()
}

fn sorted(fields: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut fields: Vec<_> = fields.iter().map(|(name, schema)| (name.as_str(), schema)).collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

/// What a schema is made of, besides fields.
fn inner(schema: &Value) -> Vec<&Value> {
    let parts = ["items", "additionalProperties"].into_iter().filter_map(|key| schema.get(key));
    schema["allOf"].as_array().into_iter().flatten().chain(parts.filter(|part| part.is_object())).collect()
}

fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let referred = reference(schema).and_then(|name| document["components"]["schemas"].get(name));
    referred.unwrap_or(schema)
}

impl Found<'_> {
    fn text(&self, document: &Value, is_recursive: bool) -> String {
        let mut text = String::new();
        if let Some(name) = self.name {
            let values = values(self.schema);
            let values =
                if values.is_empty() { String::new() } else { format!("ENUM:\n{}", indent(&values.join("\n"), 4)) };
            text.push_str(&format!("FIELD: {name} <{}>\n{values}\n\n", type_name(document, self.schema)));
        }
        let description = match description(document, self.schema) {
            description if description.is_empty() => "<empty>".to_owned(),
            description => description,
        };
        text.push_str(&format!("DESCRIPTION:\n{}\n", indent(&wrap(&description, 76), 4)));
        let mut list = FieldList { document, is_recursive, text: String::new(), within: Vec::new() };
        list.add(self.schema, 1);
        if !list.text.is_empty() {
            text.push_str(&format!("FIELDS:\n{}", list.text));
        }
        text
    }
}

/// Its own, then those of what it is made of.
fn description(document: &Value, schema: &Value) -> String {
    let resolved = resolve(document, schema);
    let own = resolved["description"].as_str().filter(|text| !text.is_empty());
    let own = own.map(|text| format!("{text}\n")).unwrap_or_default();
    inner(resolved).into_iter().fold(own, |text, part| text + &description(document, part))
}

/// `string`, `[]Container`, `map[string]string`.
fn type_name(document: &Value, schema: &Value) -> String {
    if let Some(items) = schema.get("items") {
        return format!("[]{}", type_name(document, items));
    }
    if let Some(values) = schema.get("additionalProperties") {
        return format!("map[string]{}", type_name(document, values));
    }
    match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([only]) if schema.get("properties").is_none() => return type_name(document, only),
        _ => {}
    }
    // A type that is a single value (Time) is called what that is.
    let is_value = resolve(document, schema)["type"].as_str().is_some_and(|text| text != "object");
    match reference(schema) {
        Some(_) if is_value => type_name(document, resolve(document, schema)),
        Some(name) => name.rsplit('.').next().unwrap_or(name).to_owned(),
        None => schema["type"].as_str().unwrap_or("Object").to_owned(),
    }
}

/// The values that a field can have, where it can have no others.
fn values(schema: &Value) -> Vec<String> {
    let text = |value: &Value| match value.as_str() {
        Some("") => "\"\"".to_owned(),
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    schema["enum"].as_array().into_iter().flatten().map(text).collect()
}

/// How many of them are told in a list of fields.
const FEW: usize = 4;

struct FieldList<'a> {
    document: &'a Value,
    is_recursive: bool,
    text: String,
    /// The types that the list is in the middle of: they end the recursion of those that hold themselves.
    within: Vec<&'a str>,
}

impl<'a> FieldList<'a> {
    fn add(&mut self, schema: &'a Value, level: usize) {
        let reference = reference(schema);
        if reference.is_some_and(|reference| self.within.contains(&reference)) {
            return;
        }
        self.within.extend(reference);
        let resolved = resolve(self.document, schema);
        for (name, field) in resolved["properties"].as_object().map(sorted).unwrap_or_default() {
            let is_required =
                resolved["required"].as_array().is_some_and(|names| names.iter().any(|known| known == name));
            self.field(name, field, is_required, level);
            if self.is_recursive {
                self.add(field, level + 1);
            }
        }
        inner(resolved).into_iter().for_each(|part| self.add(part, level));
        if reference.is_some() {
            self.within.pop();
        }
    }

    fn field(&mut self, name: &str, schema: &Value, is_required: bool, level: usize) {
        let pad = " ".repeat(level * 2);
        let required = if is_required { " -required-" } else { "" };
        self.text.push_str(&format!("{pad}{name}\t<{}>{required}\n", type_name(self.document, schema)));
        let values = values(schema);
        if !values.is_empty() {
            let more = if FEW < values.len() { ", ...." } else { "" };
            let few: Vec<String> = values.into_iter().take(FEW).collect();
            self.text.push_str(&format!("{pad}enum: {}{more}\n", few.join(", ")));
        }
        if !self.is_recursive {
            let description = schema["description"].as_str().filter(|text| !text.is_empty());
            let wrapped = wrap(description.unwrap_or("<no description>"), 78 - level * 2);
            self.text.push_str(&format!("{}\n\n", indent(&wrapped, level * 2 + 2)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document() -> Value {
        let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/x.{name}") });
        json!({ "components": { "schemas": {
            "x.Tree": {
                "description": "Tree is a tree.", "type": "object", "required": ["name"],
                "properties": {
                    "name": { "type": "string", "description": "What it is called." },
                    "branches": { "type": "array", "items": reference("Branch") },
                    "leaf": { "allOf": [reference("Leaf")], "description": "Its leaf." },
                },
                "x-kubernetes-group-version-kind": [{ "group": "x", "version": "v1", "kind": "Tree" }],
            },
            "x.Branch": { "type": "object", "properties": { "branches": { "type": "array", "items": reference("Branch") } } },
            "x.Leaf": { "type": "object", "description": "Leaf is green.", "properties": {
                "colour": { "type": "string", "enum": ["Green", "Red", "", "Brown", "Yellow"] } } },
        } } })
    }

    #[track_caller]
    fn check(path: &str, is_recursive: bool, expect: &str) {
        let path: Vec<String> = path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let subject = Subject { group: "x", version: "v1", kind: "Tree", path: &path };
        let (text, missing) = page(&document(), subject, is_recursive);
        assert_eq!(missing, None);
        assert_eq!(text, format!("GROUP:      x\nKIND:       Tree\nVERSION:    v1\n\n{expect}"));
    }

    #[test]
    fn a_kind_is_explained() {
        check(
            "",
            false,
            "DESCRIPTION:\n    Tree is a tree.\n    \nFIELDS:\n  branches\t<[]Branch>\n    <no description>\n\n  leaf\t<Leaf>\n    Its leaf.\n\n  name\t<string> -required-\n    What it is called.\n\n\n",
        );
    }

    #[test]
    fn what_holds_itself_ends() {
        check(
            "",
            true,
            "DESCRIPTION:\n    Tree is a tree.\n    \nFIELDS:\n  branches\t<[]Branch>\n    branches\t<[]Branch>\n  leaf\t<Leaf>\n    colour\t<string>\n    enum: Green, Red, \"\", Brown, ....\n  name\t<string> -required-\n\n",
        );
    }

    #[test]
    fn a_field_is_found_through_lists_and_maps() {
        check(
            "branches.branches.branches",
            true,
            "FIELD: branches <[]Branch>\n\n\nDESCRIPTION:\n    <empty>\nFIELDS:\n  branches\t<[]Branch>\n\n",
        );
        check(
            "leaf.colour",
            false,
            "FIELD: colour <string>\nENUM:\n    Green\n    Red\n    \"\"\n    Brown\n    Yellow\n\nDESCRIPTION:\n    <empty>\n\n",
        );
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let path = ["leaf".to_owned(), "color".to_owned()];
        let subject = Subject { group: "x", version: "v1", kind: "Tree", path: &path };
        let (_, missing) = page(&document(), subject, false);
        assert_eq!(missing, Some(Missing::Field { name: "color".into(), known: vec!["colour".into()] }));
        let (_, missing) = page(&document(), Subject { kind: "Bush", ..subject }, false);
        assert_eq!(missing, Some(Missing::Kind));
        assert_eq!(fields(&document(), Subject { path: &path[..1], ..subject }), ["colour"]);
        assert_eq!(fields(&document(), subject), Vec::<String>::new());
    }
}
