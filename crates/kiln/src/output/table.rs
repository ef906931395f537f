//! The tables that `get` prints, from the Tables a server sends (meta.k8s.io/v1). Pure.

use serde_json::Value;

use super::paint;

/// What of a table is shown, and what beside it.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The columns of lower priority too.
    pub is_wide: bool,
    /// Without the headings.
    pub is_headless: bool,
    /// A first column with the namespace.
    pub has_namespaces: bool,
    /// Names as TYPE/NAME, with this type.
    pub kind: Option<String>,
    /// A column for each of these labels.
    pub labels: Vec<String>,
    /// A last column with every label.
    pub has_all_labels: bool,
    /// For a terminal that shows colours.
    pub is_coloured: bool,
}

/// The lines of a table: cells separated by tabs, for `tabs::align`. Without rows there are none. `heading` says whether it stands above.
pub fn lines(columns: &Value, rows: &[Value], shown: &Shown, heading: bool) -> String {
    let columns: Vec<&Value> = columns.as_array().into_iter().flatten().collect();
    let is_shown = |position: usize| {
        shown.is_wide || columns.get(position).is_none_or(|column| column["priority"].as_i64().unwrap_or(0) == 0)
    };
    let mut text = String::new();
    if heading && !shown.is_headless && !rows.is_empty() {
        let headings = headings(&columns, shown, is_shown).into_iter();
        text.push_str(&line(headings.map(|text| paint::heading(text, shown.is_coloured)).collect()));
    }
    for row in rows {
        text.push_str(&line(cells(row, &columns, shown, is_shown)));
    }
    text
}

fn line(cells: Vec<String>) -> String {
    let mut line = cells.join("\t");
    line.push('\n');
    line
}

fn headings(columns: &[&Value], shown: &Shown, is_shown: impl Fn(usize) -> bool) -> Vec<String> {
    let name = |column: &Value| column["name"].as_str().unwrap_or_default().to_uppercase();
    let own = columns.iter().enumerate().filter(|(position, _)| is_shown(*position)).map(|(_, column)| name(column));
    let labels = shown.labels.iter().map(|label| label.rsplit('/').next().unwrap_or(label).to_uppercase());
    let namespace = shown.has_namespaces.then(|| "NAMESPACE".to_owned());
    let all = shown.has_all_labels.then(|| "LABELS".to_owned());
    namespace.into_iter().chain(own).chain(labels).chain(all).collect()
}

fn cells(row: &Value, columns: &[&Value], shown: &Shown, is_shown: impl Fn(usize) -> bool) -> Vec<String> {
    let object = &row["object"];
    let own = row["cells"].as_array().into_iter().flatten().enumerate();
    let own = own.filter(|(position, _)| is_shown(*position)).map(|(position, cell)| {
        let text = cell_text(cell);
        match &shown.kind {
            Some(kind) if columns.get(position).is_some_and(|column| column["format"] == "name") => {
                format!("{kind}/{text}")
            }
            _ if columns.get(position).is_some_and(|column| column["name"] == "Status") => {
                paint::status(text, shown.is_coloured)
            }
            _ => text,
        }
    });
    let label = |key: &String| meta::object::label(object, key).unwrap_or_default().to_owned();
    let namespace = shown.has_namespaces.then(|| meta::object::namespace(object).to_owned());
    let all = shown.has_all_labels.then(|| all_labels(object));
    namespace.into_iter().chain(own).chain(shown.labels.iter().map(label)).chain(all).collect()
}

/// `a=b,c=d`, sorted; `<none>` when there are none.
pub fn all_labels(object: &Value) -> String {
    let mut labels: Vec<String> = meta::object::labels(object).map(|(key, value)| format!("{key}={value}")).collect();
    labels.sort();
    if labels.is_empty() { "<none>".into() } else { labels.join(",") }
}

/// A cell's first line: more would break the table. A tab would too.
fn cell_text(cell: &Value) -> String {
    let text = match cell {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".into(),
        other => other.to_string(),
    };
    let text = text.replace('\t', " ");
    match text.split_once(['\n', '\r', '\u{c}']) {
        Some((first, _)) => format!("{}...", super::printable(first)),
        None => super::printable(&text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn jobs() -> (Value, Vec<Value>) {
        let columns = json!([
            { "name": "Name", "type": "string", "format": "name", "priority": 0 },
            { "name": "Completions", "type": "string", "format": "", "priority": 0 },
            { "name": "Images", "type": "string", "format": "", "priority": 1 },
        ]);
        let row = |name: &str, labels: Value| {
            json!({ "cells": [name, "1/1", "kiln/demo"],
                "object": { "metadata": { "name": name, "namespace": "default", "labels": labels } } })
        };
        (columns, vec![row("a", json!({ "k8s.io/app": "x", "b": "1" })), row("b", json!(null))])
    }

    #[track_caller]
    fn check(shown: &Shown, expect: &str) {
        let (columns, rows) = jobs();
        assert_eq!(lines(&columns, &rows, shown, true).replace('\t', "|"), expect);
    }

    #[test]
    fn columns_of_priority_one_need_wide() {
        check(&Shown::default(), "NAME|COMPLETIONS\na|1/1\nb|1/1\n");
        check(
            &Shown { is_wide: true, ..Shown::default() },
            "NAME|COMPLETIONS|IMAGES\na|1/1|kiln/demo\nb|1/1|kiln/demo\n",
        );
        check(&Shown { is_headless: true, ..Shown::default() }, "a|1/1\nb|1/1\n");
    }

    #[test]
    fn namespaces_kinds_and_labels_are_added() {
        check(
            &Shown {
                has_namespaces: true,
                kind: Some("job.batch".into()),
                labels: vec!["k8s.io/app".into()],
                has_all_labels: true,
                ..Shown::default()
            },
            "NAMESPACE|NAME|COMPLETIONS|APP|LABELS\ndefault|job.batch/a|1/1|x|b=1,k8s.io/app=x\ndefault|job.batch/b|1/1||<none>\n",
        );
    }

    #[test]
    fn cells_are_one_line() {
        for (cell, expect) in [
            (json!("a\nb"), "a..."),
            (json!(3), "3"),
            (json!(null), "<nil>"),
            (json!(false), "false"),
            (json!("a\tb"), "a b"),
            (json!("\u{1b}[31mred"), "^[[31mred"),
        ] {
            assert_eq!(cell_text(&cell), expect);
        }
    }

    #[test]
    fn no_rows_no_headings() {
        assert_eq!(lines(&jobs().0, &[], &Shown::default(), true), "");
    }
}
