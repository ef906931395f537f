//! Objects with the lines that their fields stand in.

use std::fmt;

use kinds::check::{Finding, Lines, Manifest};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use super::super::manifests;

/// The objects of a text, those of a List taken out of it; or why it cannot be read.
pub fn manifests(text: &str, file: &str) -> Result<Vec<Manifest>, Box<Finding>> {
    let mut options = manifests::options();
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    options.with_snippet = false;
    let documents: Vec<Spanned<Node>> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| Box::new(Finding::unreadable(file, error.location().and_then(line_at), error.to_string())))?;
    let documents = documents.into_iter().enumerate().filter(|(_, document)| !document.value.value.is_null());
    Ok(documents.flat_map(|(index, document)| objects(document, file, index + 1)).collect())
}

/// A value, where it stands, and the fields in it that stand twice.
struct Node {
    value: Value,
    lines: Lines,
    repeated: Vec<String>,
}

fn objects(document: Spanned<Node>, file: &str, number: usize) -> Vec<Manifest> {
    let Node { value, mut lines, repeated } = document.value;
    lines.line = line_at(document.referenced).unwrap_or(0);
    let manifest =
        |object, lines, repeated| Manifest { file: file.to_owned(), document: number, object, lines, repeated };
    let (Some("List"), Some(items)) = (value["kind"].as_str(), value["items"].as_array()) else {
        return vec![manifest(value, lines, repeated)];
    };
    let lines = lines.parts.into_iter().find(|(name, _)| name == "items").map(|(_, items)| items.parts);
    let mut lines = lines.into_iter().flatten().map(|(_, lines)| lines);
    let item = |(index, item): (usize, &Value)| {
        let prefix = format!("items[{index}].");
        let repeated = repeated.iter().filter_map(|path| Some(path.strip_prefix(&prefix)?.to_owned()));
        manifest(item.clone(), lines.next().unwrap_or_default(), repeated.collect())
    };
    items.iter().enumerate().map(item).collect()
}

fn line_at(location: Location) -> Option<usize> {
    usize::try_from(location.line()).ok().filter(|line| 0 < *line)
}

impl Node {
    fn scalar(value: impl Into<Value>) -> Self {
        Node { value: value.into(), lines: Lines::default(), repeated: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::scalar(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::scalar(Value::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::scalar(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::scalar(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::scalar(value))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number has to be finite"))?;
        Ok(Node::scalar(Value::Number(number)))
    }
    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::scalar(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let (mut values, mut lines, mut repeated) = (Vec::new(), Lines::default(), Vec::new());
        while let Some(item) = items.next_element::<Spanned<Node>>()? {
            let (index, line) = (values.len(), line_at(item.referenced).unwrap_or(0));
            repeated.extend(item.value.repeated.iter().map(|path| match path.starts_with('[') {
                true => format!("[{index}]{path}"),
                false => format!("[{index}].{path}"),
            }));
            lines.parts.push((index.to_string(), Lines { line, ..item.value.lines }));
            values.push(item.value.value);
        }
        Ok(Node { value: Value::Array(values), lines, repeated })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let (mut fields, mut lines, mut repeated) = (Map::new(), Lines::default(), Vec::new());
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let node: Node = entries.next_value()?;
            let (line, key) = (line_at(key.referenced).unwrap_or(0), key.value);
            repeated.extend(node.repeated.iter().map(|path| match path.starts_with('[') {
                true => format!("{key}{path}"),
                false => format!("{key}.{path}"),
            }));
            lines.parts.push((key.clone(), Lines { line, ..node.lines }));
            if fields.insert(key.clone(), node.value).is_some() && !repeated.contains(&key) {
                repeated.push(key);
            }
        }
        Ok(Node { value: Value::Object(fields), lines, repeated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_know_their_lines() {
        let text = "# a comment\nkind: Job\nspec:\n  list:\n  - name: a\n    x: {y: 1}\n  -\n    name: b\n---\n\n---\nkind: List\nitems:\n- kind: Pod\n  mode: 0755\n";
        let found = manifests(text, "x.yaml").unwrap();
        let [job, pod] = found.as_slice() else { panic!("{found:?}") };
        for (path, line) in
            [("", 2), ("kind", 2), ("spec", 3), ("spec.list[0]", 5), ("spec.list[0].x.y", 6), ("spec.list[1].name", 8)]
        {
            assert_eq!(job.lines.of(path), Some(line), "{path}");
        }
        assert_eq!((job.document, pod.document), (1, 2), "empty ones do not count");
        assert_eq!((pod.object.clone(), pod.lines.of("mode")), (json!({"kind": "Pod", "mode": 493}), Some(15)));
        let found = manifests("{\"kind\": \"Job\",\n \"spec\": {\n \"a\": [1,\n 2]}}", "x.json").unwrap();
        assert_eq!(found[0].lines.of("spec.a[1]"), Some(4));
    }

    #[test]
    fn what_stands_twice_is_told_with_its_path() {
        let found = manifests("a: 1\nb:\n- {c: 1, c: 2}\n- - d: 1\n    d: 3\na: 2\n", "x").unwrap();
        assert_eq!(found[0].repeated, ["b[0].c", "b[1][0].d", "a"]);
        assert_eq!(found[0].object, json!({"a": 2, "b": [{"c": 2}, [{"d": 3}]]}));
        assert_eq!(found[0].lines.of("b[1][0].d"), Some(5));
    }

    #[test]
    fn what_is_not_yaml_says_where() {
        let finding = manifests("kind: Job\nspec:\n\tx: 1\n", "x.yaml").unwrap_err();
        assert_eq!((finding.what.as_str(), finding.line), ("not valid YAML", Some(3)), "{finding:?}");
    }
}
