//! `kiln get -w`: what is there, then every change as it comes.

use kinds::Kind;
use serde_json::Value;

use super::super::calls::{self, Refusal};
use super::super::following::{Change, Collection, Follower};
use super::super::objects;
use super::super::session::Session;
use super::{Arguments, Asked, Request};
use crate::output::form::{self, Form};
use crate::output::tabs::{self, Widths};
use crate::output::{self, Exit, Problem, table};

/// Prints until the reader has seen enough, the server refuses, or somebody interrupts.
pub(super) async fn run(arguments: &Arguments, session: &Session, wanted: &[Asked]) -> Result<Exit, Problem> {
    let [wanted] = wanted else {
        return Err(Problem::usage("watch is only supported on individual resources and resource collections")
            .remedy("watch one type at a time"));
    };
    if arguments.sort_by.is_some() {
        return Err(Problem::usage("what changes cannot be sorted").remedy("leave out -w or --sort-by"));
    }
    if 1 < wanted.named.len() {
        return Err(Problem::usage("only one object can be watched by name").remedy("use a selector: -l"));
    }
    let request = Request { arguments, session };
    if !wanted.named.is_empty() {
        // Whether it is there at all; a watch would wait for it.
        for path in request.paths(wanted) {
            calls::get(&session.client, &path).await.map_err(Refusal::problem)?;
        }
    }
    let (mut follower, items) = Follower::begin(request.followed(wanted)).await?;
    let mut printer = Printer { request: &request, kind: wanted.kind, widths: Widths::new(), is_begun: false };
    if !arguments.watch_only {
        printer.print("ADDED", &follower.columns, items)?;
    }
    loop {
        let Change { what, item } = follower.next().await?;
        printer.print(&what, &follower.columns, vec![item])?;
    }
}

impl Request<'_> {
    fn followed(&self, wanted: &Asked) -> Collection<'_> {
        let labels = self.arguments.selector.clone().unwrap_or_default();
        let query = match wanted.named.first() {
            Some((_, name)) => vec![("fieldSelector", format!("metadata.name={name}"))],
            None => vec![
                ("labelSelector", labels),
                ("fieldSelector", self.arguments.field_selector.clone().unwrap_or_default()),
            ],
        };
        let path = match wanted.named.first() {
            Some((namespace, _)) => objects::collection(wanted.kind, namespace.as_deref()),
            None => self.collection(wanted.kind),
        };
        let accept = if self.is_in_other_form() { calls::JSON } else { calls::TABLE };
        Collection { client: &self.session.client, kind: wanted.kind, path, query, accept }
    }
}

struct Printer<'a> {
    request: &'a Request<'a>,
    kind: &'static dyn Kind,
    widths: Widths,
    is_begun: bool,
}

impl Printer<'_> {
    fn print(&mut self, what: &str, columns: &Value, items: Vec<Value>) -> Result<(), Problem> {
        if !self.request.is_in_other_form() {
            return self.rows(what, columns, &items);
        }
        items.into_iter().try_for_each(|object| self.object(what, object))
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
