//! `kiln get -w`: what is there, then every change as it comes.

use futures::AsyncBufReadExt;
use kinds::Kind;
use serde_json::Value;

use super::super::calls::{self, Refusal};
use super::super::choice::Wanted;
use super::super::objects;
use super::super::session::Session;
use super::{Arguments, Request};
use crate::output::form::{self, Form};
use crate::output::tabs::{self, Widths};
use crate::output::{self, Exit, Problem, table};

/// Prints until the reader has seen enough, the server refuses, or somebody interrupts.
pub(super) async fn run(arguments: &Arguments, session: &Session, wanted: &[Wanted]) -> Result<Exit, Problem> {
    let [wanted] = wanted else {
        return Err(Problem::usage("watch is only supported on individual resources and resource collections")
            .remedy("watch one type at a time"));
    };
    if arguments.sort_by.is_some() {
        return Err(Problem::usage("what changes cannot be sorted").remedy("leave out -w or --sort-by"));
    }
    if 1 < wanted.names.len() {
        return Err(Problem::usage("only one object can be watched by name").remedy("use a selector: -l"));
    }
    let request = Request { arguments, session };
    if let [name] = wanted.names.as_slice() {
        // Whether it is there at all; a watch would wait for it.
        let path = format!("{}/{name}", request.collection(wanted.kind));
        calls::get(&session.client, &path).await.map_err(Refusal::problem)?;
    }
    let mut printer = Printer { request: &request, kind: wanted.kind, widths: Widths::new(), is_begun: false };
    let mut revision = printer.list(wanted).await?;
    loop {
        revision = printer.follow(wanted, revision).await?;
    }
}

struct Printer<'a> {
    request: &'a Request<'a>,
    kind: &'static dyn Kind,
    widths: Widths,
    is_begun: bool,
}

impl Printer<'_> {
    fn accept(&self) -> &'static str {
        if self.request.is_in_other_form() { calls::JSON } else { calls::TABLE }
    }

    fn path(&self, wanted: &Wanted, extra: &[(&str, &str)]) -> String {
        let arguments = self.request.arguments;
        let labels = arguments.selector.clone().unwrap_or_default();
        let fields = match wanted.names.first() {
            Some(name) => format!("metadata.name={name}"),
            None => arguments.field_selector.clone().unwrap_or_default(),
        };
        let query = [&[("labelSelector", labels.as_str()), ("fieldSelector", fields.as_str())], extra].concat();
        calls::path(&self.request.collection(self.kind), &query)
    }

    /// Prints what is there, and gives the revision to go on from.
    async fn list(&mut self, wanted: &Wanted) -> Result<String, Problem> {
        let client = &self.request.session.client;
        let answer = calls::json(client, "GET", &self.path(wanted, &[]), self.accept(), calls::EMPTY).await;
        let mut answer = answer.map_err(Refusal::problem)?;
        let revision = answer["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        if self.request.arguments.watch_only {
            return Ok(revision);
        }
        if self.request.is_in_other_form() {
            for object in objects::items(self.kind, answer) {
                self.object("ADDED", object)?;
            }
        } else if let Value::Array(rows) = answer["rows"].take() {
            self.rows("ADDED", &answer["columnDefinitions"], &rows)?;
        }
        Ok(revision)
    }

    /// Prints changes until the server ends the watch, and gives the last revision seen.
    async fn follow(&mut self, wanted: &Wanted, mut revision: String) -> Result<String, Problem> {
        let query = [("watch", "true"), ("resourceVersion", revision.as_str()), ("allowWatchBookmarks", "true")];
        let path = self.path(wanted, &query);
        let stream = calls::stream(&self.request.session.client, &path, self.accept()).await;
        let mut lines = std::pin::pin!(stream.map_err(Refusal::problem)?);
        let mut columns = Value::Null;
        loop {
            let mut line = String::new();
            let lost = |error: std::io::Error| Problem::internal("lost the server").because(error);
            if lines.read_line(&mut line).await.map_err(lost)? == 0 {
                return Ok(revision);
            }
            let unreadable = |error| Problem::internal("the server's answer is unreadable").because(error);
            let mut event: Value = serde_json::from_str(&line).map_err(unreadable)?;
            let what = event["type"].as_str().unwrap_or_default().to_owned();
            let mut object = event["object"].take();
            if what == "ERROR" {
                let message = object["message"].as_str().unwrap_or("the watch has failed");
                return Err(Problem::failed(message.to_owned()));
            }
            let version = object
                .pointer("/metadata/resourceVersion")
                .or(object.pointer("/rows/0/object/metadata/resourceVersion"));
            if let Some(version) = version.and_then(Value::as_str).filter(|version| !version.is_empty()) {
                version.clone_into(&mut revision);
            }
            match (what.as_str(), object["rows"].take()) {
                ("BOOKMARK", _) => {}
                (what, Value::Array(rows)) => {
                    if object["columnDefinitions"].is_array() {
                        columns = object["columnDefinitions"].take();
                    }
                    self.rows(what, &columns, &rows)?;
                }
                (what, _) => self.object(what, object)?,
            }
        }
    }

    fn rows(&mut self, what: &str, columns: &Value, rows: &[Value]) -> Result<(), Problem> {
        let shown = self.request.shown(self.kind, false);
        let mut text = table::lines(columns, rows, &shown, !self.is_begun);
        if self.request.arguments.output_watch_events {
            let has_heading = !self.is_begun && !shown.is_headless;
            let prefixed = text.lines().enumerate().map(|(position, line)| match position == 0 && has_heading {
                true => format!("{:<8}\t{line}\n", "EVENT"),
                false => format!("{what:<8}\t{line}\n"),
            });
            text = prefixed.collect();
        }
        self.is_begun |= !rows.is_empty();
        output::print(&tabs::align_on(&text, tabs::TABLE, &mut self.widths))
    }

    fn object(&mut self, what: &str, object: Value) -> Result<(), Problem> {
        let arguments = self.request.arguments;
        let object = if arguments.show_managed_fields { object } else { form::without_managed_fields(object) };
        let Some(form) = &arguments.output else { return Ok(()) };
        let object = match (arguments.output_watch_events, form) {
            (true, Form::Json | Form::Yaml | Form::JsonPath(_) | Form::JsonPathAsJson(_)) => {
                serde_json::json!({ "type": what, "object": object })
            }
            _ => object,
        };
        let text = match form {
            Form::Columns(columns) => columns.row(&object).map(|row| {
                let headings = if self.is_begun || arguments.no_headers { String::new() } else { columns.headings() };
                tabs::align_on(&format!("{headings}{row}"), tabs::TABLE, &mut self.widths)
            }),
            // As kubectl: documents are told apart.
            Form::Yaml => form::each(form, &[object], objects::title)
                .map(|text| if self.is_begun { format!("---\n{text}") } else { text }),
            _ => form::each(form, &[object], objects::title),
        };
        self.is_begun = true;
        output::print(&text.map_err(|cause| Problem::failed("the template does not fit the object").because(cause))?)
    }
}
