//! `-o`: the forms in which objects are printed. Pure.

use std::str::FromStr;

use serde_json::{Value, json};

use super::columns::Columns;
use super::jsonpath::Template;
use super::{json as go_json, tabs, yaml};

/// What `-o` asks for.
#[derive(Debug, Clone)]
pub enum Form {
    /// More columns.
    Wide,
    /// `job.batch/pi`
    Name,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// What a template makes of it.
    JsonPath(std::sync::Arc<Template>),
    /// The values a template finds, as a JSON list.
    JsonPathAsJson(std::sync::Arc<Template>),
    /// A table of one's own.
    Columns(std::sync::Arc<Columns>),
}

impl FromStr for Form {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, argument) = match text.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let template = |text: &str| text.parse::<Template>().map(std::sync::Arc::new);
        let needed = || argument.ok_or_else(|| format!("-o {name} needs a template: -o {name}=…"));
        let file = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"));
        match (name, argument) {
            ("wide", None) => Ok(Form::Wide),
            ("name", None) => Ok(Form::Name),
            ("json", None) => Ok(Form::Json),
            ("yaml", None) => Ok(Form::Yaml),
            ("jsonpath", _) => template(needed()?).map(Form::JsonPath),
            ("jsonpath-file", _) => template(&file(needed()?)?).map(Form::JsonPath),
            ("jsonpath-as-json", _) => template(needed()?).map(Form::JsonPathAsJson),
            ("custom-columns", _) => needed()?.parse().map(|columns| Form::Columns(std::sync::Arc::new(columns))),
            ("custom-columns-file", _) => {
                Columns::from_template(&file(needed()?)?).map(|columns| Form::Columns(std::sync::Arc::new(columns)))
            }
            ("go-template" | "go-template-file" | "template" | "templatefile", _) => {
                Err("kiln has no Go templates: use -o jsonpath=… or -o custom-columns=…, or kubectl".into())
            }
            _ => Err(
                "it is wide, name, json, yaml, jsonpath=…, jsonpath-as-json=…, jsonpath-file=…, custom-columns=… or \
                      custom-columns-file=…"
                    .into(),
            ),
        }
    }
}

/// Prints objects one after the other, as kubectl does for the verbs that change them.
pub fn each(form: &Form, objects: &[Value], name: impl Fn(&Value) -> String) -> Result<String, String> {
    let mut out = String::new();
    for (position, object) in objects.iter().enumerate() {
        match form {
            Form::Wide => {}
            Form::Name => out.push_str(&format!("{}\n", name(object))),
            Form::Json => out.push_str(&go_json::indented(object)),
            Form::Yaml => {
                if 0 < position {
                    out.push_str("---\n");
                }
                out.push_str(&yaml::document(object));
            }
            Form::JsonPath(template) => out.push_str(&template.render(object)?),
            Form::JsonPathAsJson(template) => {
                template.lists(object)?.iter().for_each(|list| out.push_str(&go_json::indented(list)));
            }
            Form::Columns(_) => {}
        }
    }
    if let Form::Columns(columns) = form {
        out.push_str(&table(columns, objects, true)?);
    }
    Ok(out)
}

/// A table of custom columns.
pub fn table(columns: &Columns, objects: &[Value], has_headings: bool) -> Result<String, String> {
    let mut text = if has_headings { columns.headings() } else { String::new() };
    for object in objects {
        text.push_str(&columns.row(object)?);
    }
    Ok(tabs::align(&text, tabs::TABLE))
}

/// The List that kubectl makes of several objects.
pub fn list(objects: Vec<Value>) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "" }, "items": objects })
}

/// Who manages which field interests few.
pub fn without_managed_fields(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("managedFields");
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects() -> Vec<Value> {
        ["a", "b"].map(|name| json!({ "kind": "Job", "metadata": { "name": name, "managedFields": [1] } })).into()
    }

    #[test]
    fn objects_are_printed_in_every_form() {
        let objects: Vec<Value> = objects().into_iter().map(without_managed_fields).collect();
        for (form, expect) in [
            ("name", "job/a\njob/b\n"),
            ("yaml", "kind: Job\nmetadata:\n  name: a\n---\nkind: Job\nmetadata:\n  name: b\n"),
            ("jsonpath={.metadata.name}", "ab"),
            ("jsonpath-as-json={.metadata.name}", "[\n    \"a\"\n]\n[\n    \"b\"\n]\n"),
            (
                "jsonpath-as-json={.metadata.name} {range .metadata}{.name}{end}",
                "[\n    \"a\"\n]\n[\n    \" \"\n]\n[\n    \"a\"\n]\n[\n    \"b\"\n]\n[\n    \" \"\n]\n[\n    \"b\"\n]\n",
            ),
            ("custom-columns=NAME:.metadata.name", "NAME\na\nb\n"),
        ] {
            let form: Form = form.parse().unwrap();
            let name = |object: &Value| format!("job/{}", meta::object::name(object));
            assert_eq!(each(&form, &objects, name).as_deref(), Ok(expect));
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        for (text, says) in [
            ("go-template={{.x}}", "no Go templates"),
            ("xml", "it is wide, name, json"),
            ("jsonpath", "needs a template"),
            ("jsonpath={.x", "unclosed action"),
            ("json=x", "it is wide"),
        ] {
            let error = text.parse::<Form>().map(|_| ()).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
