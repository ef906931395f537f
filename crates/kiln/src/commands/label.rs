//! `kiln label` and `kiln annotate`: sets and removes an object's labels or annotations.

use serde_json::{Map, Value, json};

use super::calls::{self, Payload, Refusal};
use super::completion;
use super::session::{Place, Session};
use super::targets::{Object, Selectors};
use super::writes::{DryRun, Failures, Writing};
use crate::output::{self, Exit, Problem};

/// Set and remove: KEY=VALUE sets, KEY- removes
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TYPE/NAME… or TYPE NAME…, then KEY=VALUE or KEY-
    #[arg(value_name = "OBJECT… KEY=VALUE|KEY-", add = completion::of_objects())]
    words: Vec<String>,
    #[command(flatten)]
    selectors: Selectors,
    /// Change what has another value
    #[arg(long)]
    overwrite: bool,
    /// Show what there is
    #[arg(long)]
    list: bool,
    /// Only if the object still is at this version
    #[arg(long, value_name = "VERSION")]
    resource_version: Option<String>,
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    place: Place,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// metadata.labels
    Labels,
    /// metadata.annotations
    Annotations,
}

impl What {
    fn field(self) -> &'static str {
        match self {
            What::Labels => "labels",
            What::Annotations => "annotations",
        }
    }

    fn one(self) -> &'static str {
        match self {
            What::Labels => "label",
            What::Annotations => "annotation",
        }
    }

    /// What kubectl says was done.
    fn done(self, change: &Change) -> &'static str {
        match (self, change) {
            (What::Annotations, _) => "annotated",
            (What::Labels, Change::Nothing) => "not labeled",
            (What::Labels, Change::OnlyLess) => "unlabeled",
            (What::Labels, Change::Something) => "labeled",
        }
    }
}

/// What is to be set and removed.
#[derive(Debug, PartialEq)]
struct Edit {
    set: Vec<(String, String)>,
    remove: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Change {
    Nothing,
    OnlyLess,
    Something,
}

/// Words of objects, and words of changes: the first with `=` or a `-` at its end, and all behind it.
fn split(words: &[String]) -> Result<(&[String], Edit), Problem> {
    // A name may not end in `-`, nor hold `=`.
    let is_change = |word: &String| word.contains('=') || word.ends_with('-');
    let first = words.iter().position(is_change).unwrap_or(words.len());
    let (objects, changes) = words.split_at(first);
    let mut edit = Edit { set: Vec::new(), remove: Vec::new() };
    for word in changes {
        match (word.split_once('='), word.strip_suffix('-')) {
            (Some((key, value)), _) if !key.is_empty() => edit.set.push((key.into(), value.into())),
            (None, Some(key)) if !key.is_empty() => edit.remove.push(key.into()),
            _ => return Err(Problem::usage(format!("{word:?} is neither KEY=VALUE nor KEY-"))),
        }
    }
    if let Some((key, _)) = edit.set.iter().find(|(key, _)| edit.remove.contains(key)) {
        return Err(Problem::usage(format!("can not both modify and remove {key} in the same command")));
    }
    Ok((objects, edit))
}

/// What the edit changes of an object. Without `overwrite` nothing gets another value.
fn judge(edit: &Edit, object: &Value, what: What, overwrite: bool) -> Result<Change, Problem> {
    let have = |key: &String| object["metadata"][what.field()].get(key).and_then(Value::as_str);
    for (key, value) in edit.set.iter().filter(|_| !overwrite) {
        if let Some(old) = have(key).filter(|old| old != value) {
            return Err(Problem::failed(format!("'{key}' already has a value ({old}), and --overwrite is false"))
                .remedy("say --overwrite to change it"));
        }
    }
    let sets = edit.set.iter().any(|(key, value)| have(key) != Some(value));
    let removes = edit.remove.iter().any(|key| have(key).is_some());
    Ok(match (sets, removes) {
        (false, false) => Change::Nothing,
        (false, true) if !overwrite => Change::OnlyLess,
        _ => Change::Something,
    })
}

/// Changes them, one after the other.
pub async fn run(arguments: Arguments, what: What) -> Result<Exit, Problem> {
    let (words, edit) = split(&arguments.words)?;
    if edit.set.is_empty() && edit.remove.is_empty() && !arguments.list {
        return Err(Problem::usage(format!("at least one {} update is required", what.one()))
            .remedy("KEY=VALUE sets, KEY- removes"));
    }
    let session = arguments.place.connect().await?;
    let mut failures = Failures::default();
    let found = arguments.selectors.find(words, &session, &mut failures).await?;
    if found.is_empty() && failures.is_empty() {
        eprintln!("No resources found");
    }
    let mut telling = arguments.writing.telling();
    let n_objects = found.len();
    for object in found {
        let Some((after, change)) = failures.keep(change(&object, &edit, what, &arguments, &session).await) else {
            continue;
        };
        if !arguments.list {
            telling.done(after, what.done(&change))?;
            continue;
        }
        let heading = if n_objects == 1 {
            String::new()
        } else {
            format!("Listing {} for {}:\n", what.field(), heading(&object))
        };
        let indent = if n_objects == 1 { "" } else { " " };
        let all = after["metadata"][what.field()].as_object().into_iter().flatten();
        let mut lines: Vec<String> = all
            .map(|(key, value)| format!("{indent}{key}={}\n", output::printable(value.as_str().unwrap_or_default())))
            .collect();
        lines.sort();
        output::print(&format!("{heading}{}", lines.concat()))?;
    }
    failures.end()
}

fn heading(object: &Object) -> String {
    let names = object.kind.names();
    let dot = if names.group.is_empty() { "" } else { "." };
    format!("{}{dot}{}/{}", names.kind, names.group, object.name)
}

async fn change(
    object: &Object,
    edit: &Edit,
    what: What,
    arguments: &Arguments,
    session: &Session,
) -> Result<(Value, Change), Problem> {
    let before = object.read(&session.client).await?;
    let change = judge(edit, &before, what, arguments.overwrite)?;
    for key in edit.remove.iter().filter(|key| before["metadata"][what.field()].get(key.as_str()).is_none()) {
        output::tell(&format!("{} {key:?} not found.\n", what.one()))?;
    }
    let fields: Map<String, Value> = edit
        .set
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .chain(edit.remove.iter().map(|key| (key.clone(), Value::Null)))
        .collect();
    if fields.is_empty() {
        return Ok((before, change));
    }
    let mut patch = json!({ "metadata": { what.field(): fields } });
    if let Some(version) = &arguments.resource_version {
        patch["metadata"]["resourceVersion"] = json!(version);
    }
    if arguments.writing.dry_run == DryRun::Client {
        let mut after = before;
        let refused =
            |error: meta::patch::PatchError| Problem::failed("the change does not fit the object").because(error);
        meta::patch::merge(&mut after, &patch).map_err(refused)?;
        return Ok((after, change));
    }
    let manager = (
        "fieldManager",
        arguments.writing.manager(match what {
            What::Labels => "kubectl-label",
            What::Annotations => "kubectl-annotate",
        }),
    );
    let path = calls::path(&object.path(), &[manager, arguments.writing.dry_run.query()]);
    let body = patch.to_string();
    let payload = Payload { content_type: "application/merge-patch+json", body: body.as_bytes() };
    let after = calls::json(&session.client, "PATCH", &path, calls::JSON, payload).await.map_err(Refusal::problem)?;
    Ok((after, change))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn changes_follow_objects() {
        let line = words("job/a job/b x=1 k8s.io/y- z=");
        let (objects, edit) = split(&line).unwrap();
        assert_eq!(objects, ["job/a", "job/b"]);
        assert_eq!(edit.set, [("x".into(), "1".into()), ("z".into(), String::new())]);
        assert_eq!(edit.remove, ["k8s.io/y"]);
        for line in ["job a =1", "job a x=1 x-", "job a x=1 y", "job a -"] {
            assert_eq!(split(&words(line)).unwrap_err().exit.code(), 2, "{line}");
        }
    }

    #[test]
    fn values_change_only_when_it_is_said() {
        let object = json!({ "metadata": { "labels": { "a": "1" } } });
        let judged =
            |line: &str, overwrite: bool| judge(&split(&words(line)).unwrap().1, &object, What::Labels, overwrite);
        for (line, overwrite, expect) in [
            ("job x a=1", false, Change::Nothing),
            ("job x b=1", false, Change::Something),
            ("job x a-", false, Change::OnlyLess),
            ("job x c-", false, Change::Nothing),
            ("job x a=2", true, Change::Something),
        ] {
            assert_eq!(judged(line, overwrite).unwrap(), expect, "{line}");
        }
        let refused = judged("job x a=2", false).unwrap_err();
        assert_eq!(refused.what, "'a' already has a value (1), and --overwrite is false");
    }
}
