//! kubectl's jsonpath: `{range .items[*]}{.metadata.name}{"\n"}{end}`. Pure.

mod parse;

pub use parse::relaxed;

use parse::{Node, Operator, Slice, Step};
use serde_json::Value;

use super::json;

/// A template that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    nodes: Vec<Node>,
}

impl std::str::FromStr for Template {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self { nodes: parse::template(text)? })
    }
}

impl Template {
    /// What the template makes of an object. Fields that are not there are nothing; positions that are not there, an error.
    pub fn render(&self, object: &Value) -> Result<String, String> {
        let mut out = String::new();
        visit(&self.nodes, object, &mut |found| match found {
            Found::Text(text) => out.push_str(text),
            Found::Values(values) => out.push_str(&values.into_iter().map(text).collect::<Vec<_>>().join(" ")),
        })?;
        Ok(out)
    }

    /// What each piece of the template finds, text included, as a JSON list.
    pub fn lists(&self, object: &Value) -> Result<Vec<Value>, String> {
        let mut lists = Vec::new();
        visit(&self.nodes, object, &mut |found| {
            lists.push(match found {
                Found::Text(text) => Value::Array(vec![text.into()]),
                Found::Values(values) => values.into_iter().cloned().collect(),
            });
        })?;
        Ok(lists)
    }

    /// The values of the first `{…}`, for columns and for sorting.
    pub fn values<'a>(&'a self, object: &'a Value) -> Result<Vec<&'a Value>, String> {
        let first = self.nodes.iter().find_map(|node| match node {
            Node::Action(steps) => Some(steps),
            Node::Text(_) | Node::Range { .. } => None,
        });
        first.map_or(Ok(Vec::new()), |steps| walk(vec![object], steps))
    }
}

/// What a piece of a template is worth.
enum Found<'a> {
    Text(&'a str),
    Values(Vec<&'a Value>),
}

fn visit<'a>(nodes: &'a [Node], object: &'a Value, each: &mut impl FnMut(Found<'a>)) -> Result<(), String> {
    for node in nodes {
        match node {
            Node::Text(text) => each(Found::Text(text)),
            Node::Action(steps) => each(Found::Values(walk(vec![object], steps)?)),
            Node::Range { over, body } => {
                for value in walk(vec![object], over)? {
                    visit(body, value, each)?;
                }
            }
        }
    }
    Ok(())
}

/// Text as it is, everything else as JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => json::compact(other),
    }
}

fn walk<'a>(mut values: Vec<&'a Value>, steps: &'a [Step]) -> Result<Vec<&'a Value>, String> {
    for step in steps {
        values = take(values, step)?;
    }
    Ok(values)
}

fn take<'a>(values: Vec<&'a Value>, step: &'a Step) -> Result<Vec<&'a Value>, String> {
    let present = values.into_iter().filter(|value| !value.is_null());
    match step {
        Step::Literal(value) => Ok(vec![value]),
        // `{.}` is the object itself.
        Step::Field(name) if name.is_empty() => Ok(present.collect()),
        Step::Field(name) => Ok(present.filter_map(|value| value.as_object()?.get(name)).collect()),
        Step::Wildcard => Ok(present.flat_map(children).collect()),
        Step::Recursive => {
            let mut found = Vec::new();
            present.for_each(|value| descend(value, &mut found));
            Ok(found)
        }
        Step::Slice(bounds) => {
            let mut found = Vec::new();
            for value in present {
                let items = value.as_array().ok_or_else(|| format!("{} is not array or slice", text(value)))?;
                found.extend(slice(items, *bounds)?);
            }
            Ok(found)
        }
        Step::Union(branches) => {
            let values: Vec<&Value> = present.collect();
            let found: Result<Vec<Vec<&Value>>, String> =
                branches.iter().map(|branch| walk(values.clone(), branch)).collect();
            Ok(found?.concat())
        }
        Step::Filter { left, operator, right } => {
            let mut found = Vec::new();
            for value in present {
                let items = value
                    .as_array()
                    .ok_or_else(|| format!("{} is not array or slice and cannot be filtered", text(value)))?;
                for item in items {
                    if passes(item, left, *operator, right)? {
                        found.push(item);
                    }
                }
            }
            Ok(found)
        }
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The value and everything beneath it that has something beneath it.
fn descend<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    let below = children(value);
    if !below.is_empty() {
        found.push(value);
        below.into_iter().for_each(|child| descend(child, found));
    }
}

fn slice(items: &[Value], bounds: Slice) -> Result<Vec<&Value>, String> {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let start = bounds.start.unwrap_or(0);
    let start = if start < 0 { start.saturating_add(length) } else { start };
    let end = bounds.end.unwrap_or(length);
    let end = if end < 0 || (end == 0 && bounds.is_single) { end.saturating_add(length) } else { end };
    if start == end {
        return Ok(Vec::new());
    }
    let outside = |index: i64| format!("array index out of bounds: index {index}, length {length}");
    if !(0..length).contains(&start) {
        return Err(outside(start));
    }
    if !(0..=length).contains(&end) {
        return Err(outside(end - 1));
    }
    if end < start {
        return Err(format!("starting index {start} is greater than ending index {end}"));
    }
    let step = match bounds.step {
        Some(step) if step <= 0 => return Err("step must be > 0".into()),
        step => usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX),
    };
    let index = |position: i64| usize::try_from(position).unwrap_or_default();
    Ok(items[index(start)..index(end)].iter().step_by(step).collect())
}

fn passes(item: &Value, left: &[Step], operator: Option<Operator>, right: &[Step]) -> Result<bool, String> {
    let lefts = walk(vec![item], left)?;
    let Some(operator) = operator else { return Ok(!lefts.is_empty()) };
    let rights = walk(vec![item], right)?;
    if 1 < lefts.len() || 1 < rights.len() {
        return Err("can only compare one element at a time".into());
    }
    let (Some(left), Some(right)) = (lefts.first(), rights.first()) else { return Ok(false) };
    let order = compare(left, right)?;
    Ok(match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::AtMost => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::AtLeast => order.is_ge(),
    })
}

/// Only like with like: kubectl refuses `1 == "1"` as well, and 1 with 1.0.
fn compare(left: &Value, right: &Value) -> Result<std::cmp::Ordering, String> {
    let incompatible = || "incompatible types for comparison".to_owned();
    match (left, right) {
        (Value::String(a), Value::String(b)) => Ok(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Ok(a.cmp(b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Ok(a.cmp(&b)),
            (None, None) => a.as_f64().partial_cmp(&b.as_f64()).ok_or_else(incompatible),
            _ => Err(incompatible()),
        },
        _ => Err(incompatible()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pods() -> Value {
        json!({ "kind": "List", "items": [
            { "metadata": { "name": "a", "annotations": { "k8s.io/x.y": "dots" } },
              "spec": { "containers": [{ "image": "i1", "n": 1 }, { "image": "i2", "n": 2 }] }, "ready": true },
            { "metadata": { "name": "b" }, "spec": { "containers": [{ "image": "i3", "n": 3 }] }, "ready": false },
        ] })
    }

    #[track_caller]
    fn check(template: &str, expect: &str) {
        let rendered = template.parse::<Template>().and_then(|template| template.render(&pods()));
        assert_eq!(rendered.as_deref(), Ok(expect), "{template}");
    }

    #[test]
    fn paths_lead_to_values() {
        for (template, expect) in [
            ("plain", "plain"),
            ("{.kind}", "List"),
            ("{ .kind }", "List"),
            ("{$.kind}", "List"),
            ("{['kind']}", "List"),
            ("a {.kind} b", "a List b"),
            ("{.items[*].metadata.name}", "a b"),
            ("{.items[0].metadata.name}", "a"),
            ("{.items[-1].metadata.name}", "b"),
            ("{.items[0:1].metadata.name}", "a"),
            ("{.items[0:2:2].metadata.name}", "a"),
            ("{.items[:].metadata.name}", "a b"),
            ("{.items[0,1].metadata.name}", "a b"),
            ("{.items[*]['metadata.name', 'ready']}", "a b true false"),
            ("{.items[*].spec.containers[*].image}", "i1 i2 i3"),
            ("{..image}", "i1 i2 i3"),
            ("{.items[0].metadata.annotations.k8s\\.io/x\\.y}", "dots"),
            ("{.items[0].metadata.annotations['k8s\\.io/x\\.y']}", "dots"),
            ("{.items[0].spec.containers[0]}", r#"{"image":"i1","n":1}"#),
            ("{.items[0].metadata.*}", r#"a {"k8s.io/x.y":"dots"}"#),
            ("{.nothing.here}", ""),
            ("{.items[0:0]}", ""),
            ("{.items[*].ready}", "true false"),
            ("{.items[].metadata.name}", "a"),
            (r#"{"\101"}"#, "A"),
            ("", ""),
        ] {
            check(template, expect);
        }
    }

    #[test]
    fn filters_choose() {
        for (template, expect) in [
            (r#"{.items[?(@.metadata.name=="b")].spec.containers[0].image}"#, "i3"),
            ("{.items[?(@.metadata.name=='b')].ready}", "false"),
            (r#"{.items[?(@.metadata.name != "b")].ready}"#, "true"),
            ("{.items[*].spec.containers[?(@.n>1)].image}", "i2 i3"),
            ("{.items[*].spec.containers[?(@.n>=2)].image}", "i2 i3"),
            ("{.items[*].spec.containers[?(@.n<2)].image}", "i1"),
            ("{.items[*].spec.containers[?(@.n<=2)].image}", "i1 i2"),
            ("{.items[?(@.metadata.annotations)].metadata.name}", "a"),
            ("{.items[?(@.ready==true)].metadata.name}", "a"),
            (r#"{.items[?(@.metadata.name==")")].ready}"#, ""),
            (r#"{.items[?(@.metadata.name=="\")")].ready}"#, ""),
        ] {
            check(template, expect);
        }
    }

    #[test]
    fn ranges_repeat() {
        check(r#"{range .items[*]}{.metadata.name}{"\t"}{.ready}{"\n"}{end}"#, "a\ttrue\nb\tfalse\n");
        check("{range .items[*]}{.metadata.name}:{range .spec.containers[*]} {.image}{end};{end}!", "a: i1 i2;b: i3;!");
        check("{range .none[*]}x{end}y", "y");
        check("{range .items[*]}x", "xx");
        check(r#"{'single'} {"dou\"ble\u0041"}"#, "single dou\"bleA");
    }

    #[test]
    fn mistakes_are_told() {
        for (template, says) in [
            ("{.items[7]}", "array index out of bounds: index 7, length 2"),
            ("{.items[0:7]}", "array index out of bounds: index 6, length 2"),
            ("{.kind[0]}", "List is not array or slice"),
            ("{.kind[?(@.a)]}", "cannot be filtered"),
            ("{.items[?(@.ready==\"x\")]}", "incompatible types"),
            ("{.items[0:2:0]}", "step must be > 0"),
            ("{.kind", "unclosed action"),
            ("{end}", "not in range"),
            ("{foo}", "unrecognized identifier foo"),
            ("{.items[x]}", "invalid array index x"),
            ("{.items[0}", "unterminated array"),
            ("{.items[?(@.x}", "unterminated filter"),
            ("{.items[?(@.x=1)]}", "unrecognized filter operator ="),
            ("{\"open}", "unterminated quoted string"),
            ("{%}", "unrecognized character in action: '%'"),
        ] {
            let error = template.parse::<Template>().and_then(|template| template.render(&pods())).unwrap_err();
            assert!(error.contains(says), "{template}: {error}");
        }
    }

    #[test]
    fn a_path_may_do_without_braces() {
        for text in [".a.b", "a.b", "{a.b}", "{.a.b}"] {
            assert_eq!(relaxed(text).as_deref(), Ok("{.a.b}"), "{text}");
        }
        assert!(relaxed("{.a}{.b}").is_err());
    }
}
