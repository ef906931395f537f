//! `kiln get`: objects as a table, or in the form that `-o` names; `-w` goes on with what changes.

mod watch;

use kinds::{Kind, Scope};
use serde_json::Value;

use super::calls::{self, Refusal};
use super::choice::{self, Wanted};
use super::completion;
use super::manifests::Files;
use super::objects::{self, qualified};
use super::session::{Place, Session};
use super::targets;
use super::writes::Failures;
use crate::output::form::{self, Form};
use crate::output::table::{self, Shown};
use crate::output::{self, Exit, Problem, json, paint, sort, tabs, yaml};

/// Show objects
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// TYPE/NAME…, or TYPE[,TYPE…] [NAME…]: jobs, pods, cronjobs, all, …
    #[arg(value_name = "OBJECT", add = completion::of_objects())]
    objects: Vec<String>,
    #[command(flatten)]
    files: Files,
    /// Form: wide, name, json, yaml, jsonpath=TEMPLATE, jsonpath-as-json=…, custom-columns=HEADING:PATH,…, *-file=FILE
    #[arg(short, long, value_name = "FORM")]
    output: Option<Form>,
    /// Only objects with these labels: a=b,c!=d,e in (f,g),!h
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Only objects with these fields: metadata.name=x,status.phase!=Running
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Go on with what changes
    #[arg(short, long)]
    watch: bool,
    /// What changes from now on only
    #[arg(long)]
    watch_only: bool,
    /// While watching: say whether an object was added, modified or deleted
    #[arg(long)]
    output_watch_events: bool,
    /// Sort by the value at this path: .metadata.creationTimestamp
    #[arg(long, value_name = "PATH")]
    sort_by: Option<String>,
    /// A last column with every label
    #[arg(long)]
    show_labels: bool,
    /// A column for each of these labels
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// No headings
    #[arg(long)]
    no_headers: bool,
    /// Names as TYPE/NAME
    #[arg(long)]
    show_kind: bool,
    /// With metadata.managedFields
    #[arg(long)]
    show_managed_fields: bool,
    /// What is not there is no error
    #[arg(long)]
    ignore_not_found: bool,
    /// A part of each object that is named: status
    #[arg(long, value_name = "PART", value_parser = ["status", "scale", "resize"], conflicts_with_all = ["watch", "watch_only"])]
    subresource: Option<String>,
    /// Lists come whole; taken for kubectl's sake
    #[arg(long, value_name = "N", hide = true)]
    chunk_size: Option<u64>,
    /// The answer to GET of this path, as it is
    #[arg(long, value_name = "PATH", conflicts_with_all = ["objects", "output", "watch"])]
    raw: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Shows what is there; then, with -w, what changes.
pub async fn run(arguments: Arguments) -> Result<Exit, Problem> {
    if let Some(path) = &arguments.raw {
        return raw(path, &arguments.place).await;
    }
    let from_files = from_files(&arguments)?;
    let words = if from_files.is_some() { Vec::new() } else { choice::parse(&arguments.objects)? };
    let names_one = words.iter().any(|wanted| !wanted.names.is_empty());
    if names_one && (arguments.selector.is_some() || arguments.field_selector.is_some()) {
        return Err(
            Problem::usage("selectors choose among all objects, and names are given").remedy("leave one of them out")
        );
    }
    if !names_one && from_files.is_none() && arguments.subresource.is_some() {
        return Err(Problem::usage("--subresource is a part of one object").remedy("name the object, e.g. job/pi"));
    }
    if names_one && arguments.all_namespaces {
        return Err(Problem::usage("a resource cannot be retrieved by name across all namespaces")
            .remedy("name its namespace with -n, or leave the name out"));
    }
    let session = arguments.place.connect().await?;
    let mut failures = Failures::default();
    let wanted = match from_files {
        Some(objects) => Asked::in_files(&objects, &session, &mut failures),
        None => words.into_iter().map(|wanted| Asked::in_words(wanted, &session)).collect(),
    };
    if arguments.watch || arguments.watch_only {
        failures.end()?;
        return watch::run(&arguments, &session, &wanted).await;
    }
    let request = Request { arguments: &arguments, session: &session };
    match &arguments.output {
        None | Some(Form::Wide) => request.tables(&wanted, &mut failures).await?,
        Some(form) => request.forms(form, &wanted, &mut failures).await?,
    }
    failures.end()
}

/// The objects that files name, if there are any files: those that the label selector leaves.
fn from_files(arguments: &Arguments) -> Result<Option<Vec<Value>>, Problem> {
    if arguments.files.files.is_empty() {
        return Ok(None);
    }
    if !arguments.objects.is_empty() {
        return Err(Problem::usage("objects are named either by -f or by words").remedy("leave one of them out"));
    }
    if arguments.field_selector.is_some() {
        return Err(Problem::usage("-f names objects, and --field-selector chooses among those of a type")
            .remedy("leave one of them out"));
    }
    targets::with_labels(arguments.files.read()?, arguments.selector.as_deref()).map(Some)
}

async fn raw(path: &str, place: &Place) -> Result<Exit, Problem> {
    if !path.starts_with('/') || path.parse::<http::uri::PathAndQuery>().is_err() {
        return Err(Problem::usage(format!("{path:?} is not a path on a server"))
            .remedy("give one like this: kiln get --raw /apis/batch/v1"));
    }
    let session = place.connect().await?;
    let text = calls::text(&session.client, "GET", path, calls::JSON, calls::EMPTY).await;
    output::print(&text.map_err(Refusal::problem)?)?;
    Ok(Exit::Success)
}

/// What is asked for: objects of one kind, or all of it that selectors leave.
struct Asked {
    kind: &'static dyn Kind,
    /// Namespace, where the kind has any, and name.
    named: Vec<(Option<String>, String)>,
}

impl Asked {
    fn in_words(wanted: Wanted, session: &Session) -> Self {
        let place = |name| (Some(session.namespace.clone()), name);
        Self { kind: wanted.kind, named: wanted.names.into_iter().map(place).collect() }
    }

    /// Neighbours of one kind are asked for together, so that they come in one table.
    fn in_files(objects: &[Value], session: &Session, failures: &mut Failures) -> Vec<Self> {
        let mut asked: Vec<Self> = Vec::new();
        for object in objects {
            let Some(object) = failures.keep(targets::from_file(object, session)) else { continue };
            let place = (object.namespace, object.name);
            match asked.last_mut().filter(|last| choice::is_same(last.kind, object.kind)) {
                Some(last) => last.named.push(place),
                None => asked.push(Self { kind: object.kind, named: vec![place] }),
            }
        }
        asked
    }
}

/// One `get`, on its way.
struct Request<'a> {
    arguments: &'a Arguments,
    session: &'a Session,
}

impl Request<'_> {
    fn collection(&self, kind: &dyn Kind) -> String {
        let namespace = (!self.arguments.all_namespaces).then_some(self.session.namespace.as_str());
        objects::collection(kind, namespace)
    }

    /// The paths to ask for: one a name, or the kind's list.
    fn paths(&self, wanted: &Asked) -> Vec<String> {
        let include = if self.arguments.sort_by.is_some() && !self.is_in_other_form() { "Object" } else { "" };
        if !wanted.named.is_empty() {
            let part = self.arguments.subresource.as_ref().map_or(String::new(), |part| format!("/{part}"));
            let path = |(namespace, name): &(Option<String>, String)| {
                let collection = objects::collection(wanted.kind, namespace.as_deref());
                calls::path(&format!("{collection}/{name}{part}"), &[("includeObject", include)])
            };
            return wanted.named.iter().map(path).collect();
        }
        let selector = |selector: &Option<String>| selector.clone().unwrap_or_default();
        let (labels, fields) = (selector(&self.arguments.selector), selector(&self.arguments.field_selector));
        let query = [("labelSelector", labels.as_str()), ("fieldSelector", &fields), ("includeObject", include)];
        vec![calls::path(&self.collection(wanted.kind), &query)]
    }

    fn is_in_other_form(&self) -> bool {
        !matches!(self.arguments.output, None | Some(Form::Wide))
    }

    fn shown(&self, kind: &dyn Kind, has_kinds: bool) -> Shown {
        Shown {
            is_wide: matches!(self.arguments.output, Some(Form::Wide)),
            is_headless: self.arguments.no_headers,
            has_namespaces: self.arguments.all_namespaces && kind.names().scope == Scope::Namespaced,
            kind: (has_kinds || self.arguments.show_kind).then(|| qualified(kind)),
            labels: self.arguments.label_columns.clone(),
            has_all_labels: self.arguments.show_labels,
            is_coloured: paint::wanted(),
        }
    }

    /// A refusal to tell at the end; what is not there may be ignored.
    fn note(&self, refusal: Refusal, failures: &mut Failures) {
        if !(refusal.is_not_found() && self.arguments.ignore_not_found) {
            failures.keep::<()>(Err(refusal.problem()));
        }
    }

    async fn tables(&self, wanted: &[Asked], failures: &mut Failures) -> Result<(), Problem> {
        let has_kinds = wanted.iter().any(|one| !choice::is_same(one.kind, wanted[0].kind));
        let (mut is_anything_shown, mut had_namespaces) = (false, false);
        for wanted in wanted {
            let (columns, mut rows) = self.table(wanted, failures).await;
            if let Some(path) = &self.arguments.sort_by {
                sort::by_path(&mut rows, path, |row: &Value| &row["object"]).map_err(Problem::failed)?;
            }
            if rows.is_empty() {
                continue;
            }
            let mut shown = self.shown(wanted.kind, has_kinds);
            // As kubectl: a column that has begun goes on, for kinds without namespaces too.
            had_namespaces |= shown.has_namespaces;
            shown.has_namespaces = had_namespaces;
            let lines = table::lines(&columns, &rows, &shown, true);
            let gap = if is_anything_shown { "\n" } else { "" };
            output::print(&format!("{gap}{}", tabs::align(&lines, tabs::TABLE)))?;
            is_anything_shown = true;
        }
        if !is_anything_shown && failures.is_empty() && !self.arguments.ignore_not_found {
            self.say_that_there_is_nothing(wanted);
        }
        Ok(())
    }

    /// A kind's rows, with those of every name together.
    async fn table(&self, wanted: &Asked, failures: &mut Failures) -> (Value, Vec<Value>) {
        let (mut columns, mut rows) = (Value::Null, Vec::new());
        for path in self.paths(wanted) {
            match calls::json(&self.session.client, "GET", &path, calls::TABLE, calls::EMPTY).await {
                Ok(answer) => {
                    if let Some((new_columns, new)) = failures.keep(table_of(answer)) {
                        rows.extend(new);
                        columns = new_columns;
                    }
                }
                Err(refusal) => self.note(refusal, failures),
            }
        }
        (columns, rows)
    }

    fn say_that_there_is_nothing(&self, wanted: &[Asked]) {
        let is_namespaced = wanted.iter().any(|wanted| wanted.kind.names().scope == Scope::Namespaced);
        match is_namespaced && !self.arguments.all_namespaces {
            true => eprintln!("No resources found in {} namespace.", self.session.namespace),
            false => eprintln!("No resources found"),
        }
    }

    async fn forms(&self, form: &Form, wanted: &[Asked], failures: &mut Failures) -> Result<(), Problem> {
        let names_one = matches!(wanted, [wanted] if wanted.named.len() == 1);
        let mut found = Vec::new();
        for wanted in wanted {
            for path in self.paths(wanted) {
                match calls::get(&self.session.client, &path).await {
                    Ok(answer) => {
                        found.extend(failures.keep(objects::items(wanted.kind, answer)).into_iter().flatten())
                    }
                    Err(refusal) => self.note(refusal, failures),
                }
            }
        }
        if !self.arguments.show_managed_fields {
            found = found.into_iter().map(form::without_managed_fields).collect();
        }
        if let Some(path) = &self.arguments.sort_by {
            sort::by_path(&mut found, path, |object: &Value| object).map_err(Problem::failed)?;
        }
        // Of one object that is not there, there is nothing to print but the refusal.
        if !(names_one && found.is_empty()) {
            self.print(form, found, names_one)?;
        }
        Ok(())
    }

    fn print(&self, form: &Form, mut found: Vec<Value>, names_one: bool) -> Result<(), Problem> {
        let whole = |mut found: Vec<Value>| match found.pop() {
            Some(object) if names_one => object,
            last => form::list(found.into_iter().chain(last).collect()),
        };
        let text = match form {
            Form::Json => Ok(json::indented(&whole(found))),
            Form::Yaml => Ok(yaml::document(&whole(found))),
            Form::JsonPath(_) | Form::JsonPathAsJson(_) => form::each(form, &[whole(found)], objects::title),
            Form::Columns(columns) => form::table(columns, &found, !self.arguments.no_headers),
            Form::Name | Form::Wide => form::each(form, &std::mem::take(&mut found), objects::title),
        };
        output::print(&text.map_err(|cause| Problem::failed("the template does not fit the object").because(cause))?)
    }
}

/// A table's columns and rows.
fn table_of(mut answer: Value) -> Result<(Value, Vec<Value>), Problem> {
    let Some(table) = answer.as_object_mut() else { return Err(objects::unreadable(&answer)) };
    let rows = match table.remove("rows") {
        Some(Value::Array(rows)) => rows,
        _ => Vec::new(),
    };
    Ok((table.remove("columnDefinitions").unwrap_or_default(), rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_an_object() {
        let (columns, rows) = table_of(json!({ "columnDefinitions": [1], "rows": [2, 3] })).unwrap();
        assert_eq!((columns, rows.len()), (json!([1]), 2));
        assert_eq!(table_of(json!({ "rows": null })).unwrap(), (Value::Null, Vec::new()));
        for odd in [json!([]), json!("x"), json!(null)] {
            assert_eq!(table_of(odd).unwrap_err().exit.code(), 125);
        }
    }
}
