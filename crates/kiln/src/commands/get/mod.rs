//! `kiln get`: objects as a table, or in the form that `-o` names; `-w` goes on with what changes.

mod watch;

use kinds::{Kind, Scope};
use serde_json::Value;

use super::calls::{self, Refusal};
use super::choice::{self, Wanted};
use super::completion;
use super::manifests::Files;
use super::objects::{self, kind_of, qualified};
use super::session::{Place, Session};
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
    let from_files = arguments.files.read()?;
    let wanted = match from_files.is_empty() {
        true => choice::parse(&arguments.objects)?,
        false if !arguments.objects.is_empty() => {
            return Err(Problem::usage("objects are named either by -f or by words").remedy("leave one of them out"));
        }
        false => named_in(&from_files)?,
    };
    let names_one = wanted.iter().any(|wanted| !wanted.names.is_empty());
    if names_one && (arguments.selector.is_some() || arguments.field_selector.is_some()) {
        return Err(
            Problem::usage("selectors choose among all objects, and names are given").remedy("leave one of them out")
        );
    }
    if !names_one && arguments.subresource.is_some() {
        return Err(Problem::usage("--subresource is a part of one object").remedy("name the object, e.g. job/pi"));
    }
    if names_one && arguments.all_namespaces {
        return Err(Problem::usage("a resource cannot be retrieved by name across all namespaces")
            .remedy("name its namespace with -n, or leave the name out"));
    }
    let session = arguments.place.connect().await?;
    if arguments.watch || arguments.watch_only {
        return watch::run(&arguments, &session, &wanted).await;
    }
    let request = Request { arguments: &arguments, session: &session };
    match &arguments.output {
        None | Some(Form::Wide) => request.tables(&wanted).await,
        Some(form) => request.forms(form, &wanted).await,
    }
}

async fn raw(path: &str, place: &Place) -> Result<Exit, Problem> {
    let session = place.connect().await?;
    let text = calls::text(&session.client, "GET", path, calls::JSON, calls::EMPTY).await;
    output::print(&text.map_err(Refusal::problem)?)?;
    Ok(Exit::Success)
}

/// The objects of files, by kind and name.
fn named_in(objects: &[Value]) -> Result<Vec<Wanted>, Problem> {
    let wanted = objects.iter().map(|object| {
        let kind = kind_of(object).ok_or_else(|| objects::not_served(object))?;
        let name = meta::object::name(object).to_owned();
        objects::check_name(&name)?;
        Ok(Wanted { kind, names: vec![name] })
    });
    wanted.collect()
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
    fn paths(&self, wanted: &Wanted) -> Vec<String> {
        let collection = self.collection(wanted.kind);
        let include = if self.arguments.sort_by.is_some() && !self.is_in_other_form() { "Object" } else { "" };
        if !wanted.names.is_empty() {
            let part = self.arguments.subresource.as_ref().map_or(String::new(), |part| format!("/{part}"));
            let path =
                |name: &String| calls::path(&format!("{collection}/{name}{part}"), &[("includeObject", include)]);
            return wanted.names.iter().map(path).collect();
        }
        let selector = |selector: &Option<String>| selector.clone().unwrap_or_default();
        let (labels, fields) = (selector(&self.arguments.selector), selector(&self.arguments.field_selector));
        let query = [("labelSelector", labels.as_str()), ("fieldSelector", &fields), ("includeObject", include)];
        vec![calls::path(&collection, &query)]
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
    fn note(&self, refusal: Refusal, refusals: &mut Vec<Refusal>) {
        if !(refusal.is_not_found() && self.arguments.ignore_not_found) {
            refusals.push(refusal);
        }
    }

    async fn tables(&self, wanted: &[Wanted]) -> Result<Exit, Problem> {
        let has_kinds = wanted.iter().any(|one| !choice::is_same(one.kind, wanted[0].kind));
        let mut refusals = Vec::new();
        let (mut is_anything_shown, mut had_namespaces) = (false, false);
        for wanted in wanted {
            let (columns, mut rows) = self.table(wanted, &mut refusals).await;
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
        if !is_anything_shown && refusals.is_empty() && !self.arguments.ignore_not_found {
            self.say_that_there_is_nothing(wanted);
        }
        end(refusals)
    }

    /// A kind's rows, with those of every name together.
    async fn table(&self, wanted: &Wanted, refusals: &mut Vec<Refusal>) -> (Value, Vec<Value>) {
        let (mut columns, mut rows) = (Value::Null, Vec::new());
        for path in self.paths(wanted) {
            match calls::json(&self.session.client, "GET", &path, calls::TABLE, calls::EMPTY).await {
                Ok(mut answer) => {
                    if let Value::Array(new) = answer["rows"].take() {
                        rows.extend(new);
                    }
                    columns = answer["columnDefinitions"].take();
                }
                Err(refusal) => self.note(refusal, refusals),
            }
        }
        (columns, rows)
    }

    fn say_that_there_is_nothing(&self, wanted: &[Wanted]) {
        let is_namespaced = wanted.iter().any(|wanted| wanted.kind.names().scope == Scope::Namespaced);
        match is_namespaced && !self.arguments.all_namespaces {
            true => eprintln!("No resources found in {} namespace.", self.session.namespace),
            false => eprintln!("No resources found"),
        }
    }

    async fn forms(&self, form: &Form, wanted: &[Wanted]) -> Result<Exit, Problem> {
        let names_one = matches!(wanted, [wanted] if wanted.names.len() == 1);
        let mut refusals = Vec::new();
        let mut found = Vec::new();
        for wanted in wanted {
            for path in self.paths(wanted) {
                match calls::get(&self.session.client, &path).await {
                    Ok(answer) => found.extend(objects::items(wanted.kind, answer)),
                    Err(refusal) => self.note(refusal, &mut refusals),
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
        end(refusals)
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

/// Tells every refusal; the last one is the command's end.
fn end(mut refusals: Vec<Refusal>) -> Result<Exit, Problem> {
    let Some(last) = refusals.pop() else { return Ok(Exit::Success) };
    for refusal in refusals {
        output::report(&refusal.problem());
    }
    Err(last.problem())
}
